//! Every read with every kind of viewer: each viewer gets its own rows and no others.
//!
//! There is one row of everything for each of three sitters: `1a` and `1b` of one organisation, `2` of another. A read
//! gives the names of the rows that it returned.

use std::collections::HashMap;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json};
use nightshift_domain::audience::Audience;
use nightshift_domain::automations::runs;
use nightshift_domain::bookings::{self, Draft};
use nightshift_domain::ids::{BookingId, OrgId, ServiceRequestId, SitterId};
use nightshift_domain::messaging::routing::trace;
use nightshift_domain::messaging::{inbox, messages, numbers, windows};
use nightshift_domain::metrics::{self, Days};
use nightshift_domain::page::Limit;
use nightshift_domain::people::{client_list, dashboard, sitters};
use nightshift_domain::pricing::{self, RuleDraft};
use nightshift_domain::reconciliation::{self, Thresholds};
use nightshift_domain::stream::{StreamEvent, Topic};
use nightshift_domain::viewer::{Reach, Viewer};
use nightshift_domain::{Error, Result, audit, calls, exceptions, offers};
use serde::Serialize;
use serde_json::json;

use crate::fixture::*;

each_engine! {
    every_read_gives_each_viewer_its_own_rows_and_no_others,
    a_sitter_reads_the_bookings_that_are_offered_to_them,
    a_sitters_threads_close_with_their_windows,
    only_who_is_shown_clients_numbers_finds_clients_by_their_digits,
}

const NAMES: [&str; 3] = ["1a", "1b", "2"];
const SITTERS: [&str; 3] = ["sitter-1", "sitter-2", "sitter-9"];
/// All windows are active at this time.
const NOW: &str = "2024-12-31T10:30:00Z";

