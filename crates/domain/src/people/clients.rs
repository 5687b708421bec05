//! Clients: an organisation's customers, told apart by the digits of their phone numbers.

use nightshift_db::{Timestamp, Tx};

use crate::Result;
use crate::ids::{ClientId, OrgId};
use crate::phone::PhoneNumber;

/// What is known of somebody who books or writes.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Their number, by which they are found again.
    pub phone: PhoneNumber,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Address for mail.
    pub email: Option<String>,
}

/// A client, as far as other rules need it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Client {
    /// It.
    pub id: ClientId,
}

/// The unique index on (organisation, digits) finds the one that stands; what is known already is not overwritten.
const FIND_OR_CREATE: &str = "
INSERT INTO clients (id, org_id, first_name, last_name, email, phone_number, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (org_id, (replace(phone_number, '+', ''))) WHERE org_id IS NOT NULL
DO UPDATE SET first_name = coalesce(clients.first_name, excluded.first_name),
              last_name  = coalesce(clients.last_name, excluded.last_name),
              email      = coalesce(clients.email, excluded.email)
RETURNING id";

/// The organisation's client with this number; made when there is none. Empty names are filled in, known ones stay.
///
/// # Errors
/// A database error.
pub async fn find_or_create(tx: &mut Tx, org: &OrgId, contact: &Contact, now: Timestamp) -> Result<Client> {
    Ok(tx
        .query(FIND_OR_CREATE)
        .bind(ClientId::new(now))
        .bind(org)
        .bind(&contact.first_name)
        .bind(&contact.last_name)
        .bind(&contact.email)
        .bind(contact.phone.as_str())
        .bind(now)
        .one()
        .await?)
}
