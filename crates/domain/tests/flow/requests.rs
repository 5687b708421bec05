//! Service requests are changed only by viewers who may see them.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::calls::{self, CallMode, NewCall, NewServiceProvider, NewServiceRequest};
use nightshift_domain::ids::{OrgId, ServiceRequestId};
use nightshift_domain::viewer::Viewer;
use nightshift_domain::{Error, Result};

use crate::fixture::*;

each_engine! {
    a_request_is_scheduled_and_cancelled_by_those_alone_who_see_it,
}

fn provider() -> NewServiceProvider {
    let (name, phone) = (Some("Vet".to_owned()), Some("+15557654321".to_owned()));
    NewServiceProvider { name, phone, ..NewServiceProvider::default() }
}

async fn request(business: &Business) -> ServiceRequestId {
    let (title, user_phone) = (Some("Vaccination".to_owned()), Some("+15551234567".to_owned()));
    let new = NewServiceRequest { title, user_phone, providers: vec![provider()], ..NewServiceRequest::default() };
    let made = business.write(async |tx| calls::create(tx, &org(), new.clone(), &owner(), noon()).await).await;
    made.unwrap().0
}

/// Tries every change to a service request.
async fn attempts(business: &Business, viewer: &Viewer, id: &ServiceRequestId) -> [Result<()>; 2] {
    let providers = business.db.read("SELECT id FROM providers WHERE service_request_id = $1").bind(id);
    let (provider_id,): (String,) = providers.one().await.unwrap();
    let service_request_id = Some(id.to_string());
    let new_call = NewCall { service_request_id, provider_id: Some(provider_id), ..NewCall::default() };
    let scheduled = business
        .write(async |tx| calls::schedule(tx, viewer, new_call.clone(), CallMode::Simulated, &owner(), noon()).await)
        .await;
    let cancelled = business.write(async |tx| calls::cancel_request(tx, viewer, id, &owner(), noon()).await).await;
    [scheduled.map(drop), cancelled]
}

fn strangers() -> Vec<Viewer> {
    let another = Viewer::of_request(ServiceRequestId::from("another".to_owned()));
    vec![Viewer::nobody(), Viewer::sitter(org(), sitter()), viewer_of(&OrgId::from("org-2".to_owned())), another]
}

async fn a_request_is_scheduled_and_cancelled_by_those_alone_who_see_it(engine: Engine) {
    on(engine, async |business| {
        let id = request(&business).await;
        for viewer in strangers() {
            for done in attempts(&business, &viewer, &id).await {
                assert!(matches!(done, Err(Error::NotFound)), "{done:?} by {viewer:?}");
            }
        }
        assert_eq!(business.count("SELECT count(*) FROM service_requests WHERE status = 'RECOMMENDED'").await, 1);
        let those: [fn(ServiceRequestId) -> Viewer; 3] = [|_| Viewer::all(), |_| viewer_of(&org()), Viewer::of_request];
        for viewer in those {
            let id = request(&business).await;
            let viewer = viewer(id.clone());
            let [scheduled, cancelled] = attempts(&business, &viewer, &id).await;
            scheduled.unwrap();
            assert!(matches!(cancelled, Err(Error::Conflict { code: "invalid_transition", .. })), "{cancelled:?}");
        }
    })
    .await;
}

/// On SQLite every writer waits for every other writer.
#[tokio::test]
async fn a_stranger_to_a_request_does_not_wait_for_those_who_change_it() {
    on(Engine::Postgres, async |business| {
        let id = request(&business).await;
        let mut held = business.db.begin().await.unwrap();
        calls::cancel_request(&mut held, &viewer_of(&org()), &id, &owner(), noon()).await.unwrap();
        for viewer in strangers() {
            let done = tokio::time::timeout(Duration::from_secs(60), attempts(&business, &viewer, &id)).await;
            for done in done.unwrap_or_else(|_| panic!("{viewer:?} waits")) {
                assert!(matches!(done, Err(Error::NotFound)), "{done:?} by {viewer:?}");
            }
        }
        let (org_2, providers) = (OrgId::from("org-2".to_owned()), vec![provider()]);
        let added =
            business.write(async |tx| calls::add_providers(tx, &org_2, &id, providers.clone(), &owner(), noon()).await);
        let added = tokio::time::timeout(Duration::from_secs(60), added).await.expect("it waits");
        assert!(matches!(added, Err(Error::NotFound)), "{added:?}");
        held.rollback().await.unwrap();
    })
    .await;
}
