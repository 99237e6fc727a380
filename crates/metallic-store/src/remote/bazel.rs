use std::time::{Instant, SystemTime};

use sha2::{Digest, Sha256};

use super::action_result;
use super::http::HttpTransport;
use super::transport::{Transport, TransportError};
use super::url::Location;

/// Bazel's HTTP caching protocol: a name leads to an ActionResult under `/ac`, which leads to the bytes under `/cas`.
///
/// Both are named by SHA-256. A server that checks ActionResults, as bazel-remote does, finds valid ones.
#[derive(Debug)]
pub struct BazelTransport(HttpTransport);

/// The most that an ActionResult takes.
const ACTION_RESULT: u64 = 4096;

impl BazelTransport {
    pub(super) fn at(location: &Location) -> Self {
        Self(HttpTransport::at(location))
    }

    fn action(&self, name: &str) -> String {
        self.0.url(&format!("ac/{}", sha256(name.as_bytes())))
    }

    fn blob(&self, hash: &str) -> String {
        self.0.url(&format!("cas/{hash}"))
    }
}

impl Transport for BazelTransport {
    fn name(&self) -> &str {
        "bazel"
    }

    fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(result) = self.0.get_url(&self.action(name), ACTION_RESULT, deadline)? else {
            return Ok(None);
        };
        let Some((hash, len)) = action_result::decode(&result) else {
            return Err(TransportError::Refused("its ActionResult is malformed".to_owned()));
        };
        if len > limit {
            return Err(TransportError::TooLong { limit });
        }
        self.0.get_url(&self.blob(&hash), len, deadline)
    }

    fn put(&self, name: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        let hash = sha256(bytes);
        // The content first: a result whose content is not there is refused by servers that check.
        self.0.put_url(&self.blob(&hash), bytes, deadline)?;
        self.0.put_url(&self.action(name), &action_result::encode(&hash, bytes.len() as u64), deadline)
    }

    fn delete(&self, name: &str, deadline: Instant) -> Result<bool, TransportError> {
        self.0.delete_url(&self.action(name), deadline)
    }

    fn time(&self, deadline: Instant) -> Result<Option<SystemTime>, TransportError> {
        self.0.time(deadline)
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
