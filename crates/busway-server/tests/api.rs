mod dead_letters;
mod events;
mod operations;
mod subscriptions;
