use std::path::Path;

use tokio::{sync::oneshot, task::JoinHandle};

use crate::{config::Config, failure::Failure, http::Base, node::Node};

/// A server in this very process, on a port that nobody is told.
#[derive(Debug)]
pub(crate) struct Embedded {
    base: Base,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Embedded {
    /// Opens the store and serves it.
    pub(crate) async fn open(config: &Config, data: &Path) -> Result<Self, Failure> {
        let node = Node::start(config, data, "127.0.0.1:0").await?;
        let base = format!("http://{}", node.address()).parse().map_err(Failure::usage)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async {
                // An error means that the command is gone: then it is time to stop as well.
                let _ = stopped.await;
            };
            if let Err(error) = node.run(stopped).await {
                eprintln!("{}", Failure::from(error));
            }
        });
        Ok(Self { base, stop, task })
    }

    /// Its address.
    pub(crate) fn base(&self) -> Base {
        self.base.clone()
    }

    /// Finishes or hands back what is in flight, and closes the store.
    pub(crate) async fn close(self) {
        // Both fail only if the task has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
