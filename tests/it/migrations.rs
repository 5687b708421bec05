//! Tests get copies of a database that was migrated once; a copy is what the migrations make of an empty one.

use nightshift_db::testing::{TestDb, each_engine, empty, migrated};
use nightshift_db::{Engine, migrate, migration_state};

each_engine! {
    a_copied_database_is_what_the_migrations_make,
}

const SCHEMA_SQLITE: &str = "SELECT name || coalesce(': ' || sql, '') AS line FROM sqlite_master ORDER BY line";
const SCHEMA_POSTGRES: &str = "
SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS line
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY line";

async fn schema(database: &TestDb) -> Vec<(String,)> {
    let sql = match database.engine() {
        Engine::Sqlite => SCHEMA_SQLITE,
        Engine::Postgres => SCHEMA_POSTGRES,
    };
    database.db.read(sql).all().await.unwrap()
}

async fn a_copied_database_is_what_the_migrations_make(engine: Engine) {
    let (copied, made) = (migrated(engine).await, empty(engine).await);
    migrate(&made.db).await.unwrap();
    let (copied, made) = (
        (schema(&copied).await, migration_state(&copied.db).await.unwrap()),
        (schema(&made).await, migration_state(&made.db).await.unwrap()),
    );
    assert!(copied.0.len() > 100, "{} lines", copied.0.len());
    assert_eq!(copied, made);
}
