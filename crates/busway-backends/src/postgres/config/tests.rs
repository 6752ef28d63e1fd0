use super::*;

fn refusal(url: &str) -> String {
    let error = Config::from_url(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    error.detail().to_owned()
}

#[test]
fn every_parameter_of_busway_is_read_and_those_of_libpq_are_passed_on() {
    let url = "postgresql://app:p%40ss@db.example:6432/shop?schema=bus&lanes=4&pool=3&listen=db.example:5432\
               &deadlineMs=2000&partBytes=8&sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3";
    let config = Config::from_url(url).unwrap();
    let native = &config.native;
    assert_eq!(
        (native.get_user(), native.get_password(), native.get_dbname()),
        (Some("app"), Some(&b"p@ss"[..]), Some("shop"))
    );
    assert_eq!(
        (config.schema.as_str(), config.lanes, config.pool, config.deadline),
        ("bus", Some(4), 3, Duration::from_secs(2))
    );
    assert_eq!(config.listen, Listen::At("db.example".into(), 5432));
    assert_eq!(config.part_bytes, 8);
    assert_eq!((config.tls.mode, config.tls.root_cert.clone()), (tls::TlsMode::VerifyFull, Some("/etc/ca.pem".into())));
    assert_eq!(config.connect_timeout(), Duration::from_secs(3));
    assert_eq!(config.place(), "db.example:6432/shop");
}

#[test]
fn a_url_alone_gives_the_defaults() {
    let config = Config::from_url("postgres://app@localhost/shop").unwrap();
    assert_eq!((config.schema.as_str(), config.lanes, config.pool), ("busway", None, 10));
    assert_eq!((config.listen.clone(), config.stored_at), (Listen::Same, StoredAt::Server));
    assert_eq!(config.native.get_tcp_user_timeout(), Some(&config.deadline));
    assert_eq!(config.native.get_application_name(), Some("busway"));
}

#[test]
fn notifications_are_listened_for_past_a_pooler_as_the_same_user() {
    let url = "postgres://app:secret@pooler:6432/shop?listen=db.example:5432&application_name=till";
    let listening = Config::from_url(url).unwrap().listening().unwrap();
    assert_eq!((listening.get_hosts(), listening.get_ports()), (&[Host::Tcp("db.example".into())][..], &[5432][..]));
    assert_eq!((listening.get_user(), listening.get_dbname()), (Some("app"), Some("shop")));
    assert_eq!(listening.get_application_name(), Some("till"));
    assert_eq!(Config::from_url("postgres://app@pooler/shop?listen=off").unwrap().listening(), None);
}

#[test]
fn of_several_hosts_the_one_that_takes_writes_is_used_and_each_is_waited_for() {
    let config =
        Config::from_url("postgres://app:secret@one:1,two:2/shop?connect_timeout=3&options=-cjit%3Doff").unwrap();
    assert_eq!(config.native.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!((config.host_timeout(), config.connect_timeout()), (Duration::from_secs(3), Duration::from_secs(6)));
    assert_eq!(config.place(), "one:1,two:2/shop");
    let hosts = config.each_host(&config.native);
    let names: Vec<_> = hosts.iter().map(|host| (host.get_hosts().to_vec(), host.get_ports().to_vec())).collect();
    let host = |name: &str, port| (vec![Host::Tcp(name.into())], vec![port]);
    assert_eq!(names, [host("one", 1), host("two", 2)]);
    for host in hosts {
        assert_eq!((host.get_user(), host.get_password()), (Some("app"), Some(&b"secret"[..])));
        assert_eq!((host.get_dbname(), host.get_options()), (Some("shop"), Some("-cjit=off")));
        assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(host.get_connect_timeout(), Some(&Duration::from_secs(3)));
    }
}

#[test]
fn which_host_is_used_is_as_it_is_said() {
    for url in ["postgres://app@one/shop", "postgres://app@one,two/shop?target_session_attrs=any"] {
        let config = Config::from_url(url).unwrap();
        assert_eq!(config.native.get_target_session_attrs(), TargetSessionAttrs::Any, "{url}");
    }
    let addressed = Config::from_url("postgres://one,two/shop?hostaddr=10.0.0.1,10.0.0.2").unwrap();
    let hosts = addressed.each_host(&addressed.native);
    assert_eq!(hosts.len(), 2);
    assert_eq!(hosts[1].get_hostaddrs(), ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(hosts[1].get_ports(), [5432]);
}

#[test]
fn a_password_is_never_shown() {
    let config = Config::from_url("postgres://app:secret@db/shop").unwrap();
    assert!(!format!("{config:?}").contains("secret"));
    assert!(!refusal("postgres://app:secret@db/shop?connect_timeout=soon").contains("secret"));
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (url, names) in [
        ("sqlite:a.db", "postgres://"),
        ("postgres:///shop", "names no host"),
        ("postgres://db/shop?lane=4", "`lane` is no parameter"),
        ("postgres://db/shop?lanes=0", "`lanes=0`"),
        ("postgres://db/shop?lanes=many", "`lanes=many`"),
        ("postgres://db/shop?pool=1", "`pool=1`"),
        ("postgres://db/shop?schema=My-Schema", "`schema=My-Schema`"),
        ("postgres://db/shop?listen=maybe", "`listen=maybe`"),
        ("postgres://db/shop?deadlineMs=0", "`deadlineMs=0`"),
        ("postgres://db/shop?sslmode=on", "`sslmode=on`"),
        ("postgres://db/shop?sslcert=a.pem", "`sslkey`"),
        ("postgres://db/shop?partBytes=0", "`partBytes=0`"),
        ("postgres://one:1,two:2/shop?port=3", "2 hosts and 3 ports"),
        ("postgres://one,two/shop?hostaddr=10.0.0.1", "2 hosts and 1 `hostaddr`"),
        ("postgres://db/shop?target_session_attrs=read-only", "`target_session_attrs=read-only`"),
        ("postgres://db:port/shop", "cannot be read"),
        ("postgres://db/shop?connect_timeout=soon", "connect_timeout"),
    ] {
        let detail = refusal(url);
        assert!(detail.contains(names), "{url}: {detail}");
    }
}
