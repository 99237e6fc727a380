use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::transport::{Transport, TransportError, left};
use super::url::{Location, RemoteUrlError};

/// Redis, and what speaks its protocol: GET, SET and DEL in RESP version 2.
///
/// A client of this crate's own, since the usual one has a time-out for each read and not for an operation, and allocates
/// what the server says. Give the server a memory limit and an eviction policy.
pub struct RedisTransport {
    address: String,
    /// Sent first on each connection.
    greeting: Vec<Vec<Vec<u8>>>,
    idle: Mutex<Vec<Connection>>,
}

impl RedisTransport {
    pub(super) fn at(location: &Location) -> Result<Self, RemoteUrlError> {
        let mut greeting = Vec::new();
        if let Some((user, password)) = location.credentials()? {
            let words = match user.as_str() {
                "" => vec![b"AUTH".to_vec(), password.into()],
                user => vec![b"AUTH".to_vec(), user.into(), password.into()],
            };
            greeting.push(words);
        }
        let database = location.path.trim_matches('/');
        if !database.is_empty() {
            greeting.push(vec![b"SELECT".to_vec(), database.into()]);
        }
        let has_port =
            location.authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address =
            if has_port { location.authority.clone() } else { format!("{}:6379", location.authority) };
        Ok(Self { address, greeting, idle: Mutex::default() })
    }

    /// Sends a command on an idle connection or a new one. An idle one that the server has closed meanwhile says nothing about the
    /// server: the command, which may be sent twice, is sent on a new one.
    fn command(&self, words: &[&[u8]], limit: u64, deadline: Instant) -> Result<Reply, TransportError> {
        let idle = self.idle().pop();
        if let Some(mut connection) = idle {
            match connection.command(words, limit, deadline) {
                // The others are as old.
                Err(TransportError::Failed(_)) => self.idle().clear(),
                answer => return self.keep(connection, answer?),
            }
        }
        let mut connection = self.connect(deadline)?;
        let reply = connection.command(words, limit, deadline)?;
        self.keep(connection, reply)
    }

    /// Keeps a connection for the next command, unless the server has refused this one.
    fn keep(&self, connection: Connection, reply: Reply) -> Result<Reply, TransportError> {
        if let Reply::Error(error) = reply {
            return Err(TransportError::Refused(error));
        }
        self.idle().push(connection);
        Ok(reply)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, deadline: Instant) -> Result<Connection, TransportError> {
        let addresses = resolve(self.address.clone(), deadline)?;
        let mut failure = TransportError::Failed(format!("`{}` has no address", self.address));
        for address in addresses {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    let mut connection = Connection { stream, buffer: Vec::new(), start: 0 };
                    for words in &self.greeting {
                        let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
                        if let Reply::Error(error) = connection.command(&words, LINE, deadline)? {
                            return Err(TransportError::Refused(error));
                        }
                    }
                    return Ok(connection);
                }
                Err(error) => failure = failed(error),
            }
        }
        Err(failure)
    }
}

impl fmt::Debug for RedisTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the greeting, which may have a password.
        f.debug_struct("RedisTransport").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Resolves on another thread, since the system's resolver has no deadline.
fn resolve(address: String, deadline: Instant) -> Result<Vec<std::net::SocketAddr>, TransportError> {
    let (found, wait) = channel();
    std::thread::Builder::new()
        .name("metallic-resolve".to_owned())
        .spawn(move || {
            // The receiver is gone if this takes too long.
            let _ = found.send(address.to_socket_addrs().map(Vec::from_iter));
        })
        .map_err(failed)?;
    wait.recv_timeout(left(deadline)?).map_err(|_| TransportError::TimedOut)?.map_err(failed)
}

impl Transport for RedisTransport {
    fn name(&self) -> &str {
        "redis"
    }

    fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<Vec<u8>>, TransportError> {
        match self.command(&[b"GET", &key(name)], limit, deadline)? {
            Reply::Bytes(bytes) => Ok(bytes),
            reply => Err(unexpected(&reply)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        match self.command(&[b"SET", &key(name), bytes], LINE, deadline)? {
            Reply::Status => Ok(()),
            reply => Err(unexpected(&reply)),
        }
    }

    fn delete(&self, name: &str, deadline: Instant) -> Result<bool, TransportError> {
        match self.command(&[b"DEL", &key(name)], LINE, deadline)? {
            Reply::Integer(deleted) => Ok(deleted > 0),
            reply => Err(unexpected(&reply)),
        }
    }
}

fn key(name: &str) -> Vec<u8> {
    format!("metallic:{name}").into_bytes()
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The bytes read and not yet consumed, from `start` on.
    buffer: Vec<u8>,
    start: usize,
}

#[derive(Debug)]
enum Reply {
    Status,
    Error(String),
    Integer(i64),
    Bytes(Option<Vec<u8>>),
}

/// The most that a line of a reply takes.
const LINE: u64 = 4096;

impl Connection {
    fn command(&mut self, words: &[&[u8]], limit: u64, deadline: Instant) -> Result<Reply, TransportError> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.write(&request, deadline)?;
        let line = self.line(deadline)?;
        let (kind, text) = line.split_at_checked(1).ok_or_else(nonsense)?;
        match kind {
            "+" => Ok(Reply::Status),
            "-" => Ok(Reply::Error(text.to_owned())),
            ":" => text.parse().map(Reply::Integer).map_err(|_| nonsense()),
            "$" if text == "-1" => Ok(Reply::Bytes(None)),
            "$" => {
                let len: u64 = text.parse().map_err(|_| nonsense())?;
                if len > limit {
                    return Err(TransportError::TooLong { limit });
                }
                self.bytes(len as usize, deadline).map(|bytes| Reply::Bytes(Some(bytes)))
            }
            _ => Err(nonsense()),
        }
    }

    /// A write gives up by the deadline, or one read's time after it: the system's time-out is for each of its calls.
    fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(left(deadline)?)).map_err(failed)?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(nonsense()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn line(&mut self, deadline: Instant) -> Result<String, TransportError> {
        loop {
            let unread = &self.buffer[self.start..];
            if let Some(end) = unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&unread[..end]).into_owned();
                self.start += end + 2;
                return Ok(line);
            }
            if unread.len() as u64 > LINE {
                return Err(nonsense());
            }
            self.fill(deadline)?;
        }
    }

    fn bytes(&mut self, len: usize, deadline: Instant) -> Result<Vec<u8>, TransportError> {
        while self.buffer.len() - self.start < len + 2 {
            self.fill(deadline)?;
        }
        let bytes = self.buffer[self.start..self.start + len].to_vec();
        let end = &self.buffer[self.start + len..self.start + len + 2];
        if end != b"\r\n" {
            return Err(nonsense());
        }
        self.start += len + 2;
        Ok(bytes)
    }

    /// Reads once more. The buffer grows by what came, and not by what was announced.
    fn fill(&mut self, deadline: Instant) -> Result<(), TransportError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.stream.set_read_timeout(Some(left(deadline)?)).map_err(failed)?;
        let mut chunk = [0; 1 << 14];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(TransportError::Failed("the server closed the connection".to_owned())),
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn failed(error: io::Error) -> TransportError {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => TransportError::TimedOut,
        _ => TransportError::Failed(error.to_string()),
    }
}

fn nonsense() -> TransportError {
    TransportError::Failed("the server does not speak Redis's protocol".to_owned())
}

fn unexpected(reply: &Reply) -> TransportError {
    TransportError::Refused(format!("another reply than expected: {reply:?}"))
}
