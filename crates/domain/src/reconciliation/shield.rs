//! A transaction that cannot write bookings or prices.
//!
//! It puts a row into the table `price_shield`, on which triggers of the bookings', snapshots' and rules' tables refuse
//! every write. Nobody else sees the row: it is taken out again before the commit, and a rollback takes it along. The
//! database itself thereby holds whatever runs in between to reading, on both engines.

use nightshift_db::Tx;

use crate::Result;

/// An open transaction behind the shield. Dropped without [`Shielded::commit`] it is rolled back.
pub struct Shielded(Tx);

impl Shielded {
    /// Raises the shield over a transaction.
    ///
    /// # Errors
    /// A database error.
    pub async fn over(mut tx: Tx) -> Result<Self> {
        if !nightshift_db::sabotage::is("no_shield") {
            tx.query("INSERT INTO price_shield (raised) VALUES (TRUE)").execute().await?;
        }
        Ok(Self(tx))
    }

    /// The transaction, for everything but bookings and prices.
    pub fn tx(&mut self) -> &mut Tx {
        &mut self.0
    }

    /// Lowers the shield and commits.
    ///
    /// # Errors
    /// A database error.
    pub async fn commit(mut self) -> Result<()> {
        self.0.query("DELETE FROM price_shield").execute().await?;
        Ok(self.0.commit().await?)
    }
}
