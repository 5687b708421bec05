//! The code that the program provides for each kind of job: handlers, hooks and effects, and the registry in which a
//! worker finds them.

pub(crate) mod context;
pub(crate) mod end;
pub(crate) mod handler;
pub(crate) mod kind;
pub(crate) mod perform;
pub(crate) mod registry;
pub(crate) mod signal;
pub(crate) mod task;
