//! The statements after a marked moment, at each of which a test can have the process killed.
//!
//! Compiled in only with the feature `failpoints`; otherwise a [`Step`] is nothing. The moment is the time at which a
//! fail point is passed: `NIGHTSHIFT_STEPS=place:times`. From then on each statement of the process is a step, `BEGIN`,
//! `COMMIT` and `ROLLBACK` included. Its name is made of its text and of how many statements with this text there were
//! before it, because others run in between. Of a `COMMIT`, the statement before it in its task is part of the text.
//! `NIGHTSHIFT_STEPS_FILE` is a file to which each step is appended, a name and a few words per line, before it runs.
//! `NIGHTSHIFT_DIE=before=name` kills the process before that step, `after=name` when the database has answered and
//! nobody has heard of it.

#[cfg(not(feature = "failpoints"))]
pub(crate) use off::Step;
#[cfg(feature = "failpoints")]
pub(crate) use on::{Step, passed};

#[cfg(not(feature = "failpoints"))]
mod off {
    /// A statement that is about to run.
    #[derive(Clone, Copy)]
    pub(crate) struct Step;

    impl Step {
        #[inline]
        pub(crate) const fn of(_sql: &str) -> Self {
            Self
        }

        /// Runs the statement.
        #[inline]
        pub(crate) async fn run<T>(self, statement: impl Future<Output = T>) -> T {
            statement.await
        }
    }
}

#[cfg(feature = "failpoints")]
mod on {
    use std::collections::HashMap;
    use std::fs::{File, OpenOptions};
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::io::Write;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use tokio::task;

    /// A statement that is about to run, and whether the process dies at it.
    #[derive(Clone, Copy)]
    pub(crate) struct Step(Option<Death>);

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Death {
        Before,
        After,
    }

    struct Plan {
        place: String,
        death: Option<(Death, String)>,
        state: Mutex<State>,
    }

    struct State {
        /// How often the place has still to be passed.
        passes: u32,
        file: Option<File>,
        /// How many statements of each text there were.
        seen: HashMap<u64, u32>,
        /// The last statement of each task's open transaction.
        last: HashMap<Option<task::Id>, String>,
    }

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let marked = std::env::var("NIGHTSHIFT_STEPS").ok()?;
        let (place, passes) = marked.split_once(':')?;
        let death = std::env::var("NIGHTSHIFT_DIE").ok().and_then(|death| {
            let (when, name) = death.split_once('=')?;
            let when = match when {
                "before" => Death::Before,
                "after" => Death::After,
                _ => return None,
            };
            Some((when, name.to_owned()))
        });
        let file = std::env::var_os("NIGHTSHIFT_STEPS_FILE")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        let state = State { passes: passes.parse().ok()?, file, seen: HashMap::new(), last: HashMap::new() };
        Some(Plan { place: place.to_owned(), death, state: Mutex::new(state) })
    });

    /// Notes that the process passes a fail point.
    pub(crate) fn passed(place: &str) {
        let Some(plan) = PLAN.as_ref().filter(|plan| plan.place == place) else { return };
        let mut state = plan.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.passes = state.passes.saturating_sub(1);
    }

    impl State {
        /// Returns the name of the next step and writes it down; nothing before the marked moment.
        fn next(&mut self, sql: &str) -> Option<String> {
            if self.passes > 0 {
                return None;
            }
            let text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            let task = task::try_id();
            let text = match text.as_str() {
                "COMMIT" | "ROLLBACK" => format!("{text} after {}", self.last.remove(&task).unwrap_or_default()),
                begin if begin.starts_with("BEGIN") => text,
                _ => {
                    self.last.insert(task, text.clone());
                    text
                }
            };
            let mut digest = DefaultHasher::new();
            text.hash(&mut digest);
            let digest = digest.finish();
            let times = self.seen.entry(digest).or_default();
            *times += 1;
            let name = format!("{digest:016x}.{times}");
            if let Some(file) = &mut self.file {
                // A step that can't be written down is missing in what the test reads, which the test notices.
                let _ = writeln!(file, "{name} {}", text.chars().take(100).collect::<String>());
            }
            Some(name)
        }
    }

    impl Step {
        pub(crate) fn of(sql: &str) -> Self {
            let Some(plan) = &*PLAN else { return Self(None) };
            let Some(name) = plan.state.lock().unwrap_or_else(PoisonError::into_inner).next(sql) else {
                return Self(None);
            };
            Self(plan.death.as_ref().filter(|(_, at)| *at == name).map(|(when, _)| *when))
        }

        /// Runs the statement, or kills the process.
        pub(crate) async fn run<T>(self, statement: impl Future<Output = T>) -> T {
            if self.0 == Some(Death::Before) {
                std::process::abort();
            }
            let answer = statement.await;
            if self.0 == Some(Death::After) {
                std::process::abort();
            }
            answer
        }
    }
}
