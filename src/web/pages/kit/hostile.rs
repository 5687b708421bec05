//! Tests that every part of the kit escapes text that contains markup.

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
    source = r#"{% extends "shell.html" %}{% import "parts.html" as kit %}{% import "live.html" as live %}{% block title %}{{ text }}{% endblock %}{% block main %}
{{ live::toast(text, text, text, text, text, text) }}{{ kit::token(shell) }}{{ kit::time(shell.made()) }}{{ kit::clock(shell.made()) }}{{ kit::age(shell.made()) }}
{% call kit::states(shell, list, text) %}{{ text }}{% endcall %}{% call kit::states(shell, empty, text) %}{% endcall %}
{% call kit::states(shell, filtered, text) %}{% endcall %}{% call kit::states(shell, later, text) %}{% endcall %}
{% call kit::states(shell, misread, text) %}{% endcall %}{% call kit::states(shell, failed, text) %}{% endcall %}{{ kit::pager(shell, list) }}
{{ kit::badge(text, text) }}{{ kit::select(text, text, text, options) }}{{ kit::facts(facts) }}
{{ kit::field(typed, text, text, "note", text, text, text, 1) }}
<textarea{{ kit::invalid(typed, text, "note") }}>{{ typed.value("note") }}</textarea>{{ kit::wrong(typed, text, "note") }}
{{ kit::refusal(whole) }}{{ kit::chips(list) }}{% if let Some(newer) = list.newer() %}<a href="{{ newer }}">Newer</a>{% endif %}
{% if let Some(older) = list.older() %}<a href="{{ older }}">Older</a>{% endif %}<a href="{{ list.here() }}">Here</a>{% endblock %}"#
)]
struct Parts {
    shell: Shell,
    text: &'static str,
    options: Vec<Choice>,
    facts: Vec<(&'static str, &'static str)>,
    typed: Typed,
    whole: Typed,
    list: List<Filters, i32>,
    empty: List<Filters, i32>,
    filtered: List<Filters, i32>,
    later: List<Filters, i32>,
    misread: List<Filters, i32>,
    failed: List<Filters, i32>,
}

fn list(
    q: Option<String>,
    cursor: Option<String>,
    refused: Option<ApiError>,
    items: Result<Vec<i32>, ApiError>,
) -> List<Filters, i32> {
    let hostile = || Some(HOSTILE.to_owned());
    let place = Place { back: cursor.as_ref().and_then(|_| hostile()), cursor, fragment: None };
    let asked = Asked { filters: Filters { q }, path: format!("/{HOSTILE}"), place, refused };
    match asked.list(items.map(|items| Page { items, next_cursor: hostile() }), 1) {
        Ok(list) => list,
        Err(error) => panic!("{}", error.message),
    }
}

#[test]
fn every_part_escapes_what_it_is_given() {
    let mut typed = Typed::default();
    typed.values.insert("note".to_owned(), HOSTILE.to_owned());
    let hostile = || Some(HOSTILE.to_owned());
    let parts = Parts {
        shell: Shell::sample(HOSTILE),
        text: HOSTILE,
        options: vec![Choice { value: HOSTILE.to_owned(), text: HOSTILE.to_owned(), chosen: true }],
        facts: vec![(HOSTILE, HOSTILE)],
        typed: typed.refused(&ApiError::invalid("note", HOSTILE)).unwrap_or_default(),
        whole: Typed::default().refused(&ApiError::conflict("x", HOSTILE)).unwrap_or_default(),
        list: list(hostile(), hostile(), None, Ok(vec![1])),
        empty: list(None, None, None, Ok(Vec::new())),
        filtered: list(hostile(), None, None, Ok(Vec::new())),
        later: list(hostile(), hostile(), None, Ok(Vec::new())),
        misread: list(hostile(), hostile(), Some(ApiError::bad_request("x", HOSTILE)), Ok(Vec::new())),
        failed: list(hostile(), hostile(), None, Err(ApiError::internal(HOSTILE))),
    };
    let html = parts.render().unwrap_or_default();
    for shown in [
        "class=\"badge\"",
        "<option",
        "<dd>",
        "aria-invalid",
        "class=\"wrong\"",
        "role=\"alert\"",
        "Older",
        "chip",
        "data-toast",
        "<time",
        "class=\"pager\"",
        "Clear filters",
        "There are no more rows.",
        "Show the first page",
        "Could not load this.",
        "Sign out",
    ] {
        assert!(html.contains(shown), "{shown} is missing in\n{html}");
    }
    for broken in ["<script>", "\" onload", "onload='"] {
        assert!(!html.contains(broken), "{broken} breaks out in\n{html}");
    }
}
