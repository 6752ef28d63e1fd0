use busway::ErrorKind;

use crate::tickets::created;

#[tokio::test]
async fn memory_is_opened_anew_each_time() {
    let one = busway::open("memory:").await.unwrap();
    one.publish(created(1)).await.unwrap();
    let two = busway::open("memory:").await.unwrap();
    let page = two.engine().events(busway::raw::EventQuery { limit: 10, ..Default::default() }).await.unwrap();
    assert!(page.entries.is_empty());
}

#[tokio::test]
async fn an_address_that_names_no_backend_is_refused_without_telling_its_secret() {
    for url in ["carrier://:hunter2@host", "nothing"] {
        let error = busway::open(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{url}");
        assert!(error.detail().contains("memory") && !error.detail().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_event_without_a_tenant_is_the_default_ones() {
    let bus = busway::open("memory:").default_tenant("acme").await.unwrap();
    bus.publish(created(1)).await.unwrap();
    let page = bus.engine().events(busway::raw::EventQuery { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!(page.entries[0].event().unwrap().tenant.as_str(), "acme");
}

#[tokio::test]
async fn names_are_checked_when_the_bus_is_opened() {
    assert!(busway::open("memory:").default_tenant("no tenant").await.is_err());
    assert!(busway::open("memory:").app("").await.is_err());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use busway::{Context, Event, Start};

    use crate::tickets::{Ear, TicketCreated, created};

    #[tokio::test]
    async fn a_file_keeps_what_was_published_and_how_far_was_heard() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("bus.db").display());
        let ear = Ear::<TicketCreated>::default();
        for round in 1..=2 {
            let bus = busway::open(&url).await.unwrap();
            bus.subscribe("durable", ear.payloads()).start(Start::Earliest).await.unwrap();
            let reply = |_: Event<TicketCreated>, cx: Context| async move { Ok(cx.reply("heard")?) };
            bus.subscribe("replies", reply).await.unwrap();
            let reply: String = bus.tenant("acme").publish_and_wait(created(round), "replies").await.unwrap();
            assert_eq!(reply, "heard");
            bus.idle().await.unwrap();
            bus.shutdown().await.unwrap();
        }
        assert_eq!(ear.heard(), [created(1), created(2)]);
    }
}
