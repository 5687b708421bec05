//! Migrations: the same on both engines, never edited, and each says whether it expands the schema or contracts it.
//!
//! The statements of an expansion are searched for the usual mistakes. What a change of data, a new trigger or another
//! definition of a view does to the previous version, nobody but its author can tell.
//!
//! `CONTRIBUTING.md` (Adding a migration) has the rules.

use std::collections::BTreeSet;
use std::fs;

use sha2::{Digest, Sha256};

use crate::{root, text};

const ENGINES: [&str; 2] = ["postgres", "sqlite"];
/// The first migration whose name must say what it does, and whose statements are checked. All earlier ones expand.
const FIRST_WITH_A_MARKER: u32 = 23;
/// Begins the comment right above a statement of an expansion that looks like a contraction, with the reason why the
/// previous version still works.
const WIDENS: &str = "-- widens: ";

fn names(engine: &str) -> BTreeSet<String> {
    let folder = root().join("migrations").join(engine);
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_engines_have_the_same_migrations() {
    assert_eq!(names("sqlite"), names("postgres"));
}

/// A database refuses to start with a program that has another text of a migration that it has applied.
#[test]
fn no_migration_is_edited() {
    let sums = text("migrations/SHA256SUMS");
    let recorded: BTreeSet<&str> = sums.lines().collect();
    let mut found = BTreeSet::new();
    for engine in ENGINES {
        for name in names(engine) {
            let sum = hex::encode(Sha256::digest(text(format!("migrations/{engine}/{name}"))));
            found.insert(format!("{sum}  {engine}/{name}"));
        }
    }
    assert_eq!(
        found.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        recorded,
        "see CONTRIBUTING.md, Adding a migration"
    );
}

#[test]
fn a_migration_expands_or_says_which_version_its_contraction_needs() {
    for engine in ENGINES {
        let names = names(engine);
        let numbers: BTreeSet<u32> = names.iter().filter_map(|name| number(name)).collect();
        for name in &names {
            let sql = text(format!("migrations/{engine}/{name}"));
            if let Err(wrong) = judge(name, &sql, &numbers) {
                panic!("migrations/{engine}/{name}: {wrong}; see CONTRIBUTING.md, Adding a migration");
            }
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.split('_').next().filter(|digits| digits.len() == 4)?.parse().ok()
}

/// Returns what is wrong with a migration. `numbers` are those of all migrations.
fn judge(name: &str, sql: &str, numbers: &BTreeSet<u32>) -> Result<(), String> {
    let number_of_it = number(name).ok_or("its name does not begin with a number of four digits")?;
    let what = &name[5..];
    if let Some(rest) = what.strip_prefix("contract_needs_") {
        return match number(rest) {
            Some(needs) if needs < number_of_it && numbers.contains(&needs) => Ok(()),
            _ => Err("it needs no earlier migration".to_owned()),
        };
    }
    if number_of_it < FIRST_WITH_A_MARKER {
        return Ok(());
    }
    if !what.starts_with("expand_") {
        return Err("its name says neither expand_ nor contract_needs_NNNN_".to_owned());
    }
    let mut made = BTreeSet::new();
    for statement in statements(sql) {
        if let Some(found) = contracts(&statement.words, &mut made).filter(|_| !statement.widens) {
            return Err(format!("an expansion has {found}: {}", statement.words.join(" ")));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Statement {
    /// Words in capital letters, and each parenthesis and comma. Literals are a single `'`.
    words: Vec<String>,
    /// Whether the comment above says why the previous version still works.
    widens: bool,
}

/// Splits SQL into statements. The statements of a trigger's body are separate ones on SQLite, and a literal on
/// PostgreSQL.
fn statements(sql: &str) -> Vec<Statement> {
    let mut found = vec![Statement::default()];
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let last = found.last_mut().unwrap();
        let length = match next {
            '-' if rest.starts_with("--") => {
                last.widens |= last.words.is_empty() && rest.starts_with(WIDENS);
                rest.find('\n').unwrap_or(rest.len())
            }
            '\'' => end_of(rest, "'", last),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' => match dollar_quote(rest) {
                Some(quote) => end_of(rest, quote, last),
                None => 1,
            },
            ';' => {
                found.push(Statement::default());
                1
            }
            '(' | ')' | ',' => {
                last.words.push(next.to_string());
                1
            }
            _ if next.is_alphanumeric() || next == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                last.words.push(rest[..length].to_uppercase());
                length
            }
            _ => next.len_utf8(),
        };
        rest = &rest[length..];
    }
    found
}

/// Returns the quote that begins here, `$$` or `$tag$`, and not `$1`.
fn dollar_quote(rest: &str) -> Option<&str> {
    let tag = rest[1..].split_once('$')?.0;
    let is_tag = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_numeric());
    is_tag.then(|| &rest[..tag.len() + 2])
}

fn end_of(rest: &str, quote: &str, statement: &mut Statement) -> usize {
    statement.words.push("'".to_owned());
    rest[quote.len()..].find(quote).map_or(rest.len(), |end| end + 2 * quote.len())
}

/// Returns what in a statement may break the previous version. `made` are the tables and views that this migration
/// creates, which the previous version does not use.
fn contracts(words: &[String], made: &mut BTreeSet<String>) -> Option<&'static str> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has = |wanted: &[&str]| words.windows(wanted.len()).any(|some| some == wanted);
    let after = |marker: &[&str]| {
        let at = words.windows(marker.len()).position(|some| some == marker)?;
        words[at + marker.len()..].iter().find(|word| !["IF", "NOT", "EXISTS", "ONLY"].contains(word)).copied()
    };
    match words.as_slice() {
        ["CREATE", "TABLE", ..] => {
            made.extend(after(&["TABLE"]).map(str::to_owned));
            None
        }
        ["CREATE", "VIEW", ..] => {
            made.extend(after(&["VIEW"]).map(str::to_owned));
            None
        }
        ["CREATE", "OR", "REPLACE", ..] => Some("CREATE OR REPLACE"),
        ["CREATE", "TRIGGER", ..] | ["CREATE", "CONSTRAINT", "TRIGGER", ..] => {
            after(&["ON"]).filter(|table| !made.contains(*table)).map(|_| "a trigger on an existing table")
        }
        ["CREATE", "UNIQUE", "INDEX", ..] => {
            after(&["ON"]).filter(|table| !made.contains(*table)).map(|_| "a unique index on an existing table")
        }
        ["ALTER", "TABLE", ..] if after(&["TABLE"]).is_some_and(|table| made.contains(table)) => {
            made.extend(after(&["RENAME", "TO"]).map(str::to_owned));
            None
        }
        ["DROP", ..] => Some("DROP"),
        ["DELETE", ..] if after(&["FROM"]).is_some_and(|table| !made.contains(table)) => Some("DELETE"),
        ["TRUNCATE", ..] => Some("TRUNCATE"),
        ["REVOKE", ..] => Some("REVOKE"),
        ["DO", ..] => Some("DO, whose statements are not checked"),
        ["ALTER", ..] if has(&["DROP"]) => Some("DROP"),
        ["ALTER", ..] if has(&["RENAME"]) => Some("RENAME"),
        ["ALTER", ..] if has(&["TYPE"]) => Some("ALTER TYPE"),
        ["ALTER", ..] if has(&["SET", "NOT", "NULL"]) => Some("SET NOT NULL"),
        ["ALTER", ..] if ["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN"].iter().any(|c| has(&["ADD", c])) => {
            Some("ADD CONSTRAINT")
        }
        ["ALTER", "TABLE", ..] => actions(&words)
            .any(|action| action.windows(2).any(|some| some == ["NOT", "NULL"]) && !action.contains(&"DEFAULT"))
            .then_some("a NOT NULL column without a default"),
        _ => None,
    }
}

/// Splits an `ALTER TABLE` at the commas between its actions.
fn actions<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'a [&'a str]> {
    let mut depth = 0;
    words.split(move |word| {
        depth += i32::from(*word == "(") - i32::from(*word == ")");
        *word == "," && depth == 0
    })
}

