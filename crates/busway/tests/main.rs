//! What an application sees of Busway, by feature.
#![allow(clippy::unwrap_used)]

mod context;
mod ephemeral;
mod examples;
mod inline;
mod listeners;
mod names;
mod open;
mod outcomes;
mod payloads;
mod publish;
mod replies;
mod shutdown;
mod subscriptions;
mod tenants;
mod test_bus;
mod tickets;
