//! Creating, listing and changing bookings.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::actor::Actor;
use nightshift_domain::audience::Audience;
use nightshift_domain::bookings::{self, Draft, Filter, Patch, Status};
use nightshift_domain::ids::{BookingId, OrgId, SitterId};
use nightshift_domain::page::Limit;
use nightshift_domain::{Error, bookings::status_history};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    a_booking_finds_its_client_by_phone_or_makes_one,
    a_sitter_of_another_organisation_is_refused,
    every_status_change_leaves_one_row_of_history_and_names_who_did_it,
    the_database_refuses_to_change_history,
    a_status_asked_for_again_changes_nothing,
    twenty_concurrent_confirmations_change_the_status_once,
    a_patch_changes_what_it_names_in_one_version,
    a_patch_against_an_old_version_or_a_final_booking_is_refused,
    a_patch_names_every_wrong_field,
    another_organisations_booking_does_not_exist,
    lists_filter_and_go_on_where_the_page_before_ended,
    only_the_owner_sees_a_clients_phone_in_full,
}

fn patch(body: serde_json::Value) -> Patch {
    serde_json::from_value(body).unwrap()
}

fn conflict_code<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Conflict { code, .. }) => code.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it went through"),
    }
}

async fn a_booking_finds_its_client_by_phone_or_makes_one(engine: Engine) {
    on(engine, async |business| {
        let first = business.book(|_| {}).await.booking;
        let again = business.book(|draft| draft.phone = Some("1 (555) 123-4567".to_owned())).await.booking;
        assert_eq!(first.client_id, again.client_id);
        assert_ne!(first.id, again.id);
        assert_eq!((first.status, first.version, first.quantity), (Status::Pending, 1, 1));
        assert_eq!(business.count("SELECT COUNT(*) FROM clients").await, 1);
        assert_eq!(business.audited("booking.created").await, 2);
        let history = status_history(&business.db, &viewer_of(&org()), &first.id).await.unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].seq, history[0].from_status, history[0].to_status), (1, None, Status::Pending));
    })
    .await;
}

async fn a_sitter_of_another_organisation_is_refused(engine: Engine) {
    on(engine, async |business| {
        let mut draft = draft();
        draft.sitter_id = Some(SitterId::from("sitter-9".to_owned()));
        let refused = business
            .write(async |tx| bookings::create(tx, &org(), draft.check(None).unwrap(), &owner(), noon()).await)
            .await;
        let Err(Error::Invalid(fields)) = refused else { panic!("it went through") };
        assert_eq!(fields.keys().map(ToString::to_string).collect::<Vec<_>>(), ["sitterId"]);
        assert_eq!(business.count("SELECT COUNT(*) FROM bookings").await, 0);
    })
    .await;
}

async fn every_status_change_leaves_one_row_of_history_and_names_who_did_it(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        business.write(async |tx| bookings::confirm(tx, &org(), &id, &webhook(), noon()).await.unwrap()).await;
        let local = Actor::Unauthenticated;
        let later = at("2024-12-29T12:00:00Z");
        let cancelled = business
            .write(async |tx| bookings::cancel(tx, &org(), &id, Some("ill"), &local, later).await.unwrap())
            .await;
        assert_eq!((cancelled.from, cancelled.to), (Status::Confirmed, Status::Cancelled));
        assert_eq!(cancelled.booking.cancelled_at, Some(later));

        let history = status_history(&business.db, &viewer_of(&org()), &id).await.unwrap();
        let told: Vec<_> = history.iter().map(|entry| (entry.seq, entry.from_status, entry.to_status)).collect();
        assert_eq!(
            told,
            [
                (1, None, Status::Pending),
                (2, Some(Status::Pending), Status::Confirmed),
                (3, Some(Status::Confirmed), Status::Cancelled),
            ]
        );
        assert_eq!(history[0].changed_by_user_id.as_ref().map(ToString::to_string).as_deref(), Some("user-1"));
        assert_eq!((history[1].actor_type.to_string().as_str(), &history[1].changed_by_user_id), ("webhook", &None));
        assert_eq!((history[2].changed_at, history[2].reason.as_deref()), (later, Some("ill")));
        assert_eq!(history[2].changed_by_user_id, None);
        assert_eq!(business.audited("booking.status.changed").await, 2);
    })
    .await;
}

