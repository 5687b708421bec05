//! Sitters: the people who do an organisation's bookings, identified by the digits of their phone numbers.
//!
//! A sitter's tier is not set here: [`metrics::compute`] computes it.

use nightshift_db::{Db, Engine, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::organizations;
use crate::actor::Actor;
use crate::audience::Audience;
use crate::audit::{self, Entry, Event};
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{OrgId, SitterId};
use crate::list::List;
use crate::metrics::{self, Days, MetricsView, Tier};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

const NAME: TextLimit = TextLimit { chars_max: 200 };

/// A sitter.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Sitter {
    pub id: SitterId,
    pub org_id: OrgId,
    pub name: String,
    pub phone_number: PhoneNumber,
    /// Whether the sitter may get offers and bookings.
    pub active: bool,
    pub tier: Tier,
    pub tier_computed_at: Option<Timestamp>,
}

macro_rules! sitter_columns {
    ($before:literal, $after:literal) => {
        concat!($before, " id, org_id, name, phone_number, active, tier, tier_computed_at ", $after)
    };
}

/// A sitter to add.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NewSitter {
    /// The name to show, 1 to 200 characters.
    #[schema(required = true, nullable = false)]
    pub name: Option<String>,
    /// The phone number, best in international form such as +12125550123.
    #[schema(required = true, nullable = false)]
    pub phone: Option<String>,
    /// Whether the sitter may get offers and bookings. True by default.
    pub active: Option<bool>,
}

/// A change to a sitter. Omitted fields keep their values.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SitterPatch {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub active: Option<bool>,
}

/// Adds a sitter.
///
/// # Errors
/// [`Error::Invalid`] with a message for each field; [`Error::Conflict`] `phone_in_use` if another sitter of the
/// organisation has this number, or if it is a masking number.
pub async fn add(tx: &mut Tx, org: &OrgId, new: NewSitter, by: &Actor, now: Timestamp) -> Result<Sitter> {
    let country = organizations::country_in(tx, org).await?;
    let mut field_errors = FieldErrors::default();
    let name = field_errors.required("name", new.name, NAME);
    let phone = field_errors.phone("phone", new.phone.as_deref(), country);
    let (Some(name), Some(phone)) = (name, phone) else { return Err(field_errors.into_error()) };
    check_free(tx, org, &phone, None).await?;
    let added: Option<Sitter> = tx
        .query(sitter_columns!(
            "INSERT INTO sitters (id, org_id, name, phone_number, active, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING RETURNING",
            ""
        ))
        .bind(SitterId::new(now))
        .bind(org)
        .bind(name)
        .bind(phone.e164())
        .bind(new.active.unwrap_or(true))
        .bind(now)
        .optional()
        .await?;
    let added = added.ok_or_else(phone_in_use)?;
    let facts = json!({"active": added.active});
    audit::record(tx, entry(Event::SitterAdded, &added, by).metadata(facts), now).await?;
    Ok(added)
}

/// What [`patch`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    pub sitter: Sitter,
    /// Whether the sitter was inactive before and is active now.
    pub reactivated: bool,
    /// Whether the sitter was active before and is inactive now.
    pub deactivated: bool,
}

/// Changes a sitter's name, phone number, or whether they are active. An audit entry names the fields that changed; if
/// none did, there is none.
///
/// An inactive sitter gets no new bookings or offers. Their bookings and windows stay as they are, because the client
/// expects them; the owner gives the bookings to others one by one. The caller withdraws the offers that wait for their
/// answer, and gives their conversations to the owner.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such sitter; else as [`add`].
pub async fn patch(
    tx: &mut Tx,
    org: &OrgId,
    id: &SitterId,
    patch: SitterPatch,
    by: &Actor,
    now: Timestamp,
) -> Result<Patched> {
    let before = lock(tx, id).await?.filter(|sitter| sitter.org_id == *org).ok_or(Error::NotFound)?;
    let after = merged(tx, &before, patch).await?;
    let mut changed = Vec::new();
    for (field, differs) in [
        ("name", before.name != after.name),
        ("phone", before.phone_number != after.phone_number),
        ("active", before.active != after.active),
    ] {
        if differs {
            changed.push(field);
        }
    }
    let (reactivated, deactivated) = (after.active && !before.active, before.active && !after.active);
    if changed.is_empty() {
        return Ok(Patched { sitter: before, reactivated, deactivated });
    }
    if changed.contains(&"phone") {
        check_free(tx, org, &after.phone_number, Some(id)).await?;
    }
    tx.query("UPDATE sitters SET name = $2, phone_number = $3, active = $4, updated_at = $5 WHERE id = $1")
        .bind(id)
        .bind(&after.name)
        .bind(after.phone_number.as_str())
        .bind(after.active)
        .bind(now)
        .execute()
        .await
        .map_err(|error| if error.is_unique_violation() { phone_in_use() } else { Error::from(error) })?;
    let facts = json!({"changed": changed, "active": after.active});
    audit::record(tx, entry(Event::SitterChanged, &after, by).metadata(facts), now).await?;
    Ok(Patched { sitter: after, reactivated, deactivated })
}

