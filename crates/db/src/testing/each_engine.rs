//! One test per engine of each function that takes an engine.

/// Makes two tests of each function in the list: `sqlite::name` and `postgres::name`.
///
/// Each function is `async fn name(engine: Engine)`. Options of `#[tokio::test]` follow its name in parentheses, and
/// attributes such as `#[cfg(...)]` precede it (repeat a `#[cfg]` on the function). A function that is missing from the list is never called, which the
/// compiler reports as dead code. A module can use this macro once.
///
/// ```ignore
/// use nightshift_db::Engine;
/// use nightshift_db::testing::{each_engine, migrated};
///
/// each_engine! {
///     a_database_answers,
///     two_threads_can_read(flavor = "multi_thread"),
/// }
///
/// async fn a_database_answers(engine: Engine) {
///     let database = migrated(engine).await;
///     assert_eq!(database.db.read("SELECT 1").scalar::<i64>().await.unwrap(), 1);
/// }
///
/// async fn two_threads_can_read(engine: Engine) {
///     // ...
/// }
/// ```
#[macro_export]
macro_rules! each_engine {
    ($($(#[$attribute:meta])* $name:ident $(($($option:tt)*))?),+ $(,)?) => {
        mod sqlite {
            $(
                $(#[$attribute])*
                #[tokio::test $(($($option)*))?]
                async fn $name() {
                    super::$name($crate::Engine::Sqlite).await;
                }
            )+
        }

        mod postgres {
            $(
                $(#[$attribute])*
                #[tokio::test $(($($option)*))?]
                async fn $name() {
                    super::$name($crate::Engine::Postgres).await;
                }
            )+
        }
    };
}
