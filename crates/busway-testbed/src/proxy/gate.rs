//! What may flow through a connection, and how fast.

use std::{future::pending, time::Duration};

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    /// From client to server.
    pub(super) requests: bool,
    /// From server to client.
    pub(super) answers: bool,
    pub(super) delay: Duration,
}

impl Default for Flow {
    fn default() -> Self {
        Self { requests: true, answers: true, delay: Duration::ZERO }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Requests,
    Answers,
}

/// What the ends of a connection wait at.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) flow: watch::Receiver<Flow>,
    pub(super) direction: Direction,
}

impl Gate {
    /// Waits until something may flow in this direction; gives the delay that holds then.
    pub(super) async fn open(&mut self) -> Duration {
        let direction = self.direction;
        let flows = |flow: &Flow| match direction {
            Direction::Requests => flow.requests,
            Direction::Answers => flow.answers,
        };
        let delay = self.flow.wait_for(flows).await.map(|flow| flow.delay).ok();
        match delay {
            Some(delay) => delay,
            // Nobody can open it any more.
            None => pending().await,
        }
    }
}
