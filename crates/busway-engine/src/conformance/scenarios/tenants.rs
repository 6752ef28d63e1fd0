use std::time::Duration;

use busway_core::{
    DeadLetterQuery, Owner,
    conformance::{Failed, Outcome},
};

use super::{
    acting::{Act, Book},
    material::{ALL, event, keyed, name, number, pull, refused, run, sorted, tenant},
    stage::Stage,
};
use crate::EventQuery;

pub(super) async fn a_tenant_sees_nothing_of_another(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let [acme, hill] = ["acme", "hill"].map(|of| Owner::Tenant(tenant(of)));
    for owner in [&acme, &hill] {
        stage.drive(member.engine.put(owner.clone(), name("p"), pull(), false)).await?;
    }
    let book = Book::default();
    let handler = std::sync::Arc::new(member.acting("s", run().order, &book, |_| Act::Die));
    stage.drive(member.engine.subscribe(acme.clone(), name("s"), run(), false, handler)).await?;
    let events = (0..40).map(|n| keyed(n, "same").with_tenant(tenant(if n % 2 == 0 { "acme" } else { "hill" })));
    stage.publish(&member, events.collect()).await?;
    for (owner, odd) in [(&acme, 0), (&hill, 1)] {
        let pulled = stage.drive(member.engine.pull(owner, &name("p"), 400, Duration::ZERO)).await?;
        let numbers: Vec<u64> =
            pulled.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))).collect();
        ensure_eq!(numbers, (0..40).filter(|n| n % 2 == odd).collect::<Vec<_>>(), "what {owner} pulls");
        let view = stage.drive(member.engine.subscription(owner, &name("p"))).await?;
        ensure_eq!(view.in_flight, 20, "what {owner} has in flight");
    }
    stage.until("everything is dead", async || Ok(stage.letters().await?.len() == 20)).await?;
    ensure_eq!(
        sorted(book.runs().iter().map(|run| run.n).collect()),
        (0..40).filter(|n| n % 2 == 0).collect::<Vec<_>>(),
        "what its handler got"
    );
    let of = async |owner: &Owner| {
        let query = DeadLetterQuery { owner: Some(owner.clone()), limit: 100, ..DeadLetterQuery::default() };
        Ok::<_, Failed>(stage.drive(member.engine.dead_letters(&query)).await?.items)
    };
    ensure_eq!((of(&acme).await?.len(), of(&hill).await?.len()), (20, 0), "dead letters of both");
    let id = of(&acme).await?[0].id;
    ensure_eq!(refused(member.engine.dead_letter(Some(&hill), id).await), "not_found", "the other's dead letter");
    ensure_eq!(refused(member.engine.retry_dead_letter(Some(&hill), id).await), "not_found", "a retry of it");
    ensure_eq!(refused(member.engine.discard_dead_letter(Some(&hill), id).await), "not_found", "discarding it");
    ensure_eq!(refused(member.engine.subscription(&hill, &name("s")).await), "not_found", "the other's subscription");
    ensure_eq!(member.engine.subscriptions(Some(&hill)).await?.len(), 1, "subscriptions that are shown");
    let query = EventQuery { tenant: Some(tenant("hill")), limit: 100, ..EventQuery::default() };
    let listed = stage.drive(member.engine.events(query)).await?.entries;
    ensure_eq!(listed.len(), 20, "events listed");
    ensure!(
        listed.iter().all(|entry| entry.event().is_some_and(|event| event.tenant == tenant("hill"))),
        "another's are listed"
    );
    let mine = listed[0].event().map(|event| event.id.to_string()).unwrap_or_default();
    ensure_eq!(
        refused(member.engine.event(Some(&tenant("acme")), None, &mine).await),
        "not_found",
        "the other's event"
    );
    let operation = stage
        .drive(
            member
                .engine
                .retry_dead_letters(DeadLetterQuery { owner: Some(acme.clone()), ..DeadLetterQuery::default() }),
        )
        .await?;
    ensure_eq!(refused(member.engine.operation(Some(&hill), operation).await), "not_found", "the other's operation");
    Ok(())
}

pub(super) async fn a_tenant_that_reads_the_past_sees_its_own_alone(stage: &Stage) -> Outcome {
    let member = stage.join().await?;
    let events = (0..40).map(|n| keyed(n, "same").with_tenant(tenant(if n % 2 == 0 { "acme" } else { "hill" })));
    stage.publish(&member, events.collect()).await?;
    let reader = stage.join().await?;
    let hill = Owner::Tenant(tenant("hill"));
    stage.drive(reader.engine.put(hill.clone(), name("p"), pull(), false)).await?;
    let book = Book::default();
    let handler = std::sync::Arc::new(reader.acting("s", run().order, &book, |_| Act::Done));
    stage.drive(reader.engine.subscribe(hill.clone(), name("s"), run(), false, handler)).await?;
    let pulled = stage.drive(reader.engine.pull(&hill, &name("p"), 400, Duration::ZERO)).await?;
    let pulled: Vec<u64> = pulled.iter().filter_map(|leased| leased.entry.event().map(|event| number(event))).collect();
    let wanted: Vec<u64> = (0..40).filter(|n| n % 2 == 1).collect();
    ensure_eq!(pulled, wanted, "what is pulled");
    stage.until("the past is delivered", async || Ok(book.acked() >= 20)).await?;
    stage.pass(Duration::from_secs(5)).await;
    ensure_eq!(book.numbers(), wanted, "what is delivered");
    Ok(())
}

pub(super) async fn one_id_and_one_key_of_two_tenants_are_two_events_and_two_keys(stage: &Stage) -> Outcome {
    let (member, book) = (stage.join().await?, Book::default());
    member
        .work(stage, "s", &run(), &book, |delivery| match delivery.event.tenant.as_str() {
            "acme" => Act::Last(Duration::from_secs(600)),
            _ => Act::Done,
        })
        .await?;
    let id = uuid::Uuid::from_u128(7 << 80);
    let events = vec![keyed(1, "k").with_id(id), keyed(2, "k").with_id(id).with_tenant(tenant("hill"))];
    stage.publish(&member, events).await?;
    stage.pass(Duration::from_secs(3)).await;
    ensure_eq!(book.numbers(), [2], "what is done while the other tenant's key is busy");
    ensure_eq!(
        refused(member.engine.subscription(&ALL, &name("nobody")).await),
        "not_found",
        "a subscription nobody made"
    );
    stage.publish(&member, vec![event(3)]).await
}
