//! A gate in front of the connections to a database.
//!
//! While it is shut, every statement of the handles behind it fails as if the database could not be reached. A program
//! starts its parts behind a shut gate, checks the database through a handle that has none, and then opens it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{DbError, Outage, Result};

/// Opens the connections of the handles behind it. Once open, it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// # Errors
    /// [`DbError::Unavailable`] while the gate is shut.
    pub(crate) fn pass(&self) -> Result<()> {
        if self.is_open() { Ok(()) } else { Err(DbError::Unavailable(Outage::Unchecked)) }
    }
}
