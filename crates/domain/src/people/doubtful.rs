//! Stored phone numbers that may belong to somebody else, listed for an operator. Nothing is changed, because only the
//! organisation knows which number was meant.

use std::collections::BTreeMap;

use nightshift_db::Db;

use super::organizations;
use crate::Result;
use crate::ids::OrgId;
use crate::phone::{Doubt, PhoneNumber};

/// Rows read at a time.
const PAGE: i64 = 5_000;
/// Example row ids kept for each doubt.
const EXAMPLES_MAX: usize = 5;

const CLIENTS: &str = "clients";
/// A short code has fewer digits than any phone number.
const SHORT_CODE_DIGITS_MAX: usize = 6;

/// The tables with phone numbers and the statement that pages through each: id, organisation and number, in the order
/// of the ids, after an id.
const TABLES: [(&str, &str); 4] = [
    (CLIENTS, "SELECT id, org_id, phone_number FROM clients WHERE id > $1 AND org_id IS NOT NULL ORDER BY id LIMIT $2"),
    ("sitters", "SELECT id, org_id, phone_number FROM sitters WHERE id > $1 ORDER BY id LIMIT $2"),
    (
        "service requests",
        "SELECT id, org_id, user_phone FROM service_requests WHERE id > $1 AND user_phone IS NOT NULL
         ORDER BY id LIMIT $2",
    ),
    (
        "providers",
        "SELECT p.id, r.org_id, p.phone FROM providers p JOIN service_requests r ON r.id = p.service_request_id
         WHERE p.id > $1 ORDER BY p.id LIMIT $2",
    ),
];

/// The numbers of one table that are doubtful for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubtful {
    /// The table, in words.
    pub of: &'static str,
    pub doubt: Doubt,
    pub count: usize,
    /// Ids of some of the rows.
    pub examples: Vec<String>,
}

/// Finds all doubtful numbers. Reads every row that has a number.
pub async fn find(db: &Db) -> Result<Vec<Doubtful>> {
    let countries = organizations::countries(db).await?;
    let mut found = Vec::new();
    for (of, sql) in TABLES {
        let mut doubts: BTreeMap<Doubt, Doubtful> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let rows: Vec<(String, OrgId, String)> = db.read(sql).bind(&after).bind(PAGE).all().await?;
            let Some((last, ..)) = rows.last() else { break };
            after.clone_from(last);
            for (id, org, number) in rows {
                let country = countries.get(&org).copied().flatten();
                let doubt = match PhoneNumber::stored(&number) {
                    Ok(number) => number.doubt(country),
                    // Who writes from one of these is a client too, and nobody means it to be a number.
                    Err(_) if of == CLIENTS && is_code_or_name(&number) => None,
                    Err(_) => Some(Doubt::Impossible),
                };
                if let Some(doubt) = doubt {
                    let kind = doubts.entry(doubt);
                    let kind = kind.or_insert_with(|| Doubtful { of, doubt, count: 0, examples: Vec::new() });
                    kind.count += 1;
                    if kind.examples.len() < EXAMPLES_MAX {
                        kind.examples.push(id);
                    }
                }
            }
        }
        found.extend(doubts.into_values());
    }
    Ok(found)
}

/// Whether a client is known by a short code or a name, as carriers name senders, such as `24365`, `AMAZON` or
/// `whatsapp:+15551234567`.
fn is_code_or_name(number: &str) -> bool {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let is_code = digits > 0 && digits == number.len() && digits <= SHORT_CODE_DIGITS_MAX;
    is_code || number.chars().any(char::is_alphabetic)
}
