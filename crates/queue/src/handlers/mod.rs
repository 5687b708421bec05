//! The code that the program brings for each kind of job: handlers, hooks, effects, and the registry that a worker finds them in.

pub(crate) mod context;
pub(crate) mod end;
pub(crate) mod handler;
pub(crate) mod kind;
pub(crate) mod perform;
pub(crate) mod registry;
pub(crate) mod signal;
pub(crate) mod task;
