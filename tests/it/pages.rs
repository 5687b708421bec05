//! The request's page, as the server renders it: texts, links, forms without scripts, and what it never shows.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::{CallScript, StartScript};
use reqwest::Method;
use serde_json::json;

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift};

each_engine! {
    a_link_opens_its_page_and_leaves_no_token_in_the_address,
    the_page_shows_the_booking_from_the_form_to_the_confirmation_without_scripts,
    a_call_that_ended_without_a_booking_is_told_until_the_next_one,
    a_form_of_another_page_books_nothing,
    the_form_of_one_request_books_nothing_of_another,
    a_preferred_date_in_the_past_is_asked_about_once_more,
    a_form_with_a_mistake_comes_back_as_it_was_filled_in_and_a_masked_phone_means_the_stored_one,
    a_form_whose_request_was_cancelled_meanwhile_says_so,
    a_booked_appointment_has_a_calendar_file_when_its_words_can_be_read,
}

struct Visitor {
    id: String,
    token: String,
}

impl Visitor {
    /// Somebody asks for an appointment and gets the link.
    async fn new(nightshift: &Nightshift) -> Self {
        let owner = nightshift.sign_in(business::OWNER).await;
        let body = json!({
            "title": "Teeth cleaning <b>&", "userPhone": "+14155550199", "contactName": "Anna \"A\"", "location": "San Francisco",
            "providers": [
                {"name": "Bright Dental", "phone": "+14155550177", "rating": 4.8, "recommendation": "Close by",
                 "earliestAvailability": "Tuesday"},
                {"name": "Other Dental", "phone": "+14155550178"},
            ],
        });
        let made =
            nightshift.send(Method::POST, "/api/v1/service-requests", &owner, Some(body)).await.expect(201).json();
        let url = made["data"]["requestUrl"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/request/", nightshift.app.url())), "{url}");
        let id = made["data"]["id"].as_str().unwrap().to_owned();
        Self { id, token: url.split("?t=").nth(1).unwrap().to_owned() }
    }

    fn cookie(&self) -> Caller {
        Caller::Cookie(format!("rt_{}={}", self.id, self.token))
    }

    async fn page(&self, nightshift: &Nightshift) -> Answer {
        self.open(nightshift, &format!("/request/{}", self.id)).await
    }

    /// The page with the first provider's form open, where its link leads without scripts.
    async fn form(&self, nightshift: &Nightshift) -> Answer {
        let page = self.page(nightshift).await;
        let at = page.text.find("?book=").unwrap_or_else(|| panic!("nobody can be chosen in\n{}", page.text));
        let query = page.text[at..].split('#').next().unwrap();
        self.open(nightshift, &format!("/request/{}{query}", self.id)).await
    }

    async fn open(&self, nightshift: &Nightshift, path: &str) -> Answer {
        let page = nightshift.send(Method::GET, path, &self.cookie(), None).await.expect(200);
        for number in ["4155550199", "4155550177", "4155550178"] {
            assert!(!page.text.contains(number), "{number} is shown:\n{}", page.text);
        }
        assert!(!page.text.contains("<b>&"), "a title is taken for markup");
        page
    }

    async fn book(&self, nightshift: &Nightshift, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let Caller::Cookie(cookie) = self.cookie() else { unreachable!("it is a cookie") };
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client
            .post(format!("{}/request/{}/book", nightshift.app.url(), self.id))
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        Answer::to(request).await
    }
}

fn field<'a>(html: &'a str, name: &str) -> &'a str {
    let at = html.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name} is missing in\n{html}"));
    html[at..].split('"').nth(3).unwrap()
}

fn with_auth(settings: &mut nightshift::config::Settings) {
    settings.auth.enabled = true;
}

