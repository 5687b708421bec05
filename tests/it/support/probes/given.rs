//! Setup by SQL. It changes rows only: no rule is checked, no job is enqueued and nothing is woken, unlike after a
//! request or a command.

use nightshift_db::Timestamp;

use super::Probes;

impl Probes {
    pub async fn take_all_numbers_out_of_service(&self) {
        self.given("UPDATE message_numbers SET status = 'inactive'").await;
    }

    pub async fn put_all_numbers_into_service(&self) {
        self.given("UPDATE message_numbers SET status = 'active'").await;
    }

    /// Sets the total of every booking, in cents.
    pub async fn price_all_bookings(&self, cents: i64) {
        let sql = "UPDATE bookings SET total_minor = $1, currency = 'USD'";
        self.db.write(sql).bind(cents).execute().await.expect("a price is stored");
    }

    /// Sets the total of a booking, in cents.
    pub async fn price_booking(&self, booking: &str, cents: i64) {
        let sql = "UPDATE bookings SET total_minor = $2, currency = 'USD' WHERE id = $1";
        self.db.write(sql).bind(booking).bind(cents).execute().await.expect("a price is stored");
    }

    /// Moves an organisation to another time zone.
    pub async fn move_organization(&self, organization: &str, zone: &str) {
        let sql = "UPDATE organizations SET timezone = $2 WHERE id = $1";
        self.db.write(sql).bind(organization).bind(zone).execute().await.expect("the organisation is moved");
    }

    /// Moves all clients, but none of their bookings, to an organisation. Bookings of other organisations can't be
    /// confirmed then.
    pub async fn move_all_clients_to(&self, organization: &str) {
        let sql = "UPDATE clients SET org_id = $1";
        self.db.write(sql).bind(organization).execute().await.expect("the clients are moved");
    }

    /// Sets the status of every service request.
    pub async fn put_all_requests_into(&self, status: &str) {
        let sql = "UPDATE service_requests SET status = $1";
        self.db.write(sql).bind(status).execute().await.expect("the requests are changed");
    }

    /// Sets the recommendation of every service provider.
    pub async fn recommend_all_providers_as(&self, words: &str) {
        let sql = "UPDATE providers SET recommendation = $1";
        self.db.write(sql).bind(words).execute().await.expect("the providers are changed");
    }

    /// Raises an exception of the first organisation, as of this time.
    pub async fn raise_exception_at(&self, time: Timestamp, id: &str, kind: &str, severity: &str, title: &str) {
        let sql = "INSERT INTO exceptions (id, org_id, type, severity, fingerprint, title, last_seen_at, created_at,
                                           updated_at)
                   VALUES ($1, 'org-paws', $2, $3, $1, $4, $5, $5, $5)";
        let insert = self.db.write(sql).bind(id).bind(kind).bind(severity).bind(title).bind(time);
        insert.execute().await.expect("the exception is stored");
    }

    /// Makes every statement about exceptions fail, as on a broken database.
    pub async fn make_exceptions_unreadable(&self) {
        self.given("ALTER TABLE exceptions RENAME COLUMN title TO headline").await;
    }

    /// Runs a setup statement that only one test needs.
    pub async fn given(&self, sql: &'static str) {
        self.db.write(sql).execute().await.expect("the statement runs");
    }
}
