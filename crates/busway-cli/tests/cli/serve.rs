use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

use crate::support::{Home, ended};

#[test]
fn the_banner_says_what_is_there_and_what_to_do_with_it() {
    let home = Home::new();
    let server = home.serve();
    let lines: Vec<&str> = server.banner.lines().collect();
    let version = env!("CARGO_PKG_VERSION");
    let millis =
        lines[0].strip_prefix(&format!("busway {version} ready in ")).and_then(|rest| rest.strip_suffix(" ms"));
    assert!(millis.unwrap().parse::<u64>().is_ok(), "{lines:?}");
    assert_eq!(lines[1], "  store   sqlite ./busway-data/busway.db (new, durable)");
    assert_eq!(lines[2], format!("  api     {}/api", server.url()));
    assert_eq!(lines[3], "  access  this machine only, no keys yet");
    assert!(
        lines[4].starts_with("  next    ") && lines[4].ends_with("busway tail    events as they arrive"),
        "{lines:?}"
    );
    assert!(lines[5].ends_with("busway publish ticket.created '{\"id\":1}' --tenant acme"), "{lines:?}");
}

#[test]
fn a_store_that_was_there_is_told_with_its_events_and_one_in_memory_as_such() {
    let home = Home::new();
    let server = home.serve();
    home.ok(&["publish", "a"]);
    home.ok(&["publish", "a"]);
    server.stop();
    assert!(home.serve().banner.contains("  store   sqlite ./busway-data/busway.db (2 events, durable)\n"));
    home.write("busway.toml", "[backend]\ntype = \"in-memory\"\n");
    assert!(home.serve().banner.contains("  store   in-memory (new, gone when this process ends)\n"));
    home.write("busway.toml", "[backend]\nsynchronous = \"normal\"\n");
    assert!(home.serve().banner.contains("busway.db (2 events, not proof against a power cut)\n"));
}

#[test]
fn an_address_that_a_server_holds_is_told_with_its_version_and_process() {
    let home = Home::new();
    let server = home.serve();
    let done = Home::new().run(&["serve", "--listen", &server.address]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    let next = server.address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap() + 1;
    let (address, version, pid) = (&server.address, env!("CARGO_PKG_VERSION"), server.pid());
    let told = format!(
        "error[address_in_use]: {address} is held by busway {version}, pid {pid}; use it, or --listen :{next}\n"
    );
    assert_eq!(done.err, told);
}

#[test]
fn an_address_that_another_program_holds_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let home = Home::new();
    let done = home.run(&["serve", "--listen", &address.to_string()]);
    let next = address.port() + 1;
    assert_eq!(done.err, format!("error[address_in_use]: {address} is held by another program; --listen :{next}\n"));
    assert!(!home.path().join("busway-data").exists());
}

#[test]
fn a_second_server_on_one_folder_leaves_the_first_ones_address_there() {
    let home = Home::new();
    let first = home.serve();
    let second = home.start(&["serve", "--listen", ":0"]);
    let note = second.says("note: ");
    assert!(note.ends_with(&format!("go on talking to the server at {}, pid {}", first.url(), first.pid())), "{note}");
    second.says(" publish ");
    let tail = home.start(&["tail"]);
    assert_eq!(tail.says("listening at"), format!("listening at {}", first.url()));
}

#[test]
fn only_addresses_of_this_machine_are_served_without_keys() {
    let home = Home::new();
    let done = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(done.code, 2);
    assert!(
        done.err.starts_with("error[invalid_configuration]: `0.0.0.0:0` (0.0.0.0) can be reached from other machines"),
        "{}",
        done.err
    );
    assert_eq!(home.run(&["serve", "--listen", "nonsense"]).code, 2);
}

#[test]
fn a_signal_ends_it_gracefully_and_says_so() {
    for signal in ["INT", "TERM"] {
        let home = Home::new();
        let mut server = home.serve();
        server.run.signal(signal);
        assert_eq!(server.run.wait(), 0, "{signal}");
        let said: Vec<String> = server.run.err.iter().collect();
        assert_eq!(
            said,
            ["stopping: finishing what is in flight; once more ends at once", "stopped: nothing was in flight"]
        );
        let left: Vec<_> = std::fs::read_dir(home.path().join("busway-data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["busway.db"]);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = Home::new();
    let mut server = home.serve();
    // A call whose body does not end keeps the server from stopping; its `100 Continue` shows that it has begun.
    let mut call = TcpStream::connect(&server.address).unwrap();
    let head = "POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n";
    call.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    call.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    server.run.signal("INT");
    server.run.says("stopping: ");
    server.run.signal("INT");
    assert_eq!(server.run.wait(), 130);
    assert_eq!(server.run.err.iter().collect::<Vec<_>>(), ["ended at once"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let home = Home::new();
    home.write("busway-data", "a file");
    let done = ended(&mut home.command(&["serve", "--listen", ":0"]));
    assert_eq!(done.code, 2);
    assert!(
        done.err.starts_with("error[invalid_configuration]: the data folder ./busway-data cannot be made: "),
        "{}",
        done.err
    );
    assert!(Path::new(&home.path().join("busway-data")).is_file());
}