async fn a_link_opens_its_page_and_leaves_no_token_in_the_address(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let link = format!("{}/request/{}?t={}", nightshift.app.url(), visitor.id, visitor.token);
        let opened = Answer::to(client.get(&link)).await.expect(303);
        assert_eq!(opened.header("location"), Some(format!("/request/{}", visitor.id).as_str()));
        let cookie = opened.header("set-cookie").unwrap();
        for part in [format!("rt_{}={}", visitor.id, visitor.token), "HttpOnly".to_owned(), "SameSite=Lax".to_owned()] {
            assert!(cookie.contains(&part), "{cookie}");
        }
        let page = visitor.page(&nightshift).await;
        for text in [
            "Teeth cleaning &#60;b&#62;&#38;",
            "Recommendations ready",
            "Bright Dental",
            "4.8",
            "Earliest: Tuesday",
            "Book this provider",
            "Confirm &amp; Book",
        ] {
            assert!(page.text.contains(text), "{text} is missing in\n{}", page.text);
        }
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.text.contains("http://") && !page.text.contains("https://") && !page.text.contains("<script>"));

        for wrong in
            [format!("/request/{}", visitor.id), format!("/request/{}?t=wrong", visitor.id), "/request/none".to_owned()]
        {
            let answer = nightshift.get(&wrong).await.expect(404);
            assert!(answer.text.contains("<h1>Not found</h1>"), "{wrong}: {}", answer.text);
        }
        // Its owner and ops see it; a sitter and another owner do not.
        for (who, status) in
            [(business::OWNER, 200), (business::OPS, 200), (business::SITTER, 404), (business::STRANGER, 404)]
        {
            let caller = nightshift.sign_in(who).await;
            let path = format!("/request/{}", visitor.id);
            nightshift.send(Method::GET, &path, &caller, None).await.expect(status);
        }
    })
    .await;
}

async fn the_page_shows_the_booking_from_the_form_to_the_confirmation_without_scripts(engine: Engine) {
    let live = |settings: &mut nightshift::config::Settings| {
        settings.auth.enabled = true;
        settings.calls.live = true;
    };
    on_with(engine, live, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript { ends_at_poll: Some(3), ..CallScript::default() });
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        let (csrf, provider) = (field(&page.text, "csrf"), field(&page.text, "providerId"));
        let booked =
            visitor.book(&nightshift, &[("csrf", csrf), ("providerId", provider), ("preferredDate", "")]).await;
        assert_eq!(
            (booked.status, booked.header("location")),
            (303, Some(format!("/request/{}?notice=started", visitor.id).as_str()))
        );
        let page = visitor.page(&nightshift).await;
        for text in [
            "Scheduling appointment...",
            "Scheduling Your Appointment",
            "Our AI is calling the provider to book your appointment",
            "Connecting to provider...",
            &format!("<noscript><meta http-equiv=\"refresh\" content=\"10;url=/request/{}\"></noscript>", visitor.id),
            "disabled>Book this provider",
        ] {
            assert!(page.text.contains(text), "{text} is missing in\n{}", page.text);
        }
        let path = format!("/request/{}?notice=started", visitor.id);
        let noticed = nightshift.send(Method::GET, &path, &visitor.cookie(), None).await.expect(200);
        assert!(noticed.text.contains("Booking call started!"));
        nightshift.simulator.vapi().wait_for_calls(1, std::time::Duration::from_secs(10)).await;
        nightshift.quiet().await;
        nightshift.pass(std::time::Duration::from_secs(5)).await;
        let page = visitor.page(&nightshift).await;
        assert!(page.text.contains("On the call...") && page.text.contains("data-elapsed="), "{}", page.text);

        nightshift.service_requests().completed().until(1).await;
        let page = visitor.page(&nightshift).await;
        for text in [
            "Completed",
            "Appointment Confirmed!",
            "Your appointment has been successfully scheduled",
            "Bright Dental",
            &format!("{} at 10:00", nightshift.simulator.vapi().calls()[0].date),
            "Confirmation Number",
            "BD441",
        ] {
            assert!(page.text.contains(text), "{text} is missing in\n{}", page.text);
        }
        assert!(!page.text.contains("Simulated") && !page.text.contains("http-equiv"));
        // Providers may number their appointments in any way.
        nightshift.given("UPDATE providers SET confirmation_number = 'SIM-441' WHERE booking_confirmed").await;
        let page = visitor.page(&nightshift).await;
        assert!(page.text.contains("SIM-441") && !page.text.contains("Simulated"), "{}", page.text);
        let noticed = nightshift.send(Method::GET, &path, &visitor.cookie(), None).await.expect(200);
        assert!(!noticed.text.contains("role=\"status\"><strong>Booking call started!"), "{}", noticed.text);
        let part = nightshift
            .send(Method::GET, &format!("/request/{}?fragment=now", visitor.id), &visitor.cookie(), None)
            .await
            .expect(200);
        let heading = "<h2 id=\"confirmed\">Appointment Confirmed!</h2>";
        assert!(part.text.contains(heading) && !part.text.contains("<html") && !part.text.contains("<h1"));
    })
    .await;
}

