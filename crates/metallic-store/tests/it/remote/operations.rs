//! Each operation of a remote store by itself, with a server of each misbehaviour, and with each cut of an answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metallic_store::conformance::{artifact, key};
use metallic_store::{ArtifactStore, Body, Entry, RemoteOptions, RemoteStore, Secret};

use super::server::{Protocol, Server};
use super::{DEADLINE, SECRET, misbehaviours};

const OPERATIONS: [&str; 6] = ["read", "info", "write", "remove", "list", "clock"];

fn once() -> RemoteOptions {
    let secret = Secret::new(SECRET).unwrap();
    RemoteOptions::new().with_secret(secret).with_deadline(DEADLINE).with_retries(0)
}

/// Does one operation, and tells how it went. What is not there, or not what it should be, is never returned.
fn outcome(store: &RemoteStore, operation: &str) -> &'static str {
    let key = key(1, "a");
    let done = |went_well| if went_well { "done" } else { "failed" };
    match operation {
        "read" => store.read(&key.id()).expect_err("there is nothing to read").name(),
        "info" => store.info(&key.id()).expect_err("there is nothing to describe").name(),
        "write" => done(store.write(&Entry { key, body: Body::Artifact(artifact(1, 100)) }).is_ok()),
        "remove" => done(store.remove(&key.id()).is_ok()),
        "list" => done(store.ids(None).is_ok_and(|ids| ids.is_empty())),
        _ => done(store.server_time().is_ok()),
    }
}

#[test]
fn each_operation_ends_within_the_deadline_whatever_the_server_does() {
    let servers = misbehaviours().map(|behaviour| Server::start(Protocol::Http, behaviour));
    let mut rounds = 0;
    for operation in OPERATIONS {
        let mut outcomes = BTreeMap::new();
        std::thread::scope(|scope| {
            let of_scheme = ["http", "bazel+http", "redis"].map(|scheme| {
                let servers = &servers;
                scope.spawn(move || {
                    servers.each_ref().map(|server| {
                        let url = format!("{scheme}://{}", server.address());
                        let store = RemoteStore::at(&url, once()).unwrap();
                        let start = Instant::now();
                        let outcome = outcome(&store, operation);
                        let took = start.elapsed();
                        // The machine's own delays come on top.
                        let limit = DEADLINE + Duration::from_secs(1);
                        assert!(took < limit, "{operation} by {scheme}, {outcome}: {took:?}");
                        outcome
                    })
                })
            });
            for outcome in of_scheme.into_iter().flat_map(|thread| thread.join().unwrap()) {
                *outcomes.entry(outcome).or_insert(0) += 1;
                rounds += 1;
            }
        });
        println!("{operation}: {outcomes:?}");
    }
    assert_eq!(rounds, OPERATIONS.len() * 3 * servers.len());
}

#[test]
fn every_cut_of_an_answer_is_a_named_miss() {
    for (protocol, scheme) in [(Protocol::Http, "http"), (Protocol::Redis, "redis")] {
        let server = Server::start(protocol, super::Behaviour::Works);
        let store = RemoteStore::at(&format!("{scheme}://{}", server.address()), once()).unwrap();
        store.save(&key(1, "a"), &artifact(1, 100)).unwrap();
        let value = server.only_value();
        let answer = match protocol {
            Protocol::Http => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", value.len());
                [head.as_bytes(), &value].concat()
            }
            Protocol::Redis => [format!("${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat(),
        };

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(AtomicUsize::new(0));
        let (whole, until) = (answer.clone(), cut.clone());
        // It ends with the process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // The request is shorter than this and comes at once.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&whole[..until.load(Ordering::SeqCst)]);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let mut misses = BTreeMap::new();
        for len in 0..answer.len() {
            cut.store(len, Ordering::SeqCst);
            let store = RemoteStore::at(&format!("{scheme}://{address}"), once()).unwrap();
            let cause = store.load(&key(1, "a")).expect_err("a part of an answer");
            *misses.entry(cause.name()).or_insert(0) += 1;
        }
        cut.store(answer.len(), Ordering::SeqCst);
        let store = RemoteStore::at(&format!("{scheme}://{address}"), once()).unwrap();
        assert_eq!(store.load(&key(1, "a")), Ok(artifact(1, 100)), "{scheme}");
        println!("{scheme}: {} cuts, {misses:?}", answer.len());
    }
}
