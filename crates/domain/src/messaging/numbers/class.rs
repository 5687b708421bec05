//! What a masking number is for, by which the choice of a thread's number goes.

use crate::text_enum::text_enum;

text_enum! {
    /// What a number is for.
    pub enum NumberClass {
        /// Shared by many conversations.
        Pool = "pool",
        /// One sitter's own.
        Sitter = "sitter",
        /// The organisation's main line.
        FrontDesk = "front_desk",
    }
}
