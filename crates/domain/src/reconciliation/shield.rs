//! A transaction that cannot write bookings or prices.
//!
//! It inserts a row into the table `price_shield`. While the row exists, triggers on the tables of bookings, snapshots
//! and rules refuse every write. No other transaction sees the row, because it is deleted before the commit and a
//! rollback removes it. Both engines thereby enforce that everything in between only reads these tables.

use nightshift_db::Tx;

use crate::Result;

/// An open transaction behind the shield. Dropping it without [`Shielded::commit`] rolls it back.
pub struct Shielded(Tx);

impl Shielded {
    /// Puts a transaction behind the shield.
    pub async fn over(mut tx: Tx) -> Result<Self> {
        if !nightshift_db::sabotage::is("no_shield") {
            tx.query("INSERT INTO price_shield (raised) VALUES (TRUE)").execute().await?;
        }
        Ok(Self(tx))
    }

    /// Returns the transaction, for everything but bookings and prices.
    pub fn tx(&mut self) -> &mut Tx {
        &mut self.0
    }

    /// Removes the shield and commits.
    pub async fn commit(mut self) -> Result<()> {
        self.0.query("DELETE FROM price_shield").execute().await?;
        Ok(self.0.commit().await?)
    }
}
