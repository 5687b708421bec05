//! What a [`RowsStatement`] hands over in one parameter arrives as what each value is when it is bound alone.
//!
//! On SQLite the rows are one JSON text, so numbers, booleans and texts pass through SQLite's JSON functions.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use nightshift_db::rows::{Columns, JsonRows};
use nightshift_db::testing::{TestDb, each_engine, empty, sqlite};
use nightshift_db::{Db, Engine, FromRow, RowsStatement, Timestamp, columns};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

each_engine! {
    every_kind_of_value_arrives_as_it_was_sent,
}

#[derive(Debug, Clone, Default)]
struct Sent {
    place: i64,
    number: Option<i64>,
    flag: Option<bool>,
    words: Option<String>,
    facts: Option<String>,
    at: Option<Timestamp>,
}

columns! {
    struct SentColumns(sent: &'r Sent, 'r) {
        place: bigint = sent.place,
        number: bigint = sent.number,
        flag: boolean = sent.flag,
        words: text = sent.words.as_deref(),
        facts: json = sent.facts.as_deref(),
        at: timestamptz = sent.at,
    }
}

static TOGETHER: RowsStatement<SentColumns> =
    RowsStatement::new(0, "INSERT INTO together ({columns}) SELECT {columns} FROM {rows} AS new");
static ALONE: RowsStatement<SentColumns> = RowsStatement::new(0, "INSERT INTO alone ({columns}) VALUES ({values})");

/// The columns have no declared type on SQLite, which would convert what arrives.
async fn create_tables(db: &Db) {
    let tables = match db.engine() {
        Engine::Sqlite => [
            "CREATE TABLE together (place, number, flag, words, facts, at)",
            "CREATE TABLE alone (place, number, flag, words, facts, at)",
        ],
        Engine::Postgres => [
            "CREATE TABLE together (place BIGINT, number BIGINT, flag BOOLEAN, words TEXT, facts JSONB, at TIMESTAMPTZ)",
            "CREATE TABLE alone (place BIGINT, number BIGINT, flag BOOLEAN, words TEXT, facts JSONB, at TIMESTAMPTZ)",
        ],
    };
    for table in tables {
        db.write(table).execute().await.unwrap();
    }
}

/// A row as it is stored: each value as its bytes in hexadecimal, or null, and the types of all.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Stored {
    place: i64,
    number: Option<String>,
    flag: Option<String>,
    words: Option<String>,
    facts: Option<String>,
    at: Option<String>,
    types: String,
}

/// Reads the rows of a table, or of another source of rows on SQLite. `hex(NULL)` is an empty text there.
macro_rules! stored_sqlite {
    ($from:literal) => {
        concat!(
            "SELECT place, iif(number IS NULL, NULL, hex(number)) AS number, iif(flag IS NULL, NULL, hex(flag)) AS flag,
               iif(words IS NULL, NULL, hex(words)) AS words, iif(facts IS NULL, NULL, hex(facts)) AS facts,
               iif(at IS NULL, NULL, hex(at)) AS at,
               concat_ws(' ', typeof(place), typeof(number), typeof(flag), typeof(words), typeof(facts), typeof(at))
                 AS types
             FROM ",
            $from,
            " ORDER BY place"
        )
    };
}

macro_rules! stored_postgres {
    ($from:literal) => {
        concat!(
            "SELECT place, number::text, flag::text, encode(convert_to(words, 'UTF8'), 'hex') AS words, facts::text,
               (extract(epoch FROM at) * 1000)::bigint::text AS at, '' AS types
             FROM ",
            $from,
            " ORDER BY place"
        )
    };
}

