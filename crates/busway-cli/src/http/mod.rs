//! The client side of Busway's HTTP API.

mod base;
mod client;
mod pages;
mod problem;
mod stream;

pub(crate) use base::Base;
pub(crate) use client::{Answer, Client, encoded, query};
pub(crate) use pages::List;
#[cfg(test)]
pub(crate) use problem::Fault;
pub(crate) use problem::Problem;
pub(crate) use stream::{Frame, Frames};
