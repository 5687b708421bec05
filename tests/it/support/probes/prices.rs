//! Prices: snapshots of what bookings should cost, reconciliation runs, and the differences that the runs found.

use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct ReconciliationRun {
    pub local_date: String,
    pub attempt_no: i64,
    pub missed: bool,
    pub checked: i64,
    pub not_computable: i64,
    pub drifted: i64,
}

/// A booking whose stored total differs from what it should cost.
#[derive(Debug, FromRow)]
pub struct Drift {
    pub booking_id: String,
    pub drift_minor: i64,
}

impl Probes {
    pub fn price_snapshots(&self) -> Rows<'_, ()> {
        self.ask(table!("pricing_snapshots"))
    }

    pub fn reconciliation_runs(&self) -> Rows<'_, ReconciliationRun> {
        self.ask(table!("reconciliation_runs", "started_at, id"))
    }

    pub fn drifts(&self) -> Rows<'_, Drift> {
        self.ask(table!("pricing_drifts", "booking_id"))
    }
}

impl Rows<'_, ReconciliationRun> {
    pub fn of(self, organization: &str) -> Self {
        self.with("org_id = $1", organization)
    }

    pub fn completed(self) -> Self {
        self.only("status = 'completed'")
    }

    pub fn failed(self) -> Self {
        self.only("status = 'failed'")
    }

    /// Runs that a person asked for.
    pub fn manual(self) -> Self {
        self.only("trigger_kind = 'manual'")
    }

    /// Runs that checked so many bookings.
    pub fn that_checked(self, bookings: i64) -> Self {
        self.with("checked = $1", bookings)
    }

    pub fn on(self, local_date: &str) -> Self {
        self.with("local_date = $1", local_date)
    }

    pub fn since(self, local_date: &str) -> Self {
        self.with("local_date >= $1", local_date)
    }

    pub fn after(self, local_date: &str) -> Self {
        self.with("local_date > $1", local_date)
    }
}
