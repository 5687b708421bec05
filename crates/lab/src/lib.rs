//! Tools for tests, demos and measurements, which the product does not need.
//!
//! [`simulator`] replaces the outside services in tests and in the other tools, and [`simulate`] runs it alone.
//! [`demo`] runs a sample day against the program. [`prove`] kills the program under load and checks the results.
//! [`load`] measures how fast the program answers. [`bulk`] writes millions of bookings for measurements.
//!
//! The tools get the program as an address, a queue or an executable, and write their output to a [`Console`].
//!
//! **Invariant:** only the program's command line and tests use this crate.

mod appointment;
pub mod bulk;
mod console;
pub mod demo;
pub mod load;
pub mod prove;
pub mod simulate;
pub mod simulator;

pub use console::Console;