async fn a_call_that_ended_without_a_booking_is_told_until_the_next_one(engine: Engine) {
    let live = |settings: &mut nightshift::config::Settings| {
        settings.auth.enabled = true;
        settings.calls.live = true;
    };
    on_with(engine, live, async |nightshift| {
        nightshift.simulator.vapi().script(CallScript {
            start: StartScript::Refused,
            times: 1,
            ..CallScript::default()
        });
        let told = "data-is=\"bad\">The call ended without a booking. Try again or choose another provider.</p>";
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        assert!(!page.text.contains(told), "{}", page.text);
        let form = [("csrf", field(&page.text, "csrf")), ("providerId", field(&page.text, "providerId"))];
        visitor.book(&nightshift, &form).await.expect(303);
        nightshift.calls().in_status("failed").until(1).await;
        let path = format!("/request/{}?notice=started", visitor.id);
        let page = visitor.open(&nightshift, &path).await;
        assert!(page.text.contains(told), "{}", page.text);
        assert!(!page.text.contains("role=\"status\"><strong>Booking call started!"), "{}", page.text);
        visitor.book(&nightshift, &form).await.expect(303);
        assert!(!visitor.page(&nightshift).await.text.contains(told));
    })
    .await;
}

async fn a_form_of_another_page_books_nothing(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        let provider = field(&page.text, "providerId").to_owned();
        visitor.book(&nightshift, &[("csrf", "made up"), ("providerId", &provider)]).await.expect(403);
        let csrf = field(&page.text, "csrf");
        let failed = visitor.book(&nightshift, &[("csrf", csrf), ("providerId", "none")]).await.expect(303);
        assert!(failed.header("location").unwrap().ends_with("?notice=failed"));
        assert_eq!(nightshift.calls().count().await, 0);
    })
    .await;
}

async fn the_form_of_one_request_books_nothing_of_another(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let (one, two) = (Visitor::new(&nightshift).await, Visitor::new(&nightshift).await);
        let (of_one, of_two) = (one.form(&nightshift).await, two.form(&nightshift).await);
        let provider = field(&of_two.text, "providerId").to_owned();
        let foreign = [("csrf", field(&of_one.text, "csrf")), ("providerId", provider.as_str())];
        two.book(&nightshift, &foreign).await.expect(403);
        assert_eq!(nightshift.calls().count().await, 0);
        let own = [("csrf", field(&of_two.text, "csrf")), ("providerId", provider.as_str())];
        two.book(&nightshift, &own).await.expect(303);
    })
    .await;
}

async fn a_preferred_date_in_the_past_is_asked_about_once_more(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        let (csrf, provider) = (field(&page.text, "csrf"), field(&page.text, "providerId"));
        let filled = [
            ("csrf", csrf),
            ("providerId", provider),
            ("preferredDate", "2024-12-01"),
            ("preferredTime", "10:30"),
            ("customerName", "Bea"),
            ("customerPhone", "+14155550111"),
        ];
        let asked = visitor.book(&nightshift, &filled).await.expect(200);
        assert!(asked.text.contains("aria-labelledby=\"book-heading\" open "), "{}", asked.text);
        assert_eq!(asked.text.matches("role=\"alert\" data-past>This date is in the past.").count(), 1);
        for (_, value) in &filled {
            assert!(asked.text.contains(&format!("value=\"{value}\"")), "{value} is lost:\n{}", asked.text);
        }
        assert_eq!(nightshift.calls().count().await, 0);
        let meant = [filled.as_slice(), &[("pastIsMeant", field(&asked.text, "pastIsMeant"))]].concat();
        let booked = visitor.book(&nightshift, &meant).await.expect(303);
        assert!(booked.header("location").unwrap().ends_with("?notice=started"));
        assert_eq!(nightshift.calls().count().await, 1);
    })
    .await;
}

