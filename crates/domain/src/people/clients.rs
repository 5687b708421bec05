//! Clients: an organisation's customers, identified by the digits of their phone numbers.

use nightshift_db::{Timestamp, Tx};

use crate::Result;
use crate::ids::{ClientId, OrgId};
use crate::phone::PhoneNumber;

/// What is known about a person who books or writes.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Identifies the client within the organisation.
    pub phone: PhoneNumber,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Client {
    pub id: ClientId,
}

/// The unique index on (organisation, digits) finds an existing client, whose known names and email are not
/// overwritten.
const FIND_OR_CREATE: &str = "
INSERT INTO clients (id, org_id, first_name, last_name, email, phone_number, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (org_id, (replace(phone_number, '+', ''))) WHERE org_id IS NOT NULL
DO UPDATE SET first_name = coalesce(clients.first_name, excluded.first_name),
              last_name  = coalesce(clients.last_name, excluded.last_name),
              email      = coalesce(clients.email, excluded.email)
RETURNING id";

/// Returns the organisation's client with this number, creating it if there is none. Fills in missing names and a
/// missing email; known ones stay.
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
