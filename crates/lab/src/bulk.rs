//! Bookings by the million, to measure with: written by the database itself, a batch per transaction.

use nightshift_db::{Db, Engine, Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::OrgId;
use nightshift_domain::pricing::{self, RuleDraft};
use serde_json::json;

/// The service that all of them are of.
pub const SERVICE: &str = "load_walk";
const CLIENT: &str = "load-client";
const RULE: &str = "load-rule";

/// Numbers from `$1` up to, not including, `$2`, and for each the parts that differ between bookings.
macro_rules! numbered {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE numbers (i) AS (
               SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < CAST($2 AS BIGINT)),
             varied AS (
               SELECT i, substr('0000000000' || CAST(i AS TEXT), length(CAST(i AS TEXT)) + 1) AS digits,
                      1 + i % 3 AS units, 1 + i / 3 % 4 AS quantity
               FROM numbers) ",
            $rest
        )
    };
}

const BOOKINGS: &str = numbered!(
    "INSERT INTO bookings (id, org_id, client_id, service, start_at, end_at, status, quantity, total_minor, currency,
                           created_at, updated_at)
     SELECT 'load-' || digits, $3, 'load-client', 'load_walk', $4,
            CASE units WHEN 1 THEN $5 WHEN 2 THEN $6 ELSE $7 END, 'confirmed', quantity,
            units * (2000 + (quantity - 1) * 500)
              + CASE WHEN $9 > 0 AND i % CAST($9 AS BIGINT) = 0 THEN 100 * (1 + i / CAST($9 AS BIGINT) % 60) ELSE 0 END,
            'USD', $8, $8
     FROM varied"
);

macro_rules! snapshots {
    ($json:literal) => {
        concat!(
            numbered!(
                "INSERT INTO pricing_snapshots (id, org_id, booking_id, rule_id, inputs, lines, total_minor, currency,
                                                priced_at, created_at)
                 SELECT 'load-s-' || digits, $3, 'load-' || digits, 'load-rule',
                        ('{\"service\":\"load_walk\",\"startAt\":\"' || $4 || '\",\"endAt\":\"'
                         || CASE units WHEN 1 THEN $5 WHEN 2 THEN $6 ELSE $7 END || '\",\"quantity\":'
                         || CAST(quantity AS TEXT) || ',\"addOns\":[],\"discountMinor\":0,\"timezone\":\"UTC\"}')"
            ),
            $json,
            ",
                        ('[{\"code\":\"base\",\"label\":\"load_walk\",\"units\":' || CAST(units AS TEXT)
                         || ',\"unitMinor\":' || CAST(2000 + (quantity - 1) * 500 AS TEXT) || ',\"amountMinor\":'
                         || CAST(units * (2000 + (quantity - 1) * 500) AS TEXT) || '}]')",
            $json,
            ", units * (2000 + (quantity - 1) * 500), 'USD', $8, $8 FROM varied"
        )
    };
}

const LINK: &str = "
UPDATE bookings SET pricing_snapshot_id = 'load-s-' || substr(id, 6)
WHERE id >= 'load-' || substr('0000000000' || CAST($1 AS TEXT), length(CAST($1 AS TEXT)) + 1)
  AND id < 'load-' || substr('0000000000' || CAST($2 AS TEXT), length(CAST($2 AS TEXT)) + 1)";

/// What all of them have in common.
#[derive(Debug, Clone)]
pub struct Fill {
    /// Whose they are.
    pub org: OrgId,
    /// Each n-th has a total that its snapshot does not say; none when 0.
    pub drifting_every: i64,
    /// When they were made, and start: the day after.
    pub now: Timestamp,
}

