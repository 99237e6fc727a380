use super::transport::Transport;

/// A URL that names no remote store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteUrlError {
    /// The scheme is unknown, or its feature is not compiled in.
    #[error("`{0}` is not the URL of a store that this program can reach: {known}", known = KNOWN)]
    Unsupported(String),
    /// Something is missing.
    #[error("the store's URL needs {0}")]
    Incomplete(String),
}

const KNOWN: &str = "http(s)://, bazel+http(s)://, redis:// and s3:// are, each if it is compiled in";

/// Returns `true` if TLS is compiled in, and this processor can.
pub(super) fn can_encrypt() -> bool {
    #[cfg(feature = "tls")]
    return super::tls::is_supported();
    #[cfg(not(feature = "tls"))]
    return false;
}

/// A URL taken apart.
#[derive(Clone, Debug, Default)]
#[cfg_attr(
    not(all(feature = "bazel", feature = "redis", feature = "s3")),
    allow(dead_code, reason = "each protocol needs its part")
)]
pub(super) struct Location {
    /// `true` if the server is to be spoken to by TLS.
    pub(super) is_encrypted: bool,
    /// Host and port, or a bucket.
    pub(super) authority: String,
    /// User and password, as they are written.
    pub(super) user_info: Option<String>,
    /// From the first slash on, without parameters.
    pub(super) path: String,
    pub(super) query: String,
}

impl Location {
    fn parse(rest: &str, is_encrypted: bool) -> Result<Self, RemoteUrlError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user_info, authority) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((user_info, authority)) => (Some(user_info.to_owned()), authority),
        };
        if authority.is_empty() {
            return Err(RemoteUrlError::Incomplete("a host".to_owned()));
        }
        Ok(Self {
            is_encrypted,
            authority: authority.to_owned(),
            user_info,
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }
}

#[cfg(feature = "s3")]
impl Location {
    /// The value of a parameter, without its escapes.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(present, _)| *present == name).map(|(_, value)| value);
        values.next().and_then(|value| percent_decode(value).ok())
    }
}

#[cfg(feature = "http")]
impl Location {
    /// The URL again, with user and password, which the client makes a header of.
    pub(super) fn http_url(&self) -> String {
        let at = self.user_info.as_ref().map_or(String::new(), |user_info| format!("{user_info}@"));
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{at}{}{}", self.authority, self.path.trim_end_matches('/'))
    }
}

#[cfg(feature = "redis")]
impl Location {
    /// User and password, without their escapes.
    pub(super) fn credentials(&self) -> Result<Option<(String, String)>, RemoteUrlError> {
        let Some(user_info) = &self.user_info else { return Ok(None) };
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        Ok(Some((percent_decode(user)?, percent_decode(password)?)))
    }
}

/// Returns a URL as it may be shown: without user and password, and without parameters, of which any may be a secret.
pub fn redacted_url(url: &str) -> String {
    let (scheme, rest) =
        url.split_once("://").map_or(("", url), |(scheme, _)| url.split_at(scheme.len() + 3));
    let shown = |part: &str| part.split(['?', '#']).next().unwrap_or_default().to_owned();
    // The parameters begin behind a path; before one, a password may have any character.
    let place = match shown(rest) {
        head if head.contains('/') => head,
        _ => rest.to_owned(),
    };
    format!("{scheme}{}", shown(place.rsplit_once('@').map_or(&*place, |(_, place)| place)))
}

/// The transport that a URL asks for.
pub(super) fn transport(url: &str) -> Result<Box<dyn Transport>, RemoteUrlError> {
    let unsupported = || RemoteUrlError::Unsupported(redacted_url(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(unsupported)?;
    let is_encrypted = scheme.ends_with("https");
    if is_encrypted && !can_encrypt() {
        return Err(unsupported());
    }
    let location = Location::parse(rest, is_encrypted)?;
    match scheme {
        #[cfg(feature = "http")]
        "http" | "https" => Ok(Box::new(super::HttpTransport::at(&location))),
        #[cfg(feature = "bazel")]
        "bazel+http" | "bazel+https" => Ok(Box::new(super::BazelTransport::at(&location))),
        #[cfg(feature = "redis")]
        "redis" => Ok(Box::new(super::RedisTransport::at(&location)?)),
        #[cfg(feature = "s3")]
        "s3" => Ok(Box::new(super::S3Transport::at(&location)?)),
        _ => {
            drop(location);
            Err(unsupported())
        }
    }
}

#[cfg(any(feature = "redis", feature = "s3"))]
fn percent_decode(text: &str) -> Result<String, RemoteUrlError> {
    let wrong = || RemoteUrlError::Incomplete("two hexadecimal digits after each `%`".to_owned());
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