/// Inserts the rows of one sitter. Each id ends in the sitter's name.
async fn insert(business: &Business, name: &str, org: &str, sitter: &str) -> BookingId {
    let org_id = OrgId::from(org.to_owned());
    let rule: RuleDraft = serde_json::from_value(json!({
        "service": format!("service-{name}"), "effectiveFrom": "2024-01-01T00:00:00Z", "baseMinor": 2000,
        "unitMinutes": 30,
    }))
    .unwrap();
    let booking: Draft = serde_json::from_value(json!({
        "firstName": "Test", "lastName": "Client", "phone": "+15551234567", "service": format!("service-{name}"),
        "startAt": "2024-12-31T10:00:00Z", "endAt": "2024-12-31T11:00:00Z", "sitterId": sitter,
        "notes": format!("booking-{name}"),
    }))
    .unwrap();
    let booking = business
        .write(async |tx| {
            pricing::add(tx, &org_id, rule.check().unwrap(), &owner(), noon()).await.unwrap();
            bookings::create(tx, &org_id, booking.check(None).unwrap(), &owner(), noon()).await.unwrap().booking
        })
        .await;
    let db = &business.db;
    let id = |kind: &str| format!("{kind}-{name}");
    let detail = Json(json!({"snapshotId": booking.pricing_snapshot_id}));
    for statement in [
        db.write(
            "INSERT INTO message_threads (id, org_id, scope, booking_id, client_id, assigned_sitter_id)
             VALUES ($1, $2, 'client_booking', $3, $4, $5)",
        )
        .bind(id("thread"))
        .bind(org)
        .bind(&booking.id)
        .bind(&booking.client_id)
        .bind(sitter),
        db.write(
            "INSERT INTO message_events (id, org_id, thread_id, direction, actor_type, body, status)
             VALUES ($1, $2, $3, 'inbound', 'client', 'hello', 'received')",
        )
        .bind(id("message"))
        .bind(org)
        .bind(id("thread")),
        db.write(
            "INSERT INTO routing_traces (id, org_id, message_event_id, thread_id, outcome, summary, steps)
             VALUES ($1, $2, $3, $4, 'closed_window', 'test', $5)",
        )
        .bind(id("trace"))
        .bind(org)
        .bind(id("message"))
        .bind(id("thread"))
        .bind(Json(json!([]))),
        db.write(
            "INSERT INTO assignment_windows (id, org_id, booking_id, thread_id, sitter_id, starts_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id("window"))
        .bind(org)
        .bind(&booking.id)
        .bind(id("thread"))
        .bind(sitter)
        .bind(booking.start_at)
        .bind(booking.end_at),
        db.write(
            "INSERT INTO offer_events (id, org_id, sitter_id, booking_id, code, status, offered_at, expires_at)
             VALUES ($1, $2, $3, $4, 1, 'declined', $5, $5)",
        )
        .bind(id("offer"))
        .bind(org)
        .bind(sitter)
        .bind(&booking.id)
        .bind(noon()),
        db.write(
            "INSERT INTO automation_runs (id, org_id, type, recipient, trigger_ref)
             VALUES ($1, $2, 'bookingConfirmation', 'client', $1)",
        )
        .bind(id("automation"))
        .bind(org),
        db.write("INSERT INTO event_log (id, org_id, event_type, status) VALUES ($1, $2, 'test.seen', 'info')")
            .bind(id("event"))
            .bind(org),
        db.write(
            "INSERT INTO reconciliation_runs (id, org_id, local_date, trigger_kind, attempt_no, cutoff_at, started_at)
             VALUES ($1, $2, $1, 'manual', 1, $3, $3)",
        )
        .bind(id("run"))
        .bind(org)
        .bind(noon()),
        db.write(
            "INSERT INTO pricing_drifts (id, org_id, run_id, booking_id, stored_minor, recomputed_minor, drift_minor,
                                         drift_percent, severity, cause, detail)
             VALUES ($1, $2, $3, $4, 1, 0, 1, 100, 'low', 'total_mismatch', $5)",
        )
        .bind(id("drift"))
        .bind(org)
        .bind(id("run"))
        .bind(&booking.id)
        .bind(detail),
        db.write(
            "INSERT INTO exceptions (id, org_id, type, severity, fingerprint, title, drift_id)
             VALUES ($1, $2, 'test', 'low', $1, 'Test', $3)",
        )
        .bind(id("exception"))
        .bind(org)
        .bind(id("drift")),
        db.write("INSERT INTO service_requests (id, org_id, title, status) VALUES ($1, $2, 'Test', 'PENDING')")
            .bind(id("request"))
            .bind(org),
        db.write(
            "INSERT INTO providers (id, service_request_id, name, phone) VALUES ($1, $2, 'Bright', '+14155550177')",
        )
        .bind(id("provider"))
        .bind(id("request")),
        db.write(
            "INSERT INTO booking_calls (id, org_id, service_request_id, provider_id, execution_id, mode,
                                        original_phone, phone_to_call, request_body, status)
             VALUES ($1, $2, $3, $4, $5, 'simulated', '+14155550177', '+14155550177', '{}', 'accepted')",
        )
        .bind(id("call"))
        .bind(org)
        .bind(id("request"))
        .bind(id("provider"))
        .bind(id("execution")),
    ] {
        statement.execute().await.unwrap();
    }
    business.add_number(&id("number"), "pool", org).await;
    booking.id
}

