//! Why a carrier does not send a text.

/// Why a carrier does not send a message, by what must be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The recipient has opted out. Record it, and send nothing until they opt in.
    OptedOut,
    /// The carrier lets no texts through to the recipient at this hour. The text may be sent at another hour.
    Hours,
    /// The carrier knows the recipient as one who sues senders of texts. A person must look.
    Litigator,
    /// The recipient's number can't receive texts. Flag the contact.
    Recipient,
    /// Our number is invalid, not ours or not registered. An operator must act.
    Sender,
    /// The account may not send to this recipient.
    NotPermitted,
    /// The credentials are wrong, or the account is not paid for. No text can be sent.
    Account,
    /// The text is empty or too long.
    Body,
    /// The carrier gives no reason that is known here.
    Other,
}

impl Refusal {
    /// Returns whether all further texts will fail until an operator acts.
    #[must_use]
    pub fn needs_operator(self) -> bool {
        matches!(self, Self::Sender | Self::Account)
    }
}
