use metallic_store::{DiskOptions, DiskStore, MemoryStore, Secret, conformance};

#[test]
fn a_store_in_memory_conforms() {
    conformance::check_all(|| Box::new(MemoryStore::new()));
}

#[test]
fn a_store_on_disk_conforms() {
    let folders = tempfile::tempdir().unwrap();
    let mut opened = 0;
    conformance::check_all(|| {
        opened += 1;
        let folder = folders.path().join(opened.to_string());
        Box::new(DiskStore::open(folder, DiskOptions::new().with_limit(10 << 20)))
    });
}

#[test]
fn a_store_on_disk_with_a_secret_and_durable_conforms() {
    let folders = tempfile::tempdir().unwrap();
    let mut opened = 0;
    conformance::check_all(|| {
        opened += 1;
        let secret = Secret::new(b"sixteen bytes and more").unwrap();
        let options = DiskOptions::new().with_secret(secret).durable();
        Box::new(DiskStore::open(folders.path().join(opened.to_string()), options))
    });
}
