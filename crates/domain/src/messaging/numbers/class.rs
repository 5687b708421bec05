//! The class of a masking number, which decides the threads that may use it.

use crate::text_enum::text_enum;

text_enum! {
    pub enum NumberClass {
        /// Shared by many threads.
        Pool = "pool",
        /// One sitter's own.
        Sitter = "sitter",
        /// The organisation's main line.
        FrontDesk = "front_desk",
    }
}
