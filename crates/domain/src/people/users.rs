//! Users, who can sign in: owners and sitters of an organisation, and the platform's operators.

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
    pub enum Role {
        /// Runs one organisation.
        Owner = "owner",
        /// Looks after bookings of one organisation.
        Sitter = "sitter",
        /// Runs the platform.
        Ops = "ops",
    }
}

/// A person who can sign in.
#[derive(Debug, Clone, sqlx::FromRow, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// The role, which decides what the user may do.
    pub role: Role,
    /// The user's organisation; null for the platform's operators.
    pub org_id: Option<OrgId>,
    /// The user's row in the table of sitters, for a sitter.
    pub sitter_id: Option<SitterId>,
}

/// Lists the active users who can work on an organisation's exceptions: its owners and the platform's operators. For
/// `None`, the platform's own exceptions, only its operators.
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

#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address for signing in.
    pub email: String,
    pub name: String,
    pub role: Role,
    /// Required unless the role is ops.
    pub org_id: Option<OrgId>,
    /// Required for sitters.
    pub sitter_id: Option<SitterId>,
    /// `None` until an invited user sets one.
    pub password: Option<Hashed>,
}

/// Returns the form in which an email address is stored and compared: trimmed and in lower case.
#[must_use]
pub fn normal_email(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// Creates a user.
///
/// # Errors
/// [`Error::Invalid`] for fields that contradict each other and for an unknown organisation or sitter;
/// [`Error::Conflict`] `email_taken` if another user has this address or is this sitter.
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

/// Sets a user's password and ends the user's sessions.
///
/// # Errors
/// [`NotFound`](Error::NotFound) if no user has this address.
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

/// Returns the active user with this address and password.
///
/// Takes the same time whether or not there is such a user, so that response times don't reveal addresses.
///
/// # Errors
/// [`Busy`](Error::Busy) if `slot` was not granted in time.
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
