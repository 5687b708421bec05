//! The shape of the pages: sizes that keep a new page small, and nothing that leaves a text unescaped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::{root, sources, text};

const TEMPLATES: &str = "src/web/pages/templates";

fn templates() -> Vec<PathBuf> {
    fs::read_dir(root().join(TEMPLATES)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn lines(path: &str) -> usize {
    text(path).lines().count()
}

/// A list page is a handler of at most 80 lines and a template of at most 40.
#[test]
fn a_list_page_is_short() {
    for list in sources("src/web/pages").into_iter().filter(|path| path.ends_with("list.rs")) {
        let path = list.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if path.contains("/kit/") {
            continue;
        }
        assert!(lines(&path) <= 80, "{path} has {} lines", lines(&path));
        let source = text(&path);
        let template = source.split("path = \"").nth(1).unwrap().split('"').next().unwrap();
        let template = format!("{TEMPLATES}/{template}");
        assert!(lines(&template) <= 40, "{template} has {} lines", lines(&template));
    }
}

#[test]
fn no_template_leaves_a_text_unescaped() {
    let unescaped = ["|safe", "|e(\"none\"", "|escape(\"none\"", "%filtersafe", "%filtere(", "%filterescape("];
    for path in templates() {
        let template = fs::read_to_string(&path).unwrap();
        let unescaped = template.lines().find(|line| {
            let line: String = line.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
            unescaped.iter().any(|way| line.contains(way))
        });
        assert_eq!(unescaped, None, "{} leaves a text unescaped", path.display());
    }
    for path in sources("src/web/pages") {
        let source = fs::read_to_string(&path).unwrap();
        for unescaped in ["HtmlSafe", "filters::Safe", "escape = \"none\""] {
            assert!(!source.contains(unescaped), "{} leaves a text unescaped: {unescaped}", path.display());
        }
    }
}

#[test]
fn no_handler_compares_the_token_of_a_form() {
    let form = root().join("src/web/pages/kit/form.rs");
    for path in sources("src/web/pages").into_iter().filter(|path| *path != form) {
        let source = fs::read_to_string(&path).unwrap();
        assert!(!source.contains("check_form("), "{} checks a token beside PageForm", path.display());
    }
}

#[test]
fn the_style_sheet_is_short_and_keeps_to_its_layers() {
    let sheet = text("src/web/pages/assets/app.css");
    assert!(sheet.lines().count() < 700, "the style sheet has {} lines", sheet.lines().count());
    assert!(sheet.contains("@layer tokens, base, parts, pages;"));
    let after_tokens = &sheet[sheet.find("@layer base {").unwrap()..];
    let markup = templates().into_iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    assert!(!markup.contains("style=") && !markup.contains("<script>"), "the policy refuses both");
    assert!(!after_tokens.contains("light-dark("), "colours with two values are tokens");
}

/// The words that follow each `start` in a text, up to `end`.
fn words_after<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let found = text.split(start).skip(1).filter_map(|rest| rest.split_once(end));
    found.flat_map(|(words, _)| words.split_whitespace()).collect()
}

/// A template without what askama takes out of it.
fn without_tags(template: &str) -> String {
    let mut rest = template.to_owned();
    for (start, end) in [("{#", "#}"), ("{%", "%}"), ("{{", "}}")] {
        while let Some(at) = rest.find(start) {
            let length = rest[at..].find(end).map_or(rest.len() - at, |length| length + end.len());
            rest.replace_range(at..at + length, " ");
        }
    }
    rest
}

/// The classes that selectors of a style sheet name.
fn classes_of(sheet: &str) -> BTreeSet<String> {
    let mut classes = BTreeSet::new();
    let bare = sheet.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, rest)| rest)).collect::<String>();
    for selector in bare.split(['}', ';']).filter_map(|rule| rule.rsplit_once('{')).map(|(selectors, _)| selectors) {
        for part in selector.split('.').skip(1) {
            let name: String =
                part.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
            if name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                classes.insert(name);
            }
        }
    }
    classes
}

#[test]
fn the_style_sheet_and_the_markup_name_the_same_classes() {
    let mut used = BTreeSet::new();
    for path in templates() {
        let template = fs::read_to_string(path).unwrap();
        used.extend(words_after(&template, "{% block width %}", "{%").into_iter().map(str::to_owned));
        let markup = without_tags(&template);
        used.extend(words_after(&markup, "class=\"", "\"").into_iter().map(str::to_owned));
    }
    let scripts = fs::read_dir(root().join("src/web/pages/assets/js")).unwrap();
    let scripts: String = scripts.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    for call in ["classList.add(\"", "classList.toggle(\"", "className = \""] {
        used.extend(words_after(&scripts, call, "\"").into_iter().map(str::to_owned));
    }
    let styled = classes_of(&text("src/web/pages/assets/app.css"));
    assert!(styled.contains("bar") && styled.contains("small-phone"), "{styled:?}");
    assert_eq!(styled.difference(&used).collect::<Vec<_>>(), [] as [&String; 0], "rules that nothing uses");
    assert_eq!(used.difference(&styled).collect::<Vec<_>>(), [] as [&String; 0], "classes without a rule");
}
