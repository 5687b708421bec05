//! Loads a business from one JSON file: organisations, users, sitters, clients, numbers, automations, prices, bookings.
//!
//! The caller's transaction loads all or nothing. Every item has an id, and an item whose id exists already is skipped:
//! loading a file twice changes nothing. `config/demo-seed.json` is an example with every kind of item.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use nightshift_db::{DbError, Json, Timestamp, Tx};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::passwords::{self, Hashed};
use crate::actor::Actor;
use crate::automations::{self, AutomationType};
use crate::bookings::{self, Draft};
use crate::country::Country;
use crate::ids::{BookingId, ClientId, NumberId, OrgId, RuleId, SitterId, UserId};
use crate::messaging::numbers::{NumberClass, SmsCarrier};
use crate::people::organizations;
use crate::people::users::{Role, normal_email};
use crate::phone::PhoneNumber;
use crate::pricing::{self, RuleDraft};
use crate::warning::Warning;
use crate::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub struct Seed {
    /// Ignored; a place for a note to readers.
    #[serde(rename = "$comment")]
    pub comment: Option<String>,
    pub organizations: Vec<SeedOrganization>,
    pub sitters: Vec<SeedSitter>,
    pub users: Vec<SeedUser>,
    pub clients: Vec<SeedClient>,
    pub numbers: Vec<SeedNumber>,
    /// Automations that differ from the defaults, which every organisation gets.
    pub automations: Vec<SeedAutomation>,
    pub pricing_rules: Vec<SeedRule>,
    /// Bookings, all pending.
    pub bookings: Vec<SeedBooking>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedOrganization {
    id: OrgId,
    name: String,
    slug: String,
    #[serde(default = "new_york")]
    timezone: String,
    /// ISO 3166 code; the country of the time zone if missing.
    #[serde(default)]
    country: Option<String>,
    #[serde(default = "usd")]
    currency: String,
    #[serde(default = "nothing")]
    settings: Value,
    #[serde(default)]
    is_default: bool,
}

fn new_york() -> String {
    "America/New_York".to_owned()
}

fn usd() -> String {
    "USD".to_owned()
}

fn nothing() -> Value {
    json!({})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedSitter {
    id: SitterId,
    org_id: OrgId,
    name: String,
    phone: String,
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    id: UserId,
    #[serde(default)]
    org_id: Option<OrgId>,
    email: String,
    name: String,
    role: Role,
    #[serde(default)]
    sitter_id: Option<SitterId>,
    #[serde(default)]
    password: Option<SecretString>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedClient {
    id: ClientId,
    org_id: OrgId,
    first_name: String,
    last_name: String,
    phone: String,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedNumber {
    id: NumberId,
    org_id: OrgId,
    e164: String,
    number_class: NumberClass,
    #[serde(default)]
    assigned_sitter_id: Option<SitterId>,
    provider: SmsCarrier,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedAutomation {
    org_id: OrgId,
    #[serde(rename = "type")]
    kind: AutomationType,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    delay_minutes: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedRule {
    id: RuleId,
    org_id: OrgId,
    #[serde(flatten)]
    rule: RuleDraft,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

/// A pending booking of one of the file's clients.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedBooking {
    id: BookingId,
    org_id: OrgId,
    client_id: ClientId,
    #[serde(default)]
    sitter_id: Option<SitterId>,
    service: String,
    start_at: String,
    end_at: String,
    #[serde(default)]
    quantity: Option<i64>,
    #[serde(default)]
    add_ons: Option<Vec<String>>,
    #[serde(default)]
    discount_minor: Option<i64>,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    notes: Option<String>,
}

/// The number of items that were new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeded {
    pub organizations: u64,
    pub sitters: u64,
    pub users: u64,
    pub clients: u64,
    pub numbers: u64,
    pub automations: u64,
    pub pricing_rules: u64,
    pub bookings: u64,
    /// Warnings about new bookings, each with the item's place in the file.
    pub warnings: Vec<String>,
}

impl Seed {
    /// Returns the organisations for which the file has numbers.
    #[must_use]
    pub fn organizations_with_numbers(&self) -> BTreeSet<OrgId> {
        self.numbers.iter().map(|number| number.org_id.clone()).collect()
    }

    /// Parses a file.
    ///
    /// # Errors
    /// [`Error::Invalid`] with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::invalid("file", error.to_string()))
    }

    /// Returns the email address and password of every user with a password.
    pub fn sign_ins(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.users.iter().filter_map(|user| Some((user.email.as_str(), user.password.as_ref()?)))
    }

    /// Removes the passwords: no user of the seed can sign in until a password is set.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        for user in &mut self.users {
            user.password = None;
        }
        self
    }
}

/// Loads `seed`.
///
/// # Errors
/// The error of the first item that can't be loaded, with its place in the file. The transaction must then be rolled
/// back.
pub async fn load(tx: &mut Tx, seed: &Seed, now: Timestamp) -> Result<Seeded> {
    let mut seeded = Seeded::default();
    for (place, organization) in seed.organizations.iter().enumerate() {
        seeded.organizations += add_organization(tx, organization, now).await.map_err(at("organizations", place))?;
    }
    for (place, sitter) in seed.sitters.iter().enumerate() {
        seeded.sitters += add_sitter(tx, sitter, now).await.map_err(at("sitters", place))?;
    }
    for (place, user) in seed.users.iter().enumerate() {
        seeded.users += add_user(tx, user, now).await.map_err(at("users", place))?;
    }
    for (place, client) in seed.clients.iter().enumerate() {
        seeded.clients += add_client(tx, client, now).await.map_err(at("clients", place))?;
    }
    for (place, number) in seed.numbers.iter().enumerate() {
        seeded.numbers += add_number(tx, number, place, now).await.map_err(at("numbers", place))?;
    }
    for (place, automation) in seed.automations.iter().enumerate() {
        seeded.automations += set_automation(tx, automation, now).await.map_err(at("automations", place))?;
    }
    for (place, rule) in seed.pricing_rules.iter().enumerate() {
        seeded.pricing_rules += add_rule(tx, rule, now).await.map_err(at("pricingRules", place))?;
    }
    for (place, booking) in seed.bookings.iter().enumerate() {
        let Some(warnings) = add_booking(tx, seed, booking, now).await.map_err(at("bookings", place))? else {
            continue;
        };
        seeded.bookings += 1;
        seeded.warnings.extend(warnings.iter().map(|warning| format!("bookings[{place}]: {}", warning.message)));
    }
    Ok(seeded)
}

/// Prefixes an error with the place of the item in the file.
fn at(list: &'static str, place: usize) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Invalid(fields) => Error::Invalid(
            fields.into_iter().map(|(field, sentence)| (format!("{list}[{place}].{field}"), sentence)).collect(),
        ),
        Error::Db(DbError::Unique { constraint }) => {
            Error::invalid(format!("{list}[{place}]"), format!("another row has the same value ({constraint})"))
        }
        Error::Db(error @ (DbError::Refused(_) | DbError::Value(_))) => {
            Error::invalid(format!("{list}[{place}]"), error.to_string())
        }
        other => other,
    }
}

