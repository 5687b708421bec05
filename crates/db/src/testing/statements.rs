//! The texts of the statements that something runs, for tests that ask the database how it would carry them out.

use std::cell::RefCell;

tokio::task_local! {
    static NOTED: RefCell<Vec<String>>;
}

/// Runs `work`; its answer, and the texts of the statements that its own task ran.
pub async fn statements_of<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    NOTED
        .scope(RefCell::default(), async {
            let answer = work.await;
            (answer, NOTED.with(RefCell::take))
        })
        .await
}

/// Notes a statement, when somebody asked for it.
pub(crate) fn note(sql: &str) {
    let _ = NOTED.try_with(|noted| noted.borrow_mut().push(sql.to_owned()));
}
