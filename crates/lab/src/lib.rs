//! What only measures and plays; the product does its work without it.
//!
//! [`simulator`] stands in for the outside services, in tests and in the commands that bring their own; [`simulate`] runs
//! it alone. [`demo`] plays a day with the program, [`prove`] kills the program under load and counts what came of it,
//! [`load`] measures how fast it answers. [`bulk`] writes bookings by the million to measure with.
//!
//! The program is given to them as an address, a queue or an executable; what they tell goes to a [`Console`].
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
