//! Remote stores against servers on this machine: ones made here that misbehave as asked, and real ones if there are any.

mod operations;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic_store::conformance::{self, artifact, key};
use metallic_store::remote::redacted_url;
use metallic_store::{
    ArtifactStore, LayeredStore, MemoryStore, MissCause, Obtain, RemoteOptions, RemoteStore, RemoteUrlError,
    Secret,
};

use crate::processes::spawn_with;
use server::{Behaviour, Protocol, Server};

const SECRET: &[u8] = b"the secret of the fleet";

fn patient() -> RemoteOptions {
    RemoteOptions::new().with_secret(Secret::new(SECRET).unwrap()).with_deadline(Duration::from_secs(60))
}

/// A deadline that a test can wait for.
const DEADLINE: Duration = Duration::from_millis(300);

fn hasty() -> RemoteOptions {
    patient().with_deadline(DEADLINE)
}

#[test]
fn remote_stores_conform() {
    for (protocol, url) in
        [(Protocol::Http, "http"), (Protocol::Http, "bazel+http"), (Protocol::Redis, "redis")]
    {
        // The servers live as long as the stores.
        let mut servers = Vec::new();
        conformance::check_all(|| {
            let server = Server::start(protocol, Behaviour::Works);
            let path = if protocol == Protocol::Redis { "/3" } else { "/a/path/" };
            let store = RemoteStore::at(&format!("{url}://{}{path}", server.address()), patient()).unwrap();
            servers.push(server);
            Box::new(store)
        });
    }
}

#[test]
fn s3_conforms() {
    let server = Server::start(Protocol::Http, Behaviour::Works);
    let url = format!("s3://bucket/prefix?region=eu-west-1&endpoint=http%3A%2F%2F{}", server.address());
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let mut child = spawn_with(std::path::Path::new("/"), &format!("remote:{url}"), &keys);
    child.expect("conforms");
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.contains("/bucket/prefix/")), "{requests:?}");
    assert!(requests.iter().all(|request| request.contains("X-Amz-Signature=")), "each request is signed");
}

/// The work of a child process that has credentials in its environment.
pub(crate) fn check_url(url: &str) {
    let store = RemoteStore::at(url, patient()).unwrap();
    conformance::what_is_saved_is_loaded(&store);
    store.remove(&key(1, "a").id()).unwrap();
    conformance::a_cheap_key_leads_to_its_content(&store);
    println!("conforms ");
}

/// Real servers, by their URLs in the environment: `scripts/check-remote-stores.sh` starts some.
#[test]
fn real_servers_conform() {
    let Ok(urls) = std::env::var("METALLIC_STORE_TEST_SERVERS") else {
        println!("skipped: METALLIC_STORE_TEST_SERVERS names no servers");
        return;
    };
    for url in urls.split_whitespace() {
        check_url(url);
        println!("{url} conforms");
    }
}

#[test]
fn user_and_password_are_sent() {
    let http = Server::start(Protocol::Http, Behaviour::Works);
    let store = RemoteStore::at(&format!("http://martin:secret@{}/", http.address()), patient()).unwrap();
    store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
    assert!(http.requests()[0].contains("Basic bWFydGluOnNlY3JldA=="));

    let redis = Server::start(Protocol::Redis, Behaviour::Works);
    let store = RemoteStore::at(&format!("redis://:p%40ss@{}/2", redis.address()), patient()).unwrap();
    store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
    assert_eq!(redis.requests()[..2], ["AUTH p@ss".to_owned(), "SELECT 2".to_owned()]);
    assert!(!format!("{store:?}").contains("p@ss"));
}

#[test]
fn nothing_is_read_without_a_secret_or_a_word_of_trust() {
    let server = Server::start(Protocol::Redis, Behaviour::Works);
    let at = |options| RemoteStore::at(&format!("redis://{}", server.address()), options).unwrap();
    let neither = at(RemoteOptions::new());
    neither.save(&key(1, "a"), &artifact(1, 10)).unwrap();
    assert_eq!(neither.load(&key(1, "a")), Err(MissCause::Untrusted));
    assert!(
        server.requests().iter().all(|request| !request.starts_with("GET")),
        "the server is not even asked"
    );
    assert_eq!(at(RemoteOptions::new().trusted()).load(&key(1, "a")), Ok(artifact(1, 10)));
    assert_eq!(at(patient()).load(&key(1, "a")).unwrap_err().name(), "mac_missing");
    at(patient()).save(&key(1, "a"), &artifact(1, 10)).unwrap();
    let other = RemoteOptions::new().with_secret(Secret::new(b"the secret of another fleet").unwrap());
    assert_eq!(at(other).load(&key(1, "a")).unwrap_err().name(), "mac_mismatch");
}

