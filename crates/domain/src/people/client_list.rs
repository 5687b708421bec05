//! Clients as the API lists them, the newest first.

use nightshift_db::{Db, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audience::Audience;
use crate::ids::ClientId;
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// Which clients to list. A field that is `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Text to find in the name or in the phone number, which may be typed in any usual form. Does not filter for
    /// viewers who may not see clients' phone numbers.
    pub q: Option<String>,
    /// Whether they want no texts.
    pub opted_out: Option<bool>,
}

/// A client.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ClientRecord)]
#[serde(rename_all = "camelCase")]
pub struct ClientView {
    pub id: ClientId,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    /// The phone number, or the name or short code that texts came from.
    pub phone: String,
    /// Since when the client wants no texts. Null if they may be texted.
    pub opted_out_at: Option<Timestamp>,
    /// The number of their bookings.
    pub bookings: i64,
    /// The time of the latest text to or from the client.
    pub last_message_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for ClientView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientView").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ClientId,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone_number: String,
    opted_out_at: Option<Timestamp>,
    bookings: i64,
    last_message_at: Option<Timestamp>,
    created_at: Timestamp,
}

// An opt-out is a row of `opt_outs`; a version of the program that did not have that table wrote only
// `clients.opted_out_at`.
macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.first_name, c.last_name, c.email, c.phone_number,
                    COALESCE(o.since, c.opted_out_at) AS opted_out_at,
                    (SELECT COUNT(*) FROM bookings b WHERE b.client_id = c.id) AS bookings,
                    (SELECT MAX(t.last_message_at) FROM message_threads t WHERE t.client_id = c.id) AS last_message_at,
                    c.created_at
             FROM clients c
             LEFT JOIN opt_outs o ON o.org_id = c.org_id AND o.phone_digits = REPLACE(c.phone_number, '+', '') ",
            $rest
        )
    };
}

newest_first!(Row: "c.created_at" = created_at, "c.id" = id);

impl Row {
    fn into_view(self, audience: Audience) -> ClientView {
        let phone = match PhoneNumber::stored(&self.phone_number) {
            Ok(number) => audience.client_phone(&number),
            // A name or a short code, which belongs to a company.
            Err(_) => self.phone_number,
        };
        ClientView {
            id: self.id,
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            phone,
            opted_out_at: self.opted_out_at,
            bookings: self.bookings,
            last_message_at: self.last_message_at,
            created_at: self.created_at,
        }
    }
}

/// Returns one client for the API.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such client; [`Error::Forbidden`] for sitters and for
/// viewers without an organisation.
pub async fn view(db: &Db, viewer: &Viewer, id: &ClientId) -> Result<ClientView> {
    db.read(select_rows!("WHERE c.id = $1 AND c.org_id = $2"))
        .bind(id)
        .bind(viewer.own_organization()?)
        .optional::<Row>()
        .await?
        .map(|row| row.into_view(viewer.audience()))
        .ok_or(Error::NotFound)
}

/// Returns a page of the clients of the viewer's organisation. Index: `clients_newest`.
///
/// # Errors
/// [`Error::BadCursor`] if the cursor is not from such a page; [`Error::Forbidden`] for sitters and for viewers without
/// an organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<ClientView>> {
    let list = List::new(db, select_rows!(""), viewer.own_org_scope("c.org_id = $1")?)
        .filter("(COALESCE(o.since, c.opted_out_at) IS NOT NULL) = $1", filter.opted_out)
        .search(
            "LOWER(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) LIKE $1 ESCAPE '\\'
             OR LOWER(REPLACE(c.phone_number, '+', '')) LIKE $2 ESCAPE '\\'",
            viewer.search(filter.q.as_deref()),
        );
    let page: Page<Row> = list.page(cursor, limit).await?;
    Ok(page.map(|row| row.into_view(viewer.audience())))
}
