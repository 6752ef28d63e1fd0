//! What PostgreSQL itself adds to lanes: commits that wait for each other, changes of holds that are put together, and
//! rows that an open transaction keeps from being cleared away.

mod commits;
mod growth;
mod removal;
mod stage;
