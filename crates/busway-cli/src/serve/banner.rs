use std::{env, path::Path, time::Instant};

use crate::{failure::Failure, node::Node};

/// Says on standard error what is there and what to do with it.
pub(super) async fn show(node: &Node, started: Instant) -> Result<(), Failure> {
    let (store, address, me) = (node.describe_store().await?, node.address(), invoked_as());
    let version = env!("CARGO_PKG_VERSION");
    eprintln!("busway {version} ready in {} ms", started.elapsed().as_millis());
    eprintln!("  store   {store}");
    eprintln!("  api     http://{address}/api");
    eprintln!("  access  this machine only, no keys yet");
    eprintln!("  next    {me} tail    events as they arrive");
    eprintln!("          {me} publish ticket.created '{{\"id\":1}}' --tenant acme");
    Ok(())
}

/// The program as its caller wrote it, so that what is shown can be typed.
fn invoked_as() -> String {
    let first = env::args().next().filter(|first| Path::new(first).file_name().is_some_and(|name| name == "busway"));
    first.unwrap_or_else(|| "busway".into())
}