/// Texts that a writer or a reader of JSON could change.
fn texts(engine: Engine) -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "plain",
        r#"quotes " and ' and ""doubled"""#,
        r"backslashes \ \\ \n \u0041 \u0000 \ud83d\ude00 C:\temp",
        "line feed \n return \r both \r\n tab \t",
        "control \u{1} \u{8} \u{b} \u{c} \u{1f} \u{7f} \u{80} \u{9f}",
        "separators \u{2028} \u{2029} \u{feff} \u{200b}",
        "Grüße, 日本語, العربية, é",
        "beyond the first plane: 😀 👩‍👩‍👧 𝄞 \u{10ffff} \u{1f1e9}\u{1f1ea}",
        "ends of the planes \u{d7ff} \u{e000} \u{fffd} \u{ffff} \u{10000}",
        "0",
        "-1",
        "007",
        "1.50",
        "1e3",
        "0x10",
        "9223372036854775807",
        "9223372036854775808",
        "NaN",
        "Infinity",
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "[1,2]",
        r#"{"a": 1}"#,
        r#""quoted""#,
        "{unquoted: 'JSON5', /* comment */ hex: 0xF,}",
        "2024-12-31T10:00:00.000Z",
        "+15551234567",
        "</script><!--",
        "$1 ? :name @name %s",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(1 << 20));
    texts.push("\"\\\u{1}😀".repeat(100_000));
    // PostgreSQL stores no NUL.
    if engine == Engine::Sqlite {
        texts.extend(["\0", "before\0after", "\0\0 \\u0000"].map(str::to_owned));
    }
    texts
}

/// JSON texts, which are stored as they are on SQLite and as `jsonb` on PostgreSQL.
fn facts(engine: Engine) -> Vec<String> {
    let mut facts: Vec<String> = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.50",
        "1e3",
        "12345678901234567890123",
        r#""""#,
        r#""text""#,
        r#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00""#,
        "[]",
        "{}",
        "[1,\"2\",null,true,[],{}]",
        r#"{"b":1,"a":{"deep":[[[{"er":"\u2028"}]]]}}"#,
        "{ \"spaces\" :\n [ 1 , 2 ] }",
        "\"\u{2028}\u{2029}😀\"",
    ]
    .map(str::to_owned)
    .to_vec();
    facts.push(format!("{}{}", "[".repeat(200), "]".repeat(200)));
    facts.push(format!("[{}0]", "{\"fill\":\"x\"},".repeat(50_000)));
    if engine == Engine::Sqlite {
        facts.push(r#"{"nul":"\u0000"}"#.to_owned());
    }
    facts
}

