//! The lists, their filters, and how rows are inserted into each.

use std::collections::BTreeMap;

use nightshift_db::{Db, Timestamp};
use nightshift_domain::automations::runs;
use nightshift_domain::messaging::{inbox, windows};
use nightshift_domain::page::{Limit, Page};
use nightshift_domain::people::client_list;
use nightshift_domain::viewer::Viewer;
use nightshift_domain::{Result, audit, bookings, calls, exceptions, offers, reconciliation};
use serde::Serialize;
use serde_json::json;

use crate::fixture::at;

/// The values of a row or of a filter, by name.
pub type Values = BTreeMap<&'static str, String>;

pub const DAYS: &[&str] =
    &["2024-12-20T00:00:00.000Z", "2024-12-21T00:00:00.000Z", "2024-12-22T00:00:00.000Z", "2024-12-23T00:00:00.000Z"];
pub const BOOKINGS: &[&str] = &["booking-0", "booking-1", "booking-2"];
pub const ORGS: &[&str] = &["org-1", "org-2"];

/// A list, its filters with their values, and whether it can be read across organisations.
pub struct ListOf {
    pub name: &'static str,
    pub filters: &'static [(&'static str, &'static [&'static str])],
    pub across_orgs: bool,
    /// Whether sitters may read it.
    pub of_sitters: bool,
}

pub const LISTS: &[ListOf] = &[
    ListOf {
        name: "audit",
        filters: &[
            ("type", &["a", "b"]),
            ("status", &["success", "failed", "info"]),
            ("booking", BOOKINGS),
            ("correlation", &["x", "y"]),
            ("from", DAYS),
            ("to", DAYS),
        ],
        across_orgs: true,
        of_sitters: false,
    },
    ListOf {
        name: "ledger",
        filters: &[
            ("type", &["bookingConfirmation", "bookingReminder"]),
            ("status", &["pending", "failed"]),
            ("recipient", &["client", "sitter"]),
            ("booking", BOOKINGS),
            ("from", DAYS),
            ("to", DAYS),
        ],
        across_orgs: true,
        of_sitters: false,
    },
    ListOf {
        name: "exceptions",
        filters: &[
            ("type", &["a", "b"]),
            ("severity", &["high", "medium", "low"]),
            ("status", &["open", "resolved"]),
            ("booking", BOOKINGS),
        ],
        across_orgs: true,
        of_sitters: false,
    },
    ListOf {
        name: "bookings",
        filters: &[
            ("status", &["pending", "confirmed", "cancelled"]),
            ("client", &["client-1", "client-2"]),
            ("sitter", &["sitter-1", "sitter-2"]),
            ("from", DAYS),
            ("to", DAYS),
            ("q", &["love", "ACE H", "0210", "(555) 777", "walk"]),
        ],
        across_orgs: false,
        of_sitters: true,
    },
    ListOf { name: "requests", filters: &[("status", &["PENDING", "FAILED"])], across_orgs: false, of_sitters: false },
    ListOf { name: "runs", filters: &[], across_orgs: true, of_sitters: false },
    ListOf { name: "drifts", filters: &[("severity", &["high", "low"])], across_orgs: true, of_sitters: false },
    ListOf {
        name: "threads",
        filters: &[
            ("scope", &["client_booking", "internal"]),
            ("class", &["pool", "front_desk"]),
            ("unread", &["true", "false"]),
            ("done", &["true", "false"]),
            ("status", &["open", "closed"]),
            ("booking", BOOKINGS),
            ("sitter", &["sitter-1", "sitter-2"]),
            ("mailbox", &["owner", "sitter"]),
            ("q", &["love", "ACE H", "0210", "(555) 777", "sam two"]),
        ],
        across_orgs: false,
        of_sitters: true,
    },
    ListOf {
        name: "clients",
        filters: &[("q", &["ada", "grace h", "(555) 777", "0210"]), ("opted out", &["true", "false"])],
        across_orgs: false,
        of_sitters: false,
    },
    ListOf {
        name: "offers",
        filters: &[
            ("status", &["declined", "expired", "withdrawn"]),
            ("booking", BOOKINGS),
            ("sitter", &["sitter-1", "sitter-2"]),
        ],
        across_orgs: false,
        of_sitters: true,
    },
    ListOf {
        name: "windows",
        filters: &[
            ("status", &["cancelled", "future", "active", "past"]),
            ("booking", BOOKINGS),
            ("sitter", &["sitter-1", "sitter-2"]),
            ("from", DAYS),
            ("to", DAYS),
        ],
        across_orgs: false,
        of_sitters: true,
    },
];