async fn a_form_with_a_mistake_comes_back_as_it_was_filled_in_and_a_masked_phone_means_the_stored_one(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        let (csrf, provider) = (field(&page.text, "csrf"), field(&page.text, "providerId"));
        let masked = field(&page.text, "customerPhone");
        assert!(masked.contains('•'), "{masked}");
        let filled = [("csrf", csrf), ("providerId", provider), ("customerName", "Bea"), ("customerPhone", "12")];
        let refused = visitor.book(&nightshift, &filled).await.expect(422);
        assert!(refused.text.contains("aria-describedby=\"wrong-book-customerPhone\""), "{}", refused.text);
        assert!(refused.text.contains("value=\"Bea\"") && refused.text.contains("value=\"12\""), "{}", refused.text);
        assert_eq!(nightshift.calls().count().await, 0);
        let filled = [("csrf", csrf), ("providerId", provider), ("customerPhone", masked)];
        visitor.book(&nightshift, &filled).await.expect(303);
        let told = nightshift.calls().one().await.request_body.to_string();
        assert!(told.contains("+14155550199"), "{told}");
    })
    .await;
}

async fn a_form_whose_request_was_cancelled_meanwhile_says_so(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let page = visitor.form(&nightshift).await;
        let (csrf, provider) = (field(&page.text, "csrf"), field(&page.text, "providerId"));
        assert!(!page.text.contains("maxlength=\"10\""), "inputs for dates take no maxlength: {}", page.text);
        nightshift.put_all_requests_into("CANCELLED").await;
        let filled = [("csrf", csrf), ("providerId", provider), ("customerName", "Bea")];
        let refused = visitor.book(&nightshift, &filled).await.expect(409);
        let told = "role=\"alert\"><strong>Failed to start booking call</strong> the request is ";
        assert!(refused.text.contains(told), "{}", refused.text);
        let mistaken = [("csrf", csrf), ("providerId", provider), ("customerPhone", "12")];
        let refused = visitor.book(&nightshift, &mistaken).await;
        assert!(refused.text.contains("<strong>Failed to start booking call</strong>"), "{}", refused.text);
    })
    .await;
}

async fn a_booked_appointment_has_a_calendar_file_when_its_words_can_be_read(engine: Engine) {
    on_with(engine, with_auth, async |nightshift| {
        let visitor = Visitor::new(&nightshift).await;
        let file = format!("/request/{}/appointment.ics", visitor.id);
        nightshift.send(Method::GET, &file, &visitor.cookie(), None).await.expect(404);
        let page = visitor.form(&nightshift).await;
        let form = [("csrf", field(&page.text, "csrf")), ("providerId", field(&page.text, "providerId"))];
        visitor.book(&nightshift, &form).await.expect(303);
        nightshift.service_requests().completed().until(1).await;
        let words = "UPDATE providers SET booking_date = '2025-01-07', booking_time = '2:30 PM',
                confirmation_number = 'BD441' WHERE booking_confirmed";
        nightshift.given(words).await;
        let page = visitor.page(&nightshift).await;
        assert!(page.text.contains("2025-01-07 at 2:30 PM") && page.text.contains(&file), "{}", page.text);
        assert!(page.text.contains("Tuesday 7 January 2025, 14:30 "), "{}", page.text);
        assert!(page.text.contains(">Simulated<"), "{}", page.text);
        let calendar = nightshift.send(Method::GET, &file, &visitor.cookie(), None).await.expect(200);
        assert!(calendar.text.starts_with("BEGIN:VCALENDAR\r\n"), "{}", calendar.text);
        assert!(calendar.text.contains("\r\nSUMMARY:Teeth cleaning <b>&: Bright Dental\r\n"), "{}", calendar.text);
        nightshift.get(&file).await.expect(404);
        nightshift.given("UPDATE providers SET booking_time = 'in the morning' WHERE booking_confirmed").await;
        assert!(!visitor.page(&nightshift).await.text.contains(".ics"));
        nightshift.send(Method::GET, &file, &visitor.cookie(), None).await.expect(404);
    })
    .await;
}
