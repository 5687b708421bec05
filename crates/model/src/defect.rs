//! Deliberate defects of the protocol. The check of a model with a defect must find a broken promise.

/// A rule of the protocol that is left out. The first ones, up to [`Defect::LateAnswersSettle`], can be switched on in
/// the program as well, under the name in [`Defect::in_the_program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    OneLeaseForEver,
    TheLivingAreRescued,
    LostLeasesNotCounted,
    FailuresNotCounted,
    PollsSpendAttempts,
    ShutdownSpendsAttempts,
    DedupSkipped,
    OnceSkipped,
    GroupsForgotten,
    AnsweredWithoutACommit,
    EffectsAskedAgain,
    SlotsFireTwice,
    NobodyElseIsWoken,
    /// The request of an intent may be sent at any time later.
    PermitsForEver,
    /// The answer to an earlier request settles a later one.
    LateAnswersSettle,

    /// A result is stored without a check of the lease.
    FinishWithoutFence,
    /// A waiting result is stored although somebody has requested to cancel the job.
    CancelRequestOverlooked,
    /// Leases are renewed for a process, not for the runs that it holds.
    RenewalWithoutRuns,
    /// Lost leases count for nothing but the next claim: the job is never dead.
    LostForEver,
    /// The rescue writes what it has read, although the owner may have renewed the lease since.
    RescueByLookAlone,
    /// The rescue writes if the lease has expired by the time of its look, even if it was renewed since.
    RescueComparesOnlyTimes,
    /// The rescue compares leases with its own clock, without asking the server for the time first.
    RescueTrustsItsClock,
    /// A process that was frozen gives and renews leases by the time that it knew before.
    OldTimesAreTrusted,
    /// The rescue goes on at once after the clock was set.
    NoPauseAfterAStep,
    /// A process that has just started looks for lost leases at once.
    NoPauseAtTheStart,
    /// A lease that expires too late is waited for.
    FarLeasesStand,
    /// Nothing but the claim's own look keeps two jobs of a group from running at a time.
    NoIndexOnRunningGroups,
    /// A younger job of a group may be claimed before an older one that is due.
    GroupsWithoutOrder,
    /// A retry does not check the dedup key.
    RetryIgnoresKeys,
    /// Jobs whose time has come are not marked as claimable.
    NothingIsPromoted,
    /// A request is sent before its intent is committed.
    AskedBeforeTheCommit,
    /// A slot that becomes free does not wake the dispatcher.
    FreedSlotsAreSilent,
    /// A process tells nobody that it has marked more jobs as claimable than it can take.
    PromotedInSilence,
    /// The end of a job does not wake the dispatcher for the next one of its group.
    GroupsAreNotFollowed,
}

impl Defect {
    pub const ALL: [Self; 34] = [
        Self::OneLeaseForEver,
        Self::TheLivingAreRescued,
        Self::LostLeasesNotCounted,
        Self::FailuresNotCounted,
        Self::PollsSpendAttempts,
        Self::ShutdownSpendsAttempts,
        Self::DedupSkipped,
        Self::OnceSkipped,
        Self::GroupsForgotten,
        Self::AnsweredWithoutACommit,
        Self::EffectsAskedAgain,
        Self::SlotsFireTwice,
        Self::NobodyElseIsWoken,
        Self::PermitsForEver,
        Self::LateAnswersSettle,
        Self::FinishWithoutFence,
        Self::CancelRequestOverlooked,
        Self::RenewalWithoutRuns,
        Self::LostForEver,
        Self::RescueByLookAlone,
        Self::RescueComparesOnlyTimes,
        Self::RescueTrustsItsClock,
        Self::OldTimesAreTrusted,
        Self::NoPauseAfterAStep,
        Self::NoPauseAtTheStart,
        Self::FarLeasesStand,
        Self::NoIndexOnRunningGroups,
        Self::GroupsWithoutOrder,
        Self::RetryIgnoresKeys,
        Self::NothingIsPromoted,
        Self::AskedBeforeTheCommit,
        Self::FreedSlotsAreSilent,
        Self::PromotedInSilence,
        Self::GroupsAreNotFollowed,
    ];

    /// Returns the name of the same defect in the program, for `NIGHTSHIFT_SABOTAGE`.
    #[must_use]
    pub fn in_the_program(self) -> Option<&'static str> {
        Some(match self {
            Self::OneLeaseForEver => "one_lease_for_ever",
            Self::TheLivingAreRescued => "the_living_are_rescued",
            Self::LostLeasesNotCounted => "lost_leases_not_counted",
            Self::FailuresNotCounted => "failures_not_counted",
            Self::PollsSpendAttempts => "polls_spend_attempts",
            Self::ShutdownSpendsAttempts => "shutdown_spends_attempts",
            Self::DedupSkipped => "dedup_skipped",
            Self::OnceSkipped => "once_skipped",
            Self::GroupsForgotten => "groups_forgotten",
            Self::AnsweredWithoutACommit => "answered_without_a_commit",
            Self::EffectsAskedAgain => "effects_asked_again",
            Self::SlotsFireTwice => "slots_fire_twice",
            Self::NobodyElseIsWoken => "nobody_else_is_woken",
            Self::PermitsForEver => "permits_for_ever",
            Self::LateAnswersSettle => "late_answers_settle",
            _ => return None,
        })
    }

    /// Returns the name of the scope in which it breaks a promise.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::OneLeaseForEver | Self::TheLivingAreRescued | Self::FinishWithoutFence | Self::RescueByLookAlone => {
                "runs"
            }
            Self::LostLeasesNotCounted | Self::LostForEver => "crashes",
            Self::RenewalWithoutRuns => "dropped runs",
            Self::FailuresNotCounted | Self::CancelRequestOverlooked => "people",
            Self::PollsSpendAttempts | Self::ShutdownSpendsAttempts | Self::NothingIsPromoted => "shutdowns",
            Self::DedupSkipped | Self::OnceSkipped | Self::AnsweredWithoutACommit | Self::RetryIgnoresKeys => "keys",
            Self::GroupsForgotten | Self::NoIndexOnRunningGroups | Self::GroupsWithoutOrder => "groups",
            Self::EffectsAskedAgain | Self::PermitsForEver | Self::LateAnswersSettle => "effects",
            Self::AskedBeforeTheCommit => "effects retried",
            Self::SlotsFireTwice => "occurrences",
            Self::NobodyElseIsWoken | Self::FreedSlotsAreSilent | Self::PromotedInSilence => "hints",
            Self::GroupsAreNotFollowed => "hints of a group",
            Self::RescueComparesOnlyTimes
            | Self::RescueTrustsItsClock
            | Self::OldTimesAreTrusted
            | Self::NoPauseAfterAStep
            | Self::NoPauseAtTheStart => "clocks",
            Self::FarLeasesStand => "clocks and crashes",
        }
    }
}
