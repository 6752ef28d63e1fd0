//! Which member works on which lane.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use busway_core::{LaneId, MemberId, SubscriptionId};

/// Spreads a subscription's lanes over members by rendezvous hashing, so evenly that no member has two lanes more than
/// another: each lane and member weigh something together, and from the heaviest pair on a lane goes to the member if it
/// has no owner yet and the member has room. All who know the same members find the same, and a change of members moves
/// few lanes.
pub(crate) fn spread<'a>(
    subscription: SubscriptionId,
    lanes: impl IntoIterator<Item = LaneId>,
    members: impl IntoIterator<Item = &'a MemberId>,
) -> BTreeMap<LaneId, MemberId> {
    let lanes: BTreeSet<LaneId> = lanes.into_iter().collect();
    let mut counts: BTreeMap<MemberId, usize> = members.into_iter().map(|member| (*member, 0)).collect();
    let Some(each) = lanes.len().checked_div(counts.len()) else { return BTreeMap::new() };
    // As many members have one lane more.
    let mut more = lanes.len() % counts.len();
    let pairs_of = |member: &MemberId| {
        let member = *member;
        lanes.iter().map(move |lane| (weight(subscription, *lane, member), *lane, member))
    };
    let mut pairs: Vec<(u64, LaneId, MemberId)> = counts.keys().flat_map(pairs_of).collect();
    pairs.sort_unstable_by_key(|pair| Reverse(*pair));
    let mut owners = BTreeMap::new();
    for (_, lane, member) in pairs {
        let count = counts.entry(member).or_default();
        let has_room = *count < each || *count == each && more > 0;
        if has_room && !owners.contains_key(&lane) {
            more -= usize::from(*count == each);
            *count += 1;
            owners.insert(lane, member);
        }
    }
    owners
}

fn weight(subscription: SubscriptionId, lane: LaneId, member: MemberId) -> u64 {
    let (high, low) = member.0.as_u64_pair();
    let (of, which) = subscription.0.as_u64_pair();
    [low, of, which, u64::from(lane.0)].into_iter().fold(high, |hash, part| {
        let mixed = (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use busway_core::{Random, SeededRandom};
    use uuid::Uuid;

    use super::*;

    fn ids(seed: u64, count: usize) -> Vec<Uuid> {
        let random = SeededRandom::new(seed);
        (0..count).map(|_| Uuid::from_u64_pair(random.next(), random.next())).collect()
    }

    fn subscription() -> SubscriptionId {
        SubscriptionId(ids(1, 1)[0])
    }

    fn counts(owners: &BTreeMap<LaneId, MemberId>, members: &[MemberId]) -> Vec<usize> {
        members.iter().map(|member| owners.values().filter(|owner| *owner == member).count()).collect()
    }

    #[test]
    fn every_lane_has_an_owner_and_no_member_two_lanes_more_than_another() {
        for (seed, lanes, many) in (0..400).map(|seed| (seed, 1 + seed % 17, 1 + seed as usize % 23)) {
            let members: Vec<MemberId> = ids(seed + 2, many).into_iter().map(MemberId).collect();
            let owners = spread(subscription(), (0..lanes as u16).map(LaneId), &members);
            assert_eq!(owners.len(), lanes as usize, "lanes with an owner, seed {seed}");
            let counts = counts(&owners, &members);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "lanes of each, seed {seed}: {counts:?}");
        }
    }

    #[test]
    fn all_who_know_the_same_members_find_the_same() {
        let mut members: Vec<MemberId> = ids(5, 7).into_iter().map(MemberId).collect();
        let owners = spread(subscription(), (0..16).map(LaneId), &members);
        members.reverse();
        assert_eq!(spread(subscription(), (0..16).rev().map(LaneId), &members), owners);
    }

    #[test]
    fn nobody_works_where_nobody_is() {
        assert!(spread(subscription(), (0..8).map(LaneId), &[]).is_empty());
    }

    #[test]
    fn a_member_that_comes_moves_few_lanes_but_those_that_it_takes() {
        let mut moved = 0;
        for seed in 0..100 {
            let members: Vec<MemberId> = ids(seed, 4).into_iter().map(MemberId).collect();
            let before = spread(subscription(), (0..64).map(LaneId), &members[..3]);
            let after = spread(subscription(), (0..64).map(LaneId), &members);
            moved += before.iter().filter(|(lane, owner)| after[lane] != **owner).count() - 16;
        }
        assert!(moved < 100 * 8, "lanes that moved and were not the new member's, in 100 changes: {moved}");
    }
}
