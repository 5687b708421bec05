//! Reads the facts of a routing decision.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use nightshift_db::{Timestamp, Tx};

use super::arrived::Arrived;
use super::elsewhere;
use super::facts::{Facts, KnownSitter, OpenThread, Reached, Sender, WindowOfThread};
use crate::Result;
use crate::ids::{ClientId, OrgId, SitterId, ThreadId};
use crate::messaging::numbers::{self, Number};
use crate::messaging::opt_outs;
use crate::messaging::scope::Scope;
use crate::offers;
use crate::people::organizations;
use crate::phone::PhoneNumber;

/// The organisation that a text was sent to.
#[derive(Debug, Clone)]
pub struct Office {
    pub org: OrgId,
    pub name: String,
    pub number: Number,
}

/// What is known about a text.
#[derive(Debug, Clone)]
pub struct Known {
    pub facts: Facts,
    /// `None` if no organisation has the number.
    pub office: Option<Office>,
}

/// Reads what decides where a text goes. `onboarding` is the number for new businesses.
pub async fn load(tx: &mut Tx, text: &Arrived, onboarding: &PhoneNumber, now: Timestamp) -> Result<Known> {
    let from = Sender::of(&text.from);
    let to = PhoneNumber::stored(&text.to).ok();
    let number = match &to {
        Some(to) => number_of(tx, to, onboarding, now).await?,
        None => None,
    };
    let heard = opt_outs::heard(&text.body, text.keyword, text.carrier.answers_keywords());
    let mut facts = Facts {
        number: to.as_ref().map_or_else(|| Sender::of(&text.to).shown(), PhoneNumber::masked),
        reached: Reached::Nobody,
        from,
        keyword: heard.keyword,
        carrier_answers: heard.by_carrier,
        command: offers::command(&text.body),
        sitter: None,
        client: None,
        threads: Vec::new(),
        active_elsewhere: false,
        at: text.at(),
        zone: Tz::UTC,
    };
    let Some(number) = number else { return Ok(Known { facts, office: None }) };
    let org = number.org_id.clone();
    facts.client = client(tx, &org, &facts.from).await?;
    if organizations::is_platform(&org) {
        facts.reached = Reached::Onboarding;
    } else {
        let sitter = match &number.assigned_sitter_id {
            Some(id) => sitter_with(tx, id).await?,
            None => None,
        };
        facts.reached = Reached::Organization { class: number.number_class, sitter };
        facts.sitter = match facts.from.phone() {
            Some(phone) => sitter_of(tx, &org, phone).await?,
            None => None,
        };
        facts.zone = organizations::zone_in(tx, &org).await?;
        if let Some(client) = &facts.client {
            facts.threads = threads(tx, client, &number).await?;
            facts.active_elsewhere = elsewhere::is_active(tx, &org, &facts).await?;
        }
    }
    let name = organizations::name_in(tx, &org).await?;
    Ok(Known { facts, office: Some(Office { org, name, number }) })
}

/// Returns the row of one of our numbers. The number for new businesses is the platform's, whoever has its row.
async fn number_of(tx: &mut Tx, to: &PhoneNumber, onboarding: &PhoneNumber, now: Timestamp) -> Result<Option<Number>> {
    if to == onboarding { numbers::onboarding(tx, to, now).await } else { numbers::find(tx, to).await }
}

/// Index: `clients_phone`, `clients_platform_phone`.
pub(in crate::messaging) async fn client(tx: &mut Tx, org: &OrgId, from: &Sender) -> Result<Option<ClientId>> {
    let sql = if organizations::is_platform(org) {
        "SELECT id FROM clients WHERE org_id IS NULL AND replace(phone_number, '+', '') = $1"
    } else {
        "SELECT id FROM clients WHERE replace(phone_number, '+', '') = $1 AND org_id = $2"
    };
    let mut query = tx.query(sql).bind(from.compared());
    if !organizations::is_platform(org) {
        query = query.bind(org);
    }
    let found: Option<(ClientId,)> = query.optional().await?;
    Ok(found.map(|(id,)| id))
}

