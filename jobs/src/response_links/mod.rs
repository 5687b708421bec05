//! Links between clients' texts and their answers.

pub mod expire;
