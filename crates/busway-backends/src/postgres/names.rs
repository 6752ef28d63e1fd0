use busway_core::Result;

use super::config::invalid;

/// Longest name of a schema: names that are made from it must stay within PostgreSQL's 63 bytes.
const LONGEST: usize = 48;

/// What the schema of a store is called, and what is named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    schema: String,
}

impl Names {
    /// For a schema whose name was checked.
    pub(super) fn new(schema: &str) -> Self {
        Self { schema: schema.into() }
    }

    /// Fails unless it can stand in SQL as it is.
    pub(super) fn check(schema: &str) -> Result<()> {
        let mut letters = schema.bytes();
        let begins = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
        let goes_on = letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if begins && goes_on && schema.len() <= LONGEST && !schema.starts_with("pg_") {
            return Ok(());
        }
        Err(invalid(format!(
            "`schema={schema}` is no name for a schema; it begins with a lower-case letter and goes on with those, \
             digits and `_`, {LONGEST} at most, and not with `pg_`"
        )))
    }

    /// The schema's name as it was given.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// The channel of notifications.
    pub(super) fn channel(&self) -> String {
        format!("{}_appended", self.schema)
    }

    /// The first half of every advisory lock's key; the second is a lane or below 0.
    pub(super) fn lock(&self) -> i32 {
        // FNV-1a: all versions of Busway on one database must agree on it.
        let text = ["busway.", &self.schema].concat();
        let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        hash.cast_signed()
    }

    /// SQL with its names filled in: `{schema}`, `{lock}` and `{channel}`.
    pub(super) fn fill(&self, sql: &str) -> String {
        let schema = format!("\"{}\"", self.schema);
        sql.replace("{schema}", &schema)
            .replace("{lock}", &self.lock().to_string())
            .replace("{channel}", &self.channel())
    }
}

/// The second half of the lock that is held while the schema is made or brought up to date; those of lanes are 0 and
/// above, and SQL has more below.
pub(super) const SCHEMA_LOCK: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_must_have_a_name_that_needs_no_quotes() {
        for name in ["busway", "_b", "team_7"] {
            assert!(Names::check(name).is_ok(), "{name}");
        }
        for name in ["", "7", "Busway", "a-b", "a\"; DROP", "pg_busway", &"a".repeat(49)] {
            assert!(Names::check(name).unwrap_err().detail().contains(&format!("`schema={name}`")), "{name}");
        }
    }

    #[test]
    fn names_are_filled_in_and_never_change() {
        let names = Names::new("busway");
        assert_eq!(names.lock(), 1_282_248_803);
        assert_eq!(
            names.fill("SELECT {lock} FROM {schema}.meta WHERE '{channel}' = ''"),
            "SELECT 1282248803 FROM \"busway\".meta WHERE 'busway_appended' = ''"
        );
    }
}
