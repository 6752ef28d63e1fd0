//! Ports for servers that have to be told theirs.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below what systems give to outgoing connections, so that a server that was stopped finds its port free again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static TRIED: AtomicU16 = AtomicU16::new(0);

/// Starts something on a free port; on another if somebody took it meanwhile, which is an error of kind `AddrInUse`.
pub(crate) fn with_free<T>(mut start: impl FnMut(u16) -> io::Result<T>) -> io::Result<T> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match start(free()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    start(free())
}

/// A port of 127.0.0.1 that is free at the moment; no two calls of one process give the same.
fn free() -> u16 {
    let start = process::id().wrapping_mul(37) % u32::from(COUNT);
    (0..COUNT)
        .map(|_| {
            let step = u32::from(TRIED.fetch_add(1, Ordering::Relaxed));
            FIRST + u16::try_from((start + step) % u32::from(COUNT)).unwrap_or_default()
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or_else(|| panic!("no port is free from {FIRST} to {}", FIRST + COUNT))
}
