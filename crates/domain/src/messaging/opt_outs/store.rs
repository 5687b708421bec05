//! The rows about a person's wish. The caller holds the person's lock when it writes.

use nightshift_db::{Timestamp, Tx, new_id};

use super::standing::{Moment, OptOut, OptOutSource, Standing};
use crate::Result;
use crate::ids::{MessageId, OrgId};
use crate::phone::PhoneNumber;

#[derive(sqlx::FromRow)]
struct Row {
    since: Option<Timestamp>,
    source: Option<OptOutSource>,
    message_event_id: Option<MessageId>,
    said_at: Option<Timestamp>,
    said_in: Option<MessageId>,
    refused_at: Option<Timestamp>,
    opted_in_at: Option<Timestamp>,
    opted_in_by: Option<MessageId>,
    unblocked_at: Option<Timestamp>,
    client_opted_out_at: Option<Timestamp>,
}

/// Loads what is known about a person. An older version of the program, which may run at the same time, knows only the
/// column of `clients` and sets it when the carrier refuses a text.
pub(super) async fn load(tx: &mut Tx, org: &OrgId, person: &PhoneNumber) -> Result<Standing> {
    let row: Row = tx
        .query(of_clients!(
            org,
            "SELECT o.since, o.source, o.message_event_id, o.said_at, o.said_in, o.refused_at,
                    i.at AS opted_in_at, i.message_event_id AS opted_in_by, i.unblocked_at,
                    c.opted_out_at AS client_opted_out_at
             FROM (SELECT 1 AS one) AS person
             LEFT JOIN opt_outs o ON o.org_id = $1 AND o.phone_digits = $2
             LEFT JOIN opt_ins i ON i.org_id = $1 AND i.phone_digits = $2
             LEFT JOIN clients c ON",
            "c.org_id",
            "AND replace(c.phone_number, '+', '') = $2"
        ))
        .bind(org)
        .bind(person.digits())
        .one()
        .await?;
    let opt_in = row.opted_in_at.map(|at| Moment { at, message: row.opted_in_by });
    let opt_out = match (row.since, row.source) {
        (Some(since), Some(source)) => Some(OptOut {
            since,
            source,
            message: row.message_event_id,
            said: row.said_at.map(|at| Moment { at, message: row.said_in }),
            refused_at: row.refused_at,
        }),
        _ => None,
    };
    let standing = Standing { opt_out, opt_in, unblocked_at: row.unblocked_at };
    Ok(match (&standing.opt_out, row.client_opted_out_at) {
        (None, Some(at)) => standing.stopped(&Moment { at, message: None }, OptOutSource::Carrier),
        _ => standing,
    })
}

/// Stores what is known about a person.
pub(super) async fn save(
    tx: &mut Tx,
    org: &OrgId,
    person: &PhoneNumber,
    standing: &Standing,
    now: Timestamp,
) -> Result<()> {
    match &standing.opt_out {
        Some(opt_out) => save_opt_out(tx, org, person, opt_out, now).await?,
        None => {
            tx.query("DELETE FROM opt_outs WHERE org_id = $1 AND phone_digits = $2")
                .bind(org)
                .bind(person.digits())
                .execute()
                .await?;
        }
    }
    if standing.opt_in.is_some() || standing.unblocked_at.is_some() {
        tx.query(
            "INSERT INTO opt_ins (org_id, phone_digits, at, message_event_id, unblocked_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)
             ON CONFLICT (org_id, phone_digits)
             DO UPDATE SET at = $3, message_event_id = $4, unblocked_at = $5, updated_at = $6",
        )
        .bind(org)
        .bind(person.digits())
        .bind(standing.opt_in.as_ref().map(|opt_in| opt_in.at))
        .bind(standing.opt_in.as_ref().and_then(|opt_in| opt_in.message.clone()))
        .bind(standing.unblocked_at)
        .bind(now)
        .execute()
        .await?;
    }
    mirror(tx, org, person, standing.opt_out.as_ref().map(|opt_out| opt_out.since), now).await
}

async fn save_opt_out(tx: &mut Tx, org: &OrgId, person: &PhoneNumber, opt_out: &OptOut, now: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO opt_outs (id, org_id, phone_digits, since, source, message_event_id, said_at, said_in, refused_at,
                               created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         ON CONFLICT (org_id, phone_digits)
         DO UPDATE SET since = $4, source = $5, message_event_id = $6, said_at = $7, said_in = $8, refused_at = $9,
                       updated_at = $10",
    )
    .bind(new_id(now))
    .bind(org)
    .bind(person.digits())
    .bind(opt_out.since)
    .bind(opt_out.source)
    .bind(&opt_out.message)
    .bind(opt_out.said.as_ref().map(|said| said.at))
    .bind(opt_out.said.as_ref().and_then(|said| said.message.clone()))
    .bind(opt_out.refused_at)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Copies the time to the client with this number, for older versions of the program and for lists.
async fn mirror(
    tx: &mut Tx,
    org: &OrgId,
    person: &PhoneNumber,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    tx.query(of_clients!(
        org,
        "UPDATE clients SET opted_out_at = $3, updated_at = $4 WHERE",
        "org_id",
        "AND replace(phone_number, '+', '') = $2"
    ))
    .bind(org)
    .bind(person.digits())
    .bind(since)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}
