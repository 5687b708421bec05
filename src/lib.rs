//! Nightshift.