fn rows(engine: Engine) -> Vec<Sent> {
    const EXACT_IN_FLOATS: i64 = 1 << 53;
    let numbers = [
        0,
        1,
        -1,
        i64::MIN,
        i64::MIN + 1,
        i64::MAX,
        i64::MAX - 1,
        EXACT_IN_FLOATS - 1,
        EXACT_IN_FLOATS,
        EXACT_IN_FLOATS + 1,
        -EXACT_IN_FLOATS - 1,
        i64::from(i32::MAX) + 1,
    ];
    let times = [0, -1, 1, 1_735_639_200_000, 1_735_639_200_001, -62_135_596_800_000, 253_402_300_799_999];
    let mut rows = vec![Sent::default(), Sent { flag: Some(true), ..Sent::default() }];
    rows.push(Sent { flag: Some(false), ..Sent::default() });
    rows.extend(numbers.map(|number| Sent { number: Some(number), ..Sent::default() }));
    rows.extend(times.map(|ms| Sent { at: Some(Timestamp::from_unix_ms(ms)), ..Sent::default() }));
    rows.extend(texts(engine).into_iter().map(|words| Sent { words: Some(words), ..Sent::default() }));
    rows.extend(facts(engine).into_iter().map(|facts| Sent { facts: Some(facts), ..Sent::default() }));
    // All columns of one row at once.
    rows.push(Sent {
        number: Some(i64::MIN),
        flag: Some(true),
        words: Some("],[\"\\".to_owned()),
        facts: Some(r#"["],["]"#.to_owned()),
        at: Some(Timestamp::from_unix_ms(1)),
        ..Sent::default()
    });
    for (place, row) in (0..).zip(&mut rows) {
        row.place = place;
    }
    rows
}

async fn every_kind_of_value_arrives_as_it_was_sent(engine: Engine) {
    let TestDb { db, .. } = &empty(engine).await;
    create_tables(db).await;
    let rows = rows(engine);
    let sent: Vec<&Sent> = rows.iter().collect();
    let inserted = TOGETHER.bind_rows(db.write(TOGETHER.sql(engine)), &sent).execute().await.unwrap();
    assert_eq!(inserted, rows.len() as u64);
    for row in &sent {
        ALONE.bind_values(db.write(ALONE.sql(engine)), row).execute().await.unwrap();
    }
    let (together, alone) = match engine {
        Engine::Sqlite => (stored_sqlite!("together"), stored_sqlite!("alone")),
        Engine::Postgres => (stored_postgres!("together"), stored_postgres!("alone")),
    };
    let together: Vec<Stored> = db.read(together).all().await.unwrap();
    let alone: Vec<Stored> = db.read(alone).all().await.unwrap();
    for ((together, alone), sent) in together.iter().zip(&alone).zip(&rows) {
        assert!(together == alone, "{}", shortened(&format!("{sent:?}: {together:?} instead of {alone:?}")));
    }
    read_back(db, &rows).await;
}

/// Compares what the program reads with what it sent. PostgreSQL writes `jsonb` in its own form.
async fn read_back(db: &Db, rows: &[Sent]) {
    type Row = (i64, Option<i64>, Option<bool>, Option<String>, Option<String>, Option<Timestamp>);
    let sql = match db.engine() {
        Engine::Sqlite => "SELECT place, number, flag, words, facts, at FROM together ORDER BY place",
        Engine::Postgres => "SELECT place, number, flag, words, NULL::text, at FROM together ORDER BY place",
    };
    let read: Vec<Row> = db.read(sql).all().await.unwrap();
    assert_eq!(read.len(), rows.len());
    for (read, sent) in read.iter().zip(rows) {
        let facts = sent.facts.clone().filter(|_| db.engine() == Engine::Sqlite);
        let expected = (sent.place, sent.number, sent.flag, sent.words.clone(), facts, sent.at);
        assert!(*read == expected, "{}", shortened(&format!("{read:?} instead of {expected:?}")));
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(2_000).collect()
}

/// `json_each` handed the rows over before, so it must give the same rows.
#[test]
fn random_rows_are_the_same_from_json_each() {
    const NEW: &str = stored_sqlite!(
        "(SELECT value->>0 AS place, value->>1 AS number, value->>2 AS flag, value->>3 AS words, value->>4 AS facts,
            value->>5 AS at FROM jsonb_each($1))"
    );
    const OLD: &str = stored_sqlite!(
        "(SELECT value->>0 AS place, value->>1 AS number, value->>2 AS flag, value->>3 AS words, value->>4 AS facts,
            value->>5 AS at FROM json_each($1))"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(sqlite());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let tested = TestRunner::new(config).run(&proptest::collection::vec(any_row(), 0..8), |mut rows| {
        for (place, row) in (0..).zip(&mut rows) {
            row.place = place;
        }
        let json = json_of(&rows);
        let read = |sql: &'static str| runtime.block_on(all::<Stored>(&database.db, sql, &json));
        let (new, old) = (read(NEW), read(OLD));
        prop_assert_eq!(new.len(), rows.len());
        for (stored, sent) in new.iter().zip(&rows) {
            let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
            prop_assert_eq!(&stored.words, &sent.words.as_deref().map(hex));
            prop_assert_eq!(&stored.facts, &sent.facts.as_deref().map(hex));
        }
        prop_assert_eq!(new, old);
        Ok(())
    });
    tested.unwrap();
}

async fn all<T: FromRow>(db: &Db, sql: &'static str, json: &str) -> Vec<T> {
    db.read(sql).bind(json.to_owned()).all().await.unwrap()
}

/// The parameter that a statement over these columns binds on SQLite.
fn json_of(rows: &[Sent]) -> String {
    assert_eq!(SentColumns::COLUMNS.len(), 6);
    let mut json = JsonRows::default();
    for row in rows {
        json.row();
        json.value(&row.place);
        json.value(&row.number);
        json.value(&row.flag);
        json.value(&row.words);
        json.value(&row.facts);
        json.value(&row.at);
    }
    json.finish().unwrap()
}

fn any_row() -> impl Strategy<Value = Sent> {
    let words = prop_oneof![
        any::<String>(),
        proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        "[\\x00-\\x1f\"\\\\/u0-9a-f]{0,40}",
        "-?[0-9]{0,25}(\\.[0-9]{0,5})?([eE][+-]?[0-9]{1,3})?",
        "[\\[\\]{}:,\"'ntf0-9 ]{0,30}",
    ];
    let facts = any_json().prop_map(|value| value.to_string());
    let at = any::<i64>().prop_map(Timestamp::from_unix_ms);
    let parts = (any::<Option<i64>>(), any::<Option<bool>>(), option::of(words), option::of(facts), option::of(at));
    parts.prop_map(|(number, flag, words, facts, at)| Sent { place: 0, number, flag, words, facts, at })
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}