#[test]
fn an_expansion_has_nothing_that_may_break_the_previous_version() {
    let judge = |name: &str, sql: &str| judge(name, sql, &BTreeSet::from([22, 23, 24]));
    for (name, sql) in [
        ("0022_list.sql", "CREATE INDEX i ON t (a);"),
        ("0024_expand_a.sql", "/* DROP TABLE t; */ SELECT $tag$; DROP TABLE t; $tag$, $$; DROP TABLE t;$$, $1;"),
        ("0024_expand_a.sql", "CREATE TABLE n (a); CREATE TRIGGER g BEFORE UPDATE OF a ON n BEGIN SELECT 1; END;"),
        ("0024_expand_a.sql", "CREATE VIEW n AS SELECT a FROM t; CREATE TRIGGER g INSTEAD OF DELETE ON n;"),
        ("0024_expand_a.sql", "-- widens: nobody changes it\nCREATE TRIGGER g BEFORE UPDATE OF a ON t;"),
        ("0024_expand_a.sql", "UPDATE t SET b = a; CREATE TABLE n (a); DELETE FROM n;"),
        ("0024_expand_a.sql", "-- DROP TABLE t;\nALTER TABLE t ADD COLUMN a TEXT;"),
        ("0024_expand_a.sql", "ALTER TABLE t ADD COLUMN a TEXT NOT NULL DEFAULT '', ADD COLUMN b numeric(10, 2);"),
        (
            "0024_expand_a.sql",
            "CREATE TABLE n (a TEXT NOT NULL); CREATE UNIQUE INDEX i ON n (a); ALTER TABLE n DROP b;",
        ),
        ("0024_expand_a.sql", "INSERT INTO t VALUES ('; DROP TABLE t');"),
        (
            "0024_expand_a.sql",
            "-- widens: one more name\nALTER TABLE t DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (a > 0);",
        ),
        (
            "0024_expand_a.sql",
            "CREATE TABLE n (a); \n-- widens: a copy with one more\n-- name\nDROP TABLE t;
            ALTER TABLE n RENAME TO t; CREATE UNIQUE INDEX i ON t (a);",
        ),
        ("0024_contract_needs_0023_a.sql", "ALTER TABLE t DROP COLUMN a;"),
    ] {
        assert_eq!(judge(name, sql), Ok(()), "{name}: {sql}");
    }
    for (name, sql) in [
        ("24_expand_a.sql", ""),
        ("0024_a.sql", ""),
        ("0024_contract_a.sql", ""),
        ("0024_contract_needs_a.sql", ""),
        ("0024_contract_needs_0022.sql", ""),
        ("0024_contract_needs_0024_a.sql", ""),
        ("0024_contract_needs_0021_a.sql", ""),
        ("0024_expand_a.sql", "CREATE TABLE n (a); DROP TABLE t;"),
        ("0024_expand_a.sql", "drop index i"),
        ("0024_expand_a.sql", "ALTER TABLE t DROP COLUMN a;"),
        ("0024_expand_a.sql", "ALTER TABLE t ADD b TEXT, DROP a;"),
        ("0024_expand_a.sql", "ALTER TABLE t ALTER a DROP DEFAULT"),
        ("0024_expand_a.sql", "ALTER TABLE t RENAME TO u"),
        ("0024_expand_a.sql", "ALTER TABLE t RENAME COLUMN a TO b"),
        ("0024_expand_a.sql", "ALTER TABLE t ALTER COLUMN a TYPE bigint"),
        ("0024_expand_a.sql", "ALTER TABLE t ALTER COLUMN a SET DATA TYPE bigint"),
        ("0024_expand_a.sql", "ALTER TYPE mood RENAME VALUE 'a' TO 'b'"),
        ("0024_expand_a.sql", "ALTER TABLE t ALTER a SET NOT NULL"),
        ("0024_expand_a.sql", "ALTER TABLE t ADD COLUMN a TEXT NOT NULL"),
        ("0024_expand_a.sql", "ALTER TABLE t ADD COLUMN a TEXT DEFAULT '', ADD COLUMN b TEXT NOT NULL"),
        ("0024_expand_a.sql", "ALTER TABLE t ADD CHECK (a > 0)"),
        ("0024_expand_a.sql", "ALTER TABLE ONLY t ADD CONSTRAINT c UNIQUE (a)"),
        ("0024_expand_a.sql", "CREATE UNIQUE INDEX i ON t (a) WHERE a IS NOT NULL"),
        ("0024_expand_a.sql", "DO $$ BEGIN ALTER TABLE t DROP COLUMN a; END $$"),
        ("0024_expand_a.sql", "-- widens: something\nSELECT 1; DROP TABLE t;"),
        ("0024_expand_a.sql", "/* something */ DROP TABLE t;"),
        ("0024_expand_a.sql", "SELECT $tag$ $$ $tag$; DROP TABLE t;"),
        ("0024_expand_a.sql", "SELECT $1; DROP TABLE t; SELECT $2"),
        ("0024_expand_a.sql", "CREATE TRIGGER g BEFORE UPDATE OF a ON t BEGIN SELECT 1; END;"),
        ("0024_expand_a.sql", "CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"),
        ("0024_expand_a.sql", "CREATE OR REPLACE VIEW v AS SELECT 1"),
        ("0024_expand_a.sql", "DELETE FROM t"),
        ("0024_expand_a.sql", "TRUNCATE t"),
        ("0024_expand_a.sql", "REVOKE ALL ON t FROM r"),
    ] {
        assert!(judge(name, sql).is_err(), "{name}: {sql}");
    }
}
