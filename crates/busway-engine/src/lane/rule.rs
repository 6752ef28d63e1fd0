/// A rule that a search may leave out, to show what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A hold remembers what is read of its key.
    HoldRemembers,
    /// A hold goes only once the position is past what it settled.
    HoldWaitsForPosition,
    /// A key goes on once the dead letter before is stored.
    LetterFirst,
    /// A dead delivery is a hold until its dead letter is stored.
    DeadIsHold,
    /// The head of a run is stored with it.
    HeadIsStored,
    /// A hold's run is stored before it starts.
    RunIsStored,
    /// A lane is released only when nothing runs.
    RunsAreAwaited,
    /// What has not started becomes a hold where later events are settled.
    GapsAreHeld,
    /// A full lane is still read up to its holds.
    HoldsAreRead,
    /// A breaker that has nothing to try reads on.
    BreakerReads,
    /// Another definition decides from behind what was read.
    CutIsBehindCursor,
    /// Nothing happens while a seek is being stored.
    SeekIsStored,
    /// What ran beside others when its process was lost is not charged.
    OnlyAloneIsCharged,
    /// It runs alone next.
    SuspectsRunAlone,
    /// It still does after a run that was cancelled.
    SuspectsStaySo,
    /// After a second loss the window runs alone.
    LostWindowRunsAlone,
    /// Those of its events that wait in holds do, too.
    LostWindowRunsAloneInHolds,
    /// What is behind a hold's head that ran alone does, too.
    BehindAloneIsAlone,
    /// A lane that is handed over stays wary.
    ReleaseStaysWary,
    /// `handed` is cleared by the commit that settles what ran alone.
    HandedIsCleared,
}

#[cfg(not(test))]
pub(super) const fn keeps(_: Rule) -> bool {
    true
}

#[cfg(test)]
pub(super) use super::tests::keeps;
