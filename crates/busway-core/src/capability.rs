/// How far an acknowledged event survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// As long as the process.
    Process,
    /// A crash of the machine.
    Disk,
    /// The loss of a machine.
    Replicated,
}

/// How long a repeated id is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dedupe {
    /// Never.
    None,
    /// As long as the broker remembers.
    Window(std::time::Duration),
    /// As long as the event is kept.
    Retention,
}

/// What a backend declares; the conformance suite holds it to this, and what is not declared must answer
/// [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The backend's name, as in `EVENT_BUS_TYPE`.
    pub name: &'static str,
    /// How far an acknowledged event survives.
    pub durability: Durability,
    /// How long a repeated id is recognised.
    pub dedupe: Dedupe,
    /// A batch of several lanes is all or none.
    pub atomic_batch: bool,
    /// Read by position: seek, replay, start at a time.
    pub read: bool,
    /// Lag can be told, and pruning stops before what is unread.
    pub prune: bool,
    /// Several processes may open the same store.
    pub shared: bool,
    /// Most appends that may usefully be under way at once from one process, of different lanes if there are as many.
    pub parallel_appends: usize,
}
