//! States that a test begins from and that no door of the program brings about.

use super::Probes;

impl Probes {
    /// No number may send or take a text.
    pub async fn take_all_numbers_out_of_service(&self) {
        self.given("UPDATE message_numbers SET status = 'inactive'").await;
    }

    pub async fn put_all_numbers_into_service(&self) {
        self.given("UPDATE message_numbers SET status = 'active'").await;
    }

    /// Every booking costs this amount, in cents.
    pub async fn price_all_bookings(&self, cents: i64) {
        let sql = "UPDATE bookings SET total_minor = $1, currency = 'USD'";
        self.db.write(sql).bind(cents).execute().await.expect("a price is stored");
    }

    /// Moves all clients to an organisation that is not their bookings', so that the bookings can't be confirmed.
    pub async fn move_all_clients_to(&self, organization: &str) {
        let sql = "UPDATE clients SET org_id = $1";
        self.db.write(sql).bind(organization).execute().await.expect("the clients are moved");
    }

    /// Changes rows in a way that only this test needs.
    pub async fn given(&self, sql: &'static str) {
        self.db.write(sql).execute().await.expect("the statement runs");
    }
}
