//! Price rules: versions for each service, each in force from its start until the start of the next.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calculate::{Inputs, NotComputable, Price, Terms, calculate};
use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{OrgId, RuleId};
use crate::viewer::Viewer;
use crate::{Error, Result};

const CODE: TextLimit = TextLimit { chars_max: 64 };
const LIST_MAX: usize = 1_000;
/// The highest amount of a rule, in minor units. A higher one is a typing error.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// One version of a service's price.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = PriceRule)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub id: RuleId,
    pub service: String,
    pub version: i64,
    pub effective_from: Timestamp,
    pub base_minor: i64,
    pub unit_minutes: i64,
    pub min_units: i64,
    pub extra_quantity_minor: i64,
    pub weekend_percent: i64,
    pub holiday_percent: i64,
    #[schema(value_type = BTreeSet<String>)]
    pub holidays: Json<BTreeSet<String>>,
    #[schema(value_type = BTreeMap<String, i64>)]
    pub add_ons: Json<BTreeMap<String, i64>>,
    pub tax_percent_bp: i64,
    pub currency: String,
}

impl Rule {
    fn terms(&self) -> Terms {
        Terms {
            base_minor: self.base_minor,
            unit_minutes: self.unit_minutes,
            min_units: self.min_units,
            extra_quantity_minor: self.extra_quantity_minor,
            weekend_percent: self.weekend_percent,
            holiday_percent: self.holiday_percent,
            holidays: self.holidays.0.clone(),
            add_ons: self.add_ons.0.clone(),
            tax_percent_bp: self.tax_percent_bp,
        }
    }
}

/// A price rule to add.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewPriceRule)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RuleDraft {
    #[schema(required = true, nullable = false)]
    pub service: Option<String>,
    #[schema(required = true, nullable = false, format = DateTime)]
    pub effective_from: Option<String>,
    #[schema(required = true, nullable = false)]
    pub base_minor: Option<i64>,
    #[schema(required = true, nullable = false)]
    pub unit_minutes: Option<i64>,
    pub min_units: Option<i64>,
    pub extra_quantity_minor: Option<i64>,
    pub weekend_percent: Option<i64>,
    pub holiday_percent: Option<i64>,
    pub holidays: Vec<String>,
    pub add_ons: BTreeMap<String, i64>,
    pub tax_percent_bp: Option<i64>,
    pub currency: Option<String>,
}

/// A validated rule.
#[derive(Debug, Clone)]
pub struct NewRule {
    service: String,
    effective_from: Timestamp,
    terms: Terms,
    currency: Option<String>,
}

impl RuleDraft {
    /// Validates the rule.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a message for every missing or invalid field.
    pub fn check(self) -> Result<NewRule> {
        let mut field_errors = FieldErrors::default();
        let service = field_errors.required("service", self.service, CODE);
        let effective_from = field_errors.moment("effectiveFrom", self.effective_from.as_deref());
        let mut whole = |field: &str, value: Option<i64>, default: Option<i64>, least: i64, most: i64| {
            let value = value.or(default);
            if value.is_none_or(|value| !(least..=most).contains(&value)) {
                field_errors.add(field, format!("must be a whole number from {least} to {most}"));
            }
            value.unwrap_or(least)
        };
        let terms = Terms {
            base_minor: whole("baseMinor", self.base_minor, None, 0, AMOUNT_MAX),
            unit_minutes: whole("unitMinutes", self.unit_minutes, None, 1, 1_000_000),
            min_units: whole("minUnits", self.min_units, Some(1), 1, 10_000),
            extra_quantity_minor: whole("extraQuantityMinor", self.extra_quantity_minor, Some(0), 0, AMOUNT_MAX),
            weekend_percent: whole("weekendPercent", self.weekend_percent, Some(0), 0, 1_000),
            holiday_percent: whole("holidayPercent", self.holiday_percent, Some(0), 0, 1_000),
            tax_percent_bp: whole("taxPercentBp", self.tax_percent_bp, Some(0), 0, 10_000),
            holidays: self.holidays.into_iter().collect(),
            add_ons: self.add_ons,
        };
        let is_date =
            |text: &String| NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|date| date.to_string() == *text);
        if terms.holidays.len() > LIST_MAX || !terms.holidays.iter().all(is_date) {
            field_errors.add("holidays", "must be at most 1000 dates such as 2025-12-25");
        }
        let is_add_on = |(code, minor): (&String, &i64)| CODE.allows(code) && (0..=AMOUNT_MAX).contains(minor);
        if terms.add_ons.len() > LIST_MAX || !terms.add_ons.iter().all(is_add_on) {
            field_errors
                .add("addOns", "must be at most 1000 codes of 1 to 64 characters with an amount in minor units each");
        }
        if self.currency.as_deref().is_some_and(|code| !is_currency(code)) {
            field_errors.add("currency", "must be an ISO 4217 code such as USD");
        }
        match (service, effective_from) {
            (Some(service), Some(effective_from)) if field_errors.is_empty() => {
                Ok(NewRule { service, effective_from, terms, currency: self.currency })
            }
            _ => Err(field_errors.into_error()),
        }
    }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase())
}

