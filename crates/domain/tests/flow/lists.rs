//! Lists: whatever the filters, each returns the rows that match, in its order, page by page, and reads them from an
//! index.

use std::collections::BTreeMap;

use nightshift_db::sqlx::{self, AssertSqlSafe, Row as _};
use nightshift_db::testing::statements_of;
use nightshift_db::{Db, Engine, Timestamp};
use nightshift_domain::automations::ledger;
use nightshift_domain::messaging::{inbox, windows};
use nightshift_domain::page::{Limit, Page};
use nightshift_domain::pricing::RuleDraft;
use nightshift_domain::viewer::Viewer;
use nightshift_domain::{Result, audit, bookings, calls, exceptions, pricing, reconciliation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde_json::json;

use crate::fixture::*;

/// What a row holds, or a filter asks for, by name.
type Values = BTreeMap<&'static str, String>;

const DAYS: &[&str] =
    &["2024-12-20T00:00:00.000Z", "2024-12-21T00:00:00.000Z", "2024-12-22T00:00:00.000Z", "2024-12-23T00:00:00.000Z"];
const BOOKINGS: &[&str] = &["booking-0", "booking-1", "booking-2"];
const ORGS: &[&str] = &["org-1", "org-2"];

/// A list, its filters with the values they take, and whether it can be read across organisations.
struct ListOf {
    name: &'static str,
    filters: &'static [(&'static str, &'static [&'static str])],
    across_orgs: bool,
}

const LISTS: &[ListOf] = &[
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
    },
    ListOf {
        name: "bookings",
        filters: &[
            ("status", &["pending", "confirmed", "cancelled"]),
            ("client", &["client-1", "client-2"]),
            ("sitter", &["sitter-1", "sitter-2"]),
            ("from", DAYS),
            ("to", DAYS),
        ],
        across_orgs: false,
    },
    ListOf { name: "requests", filters: &[("status", &["PENDING", "FAILED"])], across_orgs: false },
    ListOf { name: "runs", filters: &[], across_orgs: true },
    ListOf { name: "drifts", filters: &[("severity", &["high", "low"])], across_orgs: true },
    ListOf {
        name: "threads",
        filters: &[
            ("scope", &["client_booking", "internal"]),
            ("class", &["pool", "front_desk"]),
            ("unread", &["true", "false"]),
            ("booking", BOOKINGS),
            ("sitter", &["sitter-1", "sitter-2"]),
            ("mailbox", &["owner", "sitter"]),
        ],
        across_orgs: false,
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
    },
];

/// The present of the windows' states.
fn now() -> Timestamp {
    at("2024-12-21T12:00:00Z")
}

/// The ids of a page of a list, and the next cursor.
async fn page(
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
            let filter = ledger::Filter {
                kind: text("type").map(|word| word.parse().unwrap()),
                status: text("status").map(|word| word.parse().unwrap()),
                recipient: text("recipient").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                from: time("from"),
                to: time("to"),
            };
            ids(ledger::list(db, viewer, &filter, cursor, limit).await?)
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
                q: None,
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
                booking_id: text("booking").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
                q: None,
            };
            ids(inbox::list(db, viewer, &filter, cursor, limit, now()).await?)
        }
        "windows" => {
            let filter = windows::Filter {
                status: text("status").map(|word| word.parse().unwrap()),
                booking_id: text("booking").map(Into::into),
                sitter_id: text("sitter").map(Into::into),
                from: time("from"),
                to: time("to"),
            };
            let items = windows::list(db, viewer, &filter, limit, now()).await?;
            ids(Page { items, next_cursor: None })
        }
        other => panic!("no list {other}"),
    })
}

/// Writes a row of a list.
async fn insert(db: &Db, list: &str, row: &Values) {
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
                "INSERT INTO message_threads (id, org_id, created_at, scope, number_class, owner_unread, booking_id,
                                              assigned_sitter_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(id)
            .bind(org)
            .bind(day)
            .bind(own("scope"))
            .bind(own("class"))
            .bind(i64::from(row["unread"] == "true"))
            .bind(if row["scope"] == "internal" { own("booking") } else { own("booking of its own") })
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
}

