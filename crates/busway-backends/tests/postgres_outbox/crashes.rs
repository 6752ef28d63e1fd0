use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use busway_testbed::postgres::Server;
use tokio_postgres::{Client, Error, NoTls};
use uuid::Uuid;

use super::shop::Shop;

async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // What broke it the client's calls tell.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Changes one order after the other, each in a transaction, until the server goes away.
async fn write(url: &str, key: &str, stop: &AtomicBool) -> Result<(), Error> {
    let client = connect(url).await?;
    while !stop.load(Ordering::Acquire) {
        client.batch_execute("begin").await?;
        client.query_one("select change($1)", &[&key]).await?;
        client.batch_execute("commit").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_the_server_crashed_is_heard_when_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let shop = Shop::open(&server).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (url, stop) = (shop.database.url.clone(), stop.clone());
        writers.push(tokio::spawn(async move {
            let key = format!("o{}", writer % 5);
            // Each crash ends the connection; whether its last commit was made is in the table.
            while write(&url, &key, &stop).await.is_err() {}
        }));
    }
    for _ in 0..2 {
        shop.heard.until(shop.heard.all().len() + 100).await;
        tokio::task::block_in_place(|| {
            server.stop_immediate();
            server.start_again();
        });
    }
    shop.heard.until(shop.heard.all().len() + 100).await;
    stop.store(true, Ordering::Release);
    for writer in writers {
        writer.await.unwrap();
    }
    let told = shop.told().await;
    shop.heard.until_all(&told.events).await;
    let heard = shop.heard.all();
    let mut seen = HashSet::new();
    let firsts: Vec<&(Uuid, String, i32)> = heard.iter().filter(|(event, ..)| seen.insert(*event)).collect();
    assert_eq!(firsts.len(), told.events.len(), "heard what was never committed");
    for (key, counts) in &told.counts {
        let of_key: Vec<i32> = firsts.iter().filter(|(_, of, _)| of == key).map(|(.., n)| *n).collect();
        assert_eq!(of_key, *counts, "key {key}");
    }
    println!("committed {}, heard all, repeated {}", firsts.len(), heard.len() - firsts.len());
    shop.engine.shutdown().await.unwrap();
}
