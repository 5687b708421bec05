//! Stored numbers that may belong to somebody else: rows written before numbers were parsed in their organisation's
//! country.

use super::{PhoneNumber, reading};
use crate::country::Country;

/// Why a stored number may not be the number that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It is not a possible number of its country, or would be parsed as another number, as `+4407911123456` would.
    Impossible,
    /// Without its `+` it is a number of the organisation's own country, as `+6465550123` is one of New York.
    National,
}

impl PhoneNumber {
    /// Returns why an operator should check this stored number of an organisation in `country`; `None` if there is no
    /// doubt.
    #[must_use]
    pub fn doubt(&self, country: Option<Country>) -> Option<Doubt> {
        let Some(itself) = reading::international(self.digits()).filter(|itself| itself.e164 == self.e164()) else {
            return Some(Doubt::Impossible);
        };
        let country = country?;
        let home = reading::national(self.digits(), country)?;
        let meant = home.calling_code != itself.calling_code
            && home.is_written_as(self.digits(), country)
            && (home.valid || !itself.valid);
        meant.then_some(Doubt::National)
    }
}