/// Makes what all of them need: a client and a price.
///
/// # Errors
/// A database error.
pub async fn prepare(tx: &mut Tx, fill: &Fill) -> anyhow::Result<()> {
    tx.query(
        "INSERT INTO clients (id, org_id, first_name, last_name, phone_number, created_at, updated_at)
         VALUES ($1, $2, 'Load', 'Test', '+15550009999', $3, $3) ON CONFLICT DO NOTHING",
    )
    .bind(CLIENT)
    .bind(&fill.org)
    .bind(fill.now)
    .execute()
    .await?;
    let known: bool = tx.query("SELECT EXISTS (SELECT 1 FROM pricing_rules WHERE id = $1)").bind(RULE).scalar().await?;
    if !known {
        let draft: RuleDraft = serde_json::from_value(json!({
            "service": SERVICE, "effectiveFrom": "2020-01-01T00:00:00Z", "baseMinor": 2000, "unitMinutes": 30,
            "extraQuantityMinor": 500, "currency": "USD",
        }))?;
        pricing::add_as(tx, RULE.into(), &fill.org, draft.check()?, &Actor::system("load"), fill.now).await?;
    }
    Ok(())
}

/// Writes the bookings `from` up to, not including, `until`, with their snapshots.
///
/// # Errors
/// A database error, also when there are such bookings already.
pub async fn write(db: &Db, fill: &Fill, from: i64, until: i64) -> anyhow::Result<()> {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    let start_at = fill.now + 24 * HOUR;
    let ends = [start_at + HOUR / 2, start_at + HOUR, start_at + HOUR * 3 / 2];
    let mut tx = db.begin().await?;
    tx.query(BOOKINGS)
        .bind(from)
        .bind(until)
        .bind(&fill.org)
        .bind(start_at)
        .bind(ends[0])
        .bind(ends[1])
        .bind(ends[2])
        .bind(fill.now)
        .bind(fill.drifting_every)
        .execute()
        .await?;
    let snapshots = match tx.engine() {
        Engine::Postgres => snapshots!("::jsonb"),
        Engine::Sqlite => snapshots!(""),
    };
    tx.query(snapshots)
        .bind(from)
        .bind(until)
        .bind(&fill.org)
        .bind(start_at.to_string())
        .bind(ends[0].to_string())
        .bind(ends[1].to_string())
        .bind(ends[2].to_string())
        .bind(fill.now)
        .execute()
        .await?;
    tx.query(LINK).bind(from).bind(until).execute().await?;
    Ok(tx.commit().await?)
}

/// Lets the database count what it has, so that it plans well.
///
/// # Errors
/// A database error.
pub async fn analyze(db: &Db) -> anyhow::Result<()> {
    let sql = match db.engine() {
        Engine::Postgres => "VACUUM (ANALYZE) bookings, pricing_snapshots",
        Engine::Sqlite => "ANALYZE",
    };
    db.write(sql).execute().await?;
    Ok(())
}

/// Reads, in one statement, all that a check of these bookings must read: the least time such a check could take.
/// Returns how many there are, and their sum.
///
/// # Errors
/// A database error.
pub async fn read_all(db: &Db, org: &OrgId) -> anyhow::Result<(i64, i64)> {
    let sql = match db.engine() {
        Engine::Postgres => {
            "SELECT count(*), CAST(sum(length(b.id) + length(b.service) + b.quantity + length(b.add_ons::text)
                    + b.total_minor + length(s.inputs::text) + s.total_minor
                    + extract(epoch FROM b.end_at - b.start_at) + extract(epoch FROM s.priced_at)) AS BIGINT)
             FROM bookings AS b JOIN pricing_snapshots AS s ON s.id = b.pricing_snapshot_id
             WHERE b.org_id = $1 AND b.status <> 'cancelled'"
        }
        Engine::Sqlite => {
            "SELECT count(*), CAST(sum(length(b.id) + length(b.service) + b.quantity + length(b.add_ons)
                    + b.total_minor + length(s.inputs) + s.total_minor + length(b.end_at) + length(b.start_at)
                    + length(s.priced_at)) AS INTEGER)
             FROM bookings AS b JOIN pricing_snapshots AS s ON s.id = b.pricing_snapshot_id
             WHERE b.org_id = $1 AND b.status <> 'cancelled'"
        }
    };
    Ok(db.read(sql).bind(org).one().await?)
}
