//! The shape of the pages: sizes that keep a new page small, and nothing that leaves a text unescaped.

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
    // The request's page still puts one template into another.
    for path in templates().into_iter().filter(|path| !path.ends_with("request.html")) {
        let template = fs::read_to_string(&path).unwrap();
        let unescaped = template.lines().find(|line| line.contains("|safe") || line.contains("| safe"));
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