/// Returns the sitter as the patch would have it.
async fn merged(tx: &mut Tx, before: &Sitter, patch: SitterPatch) -> Result<Sitter> {
    let country = organizations::country_in(tx, &before.org_id).await?;
    let mut field_errors = FieldErrors::default();
    let mut after = before.clone();
    if patch.name.is_some()
        && let Some(name) = field_errors.required("name", patch.name, NAME)
    {
        after.name = name;
    }
    if patch.phone.is_some()
        && let Some(phone) = field_errors.phone("phone", patch.phone.as_deref(), country)
        && phone != before.phone_number
    {
        after.phone_number = PhoneNumber::stored(&phone.e164()).unwrap_or(phone);
    }
    after.active = patch.active.unwrap_or(before.active);
    field_errors.finish()?;
    Ok(after)
}

async fn lock(tx: &mut Tx, id: &SitterId) -> Result<Option<Sitter>> {
    let sql = match tx.engine() {
        Engine::Postgres => sitter_columns!("SELECT", "FROM sitters WHERE id = $1 FOR NO KEY UPDATE"),
        Engine::Sqlite => sitter_columns!("SELECT", "FROM sitters WHERE id = $1"),
    };
    Ok(tx.query(sql).bind(id).optional().await?)
}

/// Checks that nobody else answers at this number: a text from it must mean one person, and a text to a masking number
/// would come back to us.
async fn check_free(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber, own: Option<&SitterId>) -> Result<()> {
    let taken: bool = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM sitters
                            WHERE org_id = $1 AND replace(phone_number, '+', '') = $2 AND id <> COALESCE($3, ''))
                 OR EXISTS (SELECT 1 FROM message_numbers WHERE e164 = $4)",
        )
        .bind(org)
        .bind(phone.digits())
        .bind(own)
        .bind(phone.e164())
        .scalar()
        .await?;
    if taken { Err(phone_in_use()) } else { Ok(()) }
}

fn phone_in_use() -> Error {
    Error::conflict("phone_in_use", "another sitter has this phone number, or it is one of the masking numbers")
}

fn entry(event: Event, sitter: &Sitter, by: &Actor) -> Entry {
    crate::audit_entry(event, "success", by).org(&sitter.org_id).sitter(&sitter.id)
}

/// Returns the organisation of a sitter.
///
/// # Errors
/// [`Error::NotFound`] if there is no such sitter.
pub async fn org_of(tx: &mut Tx, id: &SitterId) -> Result<OrgId> {
    let org: Option<(OrgId,)> = tx.query("SELECT org_id FROM sitters WHERE id = $1").bind(id).optional().await?;
    org.map(|(org,)| org).ok_or(Error::NotFound)
}

/// Whether there is such a sitter, and they are active.
pub(crate) async fn is_active(tx: &mut Tx, id: &SitterId) -> Result<bool> {
    Ok(tx.query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND active)").bind(id).scalar().await?)
}

/// A sitter with the figures of their answers.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SitterListed)]
#[serde(rename_all = "camelCase")]
pub struct SitterView {
    #[serde(flatten)]
    pub sitter: SitterEntry,
    /// The last figures.
    pub metrics: BothMetrics,
}

/// A sitter without the figures of their answers.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Sitter)]
#[serde(rename_all = "camelCase")]
pub struct SitterEntry {
    pub id: SitterId,
    pub name: String,
    pub phone: String,
    /// Whether the sitter may get offers and bookings.
    pub active: bool,
    pub tier: Tier,
    /// When the tier was computed. Null if it never was.
    pub tier_computed_at: Option<Timestamp>,
}

/// The figures of 7 and of 28 days; null if none were computed yet.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MetricsByDays)]
pub struct BothMetrics {
    #[serde(rename = "7")]
    pub seven_days: Option<MetricsView>,
    #[serde(rename = "28")]
    pub twenty_eight_days: Option<MetricsView>,
}

impl Sitter {
    /// Returns the sitter as `audience` may see them.
    #[must_use]
    pub fn into_entry(self, audience: Audience) -> SitterEntry {
        SitterEntry {
            id: self.id,
            name: self.name,
            phone: audience.client_phone(&self.phone_number),
            active: self.active,
            tier: self.tier,
            tier_computed_at: self.tier_computed_at,
        }
    }
}

/// Lists the sitters of the viewer's organisation by name, with their tiers and figures.
///
/// # Errors
/// [`Error::Forbidden`] for sitters.
pub async fn list(db: &Db, viewer: &Viewer, active: Option<bool>) -> Result<Vec<SitterView>> {
    let sitters: Vec<Sitter> =
        List::new(db, sitter_columns!("SELECT", "FROM sitters"), viewer.org_scope("org_id = $1")?)
            .filter("active = $1", active)
            .end("ORDER BY org_id, name, id")
            .all()
            .await?;
    let mut week = metrics::latest(db, viewer, Days::Seven).await?;
    let mut month = metrics::latest(db, viewer, Days::TwentyEight).await?;
    Ok(sitters
        .into_iter()
        .map(|sitter| {
            let metrics =
                BothMetrics { seven_days: week.remove(&sitter.id), twenty_eight_days: month.remove(&sitter.id) };
            SitterView { sitter: sitter.into_entry(viewer.audience()), metrics }
        })
        .collect())
}
