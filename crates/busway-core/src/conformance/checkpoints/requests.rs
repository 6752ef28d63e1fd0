use super::material::{Holder, LANE, lane, saved};
use crate::{
    ErrorKind, LaneCommit, LaneId, RequestKind, Seq, SubscriptionId,
    conformance::{Outcome, probe::Probe},
};

fn kinds() -> [RequestKind; 5] {
    let most = Seq::MAX >> 1;
    [
        RequestKind::Seek { to: most },
        RequestKind::Retry { seq: 3, key: u128::MAX, turn: u64::MAX },
        RequestKind::Discard { seq: most, key: 1 << 127 },
        RequestKind::Redefine { revision: 2, end: 17 },
        RequestKind::Seek { to: 0 },
    ]
}

pub(in crate::conformance) async fn requests_come_back_in_the_order_they_were_left(probe: &Probe) -> Outcome {
    let subscriptions = [saved(probe, "billing").await?.id, saved(probe, "mail").await?.id];
    let last = probe.lanes().last().unwrap_or(LANE);
    let handles = [probe, &probe.again().await?];
    let mut expected = Vec::new();
    for (n, kind) in kinds().into_iter().cycle().take(20).enumerate() {
        let (subscription, lane) = (subscriptions[n % 2], if n % 3 == 0 { last } else { LANE });
        let id = handles[n % 2].checkpoints().request(subscription, lane, kind.clone()).await?;
        expected.push(crate::Request { id, subscription, lane, kind });
    }
    ensure!(expected.is_sorted_by(|a, b| a.id < b.id), "the ids of requests do not rise");
    ensure_eq!(probe.checkpoints().requests().await?, expected, "requests");
    for subscription in subscriptions {
        for id in probe.lanes() {
            let own: Vec<_> =
                expected.iter().filter(|asked| asked.subscription == subscription && asked.lane == id).collect();
            let stored =
                probe.checkpoints().lane(subscription, id).await?.map(|lane| lane.requests).unwrap_or_default();
            ensure_eq!(stored.iter().collect::<Vec<_>>(), own, "requests of lane {id}");
        }
    }
    Ok(())
}

pub(in crate::conformance) async fn a_request_is_struck_off_by_the_commit_that_carries_it_out(
    probe: &Probe,
) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let mut ids = Vec::new();
    for kind in kinds() {
        ids.push(probe.checkpoints().request(holder.id, LANE, kind).await?);
    }
    let mut commit = LaneCommit { requests: vec![ids[1], ids[3], u64::MAX >> 1], ..holder.next() };
    holder.done(commit.clone()).await?;
    let left = async || {
        let all = probe.checkpoints().requests().await?;
        let own = lane(probe, holder.id).await?.requests;
        ensure_eq!(all, own, "requests of all against those of the lane");
        Ok::<_, crate::conformance::Failed>(all.into_iter().map(|request| request.id).collect::<Vec<_>>())
    };
    ensure_eq!(left().await?, [ids[0], ids[2], ids[4]], "requests left");
    commit.requests = ids.clone();
    commit.checkpoint.written_by ^= 1;
    holder.fenced(commit).await?;
    ensure_eq!(left().await?, [ids[0], ids[2], ids[4]], "requests left after a commit that was refused");
    Ok(())
}

pub(in crate::conformance) async fn a_request_for_what_is_not_there_is_refused(probe: &Probe) -> Outcome {
    saved(probe, "billing").await?;
    let unknown = SubscriptionId(probe.id());
    let refused = probe.checkpoints().request(unknown, LaneId(0), RequestKind::Seek { to: 1 }).await;
    ensure_eq!(
        refused.map_err(|error| error.kind()),
        Err(ErrorKind::NotFound),
        "a request for an unknown subscription"
    );
    ensure!(probe.checkpoints().requests().await?.is_empty(), "a refused request is kept");
    Ok(())
}