/// The harm that a server can do to its clients.
fn misbehaviours() -> [Behaviour; 14] {
    [
        Behaviour::Hangs,
        Behaviour::Drips(b"H"),
        Behaviour::Drips(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n\x8ametal\r\n"),
        Behaviour::Drips(b"$100000\r\n"),
        Behaviour::Closes,
        Behaviour::Lies(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
        Behaviour::Lies(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n\x8ametal\r\n"),
        Behaviour::Lies(b"HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n\x8ametzst\n\xff\xff\xff\xff\xff\xff\xff\x7f\x28\xb5\x2f\xfd............"),
        Behaviour::Lies(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::Lies(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
        Behaviour::Lies(b"$99999999999999\r\n"),
        Behaviour::Lies(b"$5\r\nhelloXX"),
        Behaviour::Lies(b"-ERR no\r\n"),
        Behaviour::Lies(b"\r\n\r\n\r\n\r\n"),
    ]
}

/// Ten creations with a server of each misbehaviour: all are made, and all of them together lose one deadline at most.
#[test]
fn a_dead_slow_or_lying_server_costs_at_most_one_deadline() {
    for scheme in ["http", "bazel+http", "redis"] {
        let dead = ("dead".to_owned(), None);
        let servers = misbehaviours()
            .map(|behaviour| (format!("{behaviour:?}"), Some(Server::start(Protocol::Http, behaviour))));
        for (behaviour, server) in servers.into_iter().chain([dead]) {
            // A port that no one listens on, for the dead one: that of a listener which is gone.
            let address = match &server {
                Some(server) => server.address(),
                None => std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
            };
            let remote = Arc::new(RemoteStore::at(&format!("{scheme}://{address}"), hasty()).unwrap());
            let store = LayeredStore::new(Arc::new(MemoryStore::new())).with_remote(remote.clone());
            let start = Instant::now();
            for number in 0..10 {
                let key = key(number, "a");
                let obtained =
                    Obtain::new(&store, &key).or_create(|| Ok::<_, ()>(artifact(number, 100))).unwrap();
                assert_eq!(obtained.artifact, artifact(number, 100));
            }
            let took = start.elapsed();
            println!("{scheme}, {behaviour}: {took:.0?}, {:?}", remote.given_up());
            // The machine's own delays come on top. A deadline for each key would be ten of them.
            assert!(took < DEADLINE + Duration::from_secs(1), "{scheme}, {behaviour}: {took:?}");
            assert_eq!(remote.stats().found, 0);
        }
    }
}

#[test]
fn a_server_that_fails_once_is_asked_again() {
    let server = Server::start(Protocol::Http, Behaviour::FailsFirst(2));
    let store = RemoteStore::at(&format!("http://{}", server.address()), patient()).unwrap();
    store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 10)));
    assert_eq!(store.given_up(), None);
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_collection_that_is_not_there_is_made() {
    let server = Server::start(Protocol::Http, Behaviour::WantsCollection);
    let store = RemoteStore::at(&format!("http://{}/artifacts", server.address()), patient()).unwrap();
    store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 10)));
    assert!(server.requests().iter().any(|request| request.starts_with("MKCOL /artifacts ")));
}

#[test]
fn what_travels_is_compressed() {
    let server = Server::start(Protocol::Redis, Behaviour::Works);
    let store = RemoteStore::at(&format!("redis://{}", server.address()), patient()).unwrap();
    let repetitive = metallic_store::Artifact::native(vec![7; 100_000]);
    store.save(&key(1, "a"), &repetitive).unwrap();
    assert!(server.bytes_kept() < 5000, "{}", server.bytes_kept());
    assert_eq!(store.load(&key(1, "a")), Ok(repetitive));
}

#[test]
fn what_is_damaged_on_the_wire_is_a_named_miss() {
    let server = Server::start(Protocol::Redis, Behaviour::Works);
    let options = patient().with_retries(0);
    let store = RemoteStore::at(&format!("redis://{}", server.address()), options).unwrap();
    store.save(&key(1, "a"), &artifact(1, 300)).unwrap();
    let intact = server.only_value();
    let (mut missed, mut right) = (0, 0);
    let flips = (0..intact.len()).map(|at| {
        let mut flipped = intact.clone();
        flipped[at] ^= 0x40;
        flipped
    });
    for damaged in flips.chain((0..intact.len()).map(|len| intact[..len].to_vec())) {
        server.replace_only_value(damaged);
        match store.load(&key(1, "a")) {
            Err(MissCause::Damaged(_)) => missed += 1,
            // A zstd frame has bytes that its decoder does not look at, such as its own checksum.
            Ok(loaded) if loaded == artifact(1, 300) => right += 1,
            wrong => panic!("{wrong:?}"),
        }
    }
    assert!(right <= 8, "{right} of {missed}");
    println!(
        "{} flips and truncations on the wire: {missed} named misses, {right} without effect",
        missed + right
    );
    server.replace_only_value(intact);
    assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 300)));
}