macro_rules! rule_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, service, version, effective_from, base_minor, unit_minutes, min_units, extra_quantity_minor,
              weekend_percent, holiday_percent, holidays, add_ons, tax_percent_bp, currency ",
            $after
        )
    };
}

const OF_ORG: &str = rule_columns!("SELECT", "FROM pricing_rules WHERE org_id = $1 ORDER BY service, version DESC");
const IN_FORCE: &str = rule_columns!(
    "SELECT",
    "FROM pricing_rules WHERE org_id = $1 AND service = $2 AND effective_from <= $3 ORDER BY version DESC LIMIT 1"
);
const INSERT: &str = rule_columns!(
    "INSERT INTO pricing_rules (id, org_id, service, version, effective_from, base_minor, unit_minutes, min_units,
                                extra_quantity_minor, weekend_percent, holiday_percent, holidays, add_ons,
                                tax_percent_bp, currency, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING",
    ""
);

/// Lists all rules of the viewer's organisation, by service, newest version first.
///
/// # Errors
/// [`Error::Forbidden`] for sitters and for viewers without an organisation.
pub async fn list(db: &Db, viewer: &Viewer) -> Result<Vec<Rule>> {
    Ok(db.read(OF_ORG).bind(viewer.own_organization()?).all().await?)
}

/// Adds the next version of a service's price.
///
/// # Errors
/// [`Error::Invalid`] if it would come into force before the version that it follows.
pub async fn add(tx: &mut Tx, org: &OrgId, new: NewRule, by: &Actor, now: Timestamp) -> Result<Rule> {
    add_as(tx, RuleId::new(now), org, new, by, now).await
}

/// Does the same as [`add`] with a given id.
pub async fn add_as(tx: &mut Tx, id: RuleId, org: &OrgId, new: NewRule, by: &Actor, now: Timestamp) -> Result<Rule> {
    let last: Option<(i64, Timestamp)> = tx
        .query(
            "SELECT version, effective_from FROM pricing_rules WHERE org_id = $1 AND service = $2
             ORDER BY version DESC LIMIT 1",
        )
        .bind(org)
        .bind(&new.service)
        .optional()
        .await?;
    if let Some((_, from)) = last.filter(|(_, from)| new.effective_from < *from) {
        return Err(Error::invalid(
            "effectiveFrom",
            format!("must not be before {from}, when the last version begins"),
        ));
    }
    let (currency,): (String,) = tx.query("SELECT currency FROM organizations WHERE id = $1").bind(org).one().await?;
    let rule: Rule = tx
        .query(INSERT)
        .bind(id)
        .bind(org)
        .bind(&new.service)
        .bind(last.map_or(1, |(version, _)| version + 1))
        .bind(new.effective_from)
        .bind(new.terms.base_minor)
        .bind(new.terms.unit_minutes)
        .bind(new.terms.min_units)
        .bind(new.terms.extra_quantity_minor)
        .bind(new.terms.weekend_percent)
        .bind(new.terms.holiday_percent)
        .bind(Json(&new.terms.holidays))
        .bind(Json(&new.terms.add_ons))
        .bind(new.terms.tax_percent_bp)
        .bind(new.currency.unwrap_or(currency))
        .bind(now)
        .one()
        .await?;
    let entry = Entry::new(Event::PricingRuleAdded, "success", by)
        .org(org)
        .metadata(json!({"ruleId": rule.id, "service": rule.service, "version": rule.version}));
    audit::record(tx, entry, now).await?;
    Ok(rule)
}

/// Returns the rule for a service that is in force at `at`.
pub(crate) async fn in_force(tx: &mut Tx, org: &OrgId, service: &str, at: Timestamp) -> Result<Option<Rule>> {
    Ok(tx.query(IN_FORCE).bind(org).bind(service).bind(at).optional().await?)
}

/// All versions of all rules of an organisation, for pricing many bookings.
pub(crate) struct RuleBook(BTreeMap<String, Vec<(Timestamp, Terms)>>);

impl RuleBook {
    pub(crate) async fn load(db: &Db, org: &OrgId) -> Result<Self> {
        let mut book: BTreeMap<String, Vec<(Timestamp, Terms)>> = BTreeMap::new();
        for rule in db.read(OF_ORG).bind(org).all::<Rule>().await? {
            let terms = rule.terms();
            book.entry(rule.service).or_default().push((rule.effective_from, terms));
        }
        Ok(Self(book))
    }

    /// Returns the price of `inputs` under the rule that was in force at `priced_at`.
    pub(crate) fn price(&self, inputs: &Inputs, priced_at: Timestamp) -> Result<Price, NotComputable> {
        let versions = self.0.get(&inputs.service).map(Vec::as_slice).unwrap_or_default();
        let rule = versions.iter().find(|(from, _)| *from <= priced_at);
        let (_, terms) = rule.ok_or_else(|| NotComputable::NoRule(inputs.service.clone()))?;
        calculate(terms, inputs)
    }
}

impl Rule {
    /// Returns the price of `inputs` under this rule.
    pub(super) fn price(&self, inputs: &Inputs) -> Result<Price, NotComputable> {
        calculate(&self.terms(), inputs)
    }
}