/// Returns the names of the rows that a read returned, or none if it was refused, which is the only error it may
/// return.
fn names<T: Serialize>(rows: Result<Vec<T>>, field: &str) -> Vec<String> {
    let rows = match rows {
        Ok(rows) => rows,
        Err(Error::NotFound | Error::Forbidden { .. }) => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| {
            let row = serde_json::to_value(row).unwrap();
            row[field].as_str().unwrap().rsplit('-').next().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names
}

/// Returns what a viewer gets from each read.
async fn reads(
    business: &Business,
    viewer: &Viewer,
    booking: &HashMap<&str, BookingId>,
) -> Vec<(&'static str, Vec<String>)> {
    let (db, now, limit) = (&business.db, at(NOW), Limit::default());
    let mut found: Vec<(&'static str, Vec<String>)> = Vec::new();

    let rows = bookings::list(db, viewer, &bookings::Filter::default(), None, limit).await.map(|page| page.items);
    found.push(("own bookings", names(rows, "notes")));
    let rows = inbox::list(db, viewer, &inbox::Filter::default(), None, limit, now).await.map(|page| page.items);
    found.push(("own threads", names(rows, "id")));
    let rows = inbox::open_to_sitter(db, viewer, None, None, limit, now).await.map(|page| page.items);
    found.push(("own open threads", names(rows, "id")));
    let rows = windows::list(db, viewer, &windows::Filter::default(), None, limit, now).await.map(|page| page.items);
    found.push(("own windows", names(rows, "id")));
    let rows = offers::list(db, viewer, &offers::Filter::default(), None, limit).await.map(|page| page.items);
    found.push(("own offers", names(rows, "id")));
    found.push(("org numbers", names(numbers::list(db, viewer, None, None).await, "id")));
    let filter = exceptions::Filter::default();
    let rows = exceptions::list(db, viewer, &filter, None, limit).await.map(|page| page.items);
    if let Ok(rows) = &rows {
        let counted = exceptions::counts(db, viewer, &filter).await.unwrap();
        assert_eq!(usize::try_from(counted.low).unwrap(), rows.len());
    }
    found.push(("org exceptions", names(rows, "id")));
    let rows = runs::list(db, viewer, &runs::Filter::default(), None, limit).await.map(|page| page.items);
    found.push(("org ledger", names(rows, "id")));
    let filter = audit::Filter { event_type: Some("test.seen".to_owned()), ..audit::Filter::default() };
    let rows = audit::list(db, viewer, &filter, None, limit).await.map(|page| page.items);
    found.push(("org event log", names(rows, "id")));
    let rows = reconciliation::list(db, viewer, None, limit).await.map(|page| page.items);
    found.push(("org runs", names(rows, "id")));
    let rows = calls::list(db, viewer, None, None, limit).await.map(|page| page.items);
    found.push(("one-org requests", names(rows, "id")));
    found.push(("one-org rules", names(pricing::list(db, viewer).await, "service")));

    for name in NAMES {
        let id = |kind: &str| format!("{kind}-{name}");
        let (booking, request) = (&booking[name], ServiceRequestId::from(id("request")));
        let one =
            |read: &'static str, seen: Result<()>| (read, names(seen.map(|()| vec![json!({"name": name})]), "name"));
        let sitter: SitterId = SITTERS[NAMES.iter().position(|other| *other == name).unwrap()].into();
        let listed = sitters::list(db, viewer, None).await.and_then(|listed| {
            listed.iter().find(|listed| listed.sitter.id == sitter).map(drop).ok_or(Error::NotFound)
        });
        let drift = reconciliation::drift_of_exception(db, viewer, &id("drift").into()).await;
        let drift = drift.and_then(|drift| drift.map(drop).ok_or(Error::NotFound));
        let thread = id("thread").into();
        let texts = messages::list(db, viewer, &thread, None, limit, now).await.map(|texts| texts.messages);
        let mailbox = inbox::of_sitter(db, viewer, &sitter, None, limit, now).await.map(|page| page.items);
        let dashboard = dashboard::dashboard(db, viewer, Some(&sitter), now).await;
        let dashboard = dashboard.and_then(|seen| if seen.sitter_id == sitter { Ok(()) } else { Err(Error::NotFound) });
        let client = business.client_of(booking).await;
        let drifts = reconciliation::drifts(db, viewer, &id("run").into(), None, None, limit).await;
        found.extend([
            one("own booking", bookings::view(db, viewer, booking).await.map(drop)),
            one("own thread", inbox::view(db, viewer, &thread, now).await.map(drop)),
            ("own texts", names(texts, "id")),
            ("own mailbox", names(mailbox, "id")),
            one("own dashboard", dashboard),
            one("one-org client", client_list::view(db, viewer, &client).await.map(drop)),
            one("booking", bookings::get(db, viewer, booking).await.map(drop)),
            one("booking's history", bookings::status_history(db, viewer, booking).await.map(drop)),
            one("booking's sitter", metrics::of_sitter(db, viewer, &sitter, Days::Seven).await.map(drop)),
            one("org sitter", listed),
            one("org exception", exceptions::get(db, viewer, &id("exception").into()).await.map(drop)),
            one("org ledger run", runs::view(db, viewer, &id("automation").into()).await.map(drop)),
            one("org run", reconciliation::get(db, viewer, &id("run").into()).await.map(drop)),
            (
                "org traces",
                names(trace::of_thread(db, viewer, &thread, None, None, limit).await.map(|page| page.items), "eventId"),
            ),
            one("org trace", trace::of_message(db, viewer, &id("message").into()).await.map(drop)),
            ("org drifts", names(drifts.map(|page| page.items), "id")),
            one("org drift", drift),
            one("one-org price", pricing::pricing(db, viewer, booking, Thresholds::default()).await.map(drop)),
            one("request", calls::view(db, viewer, &request).await.map(drop)),
            one("request's call", calls::call_by_execution(db, viewer, &id("execution")).await.map(drop)),
            one(
                "request's last call",
                calls::last_call(db, viewer, &request).await.and_then(|status| status.ok_or(Error::NotFound)).map(drop),
            ),
            one("request's organisation", calls::org_of_request(db, viewer, &request).await.map(drop)),
            one("request's topic", Topic::Request(request).check(db, viewer).await),
        ]);
    }
    found
}

/// Merges the results of reads with the same name.
fn together(found: Vec<(&'static str, Vec<String>)>) -> Vec<(&'static str, Vec<String>)> {
    let mut all: Vec<(&'static str, Vec<String>)> = Vec::new();
    for (read, names) in found {
        match all.iter_mut().find(|(other, _)| *other == read) {
            Some((_, standing)) => standing.extend(names),
            None => all.push((read, names)),
        }
    }
    all
}

async fn every_read_gives_each_viewer_its_own_rows_and_no_others(engine: Engine) {
    on(engine, async |business| {
        let mut booking = HashMap::new();
        for (name, org, sitter) in
            [("1a", "org-1", "sitter-1"), ("1b", "org-1", "sitter-2"), ("2", "org-2", "sitter-9")]
        {
            booking.insert(name, insert(&business, name, org, sitter).await);
        }
        let sitter = |id: &str| Viewer::sitter(org(), SitterId::from(id.to_owned()));
        let org_2 = OrgId::from("org-2".to_owned());
        // By the prefix of a read: reads of one organisation including its sitters; reads of bookings; reads that
        // sitters may not make; the same within one organisation; and reads of service requests.
        for (viewer, own, bookings, orgs, one_org, requests) in [
            (Viewer::all(), "", "1a 1b 2", "1a 1b 2", "", "1a 1b 2"),
            (viewer_of(&org()), "1a 1b", "1a 1b", "1a 1b", "1a 1b", "1a 1b"),
            (viewer_of(&org_2), "2", "2", "2", "2", "2"),
            (sitter("sitter-1"), "1a", "1a", "", "", ""),
            (sitter("sitter-2"), "1b", "1b", "", "", ""),
            (Viewer::of_request(ServiceRequestId::from("request-1b".to_owned())), "", "", "", "", "1b"),
            (Viewer::nobody(), "", "", "", "", ""),
        ] {
            let found = together(reads(&business, &viewer, &booking).await);
            assert_eq!(found.len(), 35);
            for (read, names) in found {
                let wanted = match read.split(' ').next().unwrap() {
                    "own" => own,
                    "booking" | "booking's" => bookings,
                    "org" => orgs,
                    "one-org" => one_org,
                    _ => requests,
                };
                assert_eq!(names.join(" "), wanted, "{read} as {viewer:?}");
            }
        }
    })
    .await;
}

async fn a_sitter_reads_the_bookings_that_are_offered_to_them(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let draft = serde_json::from_value(json!({"sitterIds": [sitter()]})).unwrap();
        let hour = std::time::Duration::from_secs(3600);
        let offer = business
            .write(async |tx| offers::create(tx, &org(), &booking, &draft, hour, &owner(), noon()).await.unwrap())
            .await
            .offers
            .remove(0)
            .0;
        assert_eq!(business.streamed("sitter:sitter-1", "offer.new").await, 1);
        assert_eq!(business.streamed("sitter:sitter-1", "offer.changed").await, 0);
        let db = &business.db;
        let seen = async |id: &str| {
            let viewer = Viewer::sitter(org(), id.into());
            let filter = bookings::Filter::default();
            let listed = bookings::list(db, &viewer, &filter, None, Limit::default()).await.unwrap().items.len();
            let view = bookings::view(db, &viewer, &booking).await;
            let got = bookings::get(db, &viewer, &booking).await;
            let history = bookings::status_history(db, &viewer, &booking).await;
            assert!(view.as_ref().err().is_none_or(|error| matches!(error, Error::NotFound)));
            assert!(history.as_ref().err().is_none_or(|error| matches!(error, Error::NotFound)));
            [listed, usize::from(view.is_ok()), usize::from(got.is_ok()), usize::from(history.is_ok())]
        };
        assert_eq!((seen("sitter-1").await, seen("sitter-2").await), ([1; 4], [0; 4]));
        // The filter of an owner is about assignments.
        let filter = bookings::Filter { sitter_id: Some(sitter()), ..bookings::Filter::default() };
        let of_owner = bookings::list(db, &viewer_of(&org()), &filter, None, Limit::default()).await.unwrap();
        assert!(of_owner.items.is_empty());
        business.write(async |tx| offers::withdraw(tx, &org(), &offer.id, &owner(), noon()).await.unwrap()).await;
        assert_eq!(seen("sitter-1").await, [0; 4]);
    })
    .await;
}

async fn a_sitters_threads_close_with_their_windows(engine: Engine) {
    on(engine, async |business| {
        insert(&business, "1a", "org-1", "sitter-1").await;
        let (db, sitter, after) = (&business.db, Viewer::sitter(org(), sitter()), at("2024-12-31T11:00:00Z"));
        let listed = inbox::list(db, &sitter, &inbox::Filter::default(), None, Limit::default(), after).await.unwrap();
        assert!(listed.items.is_empty());
        let thread = "thread-1a".to_owned().into();
        assert!(matches!(inbox::view(db, &sitter, &thread, after).await, Err(Error::NotFound)));
        let texts = messages::list(db, &sitter, &thread, None, Limit::default(), after).await;
        assert!(matches!(texts, Err(Error::NotFound)));
    })
    .await;
}

async fn only_who_is_shown_clients_numbers_finds_clients_by_their_digits(engine: Engine) {
    on(engine, async |business| {
        insert(&business, "1a", "org-1", "sitter-1").await;
        let (db, limit) = (&business.db, Limit::default());
        let sitter = Viewer::sitter(org(), sitter());
        for (viewer, found_by_wrong_digits) in
            [(viewer_of(&org()), 0), (sitter, 1), (viewer_of(&org()).shown_to(Audience::Ops), 1)]
        {
            for (digits, found) in [("5551234567", 1), ("5559999999", found_by_wrong_digits)] {
                let filter = bookings::Filter { q: Some(digits.to_owned()), ..bookings::Filter::default() };
                let listed = bookings::list(db, &viewer, &filter, None, limit).await.unwrap().items;
                assert_eq!(listed.len(), found, "{digits} as {viewer:?}");
                let filter = inbox::Filter { q: Some(digits.to_owned()), ..inbox::Filter::default() };
                let listed = inbox::list(db, &viewer, &filter, None, limit, at(NOW)).await.unwrap().items;
                assert_eq!(listed.len(), found, "{digits} as {viewer:?}");
            }
        }
    })
    .await;
}

#[test]
fn an_event_goes_to_those_who_see_what_it_is_about() {
    let event = |org: Option<&str>, topic: &str| StreamEvent {
        seq: 1,
        org_id: org.map(|org| OrgId::from(org.to_owned())),
        topic: topic.to_owned(),
        event: "test".to_owned(),
        data: Json(json!({})),
    };
    let sitter = Viewer::sitter(org(), sitter());
    let link = Viewer::of_request(ServiceRequestId::from("r".to_owned()));
    for (event, all, own, sitters, links) in [
        (event(Some("org-1"), "threads"), true, true, true, false),
        (event(Some("org-2"), "threads"), true, false, false, false),
        (event(None, "exceptions"), true, false, false, false),
        (event(Some("org-2"), "request:r"), true, false, false, true),
        (event(Some("org-1"), "request:s"), true, true, true, false),
    ] {
        let seen = [&Viewer::all(), &viewer_of(&org()), &sitter, &link].map(|viewer| event.is_for(viewer));
        assert_eq!(seen, [all, own, sitters, links], "{event:?}");
        assert!(!event.is_for(&Viewer::new(Reach::Nothing, Audience::Owner)));
    }
}
