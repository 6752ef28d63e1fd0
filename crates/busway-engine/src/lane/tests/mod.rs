mod case;
mod explore;
mod ghost;
mod permit;
mod rules;
mod searches;
mod store;
mod traps;
mod world;

use std::cell::Cell;

use super::rule::Rule;

thread_local! {
    static LEFT_OUT: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// False of a rule that this thread's search leaves out.
pub(super) fn keeps(rule: Rule) -> bool {
    LEFT_OUT.get() != Some(rule)
}
