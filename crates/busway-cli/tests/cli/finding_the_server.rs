use std::{fs, net::TcpListener};

use crate::support::{Home, ended, free_address};

#[test]
fn commands_find_the_server_that_runs_on_their_data_folder() {
    let home = Home::new();
    let server = home.serve();
    let file = fs::read_to_string(home.path().join("busway-data/server.json")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(file, format!("{{\"url\":\"{}\",\"version\":\"{version}\",\"pid\":{}}}\n", server.url(), server.pid()));
    let tail = home.start(&["tail"]);
    assert_eq!(tail.says("listening at"), format!("listening at {}", server.url()));
    server.stop();
    assert!(!home.path().join("busway-data/server.json").exists());
}

#[test]
fn a_server_is_named_by_flag_or_variable() {
    let (home, elsewhere) = (Home::new(), Home::new());
    let server = home.serve();
    elsewhere.ok(&["publish", "a", "--server", &server.url()]);
    let port = server.address.strip_prefix("127.0.0.1").unwrap();
    elsewhere.ok(&["--server", port, "publish", "a"]);
    let done = ended(elsewhere.command(&["publish", "a"]).env("BUSWAY_URL", format!("{}/", server.url())));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(home.json(&["events"]).len(), 3);
}

#[test]
fn no_server_is_told_with_the_address_and_how_it_was_found() {
    let home = Home::new();
    let address = free_address();
    let done = home.run(&["events", "--server", &address]);
    assert_eq!((done.code, done.out.as_str()), (3, ""));
    assert_eq!(
        done.err,
        format!("error[unreachable]: no server at http://{address} (--server); busway serve, or --server\n")
    );
    let done = ended(home.command(&["events"]).env("BUSWAY_URL", &address));
    assert_eq!(
        done.err,
        format!("error[unreachable]: no server at http://{address} (BUSWAY_URL); busway serve, or --server\n")
    );
    let done = ended(home.command(&["events"]).env("BUSWAY_SERVER_LISTEN", &address).env("BUSWAY_URL", ""));
    assert_eq!(
        done.err,
        format!("error[unreachable]: no server at http://{address} (configured); busway serve, or --server\n")
    );
}

#[test]
fn an_address_that_cannot_be_used_is_a_fault_of_the_command_line() {
    let home = Home::new();
    for (address, told) in [
        ("https://bus.example", "https is not in this version"),
        ("ftp://bus", "is no address"),
        ("a b", "is no address"),
    ] {
        let done = home.run(&["events", "--server", address]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.starts_with("error[usage]: --server") && done.err.contains(told), "{}", done.err);
    }
}

#[test]
fn an_address_file_whose_server_was_killed_does_not_stand_in_the_way() {
    let home = Home::new();
    let mut server = home.serve();
    server.run.signal("KILL");
    server.run.wait();
    assert!(home.path().join("busway-data/server.json").exists());
    home.ok(&["publish", "a"]);
    assert_eq!(home.json(&["events"]).len(), 1);
    home.serve();
}

#[test]
fn an_answer_of_another_program_is_told_as_such() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let program = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>").unwrap();
    });
    let done = home.run(&["events", "--server", &address]);
    program.join().unwrap();
    assert_eq!(done.code, 1);
    assert!(done.err.starts_with("error[no_busway]: the server answered 502 Bad Gateway"), "{}", done.err);
}
