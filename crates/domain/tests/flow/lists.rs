//! Lists: for every combination of filters, each list returns the matching rows in its order, page by page, and reads
//! them from an index.

mod tables;

use std::time::Duration;

use nightshift_db::sqlx::{self, AssertSqlSafe, Row as _};
use nightshift_db::testing::{each_engine, migrated, statements_of};
use nightshift_db::{Db, Engine, lowest_id};
use nightshift_domain::page::Limit;
use nightshift_domain::pricing::{self, RuleDraft};
use nightshift_domain::viewer::Viewer;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::fixture::*;
use tables::*;

each_engine! {
    whatever_the_filters_a_list_returns_what_matches_in_its_order_page_by_page,
}

const HOUR: Duration = Duration::from_secs(3600);
/// Names and phone numbers of the clients.
const CLIENTS: [(&str, &str); 2] = [("Ada Lovelace", "+15550100210"), ("Grace Hopper", "+15550100220")];

/// Whether a row matches the filter, computed without a database.
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
        ("clients", "q") => finds(wanted, &[row["name"].as_str()], &row["phone"]),
        (_, "q") => {
            let [name, phone, other] = searched(list, row);
            finds(wanted, &[name, other], phone)
        }
        _ => row[name] == *wanted,
    }) && (list != "exceptions" || filter.contains_key("status") || row["status"] == "open")
}

/// Whether a search finds a row: a number by its digits, anything else by a text.
fn finds(wanted: &str, texts: &[&str], phone: &str) -> bool {
    let typed: String = wanted.chars().filter(char::is_ascii_digit).collect();
    match typed.trim_start_matches('0') {
        "" => texts.iter().any(|text| text.to_lowercase().contains(&wanted.to_lowercase())),
        digits => phone.replace('+', "").contains(digits),
    }
}

/// The texts of a row in which a search looks.
fn searched(list: &str, row: &Values) -> [&'static str; 3] {
    let (name, phone) = if row["client"] == "client-1" { CLIENTS[0] } else { CLIENTS[1] };
    let other = match (list, row["sitter"].as_str()) {
        ("bookings", _) => "walk",
        (_, "sitter-1") => "Sam One",
        _ => "Sam Two",
    };
    [name, phone, other]
}

fn is_of_sitter(list: &str, row: &Values, sitter: &str) -> bool {
    match list {
        "threads" => {
            row["scope"] == "client_booking" && row["window"] == "active" && row["sitter of its window"] == sitter
        }
        _ => row["sitter"] == sitter,
    }
}

/// Sorts the rows in the order of their list.
fn sorted(list: &str, rows: &mut [&Values]) {
    let rank = |row: &Values| match row["severity"].as_str() {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    };
    if list == "audit" {
        rows.sort_by_key(|row| std::cmp::Reverse(row["id"].clone()));
    } else if list == "exceptions" {
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
        ("booking of its own", format!("booking-{}", place + if list.name == "windows" { 50 } else { 10 })),
        ("client", one_of(runner, &["client-1", "client-2"])),
        ("name", one_of(runner, &["Ada Lovelace", "Grace Hopper"])),
        ("phone", format!("{}{place:02}", one_of(runner, &["+1555777", "+1555888", "+1555210"]))),
        ("window", one_of(runner, &["active", "past"])),
        ("sitter of its window", one_of(runner, &["sitter-1", "sitter-2"])),
    ]);
    if list.name == "windows" && row["at"] == DAYS[0] {
        row.insert("end", "2024-12-21T00:00:00.000Z".to_owned());
    }
    for (name, values) in list.filters.iter().filter(|(name, _)| !matches!(*name, "from" | "to" | "mailbox" | "q")) {
        row.insert(name, one_of(runner, values));
    }
    if list.name == "audit" {
        // The time in an id is never earlier than its entry's time; it is later if the clock had been set back.
        let ahead = HOUR * proptest::sample::select(&[0, 0, 5, 30, 200]).new_tree(runner).unwrap().current();
        let id = format!("{}{}", &lowest_id(at(&row["at"]) + ahead)[..24], uuid_like(runner));
        row.insert("id", id);
    }
    row
}

fn uuid_like(runner: &mut TestRunner) -> String {
    "[0-9a-f]{12}".new_tree(runner).unwrap().current()
}

