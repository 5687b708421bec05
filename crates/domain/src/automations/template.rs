//! Templates of automatic texts: plain text with `{variables}`.
//!
//! A template is checked when it is stored and again when it is rendered. A variable without a value is an error and
//! never leaves a gap in a client's text. Dates and times are shown in the organisation's zone, services in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono_tz::Tz;
use nightshift_db::Timestamp;

/// Why a template can't be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no value with this name for this type of text.
    #[error("unknown variable {{{0}}}")]
    UnknownVariable(String),
    /// A brace without its counterpart.
    #[error("a brace is not matched; write variables as {{firstName}}")]
    StrayBrace,
}

/// Values by variable name.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, value.into());
        self
    }

    /// Adds `{date}` and `{time}` in the local time of `zone`, e.g. `Tue 31 Dec 2024` and `10:00`.
    #[must_use]
    pub fn with_moment(self, at: Timestamp, zone: Tz) -> Self {
        self.with("date", date(at, zone)).with("time", time(at, zone))
    }
}

/// Returns the local date as texts show it: `Tue 31 Dec 2024`.
pub(crate) fn date(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%a %-d %b %Y").to_string()
}

/// Returns the local time as texts show it: `10:00`.
pub(crate) fn time(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%H:%M").to_string()
}

/// Returns the template with every variable replaced by its value.
///
/// # Errors
/// [`TemplateError`] if a variable has no value or a brace has no counterpart.
pub fn render(template: &str, variables: &Variables) -> Result<String, TemplateError> {
    let mut text = String::with_capacity(template.len() + 32);
    walk(template, |part| match part {
        Part::Words(words) => {
            text.push_str(words);
            Ok(())
        }
        Part::Variable(name) => {
            let value = variables.0.get(name).ok_or_else(|| TemplateError::UnknownVariable(name.to_owned()))?;
            // Writing to a String cannot fail.
            let _ = text.write_str(value);
            Ok(())
        }
    })?;
    Ok(text)
}

/// Checks that the template uses only `allowed` variables.
///
/// # Errors
/// [`TemplateError`] with the first fault.
pub fn check(template: &str, allowed: &[&str]) -> Result<(), TemplateError> {
    walk(template, |part| match part {
        Part::Variable(name) if !allowed.contains(&name) => Err(TemplateError::UnknownVariable(name.to_owned())),
        _ => Ok(()),
    })
}

enum Part<'t> {
    Words(&'t str),
    Variable(&'t str),
}

fn walk<'t>(
    mut rest: &'t str,
    mut take: impl FnMut(Part<'t>) -> Result<(), TemplateError>,
) -> Result<(), TemplateError> {
    while let Some(brace) = rest.find(['{', '}']) {
        take(Part::Words(&rest[..brace]))?;
        let inside = rest[brace..].strip_prefix('{').ok_or(TemplateError::StrayBrace)?;
        let end = inside.find(['{', '}']).ok_or(TemplateError::StrayBrace)?;
        if inside[end..].starts_with('{') {
            return Err(TemplateError::StrayBrace);
        }
        take(Part::Variable(&inside[..end]))?;
        rest = &inside[end + 1..];
    }
    take(Part::Words(rest))
}

/// Returns a service code in words: `dog_walking` becomes `dog walking`.
#[must_use]
pub fn readable_service(code: &str) -> String {
    code.split(['_', '-']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variables_are_filled_in_the_organisations_zone() {
        let at: Timestamp = "2024-12-31T03:30:00Z".parse().unwrap();
        let variables = Variables::default()
            .with("firstName", "Test")
            .with("service", readable_service("dog_walking"))
            .with_moment(at, chrono_tz::America::New_York);
        assert_eq!(
            render("Hi {firstName}, your {service} on {date} at {time} is confirmed.", &variables).unwrap(),
            "Hi Test, your dog walking on Mon 30 Dec 2024 at 22:30 is confirmed."
        );
    }

    #[test]
    fn what_nobody_fills_is_an_error() {
        let none = Variables::default();
        assert_eq!(render("Hi {firstNam}", &none), Err(TemplateError::UnknownVariable("firstNam".to_owned())));
        assert_eq!(check("{date} {code}", &["date"]), Err(TemplateError::UnknownVariable("code".to_owned())));
        for stray in ["{", "}", "a { b", "{a{b}", "{date}}"] {
            assert_eq!(check(stray, &["date", "a", "b"]), Err(TemplateError::StrayBrace), "{stray}");
        }
    }

    proptest! {
        #[test]
        fn words_without_braces_stay_as_they_are(words in "[^{}]{0,80}") {
            prop_assert_eq!(render(&words, &Variables::default()), Ok(words));
        }

        #[test]
        fn no_template_panics(template in ".{0,80}") {
            let _ = render(&template, &Variables::default().with("date", "x"));
        }

        #[test]
        fn a_value_with_braces_is_not_read_again(value in ".{0,40}") {
            let variables = Variables::default().with("notes", value.clone());
            prop_assert_eq!(render("<{notes}>", &variables), Ok(format!("<{value}>")));
        }
    }
}
