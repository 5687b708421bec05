//! API keys of programs: `jk_<8 characters>_<secret>`.
//!
//! The 8 characters find the row. The SHA-256 of the secret is stored: a random secret of 256 bits needs no slow hash.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nightshift_db::{Db, Json, Timestamp, Tx};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{ApiKeyId, OrgId};
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// What a key may be used for.
    pub enum Scope as KeyScope {
        BookingsWrite = "bookings:write",
        BookingsRead = "bookings:read",
        /// Send texts to clients.
        MessagesWrite = "messages:write",
        /// Read conversations.
        MessagesRead = "messages:read",
        /// Create and change service requests.
        RequestsWrite = "requests:write",
        /// Retry and cancel jobs, pause and resume queues.
        JobsAdmin = "jobs:admin",
        /// Resolve, snooze and assign exceptions.
        ExceptionsWrite = "exceptions:write",
    }
}

/// A key that was just created. Its text is shown only once.
#[derive(Debug)]
pub struct Issued {
    pub id: ApiKeyId,
    /// `jk_<8>_<secret>`.
    pub text: SecretString,
}

/// A key as lists show it, without its secret.
#[derive(Debug, Clone, sqlx::FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    pub id: ApiKeyId,
    /// `None` for a key of the operations staff, which belongs to no organisation.
    pub org_id: Option<OrgId>,
    /// The 8 characters that identify the key. They are not secret.
    pub key_id: String,
    /// The purpose of the key, as its creator described it.
    pub name: String,
    #[serde(serialize_with = "plain_scopes")]
    pub scopes: Json<BTreeSet<Scope>>,
    /// Accurate to an hour.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

fn plain_scopes<S: serde::Serializer>(scopes: &Json<BTreeSet<Scope>>, serializer: S) -> Result<S::Ok, S::Error> {
    scopes.0.serialize(serializer)
}

/// Creates a key for an organisation, or for the operations staff if `org` is `None`.
///
/// # Errors
/// [`Error::Invalid`] if there is no name or no scope, or the organisation is unknown.
pub async fn create(
    tx: &mut Tx,
    org: Option<&OrgId>,
    name: &str,
    scopes: &BTreeSet<Scope>,
    now: Timestamp,
) -> Result<Issued> {
    let mut field_errors = FieldErrors::default();
    if !(TextLimit { chars_max: 200 }).allows(name.trim()) {
        field_errors.add("name", "must have 1 to 200 characters");
    }
    if scopes.is_empty() {
        field_errors.add("scopes", "names at least one scope");
    }
    field_errors.finish()?;
    if let Some(org) = org {
        let known = tx.query("SELECT id FROM organizations WHERE id = $1").bind(org).optional::<(OrgId,)>().await?;
        known.ok_or_else(|| Error::invalid("org", "there is no such organisation"))?;
    }
    let (id, key_id, secret) = (ApiKeyId::new(now), random_key_id(), random_secret());
    tx.query(
        "INSERT INTO api_keys (id, org_id, key_id, secret_sha256, name, scopes, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(&id)
    .bind(org)
    .bind(&key_id)
    .bind(sha256_hex(&secret))
    .bind(name.trim())
    .bind(Json(scopes))
    .bind(now)
    .execute()
    .await?;
    Ok(Issued { id, text: format!("jk_{key_id}_{secret}").into() })
}

fn random_key_id() -> String {
    // Eight hex digits of random bytes. The unique index refuses a duplicate.
    hex::encode(&random_bytes()[..4])
}

/// Returns 256 random bits as text.
#[must_use]
pub fn random_secret() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes())
}

fn random_bytes() -> [u8; 32] {
    use argon2::password_hash::rand_core::{OsRng, RngCore};
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn sha256_hex(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

/// A key that a caller presented and that is valid.
#[derive(Debug, Clone)]
pub struct Verified {
    pub id: ApiKeyId,
    /// `None` for a key of the operations staff, which belongs to no organisation.
    pub org_id: Option<OrgId>,
    pub scopes: BTreeSet<Scope>,
}

/// Returns the key with this text, or `None` if there is none or it is revoked.
pub async fn verify(db: &Db, text: &SecretString, now: Timestamp) -> Result<Option<Verified>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: ApiKeyId,
        org_id: Option<OrgId>,
        secret_sha256: String,
        scopes: Json<BTreeSet<Scope>>,
        last_used_at: Option<Timestamp>,
    }
    let Some((key_id, secret)) = text.expose_secret().strip_prefix("jk_").and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    if key_id.contains('\0') {
        return Ok(None);
    }
    let row: Option<Row> = db
        .read(
            "SELECT id, org_id, secret_sha256, scopes, last_used_at FROM api_keys
             WHERE key_id = $1 AND revoked_at IS NULL",
        )
        .bind(key_id)
        .optional()
        .await?;
    let Some(row) = row else { return Ok(None) };
    if !bool::from(sha256_hex(secret).as_bytes().ct_eq(row.secret_sha256.as_bytes())) {
        return Ok(None);
    }
    let hour_ago = now - std::time::Duration::from_secs(3600);
    if row.last_used_at.is_none_or(|used| used < hour_ago) {
        db.write("UPDATE api_keys SET last_used_at = $2 WHERE id = $1").bind(&row.id).bind(now).execute().await?;
    }
    Ok(Some(Verified { id: row.id, org_id: row.org_id, scopes: row.scopes.0 }))
}

/// Returns all keys, newest first.
pub async fn list(db: &Db) -> Result<Vec<KeyView>> {
    Ok(db
        .read(
            "SELECT id, org_id, key_id, name, scopes, last_used_at, revoked_at, created_at FROM api_keys
             ORDER BY created_at DESC, id DESC",
        )
        .all()
        .await?)
}

/// Revokes a key, named by its id or by its 8 public characters. Revoking it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if there is no such key.
pub async fn revoke(tx: &mut Tx, key: &str, now: Timestamp) -> Result<ApiKeyId> {
    tx.query(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2), updated_at = $2
         WHERE id = $1 OR key_id = $1 RETURNING id",
    )
    .bind(key)
    .bind(now)
    .optional::<(ApiKeyId,)>()
    .await?
    .map(|(id,)| id)
    .ok_or(Error::NotFound)
}