/// Whether a row matches, worked out without a database.
fn matches(list: &str, row: &Values, filter: &Values) -> bool {
    filter.iter().all(|(name, wanted)| match (list, *name) {
        ("bookings", "from") => row["start"] >= *wanted,
        ("bookings", "to") => row["start"] < *wanted,
        ("windows", "from") => row["end"] > *wanted,
        (_, "from") => row["at"] >= *wanted,
        (_, "to") => row["at"] < *wanted,
        ("windows", "status") => {
            let now = now().to_string();
            let state = match () {
                () if row["status"] == "cancelled" => "cancelled",
                () if now < row["at"] => "future",
                () if now < row["end"] => "active",
                () => "past",
            };
            state == wanted
        }
        ("threads", "booking") => row["scope"] == "internal" && row[name] == *wanted,
        ("threads", "mailbox") => (row["scope"] == "client_booking") == (wanted == "sitter"),
        ("windows", "booking") => row["booking of its own"] == *wanted,
        _ => row[name] == *wanted,
    }) && (list != "exceptions" || filter.contains_key("status") || row["status"] == "open")
}

/// Where a row stands in its list.
fn sorted(list: &str, rows: &mut [&Values]) {
    let rank = |row: &Values| match row["severity"].as_str() {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    };
    if list == "exceptions" {
        rows.sort_by_key(|row| (rank(row), row["at"].clone(), row["id"].clone()));
    } else {
        rows.sort_by_key(|row| std::cmp::Reverse((row["at"].clone(), row["id"].clone())));
    }
}

fn one_of(runner: &mut TestRunner, values: &'static [&'static str]) -> String {
    proptest::sample::select(values).new_tree(runner).unwrap().current().to_owned()
}

fn random_row(runner: &mut TestRunner, list: &ListOf, place: usize) -> Values {
    let mut row = Values::from([
        ("id", format!("{}-{}", list.name, uuid_like(runner))),
        ("org", if list.name == "drifts" { "org-1".to_owned() } else { one_of(runner, ORGS) }),
        ("at", one_of(runner, DAYS)),
        ("start", one_of(runner, DAYS)),
        ("end", "2024-12-24T00:00:00.000Z".to_owned()),
        ("booking of its own", format!("booking-{}", place + 10)),
    ]);
    if list.name == "windows" && row["at"] == DAYS[0] {
        row.insert("end", "2024-12-21T00:00:00.000Z".to_owned());
    }
    for (name, values) in list.filters.iter().filter(|(name, _)| !matches!(*name, "from" | "to" | "mailbox")) {
        row.insert(name, one_of(runner, values));
    }
    row
}

fn uuid_like(runner: &mut TestRunner) -> String {
    "[0-9a-f]{12}".new_tree(runner).unwrap().current()
}

/// What other rows refer to.
async fn prepare(business: &Business) {
    let db = &business.db;
    for id in ["client-1", "client-2"] {
        db.write("INSERT INTO clients (id, org_id, phone_number) VALUES ($1, 'org-1', $2)")
            .bind(id)
            .bind(format!("+155501002{}0", &id[7..]))
            .execute()
            .await
            .unwrap();
    }
    for place in 0..60 {
        db.write(
            "INSERT INTO bookings (id, org_id, client_id, service, start_at, end_at, created_at)
             VALUES ($1, 'org-2', 'client-1', 'walk', $2, $3, $2)",
        )
        .bind(format!("booking-{place}"))
        .bind(at(DAYS[0]))
        .bind(at(DAYS[1]))
        .execute()
        .await
        .unwrap();
    }
    db.write(
        "INSERT INTO reconciliation_runs (id, org_id, local_date, trigger_kind, cutoff_at, started_at, created_at)
         VALUES ('run', 'org-1', 'a', 'scheduled', $1, $1, $1)",
    )
    .bind(at("2024-01-01T00:00:00Z"))
    .execute()
    .await
    .unwrap();
    let rule: RuleDraft = serde_json::from_value(json!({
        "service": "dog_walking", "effectiveFrom": "2024-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30,
    }))
    .unwrap();
    business.write(async |tx| pricing::add(tx, &org(), rule.check().unwrap(), &owner(), noon()).await.unwrap()).await;
    assert!(business.book(|_| {}).await.booking.pricing_snapshot_id.is_some());
}

