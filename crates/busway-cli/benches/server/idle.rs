use std::{thread, time::Duration};

use crate::{
    process::Server,
    rounds,
    table::{Figures, row},
};

const MINUTE: Duration = Duration::from_secs(60);

/// As many servers as there are rounds, each on an empty log, over the same minute.
pub(crate) fn measure() {
    let (mut ready, mut memory, mut processor) = (Figures::new(" ms"), Figures::new(" MiB"), Figures::new(" %"));
    let rounds = rounds();
    eprintln!("{rounds} idle servers for a minute");
    let servers: Vec<Server> = (0..rounds).map(|_| Server::start()).collect();
    let before: Vec<Duration> = servers.iter().map(Server::processor_time).collect();
    thread::sleep(MINUTE);
    for (server, before) in servers.iter().zip(before) {
        let used = server.processor_time() - before;
        ready.add(server.ready_after.as_secs_f64() * 1e3);
        memory.add(server.resident());
        processor.add(used.as_secs_f64() / MINUTE.as_secs_f64() * 100.0);
    }
    row("a server on an empty log, ready after its process was made", &ready, None, ..200.0);
    row("the same, resident memory after an idle minute", &memory, None, ..30.0);
    row("the same, processor over an idle minute", &processor, None, ..0.2);
}