#[derive(sqlx::FromRow)]
struct SitterRow {
    id: SitterId,
    name: String,
    active: bool,
}

impl From<SitterRow> for KnownSitter {
    fn from(SitterRow { id, name, active }: SitterRow) -> Self {
        Self { id, name, active }
    }
}

async fn sitter_with(tx: &mut Tx, id: &SitterId) -> Result<Option<KnownSitter>> {
    let row: Option<SitterRow> =
        tx.query("SELECT id, name, active FROM sitters WHERE id = $1").bind(id).optional().await?;
    Ok(row.map(Into::into))
}

/// Returns the sitter with a number, an active one first.
async fn sitter_of(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber) -> Result<Option<KnownSitter>> {
    let row: Option<SitterRow> = tx
        .query(
            "SELECT id, name, active FROM sitters WHERE org_id = $1 AND phone_number IN ($2, $3)
             ORDER BY CASE WHEN active THEN 0 ELSE 1 END, id LIMIT 1",
        )
        .bind(org)
        .bind(phone.e164())
        .bind(phone.digits())
        .optional()
        .await?;
    Ok(row.map(Into::into))
}

#[derive(sqlx::FromRow)]
struct ThreadRow {
    id: ThreadId,
    scope: Scope,
    assigned_sitter_id: Option<SitterId>,
    last_message_at: Timestamp,
    sitter_id: Option<SitterId>,
    sitter_name: Option<String>,
    sitter_active: Option<bool>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
}

/// Returns the client's open threads on a number: those that have it now, and those whose texts were sent from it. The
/// threads of a number that went out of service have moved to another, so for such a number the client's general
/// threads on other numbers count too. Index: `message_threads_by_client`.
async fn threads(tx: &mut Tx, client: &ClientId, number: &Number) -> Result<Vec<OpenThread>> {
    let rows: Vec<ThreadRow> = tx
        .query(
            "SELECT t.id, t.scope, t.assigned_sitter_id, COALESCE(t.last_message_at, t.created_at) AS last_message_at,
                    s.id AS sitter_id, s.name AS sitter_name, s.active AS sitter_active,
                    w.starts_at, w.ends_at, w.cancelled_at
             FROM message_threads t
             LEFT JOIN assignment_windows w ON w.thread_id = t.id
             LEFT JOIN sitters s ON s.id = w.sitter_id
             WHERE t.client_id = $1 AND t.org_id = $2 AND t.status = 'open'
               AND t.scope IN ('client_booking', 'client_general')
               AND (t.message_number_id = $3
                    OR ($4 AND t.scope = 'client_general')
                    OR EXISTS (SELECT 1 FROM message_events e WHERE e.thread_id = t.id AND e.from_number_id = $3))
             ORDER BY t.id",
        )
        .bind(client)
        .bind(&number.org_id)
        .bind(&number.id)
        .bind(!number.is_in_service())
        .all()
        .await?;
    let mut threads: BTreeMap<ThreadId, OpenThread> = BTreeMap::new();
    for row in rows {
        let thread = threads.entry(row.id.clone()).or_insert_with(|| OpenThread {
            id: row.id,
            scope: row.scope,
            assigned_sitter: row.assigned_sitter_id,
            last_message_at: row.last_message_at,
            windows: Vec::new(),
        });
        if let (Some(starts_at), Some(ends_at)) = (row.starts_at, row.ends_at) {
            let sitter = match (row.sitter_id, row.sitter_name) {
                (Some(id), Some(name)) => Some(KnownSitter { id, name, active: row.sitter_active.unwrap_or(false) }),
                _ => None,
            };
            thread.windows.push(WindowOfThread { sitter, starts_at, ends_at, cancelled_at: row.cancelled_at });
        }
    }
    Ok(threads.into_values().collect())
}