/// Inserts the rows that other rows refer to.
async fn prepare(business: &Business) {
    let db = &business.db;
    for (id, (name, phone)) in ["client-1", "client-2"].into_iter().zip(CLIENTS) {
        let (first, last) = name.split_once(' ').unwrap();
        db.write(
            "INSERT INTO clients (id, org_id, first_name, last_name, phone_number) VALUES ($1, 'org-1', $2, $3, $4)",
        )
        .bind(id)
        .bind(first)
        .bind(last)
        .bind(phone)
        .execute()
        .await
        .unwrap();
    }
    db.write("UPDATE sitters SET name = CASE id WHEN 'sitter-1' THEN 'Sam One' ELSE 'Sam Two' END")
        .execute()
        .await
        .unwrap();
    for place in 0..100 {
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

async fn whatever_the_filters_a_list_returns_what_matches_in_its_order_page_by_page(engine: Engine) {
    on(engine, async |business| {
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
                let by_sitter =
                    list.of_sitters && proptest::bool::weighted(0.3).new_tree(&mut runner).unwrap().current();
                let viewer = match () {
                    () if all => Viewer::all(),
                    () if by_sitter => Viewer::sitter(org(), sitter()),
                    () => viewer_of(&org()),
                };
                let mut narrowing = filter.clone();
                if by_sitter {
                    // A sitter can't search, and gets their own bookings and windows whichever sitter the filter names.
                    narrowing.remove("q");
                    narrowing.retain(|name, _| *name != "sitter" || list.name == "threads");
                }
                let mut wanted: Vec<&Values> = rows
                    .iter()
                    .filter(|row| all || row["org"] == "org-1")
                    .filter(|row| !by_sitter || is_of_sitter(list.name, row, sitter().as_ref()))
                    .filter(|row| matches(list.name, row, &narrowing))
                    .collect();
                sorted(list.name, &mut wanted);
                let wanted: Vec<&str> = wanted.iter().map(|row| row["id"].as_str()).collect();

                let size = (1i64..8).new_tree(&mut runner).unwrap().current();
                let (mut found, mut cursor) = (Vec::new(), None);
                loop {
                    let limit = Limit::asked(Some(size));
                    let (ids, next) = page(db, &viewer, list.name, &filter, cursor.as_deref(), limit).await.unwrap();
                    assert!(ids.len() <= usize::try_from(size).unwrap());
                    found.extend(ids);
                    let Some(next) = next else { break };
                    cursor = Some(next);
                }
                // Rows that the fixture created are not in `rows`.
                found.retain(|id| rows.iter().any(|row| row["id"] == *id));
                assert_eq!(found, wanted, "{} {filter:?} as {:?} on {:?}", list.name, viewer.reach(), db.engine());
            }
        }
    })
    .await;
}

/// Filters whose index leaves so few rows that sorting them is right: the list, the filter and the first column of the
/// index.
const FEW: &[(&str, &str, &str)] = &[
    ("audit", "booking", "booking_id"),
    ("audit", "correlation", "correlation_id"),
    ("audit", "correlation", "request_id"),
    ("ledger", "booking", "booking_id"),
    ("exceptions", "booking", "booking_id"),
    ("bookings", "client", "client_id"),
    ("windows", "booking", "booking_id"),
    ("offers", "booking", "booking_id"),
];

/// Returns the steps of SQLite's query plan.
pub async fn plan(db: &Db, sql: &str) -> Vec<String> {
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
    let database = migrated(Engine::Sqlite).await;
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
        let few_of_list = FEW.iter().filter(|(name, ..)| *name == list.name);
        let pairs = few_of_list.flat_map(|(_, few, _)| {
            let few = list.filters.iter().find(|(name, _)| name == few).unwrap();
            list.filters
                .iter()
                .map(move |other| [few, other].map(|(name, values)| (*name, values[0].to_owned())).into())
        });
        for filter in std::iter::once(Values::new()).chain(single).chain(pairs) {
            for viewer in [Viewer::all(), viewer_of(&"platform".into())] {
                if viewer.org_id().is_none() && !list.across_orgs {
                    continue;
                }
                let (read, statements) =
                    statements_of(page(db, &viewer, list.name, &filter, None, Limit::default())).await;
                read.unwrap();
                let is_set = |few: &&(&str, &str, &str)| few.0 == list.name && filter.contains_key(few.1);
                let few: Vec<String> = FEW.iter().filter(is_set).map(|few| format!("({}=?", few.2)).collect();
                let is_wrong = |step: &&String| {
                    let scan = step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("JOIN");
                    scan || (step.contains("TEMP B-TREE FOR ORDER BY") && few.is_empty())
                };
                for sql in statements {
                    let steps = plan(db, &sql).await;
                    let by_few =
                        few.is_empty() || few.iter().any(|index| steps.iter().any(|step| step.contains(index)));
                    if steps.iter().any(|step| is_wrong(&step)) || !by_few {
                        wrong.push(format!("{} {filter:?} as {:?}: {steps:#?}\n{sql}", list.name, viewer.reach()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
