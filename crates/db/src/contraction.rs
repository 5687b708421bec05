//! What a migration that only a newer version of the program knows means for this one.
//!
//! A database records the name of each migration that it has applied, and the name says whether the migration expands
//! the schema (`0030_expand_tips`) or contracts it (`0031_contract_needs_0030_gratuity`). An expansion disturbs no older
//! version. After a contraction, only versions that have the named migration work.

/// The start of the name of a contraction, as the database records it: without the number, with spaces.
const CONTRACT: &str = "contract";
const NEEDS: &str = "contract needs ";

/// A newer version has removed from the database what this version uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the migration {migration} of a newer version has removed what this version uses: only versions that have migration \
     {needs:04} work on this database, and the newest of this version is {newest:04}; start a newer version"
)]
pub struct Contraction {
    /// The name of the migration.
    pub migration: String,
    /// The migration that a version must have to work after it.
    pub needs: i64,
    /// The newest migration of this version.
    pub newest: i64,
}

impl Contraction {
    /// Returns the contraction that an applied migration is for a program whose newest migration is `newest`, or `None`
    /// if the program works after it. `description` is what the database records.
    pub(crate) fn find(version: i64, description: &str, newest: i64) -> Option<Self> {
        let needs = needed(version, description)?;
        (needs > newest).then(|| Self { migration: name(version, description), needs, newest })
    }
}

/// Returns which migration a program must have to work after this one, or `None` after an expansion. After a contraction
/// that does not say it in the known form, a program must have the contraction itself.
fn needed(version: i64, description: &str) -> Option<i64> {
    let number = || description.strip_prefix(NEEDS)?.split(' ').next()?.parse().ok();
    let contracts = description.split(' ').next() == Some(CONTRACT);
    contracts.then(|| number().unwrap_or(version))
}

/// Returns the name of a migration's file, without its ending.
pub(crate) fn name(version: i64, description: &str) -> String {
    format!("{version:04}_{}", description.replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_works_after_a_contraction_if_it_has_the_migration_that_is_needed() {
        for (description, needs) in [
            ("expand tips", None),
            ("event log list", None),
            ("contractors", None),
            ("contract needs 0030 gratuity", Some(30)),
            ("contract needs 7", Some(7)),
            ("contract gratuity", Some(31)),
            ("contract", Some(31)),
            ("contract needs all gratuity", Some(31)),
        ] {
            assert_eq!(needed(31, description), needs, "{description}");
            for newest in 0..40 {
                let refused = Contraction::find(31, description, newest).is_some();
                assert_eq!(refused, needs.is_some_and(|needs| newest < needs), "{description} at {newest}");
            }
        }
    }
}
