//! Who lost a lease although nobody killed or froze it: on a busy machine a process may stand still for a while.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use busway_core::{MemberId, MemberRecord, Seam, Stores};
use tokio::{sync::Notify, task::JoinHandle};

use super::diary::Diary;

/// Between looks at the members' counters.
const LOOK: Duration = Duration::from_millis(100);

/// A process whose counter may have stood still for a lease, and the lines of the diary before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspended {
    pub(crate) process: u64,
    pub(crate) after: u64,
}

/// Watches the members' counters as a member of its own that serves nothing.
pub(crate) struct LeaseWatch {
    end: Arc<Notify>,
    task: JoinHandle<Vec<Suspended>>,
}

/// A counter since before it rose to where it stands.
struct Standing {
    counter: u64,
    since: Instant,
    after: u64,
    noted: bool,
}

impl LeaseWatch {
    pub(crate) fn begin(stores: &Stores, diary: Diary) -> Self {
        let end = Arc::new(Notify::new());
        let task = tokio::spawn(watch(stores.clone(), diary, Arc::clone(&end)));
        Self { end, task }
    }

    pub(crate) async fn end(self) -> Vec<Suspended> {
        self.end.notify_one();
        self.task.await.unwrap()
    }
}

async fn watch(stores: Stores, diary: Diary, end: Arc<Notify>) -> Vec<Suspended> {
    let mut me = MemberRecord {
        id: MemberId(Seam::system().id()),
        name: "watch".into(),
        counter: 0,
        lease_ms: 60_000,
        serves: Vec::new(),
    };
    let mut suspended = Vec::new();
    let mut members: BTreeMap<MemberId, Standing> = BTreeMap::new();
    let mut looked = (Instant::now(), diary.len());
    loop {
        me.counter += 1;
        let before = (Instant::now(), diary.len());
        let pulse = stores.checkpoints.pulse(&me).await.unwrap();
        for member in &pulse.members {
            let Some(process) = process_of(member) else { continue };
            let new = Standing { counter: member.counter, since: looked.0, after: looked.1, noted: false };
            let standing = members.entry(member.id).or_insert(new);
            // Counted from before it rose until after it was seen: no lease that was lost is missed.
            if !standing.noted && standing.since.elapsed() >= member.lease() {
                standing.noted = true;
                suspended.push(Suspended { process, after: standing.after });
            }
            if standing.counter != member.counter {
                *standing = Standing { counter: member.counter, since: looked.0, after: looked.1, noted: false };
            }
        }
        looked = before;
        tokio::select! {
            () = end.notified() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    stores.checkpoints.remove_member(me.id).await.unwrap();
    suspended
}

/// Which process a member is, by its name `process-7@host:1234`.
fn process_of(member: &MemberRecord) -> Option<u64> {
    member.name.strip_prefix("process-")?.split('@').next()?.parse().ok()
}
