//! The parts of a running worker: the dispatcher claims jobs, apalis workers run them, the writer stores how they
//! ended.

pub(crate) mod backend;
pub(crate) mod dispatcher;
pub(crate) mod finish;
pub(crate) mod pool;
pub(crate) mod presence;
pub(crate) mod result_writer;
pub(crate) mod run;
pub(crate) mod slots;
pub(crate) mod supervise;
pub(crate) mod worker;
