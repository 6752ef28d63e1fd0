use busway::{Context, ErrorKind, Event, NewEvent, testing};
use serde_json::Value;

use crate::tickets::{Ear, TicketCreated, created};

#[tokio::test]
async fn a_tenants_listener_hears_its_own_tenant_alone() {
    let bus = testing::bus().await;
    let (acme, all) = (Ear::default(), Ear::default());
    for (tenant, ear) in [(Some("acme"), acme.clone()), (None, all.clone())] {
        let listener = move |event: Event<Value>, cx: Context| {
            ear.hear(format!("{} {}", event.tenant, cx.subscription()));
            std::future::ready(Ok(()))
        };
        match tenant {
            Some(tenant) => bus.tenant(tenant).subscribe("ear", listener).await.unwrap(),
            None => bus.subscribe("ear", listener).await.unwrap(),
        };
    }
    for tenant in ["hilltop", "acme"] {
        bus.tenant(tenant).publish(created(1)).await.unwrap();
    }
    bus.drain().await.assert_ok();
    assert_eq!(acme.heard(), ["acme ear"]);
    assert_eq!(all.heard(), ["hilltop ear", "acme ear"]);
}

#[tokio::test]
async fn a_handle_cannot_leave_its_tenant() {
    let bus = testing::bus().await;
    let acme = bus.tenant("acme");
    acme.publish(NewEvent::from(created(1)).tenant("acme")).await.unwrap();
    let error = acme.publish(NewEvent::from(created(1)).tenant("hilltop")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(error.fields()[0].pointer, "/tenantId");
    bus.subscribe("installations", Ear::<TicketCreated>::default().payloads()).await.unwrap();
    let theirs = bus.tenant("hilltop").subscribe("theirs", Ear::<TicketCreated>::default().payloads()).await.unwrap();
    for name in ["installations", "theirs"] {
        let hidden = acme.subscription(name).unwrap();
        assert_eq!(hidden.view().await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        assert_eq!(hidden.remove().await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    }
    theirs.view().await.unwrap();
}

#[tokio::test]
async fn a_wrong_tenant_name_is_told_by_whatever_is_awaited_first() {
    let bus = testing::bus().await;
    let wrong = bus.tenant("a tenant");
    let ear = Ear::<TicketCreated>::default();
    for error in [
        wrong.publish(created(1)).await.unwrap_err(),
        wrong.subscribe("ear", ear.payloads()).await.unwrap_err(),
        wrong.ephemeral("*", ear.payloads()).await.unwrap_err(),
        wrong.publish_and_wait::<()>(created(1), "ear").await.unwrap_err(),
        wrong.subscription("ear").unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.fields()[0].pointer.as_str()), (ErrorKind::InvalidEvent, "/tenantId"));
    }
}