#[test]
fn the_clock_of_a_server_is_read_where_its_protocol_tells() {
    let at = |protocol, behaviour, scheme: &str| {
        let server = Server::start(protocol, behaviour);
        RemoteStore::at(&format!("{scheme}://{}/a", server.address()), hasty()).unwrap().server_time()
    };
    let then = std::time::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for scheme in ["http", "bazel+http"] {
        assert_eq!(at(Protocol::Http, Behaviour::Works, scheme), Ok(Some(then)));
    }
    assert_eq!(at(Protocol::Redis, Behaviour::Works, "redis"), Ok(None));
    assert!(at(Protocol::Http, Behaviour::Hangs, "http").is_err());
    let nonsense = Behaviour::Lies(b"HTTP/1.1 200 OK\r\ndate: yesterday\r\n\r\n");
    assert_eq!(at(Protocol::Http, nonsense, "http"), Ok(None));
}

#[test]
fn urls_that_name_no_store_are_refused() {
    for url in ["", "ftp://host/", "rediss://host/", "http://", "redis://user@", "/a/folder"] {
        let refused = RemoteStore::at(url, patient()).unwrap_err();
        assert!(
            matches!(refused, RemoteUrlError::Unsupported(_) | RemoteUrlError::Incomplete(_)),
            "{url}: {refused}"
        );
    }
}

#[test]
fn no_error_and_no_debug_text_shows_a_secret_of_a_url() {
    for (url, shown) in [
        ("redis://user:hid@den@host:1/2", "redis://host:1/2"),
        ("s3://bucket/a?endpoint=http://user:hidden@host", "s3://bucket/a"),
        ("http://user:hid?den@host", "http://host"),
        ("http://host", "http://host"),
        ("/a/folder", "/a/folder"),
    ] {
        assert_eq!(redacted_url(url), shown);
    }
    for url in [
        "s3+https://user:hidden@host/bucket",
        "s3://bucket/prefix?endpoint=ftp%3A%2F%2Fuser%3Ahidden%40host%2F%3Fkey%3Dhidden",
        "s3://bucket/prefix?endpoint=user%3Ahidden%40host",
        "ftp://host/path?token=hidden",
        "ftp://user:hid?hidden@host/",
        "ftp://host/#hidden",
    ] {
        let refused = RemoteStore::at(url, patient()).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hidden"), "{url}: {refused}");
    }
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_no_fault_of_the_server() {
    let server = Server::start(Protocol::Redis, Behaviour::ClosesAfterAnswer);
    let options = patient().with_retries(0);
    let store = RemoteStore::at(&format!("redis://{}", server.address()), options).unwrap();
    for number in 0..3 {
        store.save(&key(number, "a"), &artifact(number, 10)).unwrap();
        assert_eq!(store.load(&key(number, "a")), Ok(artifact(number, 10)));
    }
    assert_eq!(store.given_up(), None);
}

#[test]
fn a_page_of_any_length_that_says_that_there_is_nothing_is_a_miss() {
    let server = Server::start(Protocol::Http, Behaviour::TalksMuch);
    for scheme in ["http", "bazel+http"] {
        let store = RemoteStore::at(&format!("{scheme}://{}", server.address()), patient()).unwrap();
        assert_eq!(store.load(&key(1, "a")), Err(MissCause::Absent), "{scheme}");
        store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
        assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 10)), "{scheme}");
        assert_eq!((store.given_up(), store.stats().faults), (None, Default::default()), "{scheme}");
    }
}

#[test]
fn a_deadline_may_be_of_any_length() {
    for (scheme, protocol) in [("redis", Protocol::Redis), ("http", Protocol::Http)] {
        let server = Server::start(protocol, Behaviour::Works);
        let options = patient().with_deadline(Duration::MAX);
        let store = RemoteStore::at(&format!("{scheme}://{}", server.address()), options).unwrap();
        store.save(&key(1, "a"), &artifact(1, 10)).unwrap();
        assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 10)), "{scheme}");
        assert!(store.server_time().is_ok());
    }
}
