/// A step that a store still lacks to be of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMigration {
    /// The version that it leads to.
    pub version: u32,
    /// What it is called.
    pub name: &'static str,
    /// All that it runs.
    pub sql: String,
}