async fn the_database_refuses_to_change_history(engine: Engine) {
    on(engine, async |business| {
        business.book(|_| {}).await;
        for sql in ["UPDATE booking_status_history SET to_status = 'confirmed'", "DELETE FROM booking_status_history"] {
            let error = business.db.write(sql).execute().await.unwrap_err().to_string();
            assert!(error.contains("immutable"), "{error}");
        }
        assert_eq!(business.count("SELECT COUNT(*) FROM booking_status_history WHERE to_status = 'pending'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_sqlite_replace_cannot_rewrite_history_either() {
    on(Engine::Sqlite, async |business| {
        business.book(|_| {}).await;
        let replaced = business
            .db
            .write(
                "INSERT OR REPLACE INTO booking_status_history
                         (id, org_id, booking_id, seq, to_status, actor_type, changed_at)
                     SELECT id, org_id, booking_id, seq, 'completed', 'system', changed_at
                     FROM booking_status_history",
            )
            .execute()
            .await;
        assert!(replaced.is_err());
    })
    .await;
}

async fn a_status_asked_for_again_changes_nothing(engine: Engine) {
    on(engine, async |business| {
        let id = business.confirmed(|_| {}).await.id;
        let again =
            business.write(async |tx| bookings::confirm(tx, &org(), &id, &owner(), noon()).await.unwrap()).await;
        assert!(again.needs_confirm);
        assert_eq!((again.history_id, again.booking.version), (None, 2));
        business.write(async |tx| bookings::cancel(tx, &org(), &id, None, &owner(), noon()).await.unwrap()).await;
        let again =
            business.write(async |tx| bookings::cancel(tx, &org(), &id, None, &owner(), noon()).await.unwrap()).await;
        assert_eq!((again.history_id, again.needs_confirm, again.booking.version), (None, false, 3));
        let refused = business.write(async |tx| bookings::confirm(tx, &org(), &id, &owner(), noon()).await).await;
        assert_eq!(conflict_code(refused), "invalid_transition");
    })
    .await;
}

async fn twenty_concurrent_confirmations_change_the_status_once(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (db, id) = (business.db.clone(), id.clone());
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    let change = bookings::confirm(&mut tx, &org(), &id, &owner(), noon()).await.unwrap();
                    tx.commit().await.unwrap();
                    (change.history_id.is_some(), change.needs_confirm)
                })
            })
            .collect();
        let mut changed = 0;
        for task in tasks {
            let (history, needs_confirm) = task.await.unwrap();
            assert!(needs_confirm);
            changed += i32::from(history);
        }
        assert_eq!(changed, 1);
        assert_eq!(business.count("SELECT COUNT(*) FROM booking_status_history").await, 2);
        assert_eq!(business.count("SELECT version FROM bookings").await, 2);
    })
    .await;
}

async fn a_patch_changes_what_it_names_in_one_version(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|draft| draft.notes = Some("gate code 12".to_owned())).await.booking.id;
        let body = json!({
            "status": "confirmed", "startAt": "2025-01-01T10:00:00Z", "endAt": "2025-01-01T11:30:00Z",
            "sitterId": "sitter-2", "notes": null, "quantity": 2, "addOns": ["treats"], "version": 1,
        });
        let change = business
            .write(async |tx| bookings::patch(tx, &org(), &id, patch(body), &owner(), noon()).await.unwrap())
            .await;
        assert_eq!(change.booking.version, 2);
        assert_eq!(change.rescheduled_to_version, Some(2));
        assert!(change.needs_confirm && change.history_id.is_some());
        assert_eq!((change.booking.notes.clone(), change.booking.quantity), (None, 2));
        assert_eq!(change.booking.add_ons.0, ["treats"]);
        assert_eq!(change.booking.confirmed_at, Some(noon()));

        // The same patch again changes nothing. A new sitter of a confirmed booking makes the confirmation follow.
        let same = business
            .write(async |tx| {
                bookings::patch(tx, &org(), &id, patch(json!({"quantity": 2})), &owner(), noon()).await.unwrap()
            })
            .await;
        assert_eq!((same.booking.version, same.needs_confirm, same.rescheduled_to_version), (2, false, None));
        let handed = business
            .write(async |tx| {
                bookings::patch(tx, &org(), &id, patch(json!({"sitterId": "sitter-1"})), &owner(), noon())
                    .await
                    .unwrap()
            })
            .await;
        assert!(handed.needs_confirm && handed.history_id.is_none());
    })
    .await;
}

