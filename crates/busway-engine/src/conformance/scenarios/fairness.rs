use std::time::Duration;

use busway_core::{Clock, conformance::Outcome};

use super::{
    acting::{Act, Book},
    material::{event, keyed, number, run, scaled, sorted, tenant},
    stage::Stage,
};

const SECOND: Duration = Duration::from_secs(1);

/// Publishes many of one tenant, lets them pile up, and then one each of enough others that some share its lane.
async fn crowd(stage: &Stage, many: u64, restart: bool) -> Outcome {
    let book = Book::default();
    let script = |_: &crate::Delivery| Act::Last(Duration::from_millis(10));
    let mut member = stage.join().await?;
    member.work(stage, "s", &run(), &book, script).await?;
    stage.publish(&member, (0..many).map(event).collect()).await?;
    stage.pass(SECOND * 3).await;
    if restart {
        member.leave(stage).await?;
        member = stage.join().await?;
        member.work(stage, "s", &run(), &book, script).await?;
        stage.pass(SECOND * 2).await;
    }
    ensure!((book.acked() as u64) < many, "the crowd is through already");
    let began = stage.clock.elapsed();
    let small: Vec<_> = (0..32).map(|n| event(many + n).with_tenant(tenant(&format!("small-{n}")))).collect();
    stage.publish(&member, small).await?;
    let others = || book.runs().into_iter().filter(|run| run.n >= many).collect::<Vec<_>>();
    stage
        .until_by("the others' events are handled", SECOND * 60, async || {
            Ok(others().iter().filter(|run| run.acked()).count() == 32)
        })
        .await?;
    ensure!((book.acked() as u64) < many, "the crowd was through before them");
    for run in others() {
        let waited = run.started.saturating_sub(began);
        ensure!(waited <= SECOND, "event {} of {} waited {waited:?} behind the crowd", run.n, run.event.tenant);
    }
    stage.settled().await?;
    ensure!(sorted(book.numbers()).into_iter().eq(0..many + 32), "not everything was delivered, or not once");
    Ok(())
}

pub(super) async fn an_event_of_one_tenant_is_soon_handled_behind_many_of_another(stage: &Stage) -> Outcome {
    crowd(stage, scaled(20_000, 1_000_000), false).await
}

pub(super) async fn tenants_take_turns_also_after_a_restart(stage: &Stage) -> Outcome {
    crowd(stage, scaled(20_000, 200_000), true).await
}

pub(super) async fn what_a_tenant_has_too_much_of_arrives_in_order_and_once(stage: &Stage) -> Outcome {
    let book = Book::default();
    let member = stage.join().await?;
    member
        .work(stage, "s", &run(), &book, |delivery| match number(&delivery.event) % 500 {
            7 if delivery.attempt == 1 => Act::Fail,
            _ => Act::Last(Duration::from_millis(10)),
        })
        .await?;
    let many = 4_000;
    stage.publish(&member, (0..many).map(|n| keyed(n, &format!("k{}", n % 100))).collect()).await?;
    let others =
        (many..many + 200).map(|n| keyed(n, &format!("k{}", n % 7)).with_tenant(tenant(&format!("t{}", n % 5))));
    stage.publish(&member, others.collect()).await?;
    stage.settled().await?;
    let summary = stage.judged(&[stage.bounds("s", 3, true)]).await?;
    ensure_eq!((summary.delivered, summary.repeated), (many as usize + 200, 0), "delivered and repeated");
    Ok(())
}
