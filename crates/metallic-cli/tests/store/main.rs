//! `metallic store`, as a process and against levels that misbehave.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

mod bundles;
mod commands;
mod doctor;
mod faulty;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, Content, DiskOptions, DiskStore, EntryId, Fingerprint, Secret,
};
use serde_json::Value;

const SECRET: &str = "the secret of all the tests";

/// A folder with artifacts: `gemm:m64` by two drivers, `softmax:row` with a link to its content.
struct Place {
    _holds: tempfile::TempDir,
    folder: PathBuf,
}

fn fingerprint(driver: &str) -> Fingerprint {
    Fingerprint::new().with_layer(Fingerprint::BUILD, "monday").with_layer("driver", driver)
}

fn gemm(driver: &str) -> ArtifactKey {
    ArtifactKey::new("gemm", 1, *b"m64", fingerprint(driver)).unwrap()
}

fn softmax() -> ArtifactKey {
    ArtifactKey::new("softmax", 2, *b"row", fingerprint("550")).unwrap()
}

fn content() -> ArtifactKey {
    softmax().with_content(&Content::new().with("source", "kernel void softmax"))
}

impl Place {
    fn empty() -> Self {
        let holds = tempfile::tempdir().unwrap();
        let folder = holds.path().join("artifacts");
        Self { _holds: holds, folder }
    }

    fn filled() -> Self {
        Self::filled_with(DiskOptions::new())
    }

    fn filled_with(options: DiskOptions) -> Self {
        let place = Self::empty();
        let store = DiskStore::open(&place.folder, options);
        let artifact = |cost| Artifact::native(vec![7; 3000]).with_cost(Duration::from_millis(cost));
        store.save(&gemm("550"), &artifact(900).with_label("m64")).unwrap();
        store.save(&gemm("560"), &artifact(800).with_label("m64")).unwrap();
        store.save(&content(), &artifact(10).with_label("row")).unwrap();
        store.link(&softmax(), &content()).unwrap();
        place
    }

    fn file(&self, id: &EntryId) -> PathBuf {
        let name = id.to_string();
        self.folder.join("entries").join(&name[..2]).join(name)
    }

    fn store(&self) -> DiskStore {
        DiskStore::open(&self.folder, DiskOptions::new().read_only())
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.with_file_name(name)
    }

    /// Runs `metallic store` on the folder, without a secret.
    fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, None)
    }

    fn run_with(&self, args: &[&str], secret: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metallic"));
        command.arg("store").args(args).arg("--store").arg(&self.folder);
        for variable in ["METALLIC_STORE", "METALLIC_STORE_REMOTE", Secret::VARIABLE] {
            command.env_remove(variable);
        }
        command.envs(secret.map(|secret| (Secret::VARIABLE, secret))).output().unwrap()
    }

    /// The text of a command that goes well; it fits a terminal of 80 columns.
    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (text, stderr) = streams(&output);
        assert!(output.status.success() && stderr.is_empty(), "{args:?}: {stderr}");
        // But for the paths.
        let lines = text.lines().filter(|line| !line.contains(path(&self.folder)));
        lines.for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
        text
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let (text, stderr) = streams(&output);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}{stderr}"))
    }

    /// The one line of a command that fails with this code.
    fn failure(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let (_, stderr) = streams(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        stderr
    }
}

fn streams(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The name by which `ls` calls an entry.
fn name(key: &ArtifactKey) -> String {
    key.id().identity().to_string()[..12].to_owned()
}
