//! Numbers as the pages and the API show them, with the threads that use them.

use std::collections::HashMap;

use nightshift_db::Db;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Number, NumberClass, NumberStatus, SmsCarrier};
use crate::Result;
use crate::ids::{NumberId, SitterId, ThreadId};
use crate::list::List;
use crate::text_enum::text_enum;
use crate::viewer::Viewer;

text_enum! {
    /// Whether a number is in use, as lists show it.
    pub enum Usage {
        /// Carries an open thread.
        InUse = "In use",
        /// Active, without an open thread.
        Available = "Available",
        /// May not be given to a new thread.
        Inactive = "Inactive",
    }
}

/// A masking number.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Number)]
#[serde(rename_all = "camelCase")]
pub struct NumberView {
    pub id: NumberId,
    pub e164: String,
    pub number_class: NumberClass,
    pub status: NumberStatus,
    pub provider: SmsCarrier,
    pub usage: Usage,
    pub threads: Vec<CarriedThread>,
    pub assigned_sitter_id: Option<SitterId>,
}

/// An open thread that a number carries.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CarriedThread {
    pub id: ThreadId,
    pub client_name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ThreadRow {
    message_number_id: NumberId,
    id: ThreadId,
    client_name: String,
}

/// Lists the numbers of the viewer's organisation with the open threads that each carries.
///
/// # Errors
/// [`Forbidden`](crate::Error::Forbidden) for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    class: Option<NumberClass>,
    status: Option<NumberStatus>,
) -> Result<Vec<NumberView>> {
    const NUMBERS: &str = "
        SELECT id, org_id, e164, number_class, assigned_sitter_id, status, provider FROM message_numbers";
    const CARRIED: &str = "
        SELECT t.message_number_id, t.id,
               TRIM(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) AS client_name
        FROM message_threads t LEFT JOIN clients c ON c.id = t.client_id";
    let numbers: Vec<Number> = List::new(db, NUMBERS, viewer.org_scope("org_id = $1")?)
        .filter("number_class = $1", class)
        .filter("status = $1", status)
        .end("ORDER BY org_id, position, id")
        .all()
        .await?;
    let carried: Vec<ThreadRow> = List::new(db, CARRIED, viewer.org_scope("t.org_id = $1")?)
        .only("t.status = 'open' AND t.message_number_id IS NOT NULL", ())
        .end("ORDER BY t.created_at, t.id")
        .all()
        .await?;
    let mut threads: HashMap<NumberId, Vec<CarriedThread>> = HashMap::new();
    for row in carried {
        let client_name = Some(row.client_name).filter(|name| !name.is_empty());
        threads.entry(row.message_number_id).or_default().push(CarriedThread { id: row.id, client_name });
    }
    Ok(numbers.into_iter().map(|number| number.into_view(&mut threads)).collect())
}

impl Number {
    fn into_view(self, threads: &mut HashMap<NumberId, Vec<CarriedThread>>) -> NumberView {
        let threads = threads.remove(&self.id).unwrap_or_default();
        let usage = match self.status {
            NumberStatus::Active if threads.is_empty() => Usage::Available,
            NumberStatus::Active => Usage::InUse,
            NumberStatus::Inactive | NumberStatus::Quarantined => Usage::Inactive,
        };
        NumberView {
            id: self.id,
            e164: self.e164.e164(),
            number_class: self.number_class,
            status: self.status,
            provider: self.provider,
            usage,
            threads,
            assigned_sitter_id: self.assigned_sitter_id,
        }
    }
}
