//! The network between the program and its database, and between it and the services it asks, gets bad and good again.

use std::net::SocketAddr;
use std::time::Duration;

use nightshift_db::testing::{Network, TestDb, Weather, each_engine, postgres};
use nightshift_db::{Engine, migrate};
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, paid};
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::World;

each_engine! {
    whatever_the_network_does_on_the_way_to_twilio_each_client_gets_one_text(flavor = "multi_thread"),
}

const PATIENCE: Duration = Duration::from_secs(90);

const BAD_WEATHER: [Weather; 4] =
    [Weather::Slow(Duration::from_millis(150)), Weather::Unanswered, Weather::Gone, Weather::Cut];

fn stripe(world: &World) -> StripeSender {
    StripeSender::new(format!("{}/api/webhooks/stripe", world.url()), STRIPE_SECRET.into(), http_client().unwrap())
}

/// A server that is gone without a word would be waited for for a quarter of an hour; here it is half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_network_does_to_its_database_the_program_goes_on_by_itself() {
    let worlds = BAD_WEATHER.map(async |weather| {
        let database: TestDb = postgres().await;
        migrate(&database.db).await.unwrap();
        let mut world = World::new(database).await;
        let (network, url) = world.network_to_database().await;
        world.set("DATABASE_URL", url);
        business::load_bookings(world.db(), 20).await;
        let mut process = world.serve();
        let stripe = stripe(&world);
        for number in 0..10 {
            stripe
                .deliver_until_taken(&paid(&format!("evt_{number}"), &format!("booking-{number}")), PATIENCE)
                .await
                .unwrap();
        }
        // Jobs run while it happens, and webhooks come in.
        network.set(weather);
        let unlucky = paid("evt_10", "booking-10");
        let taken_at_once = stripe.deliver(&unlucky).await.is_ok_and(|answer| answer.taken());
        assert_eq!(taken_at_once, matches!(weather, Weather::Slow(_)), "{weather:?}");
        network.set(Weather::Fair);
        for number in 10..20 {
            stripe
                .deliver_until_taken(&paid(&format!("evt_{number}"), &format!("booking-{number}")), PATIENCE)
                .await
                .unwrap();
        }
        world.automation_runs("bookingConfirmation").succeeded().until(20).await;
        world.until_quiet().await;
        world.shows_each_booking_once(20).await;
        assert!(!process.has_ended());
    });
    futures_util::future::join_all(worlds).await;
}

async fn whatever_the_network_does_on_the_way_to_twilio_each_client_gets_one_text(engine: Engine) {
    let mut world = World::on(engine).await;
    let twilio: SocketAddr = world.simulator.base_url().trim_start_matches("http://").parse().unwrap();
    let network = Network::to(twilio).await;
    world.set("TWILIO_BASE_URL", format!("http://{}", network.address()));
    business::load_bookings(world.db(), BAD_WEATHER.len()).await;
    let mut process = world.serve();
    for (number, weather) in BAD_WEATHER.into_iter().enumerate() {
        network.set(weather);
        let event = paid(&format!("evt_{number}"), &format!("booking-{number}"));
        stripe(&world).deliver_until_taken(&event, PATIENCE).await.unwrap();
        let asked = i64::try_from(number).unwrap() + 1;
        world.effects("sms").asked().until(asked).await;
        network.set(Weather::Fair);
        world.texts().sent().until(asked).await;
    }
    world.until_quiet().await;
    world.shows_each_booking_once(BAD_WEATHER.len()).await;
    assert!(!process.has_ended());
}
