use std::sync::Arc;

use super::material::{Holder, LANE, dead_letter, died, lane, saved, subscription, time};
use crate::{
    Body, DeadCause, DeadLetter, DeadLetterQuery, Entry, Event, EventType, KeyId, LaneCommit, Owner, Payload, Seq,
    SubscriptionRecord, TenantId, Undecodable,
    conformance::{Failed, Outcome, probe::Probe},
};

async fn page(probe: &Probe, query: DeadLetterQuery) -> Result<Vec<DeadLetter>, Failed> {
    let page = probe.again().await?.checkpoints().dead_letters(&query).await?;
    ensure!(page.items.is_sorted_by(|a, b| a.id < b.id), "the ids of dead letters do not rise");
    ensure!(!page.more, "more dead letters are promised than there are");
    Ok(page.items)
}

fn all() -> DeadLetterQuery {
    DeadLetterQuery { limit: 1_000, ..DeadLetterQuery::default() }
}

pub(in crate::conformance) async fn dead_letters_come_back_as_they_were_written(probe: &Probe) -> Outcome {
    let of = saved(probe, "billing").await?;
    let event = Arc::new(Event { payload: Payload::from_json(r#"{"b" : "\u0000é🔑", "a":1.0}"#)?, ..probe.event() });
    let most = Seq::MAX >> 1;
    let undecodable = Undecodable { raw: (0..=255).collect(), error: "no event: \u{0}".into() };
    let bodies = [Body::Event(event), Body::Undecodable(undecodable)];
    let causes =
        [DeadCause::Attempts, DeadCause::Permanent, DeadCause::Undecodable, DeadCause::Lost, DeadCause::Rejected];
    let mut letters = Vec::new();
    for (seq, cause) in (most - 4..=most).zip(causes) {
        let body = bodies[(seq % 2) as usize].clone();
        let entry = Arc::new(Entry { lane: LANE, seq, stored_at: time(7), body });
        let key = KeyId(u128::MAX - u128::from(seq % 3));
        letters.push(DeadLetter {
            entry,
            key,
            cause,
            error: "é\u{0}\n".repeat(900).into(),
            ..dead_letter(probe, &of, seq)
        });
    }
    died(probe, letters.clone()).await?;
    let stored = page(probe, all()).await?;
    ensure_eq!(stored.len(), letters.len(), "dead letters");
    for stored in &stored {
        ensure!(stored.id > 0, "a stored dead letter has no id");
        let written = letters.iter().find(|letter| letter.entry.seq == stored.entry.seq);
        let written = written.map(|letter| DeadLetter { id: stored.id, ..letter.clone() });
        ensure_eq!(Some(stored), written.as_ref(), "a dead letter");
        let by_id = probe.checkpoints().dead_letter(stored.id).await?;
        ensure_eq!(by_id.as_ref(), Some(stored), "a dead letter by its id");
        let by_place = probe.checkpoints().dead_letter_of(of.id, LANE, stored.entry.seq).await?;
        ensure_eq!(by_place.as_ref(), Some(stored), "a dead letter by its place");
    }
    let mut seqs = lane(probe, of.id).await?.dead;
    seqs.sort_unstable();
    ensure_eq!(seqs, (most - 4..=most).collect::<Vec<_>>(), "seqs of dead letters in the lane");
    ensure_eq!(probe.checkpoints().dead_count(of.id).await?, 5, "dead letters counted");
    Ok(())
}

pub(in crate::conformance) async fn one_that_dies_again_keeps_its_id_and_its_edit(probe: &Probe) -> Outcome {
    let of = saved(probe, "billing").await?;
    let first = dead_letter(probe, &of, 3);
    died(probe, vec![first.clone(), dead_letter(probe, &of, 4)]).await?;
    let before = page(probe, all()).await?;
    let edit = Payload::from_json(r#"{ "mended": "\u0000" }"#)?;
    ensure!(probe.checkpoints().edit_dead_letter(before[0].id, &edit).await?, "a stored dead letter was not found");
    let edited = DeadLetter { edited_payload: Some(edit.clone()), ..before[0].clone() };
    ensure_eq!(page(probe, all()).await?, [edited.clone(), before[1].clone()], "dead letters after an edit");
    let again =
        DeadLetter { attempts: 9, error: "again".into(), died_at: time(99), cause: DeadCause::Permanent, ..first };
    died(probe, vec![again.clone()]).await?;
    let again = DeadLetter { id: edited.id, edited_payload: Some(edit), ..again };
    ensure_eq!(page(probe, all()).await?, [again, before[1].clone()], "dead letters after one died again");
    ensure_eq!(probe.checkpoints().dead_count(of.id).await?, 2, "dead letters counted");
    Ok(())
}

/// Dead letters that differ in everything a query can ask for, and whose subscriptions they are of.
async fn various(probe: &Probe) -> Result<[SubscriptionRecord; 3], Failed> {
    let acme = Owner::Tenant(TenantId::new("acme")?);
    let owned = SubscriptionRecord { owner: acme, ..subscription(probe, "billing") };
    let start = vec![0; usize::from(probe.log().lanes())];
    ensure!(probe.checkpoints().save_subscription(&owned, None, &start).await?, "a new subscription was refused");
    let subscriptions = [saved(probe, "billing").await?, saved(probe, "mail").await?, owned];
    for of in &subscriptions {
        let mut letters = Vec::new();
        for (seq, tenant, event_type) in [(1, "acme", "a.b"), (2, "bolt", "a.b"), (3, "acme", "a.c"), (4, "bolt", "a")]
        {
            let event =
                Event { tenant: TenantId::new(tenant)?, event_type: EventType::new(event_type)?, ..probe.event() };
            let entry = Entry { lane: LANE, seq, stored_at: time(0), body: Body::Event(Arc::new(event)) };
            letters.push(DeadLetter {
                entry: Arc::new(entry),
                died_at: time(seq as i64),
                ..dead_letter(probe, of, seq)
            });
        }
        let body = Body::Undecodable(Undecodable { raw: Arc::new([1]), error: "no".into() });
        let entry = Arc::new(Entry { lane: LANE, seq: 5, stored_at: time(0), body });
        letters.push(DeadLetter { entry, died_at: time(5), ..dead_letter(probe, of, 5) });
        died(probe, letters).await?;
    }
    Ok(subscriptions)
}

pub(in crate::conformance) async fn dead_letters_are_chosen_by_each_field_of_a_query(probe: &Probe) -> Outcome {
    let [billing, mail, owned] = various(probe).await?;
    let tenant = |name: &str| Some(TenantId::from_store(name));
    let event_type = |name: &str| Some(EventType::from_store(name));
    let third = page(probe, all()).await?[2].id;
    let none = DeadLetterQuery::default;
    let cases = [
        (none(), 15),
        (DeadLetterQuery { owner: Some(Owner::Installation), ..none() }, 10),
        (DeadLetterQuery { owner: Some(owned.owner.clone()), ..none() }, 5),
        (DeadLetterQuery { owner: Some(Owner::Tenant(TenantId::new("bolt")?)), ..none() }, 0),
        (DeadLetterQuery { name: Some(billing.name.clone()), ..none() }, 10),
        (DeadLetterQuery { name: Some(billing.name), owner: Some(owned.owner), ..none() }, 5),
        (DeadLetterQuery { subscription: Some(mail.id), ..none() }, 5),
        (DeadLetterQuery { subscription: Some(mail.id), name: Some(owned.name), ..none() }, 0),
        (DeadLetterQuery { tenant: tenant("acme"), ..none() }, 6),
        (DeadLetterQuery { tenant: tenant("Acme"), ..none() }, 0),
        (DeadLetterQuery { event_type: event_type("a.b"), ..none() }, 6),
        (DeadLetterQuery { event_type: event_type("a"), ..none() }, 3),
        (
            DeadLetterQuery {
                event_type: event_type("a.b"),
                tenant: tenant("bolt"),
                subscription: Some(mail.id),
                ..none()
            },
            1,
        ),
        (DeadLetterQuery { before: Some(time(3)), ..none() }, 6),
        (DeadLetterQuery { before: Some(time(1)), ..none() }, 0),
        (DeadLetterQuery { after_id: third, ..none() }, 12),
        (DeadLetterQuery { after_id: u64::MAX >> 1, ..none() }, 0),
    ];
    for (query, count) in cases {
        let found = page(probe, DeadLetterQuery { limit: 1_000, ..query.clone() }).await?;
        ensure_eq!(found.len(), count, "dead letters for {query:?}");
        let fits = |letter: &DeadLetter| {
            query.owner.as_ref().is_none_or(|owner| *owner == letter.owner)
                && query.subscription.is_none_or(|id| id == letter.subscription)
                && query.name.as_ref().is_none_or(|name| *name == letter.name)
                && query
                    .tenant
                    .as_ref()
                    .is_none_or(|tenant| letter.entry.event().is_some_and(|event| event.tenant == *tenant))
                && query
                    .event_type
                    .as_ref()
                    .is_none_or(|wanted| letter.entry.event().is_some_and(|event| event.event_type == *wanted))
                && query.before.is_none_or(|before| letter.died_at < before)
                && letter.id > query.after_id
        };
        ensure!(found.iter().all(fits), "dead letters that do not fit {query:?}");
    }
    Ok(())
}

pub(in crate::conformance) async fn dead_letters_come_in_pages(probe: &Probe) -> Outcome {
    let [_, mail, _] = various(probe).await?;
    for (subscription, count) in [(None, 15), (Some(mail.id), 5)] {
        for limit in [1, 2, 5, 14, 15, 16] {
            let (mut met, mut after_id) = (0, 0);
            while met < count {
                let query = DeadLetterQuery { subscription, after_id, limit, ..DeadLetterQuery::default() };
                let page = probe.checkpoints().dead_letters(&query).await?;
                let rise =
                    page.items.is_sorted_by(|a, b| a.id < b.id) && page.items.iter().all(|letter| letter.id > after_id);
                ensure!(rise, "the ids of a page after {after_id} do not rise from there");
                ensure_eq!(page.items.len(), limit.min(count - met), "dead letters of a page of {limit} after {met}");
                met += page.items.len();
                ensure_eq!(page.more, met < count, "whether more follow after {met} of {count}");
                after_id = page.items.last().map_or(0, |letter| letter.id);
            }
        }
    }
    Ok(())
}

pub(in crate::conformance) async fn a_buried_dead_letter_is_gone(probe: &Probe) -> Outcome {
    let mut holder = Holder::of(probe, "billing").await?;
    let of = SubscriptionRecord { id: holder.id, ..subscription(probe, "billing") };
    let letters = (1..=3).map(|seq| dead_letter(probe, &of, seq)).collect();
    let commit = LaneCommit { dead: letters, ..holder.next() };
    holder.done(commit).await?;
    let before = page(probe, all()).await?;
    let commit = LaneCommit { buried: vec![2, 77], ..holder.next() };
    holder.done(commit).await?;
    let id = before[1].id;
    ensure_eq!(page(probe, all()).await?, [before[0].clone(), before[2].clone()], "dead letters after one was buried");
    ensure_eq!(probe.checkpoints().dead_letter(id).await?, None, "a buried dead letter by its id");
    ensure_eq!(
        probe.checkpoints().dead_letter_of(holder.id, LANE, 2).await?,
        None,
        "a buried dead letter by its place"
    );
    ensure_eq!(probe.checkpoints().dead_count(holder.id).await?, 2, "dead letters counted");
    ensure_eq!(holder.stored().await?.dead, [1, 3], "dead letters of the lane");
    ensure!(!probe.checkpoints().edit_dead_letter(id, &Payload::empty()).await?, "a buried dead letter was edited");
    let commit = LaneCommit { dead: vec![dead_letter(probe, &of, 2)], ..holder.next() };
    holder.done(commit).await?;
    let later = probe.checkpoints().dead_letter_of(holder.id, LANE, 2).await?.map(|letter| letter.id);
    ensure!(later > before.last().map(|letter| letter.id), "a new dead letter has id {later:?}, not above all before");
    Ok(())
}

pub(in crate::conformance) async fn a_dead_letter_is_dropped_only_without_its_subscription(probe: &Probe) -> Outcome {
    let of = saved(probe, "billing").await?;
    died(probe, vec![dead_letter(probe, &of, 1), dead_letter(probe, &of, 2)]).await?;
    let letters = page(probe, all()).await?;
    let checkpoints = probe.checkpoints();
    ensure!(!checkpoints.drop_dead_letter(letters[0].id).await?, "a living subscription's dead letter was dropped");
    ensure_eq!(page(probe, all()).await?, letters, "dead letters of a living subscription");
    ensure!(checkpoints.remove_subscription(of.id, true).await?, "a stored subscription was not found");
    ensure!(checkpoints.drop_dead_letter(letters[0].id).await?, "an orphaned dead letter was not dropped");
    ensure!(!checkpoints.drop_dead_letter(letters[0].id).await?, "a dead letter was dropped twice");
    ensure_eq!(page(probe, all()).await?, letters[1..], "dead letters after one was dropped");
    ensure_eq!(checkpoints.dead_letter_of(of.id, LANE, 1).await?, None, "a dropped dead letter by its place");
    Ok(())
}