async fn a_patch_against_an_old_version_or_a_final_booking_is_refused(engine: Engine) {
    on(engine, async |business| {
        let id = business.confirmed(|_| {}).await.id;
        let old = business
            .write(async |tx| {
                bookings::patch(tx, &org(), &id, patch(json!({"version": 1, "notes": "x"})), &owner(), noon()).await
            })
            .await;
        assert_eq!(conflict_code(old), "version_conflict");
        let back = business
            .write(async |tx| {
                bookings::patch(tx, &org(), &id, patch(json!({"status": "pending"})), &owner(), noon()).await
            })
            .await;
        assert_eq!(conflict_code(back), "invalid_transition");
        business.write(async |tx| bookings::cancel(tx, &org(), &id, None, &owner(), noon()).await.unwrap()).await;
        let late = business
            .write(async |tx| {
                let body = json!({"startAt": "2024-12-31T09:00:00Z"});
                bookings::patch(tx, &org(), &id, patch(body), &owner(), noon()).await
            })
            .await;
        assert_eq!(conflict_code(late), "invalid_transition");
    })
    .await;
}

async fn a_patch_names_every_wrong_field(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let body = json!({"status": "done", "endAt": "2024-12-31T09:00:00Z", "quantity": 0, "service": " "});
        let refused =
            business.write(async |tx| bookings::patch(tx, &org(), &id, patch(body), &owner(), noon()).await).await;
        let Err(Error::Invalid(fields)) = refused else { panic!("it went through") };
        let names: Vec<_> = fields.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["endAt", "quantity", "service", "status"]);
    })
    .await;
}

async fn another_organisations_booking_does_not_exist(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        let other = OrgId::from("org-2".to_owned());
        assert!(matches!(bookings::get(&business.db, &viewer_of(&other), &id).await, Err(Error::NotFound)));
        assert!(matches!(status_history(&business.db, &viewer_of(&other), &id).await, Err(Error::NotFound)));
        let view = bookings::view(&business.db, &viewer_of(&other), &id).await;
        assert!(matches!(view, Err(Error::NotFound)));
        let confirm = business.write(async |tx| bookings::confirm(tx, &other, &id, &owner(), noon()).await).await;
        assert!(matches!(confirm, Err(Error::NotFound)));
    })
    .await;
}

async fn lists_filter_and_go_on_where_the_page_before_ended(engine: Engine) {
    on(engine, async |business| {
        let mut made = Vec::new();
        for day in 1..=5 {
            let change = |draft: &mut Draft| {
                draft.start_at = Some(format!("2025-02-0{day}T10:00:00Z"));
                draft.end_at = Some(format!("2025-02-0{day}T11:00:00Z"));
                draft.phone = Some(format!("+1555000000{day}"));
                draft.last_name = Some(format!("Smith_{day}"));
            };
            made.push(business.book(change).await.booking.id);
        }
        made.reverse();
        let all = async |filter: Filter, limit: i64| {
            let (mut ids, mut cursor) = (Vec::<BookingId>::new(), None);
            loop {
                let limit = Limit::asked(Some(limit));
                let page = bookings::list(&business.db, &viewer_of(&org()), &filter, cursor.as_deref(), limit).await;
                let page = page.unwrap();
                ids.extend(page.items.into_iter().map(|view| view.id));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return ids;
                }
            }
        };
        assert_eq!(all(Filter::default(), 2).await, made);
        let filter = Filter {
            from: Some(at("2025-02-02T00:00:00Z")),
            to: Some(at("2025-02-04T00:00:00Z")),
            ..Filter::default()
        };
        assert_eq!(all(filter, 50).await, made[2..4]);
        for (typed, count) in [("smith_3", 1), ("SMITH", 5), ("%", 0), ("5550000004", 1), ("dog_", 5), ("cat", 0)] {
            let filter = Filter { q: Some(typed.to_owned()), ..Filter::default() };
            assert_eq!(all(filter, 50).await.len(), count, "{typed}");
        }
        let confirmed = Filter { status: Some(Status::Confirmed), ..Filter::default() };
        assert!(all(confirmed, 50).await.is_empty());
        let of_client = Filter { client_id: Some(business.client_of(&made[0]).await), ..Filter::default() };
        assert_eq!(all(of_client, 50).await, made[..1]);
        let (org, filter) = (org(), Filter::default());
        let bad = bookings::list(&business.db, &viewer_of(&org), &filter, Some("?"), Limit::default()).await;
        assert!(bad.is_err());
    })
    .await;
}

async fn only_the_owner_sees_a_clients_phone_in_full(engine: Engine) {
    on(engine, async |business| {
        let id = business.book(|_| {}).await.booking.id;
        for (audience, shown) in [(Audience::Owner, true), (Audience::Sitter, false), (Audience::Ops, false)] {
            let view = bookings::view(&business.db, &viewer_of(&org()).shown_to(audience), &id).await.unwrap();
            let json = serde_json::to_string(&view).unwrap();
            assert_eq!(json.contains("5551234567"), shown, "{json}");
        }
    })
    .await;
}
