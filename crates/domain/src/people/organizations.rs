//! Organisations: the tenants.

use chrono_tz::Tz;
use nightshift_db::Db;

use crate::Result;
use crate::ids::OrgId;

/// The organisation that requests without one belong to: the one marked as default, else the oldest tenant.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) before the first organisation is seeded; a database error.
pub async fn default_org(db: &Db) -> Result<OrgId> {
    db.read(
        "SELECT id FROM organizations WHERE id <> 'platform'
         ORDER BY is_default DESC, created_at, id LIMIT 1",
    )
    .optional::<(OrgId,)>()
    .await?
    .map(|(id,)| id)
    .ok_or(crate::Error::NotFound)
}

/// Whether there is an organisation with this id.
///
/// # Errors
/// A database error.
pub async fn exists(db: &Db, org: &OrgId) -> Result<bool> {
    Ok(db.read("SELECT id FROM organizations WHERE id = $1").bind(org).optional::<(OrgId,)>().await?.is_some())
}

/// The zone in which an organisation lives. Names are checked when they are stored.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound); a database error.
pub async fn zone(db: &Db, org: &OrgId) -> Result<Tz> {
    let zone: Option<(String,)> =
        db.read("SELECT timezone FROM organizations WHERE id = $1").bind(org).optional().await?;
    let (zone,) = zone.ok_or(crate::Error::NotFound)?;
    Ok(zone.parse().unwrap_or(Tz::UTC))
}