/// The current time, on which the status of windows depends.
pub fn now() -> Timestamp {
    at("2024-12-21T12:00:00Z")
}

/// Returns the ids of a page of a list, and the next cursor.
pub async fn page(
    db: &Db,
    viewer: &Viewer,
    list: &str,
    filter: &Values,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<(Vec<String>, Option<String>)> {
    fn ids<T: Serialize>(page: Page<T>) -> (Vec<String>, Option<String>) {
        let id = |row: &T| serde_json::to_value(row).unwrap()["id"].as_str().unwrap().to_owned();
        (page.items.iter().map(id).collect(), page.next_cursor)
    }
    let text = |name: &str| filter.get(name).cloned();
    let time = |name: &str| filter.get(name).map(|text| at(text));
    Ok(match list {
        "audit" => {
            let filter = audit::Filter {
                event_type: text("type"),
                status: text("status"),
                booking: text("booking").map(Into::into),
                correlation: text("correlation"),
                from: time("from"),
                to: time("to"),
            };
            ids(audit::list(db, viewer, &filter, cursor, limit).await?)
        }
        "ledger" => {
            let filter = runs::Filter {
                kind: text("type").map(|word| word.parse().unwrap()),
                status: text("status").map(|word| word.parse().unwrap()),
                recipient: text("recipient").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                from: time("from"),
                to: time("to"),
            };
            ids(runs::list(db, viewer, &filter, cursor, limit).await?)
        }
        "exceptions" => {
            let filter = exceptions::Filter {
                kind: text("type"),
                severity: text("severity").map(|word| word.parse().unwrap()),
                status: text("status").map(|word| word.parse().unwrap()),
                booking: text("booking").map(Into::into),
            };
            ids(exceptions::list(db, viewer, &filter, cursor, limit).await?)
        }
        "bookings" => {
            let filter = bookings::Filter {
                status: text("status").map(|word| word.parse().unwrap()),
                from: time("from"),
                to: time("to"),
                client_id: text("client").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
                q: text("q"),
            };
            ids(bookings::list(db, viewer, &filter, cursor, limit).await?)
        }
        "requests" => {
            let status = text("status").map(|word| word.parse().unwrap());
            ids(calls::list(db, viewer, status, cursor, limit).await?)
        }
        "runs" => ids(reconciliation::list(db, viewer, cursor, limit).await?),
        "drifts" => {
            let severity = text("severity").map(|word| word.parse().unwrap());
            ids(reconciliation::drifts(db, viewer, &"run".into(), severity, cursor, limit).await?)
        }
        "threads" => {
            let filter = inbox::Filter {
                mailbox: text("mailbox").map(|word| word.parse().unwrap()),
                scope: text("scope").map(|word| word.parse().unwrap()),
                number_class: text("class").map(|word| word.parse().unwrap()),
                unread: text("unread").map(|word| word.parse().unwrap()),
                done: text("done").map(|word| word.parse().unwrap()),
                status: text("status").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
                q: text("q"),
            };
            ids(inbox::list(db, viewer, &filter, cursor, limit, now()).await?)
        }
        "clients" => {
            let opted_out = text("opted out").map(|word| word.parse().unwrap());
            let filter = client_list::Filter { q: text("q"), opted_out };
            ids(client_list::list(db, viewer, &filter, cursor, limit).await?)
        }
        "offers" => {
            let filter = offers::Filter {
                status: text("status").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
            };
            ids(offers::list(db, viewer, &filter, cursor, limit).await?)
        }
        "windows" => {
            let filter = windows::Filter {
                status: text("status").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
                from: time("from"),
                to: time("to"),
            };
            ids(windows::list(db, viewer, &filter, cursor, limit, now()).await?)
        }
        other => panic!("no list {other}"),
    })
}

/// Inserts a row of a list.
pub async fn insert(db: &Db, list: &str, row: &Values) {
    let own = |name: &str| row[name].clone();
    let (id, org, day) = (own("id"), own("org"), at(&row["at"]));
    let query = match list {
        "audit" => db
            .write(
                "INSERT INTO event_log (id, org_id, created_at, event_type, status, booking_id, correlation_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("type"))
            .bind(own("status"))
            .bind(own("booking"))
            .bind(own("correlation")),
        "ledger" => db
            .write(
                "INSERT INTO automation_runs (id, org_id, created_at, type, status, recipient, booking_id, trigger_ref)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $1)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("type"))
            .bind(own("status"))
            .bind(own("recipient"))
            .bind(own("booking")),
        "exceptions" => db
            .write(
                "INSERT INTO exceptions (id, org_id, created_at, type, severity, status, booking_id, fingerprint, title)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $1, 'Test')",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("type"))
            .bind(own("severity"))
            .bind(own("status"))
            .bind(own("booking")),
        "bookings" => db
            .write(
                "INSERT INTO bookings (id, org_id, created_at, status, client_id, sitter_id, start_at, end_at, service)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'walk')",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("status"))
            .bind(own("client"))
            .bind(own("sitter"))
            .bind(at(&row["start"]))
            .bind(at("2025-01-01T00:00:00Z")),
        "requests" => db
            .write("INSERT INTO service_requests (id, org_id, created_at, status, title) VALUES ($1, $2, $3, $4, 'Test')")
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("status")),
        "runs" => db
            .write(
                "INSERT INTO reconciliation_runs (id, org_id, created_at, local_date, trigger_kind, cutoff_at, started_at)
                 VALUES ($1, $2, $3, $1, 'manual', $3, $3)",
            )
            .bind(id)
            .bind(org)
            .bind(day),
        "drifts" => db
            .write(
                "INSERT INTO pricing_drifts (id, org_id, created_at, severity, booking_id, run_id, stored_minor,
                                             recomputed_minor, drift_minor, drift_percent, cause, detail)
                 VALUES ($1, 'org-1', $2, $3, $4, 'run', 1, 0, 1, 100, 'total_mismatch', $5)",
            )
            .bind(id)
            .bind(day)
            .bind(own("severity"))
            .bind(own("booking of its own"))
            .bind(nightshift_db::Json(json!({
                "snapshotId": db.read("SELECT id FROM pricing_snapshots").scalar::<String>().await.unwrap(),
            }))),
        "threads" => db
            .write(
                "INSERT INTO message_threads (id, org_id, created_at, scope, number_class, owner_unread, sitter_unread,
                                              booking_id, assigned_sitter_id, client_id, done_at, status)
                 VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("scope"))
            .bind(own("class"))
            .bind(i64::from(row["unread"] == "true"))
            .bind(if row["scope"] == "internal" { own("booking") } else { own("booking of its own") })
            .bind(own("sitter"))
            .bind(own("client"))
            .bind((row["done"] == "true").then(now))
            .bind(own("status")),
        "clients" => db
            .write(
                "INSERT INTO clients (id, org_id, created_at, first_name, phone_number, opted_out_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("name"))
            .bind(own("phone"))
            .bind((row["opted out"] == "true").then(now)),
        "offers" => db
            .write(
                "INSERT INTO offer_events (id, org_id, created_at, status, booking_id, sitter_id, code, offered_at,
                                           expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, 1, $3, $3)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("status"))
            .bind(own("booking"))
            .bind(own("sitter")),
        "windows" => db
            .write(
                "INSERT INTO assignment_windows (id, org_id, starts_at, ends_at, sitter_id, booking_id, cancelled_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(at(&row["end"]))
            .bind(own("sitter"))
            .bind(own("booking of its own"))
            .bind((row["status"] == "cancelled").then(now)),
        other => panic!("no list {other}"),
    };
    query.execute().await.unwrap();
    if list == "threads" && row["scope"] == "client_booking" {
        let (from, to) = if row["window"] == "past" { (DAYS[0], DAYS[1]) } else { (DAYS[1], DAYS[2]) };
        db.write(
            "INSERT INTO assignment_windows (id, org_id, starts_at, ends_at, sitter_id, booking_id, thread_id)
             VALUES ($1, $2, $3, $4, $5, $6, $1)",
        )
        .bind(own("id"))
        .bind(own("org"))
        .bind(at(from))
        .bind(at(to))
        .bind(own("sitter of its window"))
        .bind(own("booking of its own"))
        .execute()
        .await
        .unwrap();
    }
}
