//! Records the texts of statements, for tests that check how the database would execute them.

use std::cell::RefCell;

tokio::task_local! {
    static NOTED: RefCell<Vec<String>>;
}

/// Runs `work`, and returns its result and the texts of the statements that its own task ran.
pub async fn statements_of<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    NOTED
        .scope(RefCell::default(), async {
            let answer = work.await;
            (answer, NOTED.with(RefCell::take))
        })
        .await
}

/// Records a statement if it runs within [`statements_of`].
pub(crate) fn note(sql: &str) {
    let _ = NOTED.try_with(|noted| noted.borrow_mut().push(sql.to_owned()));
}
