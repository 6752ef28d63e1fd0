use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::{config::Config, listener::Listener, shared::Shared};

/// How often the log is looked at while no notifications come: soon after something was found, then ever more
/// rarely.
const LIVELY: Duration = Duration::from_millis(25);
const CALM: Duration = Duration::from_secs(1);
/// How long after a connection for notifications was lost, or did not do, the next is tried.
const SOON: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_secs(30);

/// Wakes readers when another process has appended: by notifications, and by looking while there are none.
pub(super) async fn watch(shared: Arc<Shared>, config: Config) {
    let (hears, heard) = watch::channel(false);
    tokio::join!(listen(&shared, &config, hears), look(&shared, heard));
}

async fn listen(shared: &Shared, config: &Config, hears: watch::Sender<bool>) {
    let mut told = false;
    loop {
        let began = Instant::now();
        match hear(shared, config, &hears).await {
            Ok(false) => {
                tracing::info!("notifications are off: the log is polled");
                return;
            }
            Ok(true) => told = false,
            Err(error) if !told => {
                tracing::warn!(%error, "notifications do not arrive: the log is polled");
                told = true;
            }
            Err(error) => tracing::debug!(%error, "notifications still do not arrive"),
        }
        hears.send_replace(false);
        let pause = if began.elapsed() > LATER { SOON } else { LATER };
        tokio::time::sleep(if told { pause } else { SOON }).await;
    }
}

/// Wakes readers by notifications until the connection is lost; false if nobody is to listen.
async fn hear(shared: &Shared, config: &Config, hears: &watch::Sender<bool>) -> busway_core::Result<bool> {
    let Some(mut listener) = Listener::open(config).await? else { return Ok(false) };
    listener.test(&shared.pool, shared.bell.note()).await?;
    tracing::info!("notifications arrive: the log is not polled");
    hears.send_replace(true);
    // What came before this was not heard.
    shared.wake();
    while let Some(note) = listener.next().await {
        if note != shared.bell.note() {
            shared.wake();
        }
    }
    Ok(true)
}

/// Looks at the log while nothing is heard and somebody waits for a hint.
async fn look(shared: &Shared, mut heard: watch::Receiver<bool>) {
    let mut pause = LIVELY;
    let mut seen = shared.known.heads();
    loop {
        // An error means that nothing will ever be heard: then it is looked at for good.
        let hears = *heard.borrow_and_update();
        if hears {
            if heard.changed().await.is_ok() {
                pause = LIVELY;
            }
            continue;
        }
        match timeout(pause, heard.changed()).await {
            Ok(Ok(())) => continue,
            Ok(Err(_)) => tokio::time::sleep(pause).await,
            Err(_) => {}
        }
        pause = (pause * 2).min(CALM);
        if !shared.has_waiters() {
            continue;
        }
        match shared.hear_heads().await {
            Ok(heads) if heads.seqs != seen => {
                seen = heads.seqs;
                pause = LIVELY;
                shared.wake();
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the log cannot be looked at"),
        }
    }
}
