//! The proxy passes everything on, until it is told to break something.

use std::time::{Duration, Instant};

use busway_testbed::{postgres::Server, proxy::Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_postgres::NoTls;

/// Far longer than anything that is bound to come takes.
const LONG: Duration = Duration::from_secs(60);
/// How long something that must not come is waited for: none of these tests fails because it is too long or too short.
const SHORT: Duration = Duration::from_millis(50);

/// A server that sends back what it gets, in front of it a proxy; what the server gets is told.
async fn echo() -> (Proxy, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("no port: {error}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("no address: {error}"));
    let (told, got) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut piece = [0; 1024];
                while let Ok(length @ 1..) = client.read(&mut piece).await {
                    let _ = told.send(piece[..length].to_vec());
                    if client.write_all(&piece[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (Proxy::start(&address.to_string()), got)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap_or_else(|error| panic!("the proxy refuses: {error}"))
}

async fn send(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap_or_else(|error| panic!("cannot send: {error}"));
}

/// The next bytes; empty when the other end has closed or broken off.
async fn receive(client: &mut TcpStream) -> String {
    let mut piece = [0; 1024];
    let length = timeout(LONG, client.read(&mut piece)).await.expect("an answer comes").unwrap_or(0);
    String::from_utf8_lossy(&piece[..length]).into_owned()
}

async fn hears_nothing(client: &mut TcpStream) -> bool {
    timeout(SHORT, client.read_u8()).await.is_err()
}

#[tokio::test]
async fn what_is_sent_arrives_and_ends_are_passed_on() {
    let (proxy, _got) = echo().await;
    let mut client = connect(&proxy).await;
    send(&mut client, "hello").await;
    assert_eq!(receive(&mut client).await, "hello");
    assert_eq!((proxy.count(), proxy.connections().len()), (1, 1));
    client.shutdown().await.unwrap();
    assert_eq!(receive(&mut client).await, "", "the server's end does not arrive");
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_nothing_else() {
    let (proxy, _got) = echo().await;
    let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);
    for client in [&mut first, &mut second] {
        send(client, "x").await;
        assert_eq!(receive(client).await, "x");
    }
    proxy.cut();
    assert!(proxy.connections().is_empty());
    assert_eq!((receive(&mut first).await, receive(&mut second).await), (String::new(), String::new()));
    let mut third = connect(&proxy).await;
    send(&mut third, "y").await;
    assert_eq!(receive(&mut third).await, "y");
    assert_eq!(proxy.count(), 3);
}

#[tokio::test]
async fn one_connection_can_be_cut_alone() {
    let (proxy, _got) = echo().await;
    let mut first = connect(&proxy).await;
    send(&mut first, "1").await;
    assert_eq!(receive(&mut first).await, "1");
    let mut second = connect(&proxy).await;
    send(&mut second, "2").await;
    assert_eq!(receive(&mut second).await, "2");
    proxy.connections()[0].cut();
    assert_eq!(receive(&mut first).await, "");
    send(&mut second, "3").await;
    assert_eq!(receive(&mut second).await, "3");
    assert_eq!(proxy.connections().len(), 1);
}

#[tokio::test]
async fn what_is_frozen_is_silent_and_flows_when_it_thaws() {
    let (proxy, mut got) = echo().await;
    let mut old = connect(&proxy).await;
    send(&mut old, "a").await;
    assert_eq!(receive(&mut old).await, "a");
    got.recv().await;
    proxy.freeze();
    let mut new = connect(&proxy).await;
    send(&mut old, "b").await;
    send(&mut new, "c").await;
    assert!(hears_nothing(&mut old).await && hears_nothing(&mut new).await, "a frozen connection answers");
    assert!(got.try_recv().is_err(), "a frozen connection passes something on");
    proxy.thaw();
    assert_eq!((receive(&mut old).await, receive(&mut new).await), ("b".to_owned(), "c".to_owned()));
}

#[tokio::test]
async fn a_request_arrives_though_its_answer_is_frozen() {
    let (proxy, mut got) = echo().await;
    let mut client = connect(&proxy).await;
    proxy.freeze_answers();
    send(&mut client, "commit").await;
    assert_eq!(timeout(LONG, got.recv()).await.unwrap(), Some(b"commit".to_vec()));
    assert!(hears_nothing(&mut client).await);
    proxy.cut();
    assert_eq!(receive(&mut client).await, "");
}

#[tokio::test]
async fn what_is_slowed_comes_no_earlier_than_asked() {
    let (proxy, _got) = echo().await;
    let mut client = connect(&proxy).await;
    proxy.slow(SHORT);
    let begun = Instant::now();
    send(&mut client, "x").await;
    assert_eq!(receive(&mut client).await, "x");
    assert!(begun.elapsed() >= 2 * SHORT, "once in each direction, it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn who_is_refused_can_come_later_and_who_is_in_stays() {
    let (proxy, _got) = echo().await;
    let mut client = connect(&proxy).await;
    send(&mut client, "a").await;
    assert_eq!(receive(&mut client).await, "a");
    proxy.refuse();
    assert!(TcpStream::connect(proxy.address()).await.is_err(), "somebody was let in");
    send(&mut client, "b").await;
    assert_eq!(receive(&mut client).await, "b");
    proxy.accept();
    let mut late = connect(&proxy).await;
    send(&mut late, "c").await;
    assert_eq!(receive(&mut late).await, "c");
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_closed_connection() {
    let proxy = {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Proxy::start(&gone.local_addr().unwrap().to_string())
    };
    assert_eq!(receive(&mut connect(&proxy).await).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_stop_it() {
    let (proxy, _got) = echo().await;
    proxy.slow(SHORT);
    let mut client = connect(&proxy).await;
    send(&mut client, "x").await;
    let mut answer = [0];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"x");
}

#[tokio::test]
async fn a_database_is_reached_through_it_by_a_url() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let proxy = Proxy::start(&database.url);
    let (client, connection) = tokio_postgres::connect(&proxy.url(&database.url), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let row = client.query_one("select current_database()", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), database.name);
    proxy.cut();
    assert!(timeout(LONG, connection).await.unwrap().unwrap().is_err());
}
