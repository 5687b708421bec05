//! Records which requests were acknowledged, and compares them with their effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightshift_domain::audience::Audience;
use nightshift_domain::bookings::{self, Status};
use nightshift_domain::ids::{BookingId, OrgId};
use nightshift_domain::viewer::Viewer;
use nightshift_queue::Queue;

use super::people::{booking_id, client_phone, provider_phone, requester_phone};
use crate::console::Console;
use crate::simulator::Simulator;

/// The acknowledged requests. They are kept in this process, so killing the program does not lose them.
#[derive(Default)]
pub(super) struct Ledger {
    paid: Mutex<BTreeSet<u32>>,
    wanted: Mutex<BTreeSet<u32>>,
    repeats: AtomicUsize,
}

/// The result of the comparison.
pub(super) struct Verdict {
    /// Number of webhooks and call requests that were acknowledged.
    pub(super) acknowledged: usize,
    /// Number of acknowledged requests without their effect.
    pub(super) lost: usize,
    /// Number of texts and calls that happened more than once.
    pub(super) twice: usize,
    pub(super) texts: usize,
    pub(super) calls: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    pub(super) fn paid(&self, booking: u32) {
        lock(&self.paid).insert(booking);
    }

    pub(super) fn told_again(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wanted(&self, call: u32) {
        lock(&self.wanted).insert(call);
    }

    /// Compares the acknowledged requests with the bookings in the database and the texts and calls at the simulated
    /// providers.
    pub(super) async fn judge(
        &self,
        simulator: &Simulator,
        queue: &Queue,
        console: &dyn Console,
    ) -> anyhow::Result<Verdict> {
        let (paid, wanted) = (lock(&self.paid).clone(), lock(&self.wanted).clone());
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        simulator.twilio().read(|ledger| {
            for text in ledger.messages() {
                *texts.entry(text.to.clone()).or_default() += 1;
            }
        });
        let mut rang: BTreeMap<String, usize> = BTreeMap::new();
        for call in simulator.vapi().calls() {
            *rang.entry(call.number).or_default() += 1;
        }
        let mut lost = 0;
        let viewer = Viewer::of_org(OrgId::from("org-prove"), Audience::Ops);
        for n in &paid {
            let id = BookingId::from(booking_id(*n));
            let booking = bookings::view(queue.db(), &viewer, &id).await?;
            if booking.status != Status::Confirmed || !texts.contains_key(&client_phone(*n)) {
                let (status, texts) = (booking.status, texts.get(&client_phone(*n)));
                console.remark(format_args!("lost: {id} was paid and is {status}, texts: {texts:?}"));
                lost += 1;
            }
        }
        for n in &wanted {
            if !rang.contains_key(&provider_phone(*n)) {
                console.remark(format_args!("lost: call {n} was accepted and no phone rang"));
                lost += 1;
            } else if !texts.contains_key(&requester_phone(*n)) {
                console.remark(format_args!("lost: call {n} made an appointment and the person was not told"));
                lost += 1;
            }
        }
        let twice = texts.values().chain(rang.values()).filter(|times| **times > 1).count();
        Ok(Verdict {
            acknowledged: paid.len() + wanted.len() + self.repeats.load(Ordering::Relaxed),
            lost,
            twice,
            texts: texts.values().sum(),
            calls: rang.values().sum(),
        })
    }
}