async fn add_organization(tx: &mut Tx, item: &SeedOrganization, now: Timestamp) -> Result<u64> {
    let Ok(zone) = item.timezone.parse::<Tz>() else {
        return Err(Error::invalid("timezone", "must be an IANA name such as Europe/London"));
    };
    let country = match &item.country {
        Some(code) => {
            let known = Country::parse(code);
            Some(known.ok_or_else(|| Error::invalid("country", "must be a code of ISO 3166 such as US"))?)
        }
        None => Country::of_zone(zone),
    };
    let added = tx
        .query(
            "INSERT INTO organizations (id, name, slug, timezone, currency, settings, is_default, country, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(&item.name)
        .bind(&item.slug)
        .bind(&item.timezone)
        .bind(&item.currency)
        .bind(Json(&item.settings))
        .bind(item.is_default)
        .bind(country.map(Country::code))
        .bind(now)
        .execute()
        .await?;
    automations::seed_defaults(tx, &item.id, now).await?;
    Ok(added)
}

async fn add_sitter(tx: &mut Tx, item: &SeedSitter, now: Timestamp) -> Result<u64> {
    let phone = read_phone(tx, &item.org_id, "phone", &item.phone).await?;
    Ok(tx
        .query(
            "INSERT INTO sitters (id, org_id, name, phone_number, active, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(&item.org_id)
        .bind(&item.name)
        .bind(phone.as_str())
        .bind(item.active)
        .bind(now)
        .execute()
        .await?)
}

async fn add_user(tx: &mut Tx, item: &SeedUser, now: Timestamp) -> Result<u64> {
    let known = tx.query("SELECT id FROM users WHERE id = $1").bind(&item.id).optional::<(UserId,)>().await?;
    if known.is_some() {
        return Ok(0);
    }
    let hash = match &item.password {
        Some(password) => Some(passwords::hash(passwords::request_operator_slot(), password).await?),
        None => None,
    };
    Ok(tx
        .query(
            "INSERT INTO users (id, org_id, email, name, role, password_hash, sitter_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(&item.org_id)
        .bind(normal_email(&item.email))
        .bind(&item.name)
        .bind(item.role)
        .bind(hash.as_ref().map(Hashed::as_str))
        .bind(&item.sitter_id)
        .bind(now)
        .execute()
        .await?)
}

async fn add_client(tx: &mut Tx, item: &SeedClient, now: Timestamp) -> Result<u64> {
    let phone = read_phone(tx, &item.org_id, "phone", &item.phone).await?;
    Ok(tx
        .query(
            "INSERT INTO clients (id, org_id, first_name, last_name, email, phone_number, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(&item.org_id)
        .bind(&item.first_name)
        .bind(&item.last_name)
        .bind(&item.email)
        .bind(phone.as_str())
        .bind(now)
        .execute()
        .await?)
}

async fn add_number(tx: &mut Tx, item: &SeedNumber, place: usize, now: Timestamp) -> Result<u64> {
    let phone = read_phone(tx, &item.org_id, "e164", &item.e164).await?;
    Ok(tx
        .query(
            "INSERT INTO message_numbers
                 (id, org_id, e164, number_class, assigned_sitter_id, provider, position, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(&item.org_id)
        .bind(phone.e164())
        .bind(item.number_class)
        .bind(&item.assigned_sitter_id)
        .bind(item.provider)
        .bind(i64::try_from(place).unwrap_or(i64::MAX))
        .bind(now)
        .execute()
        .await?)
}

/// Changes an organisation's automation while it is still the default. A later change by an owner is kept.
async fn set_automation(tx: &mut Tx, item: &SeedAutomation, now: Timestamp) -> Result<u64> {
    let template = item.template.as_deref().unwrap_or(item.kind.default_template());
    automations::template::check(template, item.kind.variables())
        .map_err(|problem| Error::invalid("template", problem.to_string()))?;
    Ok(tx
        .query(
            "UPDATE automations SET enabled = $3, template = $4, delay_minutes = $5, updated_at = $6
             WHERE org_id = $1 AND type = $2 AND updated_at = created_at
               AND (enabled <> $3 OR template <> $4 OR delay_minutes <> $5)",
        )
        .bind(&item.org_id)
        .bind(item.kind)
        .bind(item.enabled)
        .bind(template)
        .bind(item.delay_minutes)
        .bind(now)
        .execute()
        .await?)
}

async fn add_rule(tx: &mut Tx, item: &SeedRule, now: Timestamp) -> Result<u64> {
    if let Some(field) = item.unknown.keys().next() {
        return Err(Error::invalid(field, "is not a field of a pricing rule"));
    }
    let known = tx.query("SELECT id FROM pricing_rules WHERE id = $1").bind(&item.id).optional::<(RuleId,)>().await?;
    if known.is_some() {
        return Ok(0);
    }
    let by = Actor::system("seed");
    pricing::add_as(tx, item.id.clone(), &item.org_id, item.rule.clone().check()?, &by, now).await?;
    Ok(1)
}

/// Returns `None` if the booking exists already.
async fn add_booking(tx: &mut Tx, seed: &Seed, item: &SeedBooking, now: Timestamp) -> Result<Option<Vec<Warning>>> {
    let known = tx.query("SELECT id FROM bookings WHERE id = $1").bind(&item.id).optional::<(BookingId,)>().await?;
    if known.is_some() {
        return Ok(None);
    }
    let clients: BTreeMap<_, _> = seed.clients.iter().map(|client| (&client.id, client)).collect();
    let client = clients
        .get(&item.client_id)
        .filter(|client| client.org_id == item.org_id)
        .ok_or_else(|| Error::invalid("clientId", "is none of this file's clients of the same organisation"))?;
    let draft = Draft {
        service: Some(item.service.clone()),
        start_at: Some(item.start_at.clone()),
        end_at: Some(item.end_at.clone()),
        quantity: item.quantity,
        add_ons: item.add_ons.clone(),
        discount_minor: item.discount_minor,
        address: item.address.clone(),
        notes: item.notes.clone(),
        sitter_id: item.sitter_id.clone(),
        ..Draft::of_client(&client.first_name, &client.last_name, &client.phone, client.email.clone())
    };
    let by = Actor::system("seed");
    let country = organizations::country_in(tx, &item.org_id).await?;
    let created = bookings::create_as(tx, item.id.clone(), &item.org_id, draft.check(country)?, &by, now).await?;
    Ok(Some(created.warnings))
}

/// Parses a phone number by the conventions of the organisation's country. An unknown organisation is refused later, by
/// the insert.
async fn read_phone(tx: &mut Tx, org: &OrgId, field: &str, text: &str) -> Result<PhoneNumber> {
    let country = match organizations::country_in(tx, org).await {
        Err(Error::NotFound) => None,
        other => other?,
    };
    PhoneNumber::read(text, country).map_err(|problem| Error::invalid(field, problem.to_string()))
}
