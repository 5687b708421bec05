//! Locks on facts that may not have a row yet.
//!
//! On PostgreSQL they are advisory locks, which end with the transaction and so also work behind a pooler that hands a
//! connection on after each transaction. SQLite has one writer at a time and needs none. All of them are taken here, so
//! that no two facts share a key: a lock with one key (64 bits) never meets one with two (2 x 32 bits).
//!
//! Two facts whose hashes are equal wait for each other, which costs time and changes nothing.

use nightshift_db::{Engine, Tx, sabotage};

use crate::Result;
use crate::ids::OrgId;
use crate::phone::PhoneNumber;

/// Waits for other transactions that hold this payment, and holds it until the transaction ends.
pub async fn payment(tx: &mut Tx, payment: &str) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT pg_advisory_xact_lock(hashtext($1))").bind(payment).execute().await?;
    }
    Ok(())
}

/// Waits for other transactions that hold this person's wish in either way, and holds it alone until the transaction
/// ends.
pub async fn wish(tx: &mut Tx, org: &OrgId, person: &PhoneNumber) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        let person = wish_key(org, person);
        tx.query("SELECT pg_advisory_xact_lock(1, hashtext($1))").bind(person).execute().await?;
    }
    Ok(())
}

/// Waits for a transaction that holds this person's wish alone, and holds it together with others until the transaction
/// ends.
pub async fn wish_shared(tx: &mut Tx, org: &OrgId, person: &PhoneNumber) -> Result<()> {
    if tx.engine() == Engine::Postgres && !sabotage::is("wishes_not_held") {
        let person = wish_key(org, person);
        tx.query("SELECT pg_advisory_xact_lock_shared(1, hashtext($1))").bind(person).execute().await?;
    }
    Ok(())
}

/// Waits for other transactions that change the list of numbers that no organisation has, and holds it until the
/// transaction ends.
pub async fn unknown_numbers(tx: &mut Tx) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.query("SELECT pg_advisory_xact_lock(2, 0)").execute().await?;
    }
    Ok(())
}

fn wish_key(org: &OrgId, person: &PhoneNumber) -> String {
    format!("{org}:{}", person.digits())
}
