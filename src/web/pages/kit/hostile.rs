//! Every part of the kit with a text in it that would break out of its place if it were not escaped.

use askama::Template;
use nightshift_domain::page::Page;
use serde::{Deserialize, Serialize};

use super::list::Place;
use super::*;
use crate::web::error::ApiError;

const HOSTILE: &str = "<script>alert(1)</script>\" onload='x' &";

#[derive(Default, Serialize, Deserialize)]
struct Filters {
    q: Option<String>,
}

impl super::Filters for Filters {}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% import "parts.html" as kit %}
{{ kit::badge(text, text) }}{{ kit::select(text, text, text, options) }}{{ kit::facts(facts) }}
<input value="{{ typed.value("note") }}"{{ kit::invalid(typed, "note") }}>{{ kit::wrong(typed, "note") }}
{{ kit::refusal(whole) }}{{ kit::chips(list) }}{% if let Some(newer) = list.newer() %}<a href="{{ newer }}">Newer</a>{% endif %}
{% if let Some(older) = list.older() %}<a href="{{ older }}">Older</a>{% endif %}<a href="{{ list.here() }}">Here</a>"#
)]
struct Parts {
    text: &'static str,
    options: Vec<Choice>,
    facts: Vec<(&'static str, &'static str)>,
    typed: Typed,
    whole: Typed,
    list: List<Filters, i32>,
}

#[test]
fn every_part_escapes_what_it_is_given() {
    let mut typed = Typed::default();
    typed.values.insert("note".to_owned(), HOSTILE.to_owned());
    let hostile = || Some(HOSTILE.to_owned());
    let asked = Asked {
        filters: Filters { q: hostile() },
        path: format!("/{HOSTILE}"),
        place: Place { cursor: hostile(), back: hostile(), fragment: None },
    };
    let parts = Parts {
        text: HOSTILE,
        options: vec![Choice { value: HOSTILE.to_owned(), text: HOSTILE.to_owned(), chosen: true }],
        facts: vec![(HOSTILE, HOSTILE)],
        typed: typed.refused(&ApiError::invalid("note", HOSTILE)).unwrap_or_default(),
        whole: Typed::default().refused(&ApiError::conflict("x", HOSTILE)).unwrap_or_default(),
        list: match asked.list(Ok(Page { items: vec![1], next_cursor: hostile() }), 1) {
            Ok(list) => list,
            Err(error) => panic!("{}", error.message),
        },
    };
    let html = parts.render().unwrap_or_default();
    for shown in
        ["class=\"badge\"", "<option", "<dd>", "aria-invalid", "class=\"wrong\"", "role=\"alert\"", "Older", "chip"]
    {
        assert!(html.contains(shown), "{shown} is missing in\n{html}");
    }
    for broken in ["<script", "\" onload", "onload='"] {
        assert!(!html.contains(broken), "{broken} breaks out in\n{html}");
    }
}
