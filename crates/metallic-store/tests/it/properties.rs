use std::time::{Duration, UNIX_EPOCH};

use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, Body, Content, Digest, Entry, EntryInfo, Fingerprint, KeyKind,
    MemoryStore, Secret,
};
use proptest::prelude::*;

fn fingerprints() -> impl Strategy<Value = Fingerprint> {
    let layer = ("[a-c]{1,2}|ß{1,32}", ".{0,40}", any::<Option<[u8; 32]>>());
    prop::collection::vec(layer, 0..6).prop_map(|layers| {
        layers.into_iter().fold(Fingerprint::new(), |fingerprint, (name, value, digest)| match digest {
            Some(digest) => fingerprint.with_digest(name, Digest(digest), value),
            None => fingerprint.with_layer(name, value),
        })
    })
}

fn keys() -> impl Strategy<Value = ArtifactKey> {
    let bytes = prop::collection::vec(0..3_u8, 0..4);
    ("[ab]{1,3}", 0..3_u32, bytes, fingerprints(), any::<bool>()).prop_map(
        |(cache, schema, bytes, fingerprint, by_content)| {
            let key = ArtifactKey::new(cache, schema, bytes.clone(), fingerprint).unwrap();
            if by_content { key.with_content(&Content::new().with("part", bytes)) } else { key }
        },
    )
}

fn bodies() -> impl Strategy<Value = Body> {
    let payloads = prop::collection::vec(("[a-c]{1,64}", prop::collection::vec(any::<u8>(), 0..300)), 0..5);
    let artifacts = (payloads, any::<u64>(), ".{0,60}").prop_map(|(payloads, cost, label)| {
        let artifact = Artifact::native(*b"first").with_cost(Duration::from_nanos(cost)).with_label(label);
        let add = |artifact: Artifact, (name, bytes): (String, Vec<u8>)| artifact.with_payload(&name, &bytes);
        Body::Artifact(payloads.into_iter().fold(artifact, add))
    });
    prop_oneof![4 => artifacts, 1 => keys().prop_map(|key| Body::Link(key.id()))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_entry_is_decoded_to_what_was_encoded(key in keys(), body in bodies(), written: u32, with_secret: bool) {
        let entry = Entry { key, body };
        let secret = with_secret.then(|| Secret::new(b"the properties' secret").unwrap());
        let written = UNIX_EPOCH + Duration::from_secs(written.into());
        let file = entry.encode(secret.as_ref(), written).unwrap();
        let info = EntryInfo::decode(&file, file.len() as u64, secret.as_ref()).unwrap();
        prop_assert_eq!(&info.key, &entry.key);
        prop_assert_eq!(info.id, entry.key.id());
        prop_assert_eq!(info.payloads.iter().map(|(_, len)| len).sum::<u64>(), entry.body.bytes());
        prop_assert_eq!(info.is_link, matches!(entry.body, Body::Link(_)));
        prop_assert_eq!(UNIX_EPOCH + Duration::from_secs(info.written), written);
        prop_assert_eq!(Entry::decode(file, secret.as_ref()), Ok(entry));
    }

    #[test]
    fn ids_are_equal_exactly_if_keys_match(a in keys(), b in keys()) {
        prop_assert_eq!(a.matches(&b), a.id() == b.id());
        prop_assert_eq!(a.is_same_subject(&b), a.subject() == b.subject());
        prop_assert_eq!(a.id().to_string().parse(), Ok(a.id()));
        if a.is_same_subject(&b) && a.schema() == b.schema() {
            let orders = |key: &ArtifactKey| {
                key.fingerprint().layers().iter().map(|layer| layer.name().to_owned()).collect::<Vec<_>>()
            };
            let changes = a.fingerprint().changes_from(b.fingerprint());
            prop_assert_eq!(changes.is_empty() && orders(&a) == orders(&b), a.matches(&b));
        }
    }

    #[test]
    fn a_bounded_store_in_memory_keeps_its_bound(
        saves in prop::collection::vec((0..12_u64, 0..400_usize), 1..60), limit in 100..2000_u64,
    ) {
        let store = MemoryStore::with_limit(limit);
        for (number, bytes) in saves {
            let key = metallic_store::conformance::key(number, "a");
            let artifact = Artifact::native(vec![0; bytes]).with_cost(Duration::from_millis(number));
            let saved = store.save(&key, &artifact);
            prop_assert_eq!(saved.is_ok(), bytes as u64 <= limit);
            prop_assert!(store.bytes() <= limit);
            if saved.is_ok() {
                prop_assert_eq!(store.load(&key), Ok(artifact));
            }
        }
    }
}

#[test]
fn a_key_that_is_too_long_is_known_by_its_digest() {
    let of = |key: &[u8]| ArtifactKey::of("cache", 1, key, Fingerprint::new()).unwrap();
    // The encoding has its length before it.
    let longest = of(&[7; 65_533]);
    assert_eq!((longest.kind(), longest.bytes().len()), (KeyKind::Typed, 65_536));
    let (one, same, other) = (of(&[7; 65_534]), of(&[7; 65_534]), of(&[7; 65_535]));
    assert_eq!((one.kind(), one.bytes().len()), (KeyKind::Content, 32));
    assert!(one.matches(&same) && !one.matches(&other) && one.id() != other.id());
    let store = MemoryStore::new();
    store.save(&one, &Artifact::native(*b"code")).unwrap();
    assert!(store.load(&same).is_ok() && store.load(&other).is_err());
    // And not for what is compiled, which might be the same bytes.
    let digested = ArtifactKey::new("cache", 1, one.bytes(), Fingerprint::new()).unwrap();
    assert!(!digested.matches(&one));
    assert!(ArtifactKey::new("cache", 1, [7; 65_537], Fingerprint::new()).is_err());
}
