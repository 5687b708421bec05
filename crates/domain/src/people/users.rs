//! Those who can sign in: owners and sitters of an organisation, and ops.

use nightshift_db::{Db, Timestamp, Tx};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::passwords::{self, HashSlot, Hashed};
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{OrgId, SitterId, UserId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// What somebody may do.
    pub enum Role {
        /// Runs one organisation.
        Owner = "owner",
        /// Looks after bookings of one organisation.
        Sitter = "sitter",
        /// Runs the platform.
        Ops = "ops",
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone, sqlx::FromRow, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Name to show.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where; none for ops.
    pub org_id: Option<OrgId>,
    /// Whom they are in the sitters' table.
    pub sitter_id: Option<SitterId>,
}

/// Those who can work on an organisation's exceptions: its owners, and ops; ops alone for the platform's.
///
/// # Errors
/// A database error.
pub async fn workers_of(db: &Db, org: Option<&OrgId>) -> Result<Vec<User>> {
    Ok(db
        .read(
            "SELECT id, name, role, org_id, sitter_id FROM users
             WHERE active AND (role = 'ops' OR (role = 'owner' AND org_id = $1)) ORDER BY name, id",
        )
        .bind(org)
        .all()
        .await?)
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Address they sign in with.
    pub email: String,
    /// Name to show.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Required unless they are ops.
    pub org_id: Option<OrgId>,
    /// Required for sitters.
    pub sitter_id: Option<SitterId>,
    /// None until an invited user sets one.
    pub password: Option<Hashed>,
}

/// The form in which an address is stored and compared.
#[must_use]
pub fn normal_email(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// Makes a user.
///
/// # Errors
/// Values that make no sense together; a taken address (`email_taken`); an unknown organisation or sitter.
pub async fn create(tx: &mut Tx, new: NewUser, now: Timestamp) -> Result<User> {
    let email = normal_email(&new.email);
    check(&new, &email)?;
    if let Some(org) = &new.org_id {
        let known = tx.query("SELECT id FROM organizations WHERE id = $1").bind(org).optional::<(OrgId,)>().await?;
        known.ok_or_else(|| Error::invalid("org", "there is no such organisation"))?;
    }
    if let (Some(sitter), Some(org)) = (&new.sitter_id, &new.org_id) {
        let known = tx
            .query("SELECT id FROM sitters WHERE id = $1 AND org_id = $2")
            .bind(sitter)
            .bind(org)
            .optional::<(SitterId,)>()
            .await?;
        known.ok_or_else(|| Error::invalid("sitter", "the organisation has no such sitter"))?;
    }
    tx.query(
        "INSERT INTO users (id, org_id, email, name, role, password_hash, sitter_id, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT DO NOTHING
         RETURNING id, name, role, org_id, sitter_id",
    )
    .bind(UserId::new(now))
    .bind(&new.org_id)
    .bind(email)
    .bind(new.name.trim())
    .bind(new.role)
    .bind(new.password.as_ref().map(Hashed::as_str))
    .bind(&new.sitter_id)
    .bind(now)
    .optional()
    .await?
    .ok_or_else(|| Error::conflict("email_taken", "another user has this address or is this sitter"))
}

fn check(new: &NewUser, email: &str) -> Result<()> {
    let mut field_errors = FieldErrors::default();
    let well_formed = email.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
    if !well_formed || email.contains(char::is_whitespace) || email.len() > 254 {
        field_errors.add("email", "must be an address such as ann@example.com");
    }
    if !(TextLimit { chars_max: 200 }).allows(new.name.trim()) {
        field_errors.add("name", "must have 1 to 200 characters");
    }
    if (new.role == Role::Ops) != new.org_id.is_none() {
        field_errors.add("org", "is required for owners and sitters, and not allowed for ops");
    }
    if (new.role == Role::Sitter) != new.sitter_id.is_some() {
        field_errors.add("sitter", "is required for sitters, and allowed for them alone");
    }
    field_errors.finish()
}

/// Sets a user's password and ends their sessions.
///
/// # Errors
/// [`NotFound`](Error::NotFound) for an unknown address.
pub async fn set_password(tx: &mut Tx, email: &str, password: &Hashed, now: Timestamp) -> Result<UserId> {
    let (user,): (UserId,) = tx
        .query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE email = $1 RETURNING id")
        .bind(normal_email(email))
        .bind(password.as_str())
        .bind(now)
        .optional()
        .await?
        .ok_or(Error::NotFound)?;
    tx.query("UPDATE sessions SET revoked_at = $2, updated_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
        .bind(&user)
        .bind(now)
        .execute()
        .await?;
    Ok(user)
}

/// The active user with this address whose password this is.
///
/// Takes the same time whether or not there is such a user, so that addresses can't be guessed by the clock.
///
/// # Errors
/// [`Busy`](Error::Busy) when the slot came too late; a database error.
pub async fn with_password(db: &Db, slot: HashSlot, email: &str, password: &SecretString) -> Result<Option<User>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        password_hash: Option<String>,
        #[sqlx(flatten)]
        user: User,
    }
    let row: Option<Row> = db
        .read(
            "SELECT password_hash, id, name, role, org_id, sitter_id FROM users
             WHERE email = $1 AND active",
        )
        .bind(normal_email(email))
        .optional()
        .await?;
    let stored = row.as_ref().and_then(|row| row.password_hash.as_deref());
    let right = passwords::verify(slot, password, stored).await?;
    Ok(row.filter(|_| right).map(|row| row.user))
}
