//! Conversations with clients: threads, texts, the automations that write texts, and the numbers that send them.

use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Thread {
    pub id: String,
}

#[derive(Debug, FromRow)]
pub struct Text {
    pub status: String,
    pub error_code: Option<String>,
    pub from_number_id: Option<String>,
}

/// A row for each time an automatic text was due.
#[derive(Debug, FromRow)]
pub struct AutomationRun {
    pub id: String,
    pub recipient: String,
    pub status: String,
    pub from_number_id: Option<String>,
}

#[derive(Debug, FromRow)]
pub struct Number {
    pub e164: String,
}

impl Probes {
    pub fn threads(&self) -> Rows<'_, Thread> {
        self.ask(table!("message_threads"))
    }

    pub fn texts(&self) -> Rows<'_, Text> {
        self.ask(table!("message_events", "created_at, id"))
    }

    pub fn all_automation_runs(&self) -> Rows<'_, AutomationRun> {
        self.ask(table!("automation_runs"))
    }

    pub fn automation_runs(&self, automation: &str) -> Rows<'_, AutomationRun> {
        self.all_automation_runs().with("type = $1", automation)
    }

    pub fn numbers(&self) -> Rows<'_, Number> {
        self.ask(table!("message_numbers"))
    }
}

impl Rows<'_, Thread> {
    pub fn closed(self) -> Self {
        self.only("status = 'closed'")
    }

    pub fn with_a_number(self) -> Self {
        self.only("message_number_id IS NOT NULL")
    }
}

impl Rows<'_, Text> {
    pub fn in_status(self, status: &str) -> Self {
        self.with("status = $1", status)
    }

    /// Texts that the provider took, whether or not their delivery is reported yet.
    pub fn sent(self) -> Self {
        self.only("status IN ('sent', 'delivered')")
    }

    pub fn delivered(self) -> Self {
        self.in_status("delivered")
    }

    pub fn failed(self) -> Self {
        self.in_status("failed")
    }

    pub fn queued(self) -> Self {
        self.in_status("queued")
    }

    /// Texts whose sending ended without an answer.
    pub fn unconfirmed(self) -> Self {
        self.in_status("unconfirmed")
    }

    /// Texts that are queued or about to leave.
    pub fn being_sent(self) -> Self {
        self.only("status IN ('queued', 'sending')")
    }

    /// Texts that are not yet known to be sent or failed.
    pub fn unsettled(self) -> Self {
        self.only("status IN ('queued', 'sending', 'unconfirmed')")
    }

    /// The text of an automation run.
    pub fn of_run(self, run: &str) -> Self {
        self.with("id IN (SELECT message_event_id FROM automation_runs WHERE id = $1)", run)
    }

    /// Texts without the provider's id.
    pub fn without_a_sid(self) -> Self {
        self.only("provider_message_sid IS NULL")
    }

    /// Texts that no automation wrote.
    pub fn posted(self) -> Self {
        self.only("automation_run_id IS NULL")
    }
}

impl Rows<'_, AutomationRun> {
    pub fn in_status(self, status: &str) -> Self {
        self.with("status = $1", status)
    }

    pub fn pending(self) -> Self {
        self.in_status("pending")
    }

    pub fn blocked(self) -> Self {
        self.in_status("blocked")
    }

    pub fn failed(self) -> Self {
        self.in_status("failed")
    }

    pub fn succeeded(self) -> Self {
        self.in_status("success")
    }

    /// Runs whose text the provider took.
    pub fn with_a_sent_text(self) -> Self {
        self.only("message_event_id IN (SELECT id FROM message_events WHERE status IN ('sent', 'delivered'))")
    }
}

impl Rows<'_, Number> {
    pub fn of_carrier(self, carrier: &str) -> Self {
        self.with("provider = $1", carrier)
    }
}