#[tokio::test]
async fn whatever_the_filters_a_list_returns_what_matches_in_its_order_page_by_page() {
    on_both(async |business| {
        prepare(&business).await;
        let db = &business.db;
        let mut runner = TestRunner::deterministic();
        for list in LISTS {
            let rows: Vec<Values> = (0..40).map(|place| random_row(&mut runner, list, place)).collect();
            for row in &rows {
                insert(db, list.name, row).await;
            }
            for _ in 0..30 {
                let mut filter = Values::new();
                for (name, values) in list.filters {
                    if proptest::bool::weighted(0.4).new_tree(&mut runner).unwrap().current() {
                        filter.insert(name, one_of(&mut runner, values));
                    }
                }
                let all = list.across_orgs && any::<bool>().new_tree(&mut runner).unwrap().current();
                let viewer = if all { Viewer::all() } else { viewer_of(&org()) };
                let mut wanted: Vec<&Values> = rows
                    .iter()
                    .filter(|row| (all || row["org"] == "org-1") && matches(list.name, row, &filter))
                    .collect();
                sorted(list.name, &mut wanted);
                let wanted: Vec<&str> = wanted.iter().map(|row| row["id"].as_str()).collect();

                let size =
                    if list.name == "windows" { 200 } else { (1i64..8).new_tree(&mut runner).unwrap().current() };
                let (mut found, mut cursor) = (Vec::new(), None);
                loop {
                    let limit = Limit::asked(Some(size));
                    let (ids, next) = page(db, &viewer, list.name, &filter, cursor.as_deref(), limit).await.unwrap();
                    assert!(ids.len() <= usize::try_from(size).unwrap());
                    found.extend(ids);
                    let Some(next) = next else { break };
                    cursor = Some(next);
                }
                // What the fixture itself made has ids of its own.
                found.retain(|id| id.starts_with(&format!("{}-", list.name)));
                assert_eq!(found, wanted, "{} {filter:?} of all: {all} on {:?}", list.name, db.engine());
            }
        }
    })
    .await;
}

/// Filters that leave so few rows that sorting them is right.
const FEW: &[&str] = &["booking", "correlation", "client"];

/// The steps by which SQLite would carry a statement out.
async fn plan(db: &Db, sql: &str) -> Vec<String> {
    let path = db.sqlite_path().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let rows =
        sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn the_first_page_of_every_list_is_read_from_an_index_in_its_order() {
    let mut wrong = Vec::new();
    for database in nightshift_db::testing::engines().await {
        if database.engine() != Engine::Sqlite {
            continue;
        }
        let db = &database.db;
        db.write(
            "INSERT INTO reconciliation_runs (id, org_id, local_date, trigger_kind, cutoff_at, started_at)
             VALUES ('run', 'platform', 'a', 'manual', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z')",
        )
        .execute()
        .await
        .unwrap();
        for list in LISTS {
            let single = list.filters.iter().map(|(name, values)| Values::from([(*name, values[0].to_owned())]));
            for filter in std::iter::once(Values::new()).chain(single) {
                for viewer in [Viewer::all(), viewer_of(&"platform".into())] {
                    if viewer.org_id().is_none() && !list.across_orgs {
                        continue;
                    }
                    let (read, statements) =
                        statements_of(page(db, &viewer, list.name, &filter, None, Limit::default())).await;
                    read.unwrap();
                    let sql = statements.last().unwrap();
                    let few = filter.keys().any(|name| FEW.contains(name));
                    let steps = plan(db, sql).await;
                    let is_wrong = |step: &&String| {
                        let scan = step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("JOIN");
                        scan || (step.contains("TEMP B-TREE FOR ORDER BY") && !few)
                    };
                    if steps.iter().any(|step| is_wrong(&step)) {
                        wrong.push(format!("{} {filter:?} as {:?}: {steps:#?}\n{sql}", list.name, viewer.reach()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
