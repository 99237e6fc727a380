//! Servers that keep what they are given, or misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Redis,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Works,
    /// Takes a connection and says nothing.
    Hangs,
    /// Begins an answer with this, and goes on a byte at a time, for ever.
    Drips(&'static [u8]),
    /// Closes each connection.
    Closes,
    /// Answers this to everything.
    Lies(&'static [u8]),
    /// Fails so many requests, and then works.
    FailsFirst(usize),
    /// Takes nothing before the collection is made.
    WantsCollection,
    /// Works, and closes each connection after its first answer.
    ClosesAfterAnswer,
    /// Works, and answers with a long page to everything but what is asked for and there.
    TalksMuch,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lies(answer) => {
                write!(f, "lies {:.48}", String::from_utf8_lossy(answer).escape_debug().to_string())
            }
            Self::Drips(head) => write!(f, "drips {:.48}", head.escape_ascii().to_string()),
            Self::Works => f.write_str("works"),
            Self::Hangs => f.write_str("hangs"),
            Self::Closes => f.write_str("closes"),
            Self::FailsFirst(times) => write!(f, "fails {times} times"),
            Self::WantsCollection => f.write_str("wants a collection"),
            Self::ClosesAfterAnswer => f.write_str("closes after an answer"),
            Self::TalksMuch => f.write_str("talks much"),
        }
    }
}

#[derive(Default)]
struct State {
    values: HashMap<String, Vec<u8>>,
    requests: Vec<String>,
    has_collection: bool,
}

/// The clock of the HTTP servers: 784111777 seconds after 1970, an example of RFC 9110.
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A server on a free port. Its threads end with the process.
pub(super) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(super) fn start(protocol: Protocol, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                // A client that goes away ends its thread.
                std::thread::spawn(move || serve(stream, protocol, behaviour, &state));
            }
        });
        Self { address, state }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(super) fn bytes_kept(&self) -> usize {
        self.state.lock().unwrap().values.values().map(Vec::len).sum()
    }

    pub(super) fn only_value(&self) -> Vec<u8> {
        self.state.lock().unwrap().values.values().next().unwrap().clone()
    }

    pub(super) fn replace_only_value(&self, value: Vec<u8>) {
        *self.state.lock().unwrap().values.values_mut().next().unwrap() = value;
    }
}

fn serve(stream: TcpStream, protocol: Protocol, behaviour: Behaviour, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        match behaviour {
            Behaviour::Closes => return None,
            Behaviour::Hangs => std::io::copy(&mut reader, &mut std::io::sink()).map(drop).ok()?,
            Behaviour::Drips(head) => {
                writer.write_all(head).ok()?;
                loop {
                    // Faster than any time-out of a single read, slower than a deadline allows for the whole answer.
                    std::thread::park_timeout(Duration::from_millis(20));
                    writer.write_all(b"x").ok()?;
                }
            }
            Behaviour::Lies(answer) => {
                // Whatever was asked.
                let asked = reader.fill_buf().ok()?.len();
                if asked == 0 {
                    return None;
                }
                reader.consume(asked);
                writer.write_all(answer).ok()?;
            }
            Behaviour::Works
            | Behaviour::FailsFirst(_)
            | Behaviour::WantsCollection
            | Behaviour::ClosesAfterAnswer
            | Behaviour::TalksMuch => {
                match protocol {
                    Protocol::Http => http(&mut reader, &mut writer, behaviour, state)?,
                    Protocol::Redis => redis(&mut reader, &mut writer, state)?,
                }
                if behaviour == Behaviour::ClosesAfterAnswer {
                    return None;
                }
            }
        }
    }
}

fn http(
    reader: &mut impl BufRead,
    writer: &mut impl Write,
    behaviour: Behaviour,
    state: &Mutex<State>,
) -> Option<()> {
    let mut head = String::new();
    loop {
        let before = head.len();
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
        if &head[before..] == "\r\n" {
            break;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;

    let mut state = state.lock().unwrap();
    state.requests.push(head.clone());
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split('?').next()?.to_owned();
    let is_head = method == "HEAD";
    let failing = matches!(behaviour, Behaviour::FailsFirst(times) if state.requests.len() <= times);
    let wants = behaviour == Behaviour::WantsCollection && !state.has_collection;
    let (status, answer) = match method {
        _ if failing => ("503 Service Unavailable", Vec::new()),
        "GET" | "HEAD" => match state.values.get(&path) {
            Some(value) => ("200 OK", value.clone()),
            None => ("404 Not Found", b"there is no such thing".to_vec()),
        },
        "PUT" if wants => ("409 Conflict", Vec::new()),
        "PUT" => {
            state.values.insert(path, body);
            ("201 Created", Vec::new())
        }
        "DELETE" => match state.values.remove(&path) {
            Some(_) => ("204 No Content", Vec::new()),
            None => ("404 Not Found", Vec::new()),
        },
        "MKCOL" => {
            state.has_collection = true;
            ("201 Created", Vec::new())
        }
        _ => ("405 Method Not Allowed", Vec::new()),
    };
    drop(state);
    let answer = match behaviour {
        Behaviour::TalksMuch if status != "200 OK" && !status.starts_with("204") => vec![b'x'; 200_000],
        _ => answer,
    };
    // In one piece, or the client's kernel waits for more before it acknowledges the first.
    let mut response = format!("HTTP/1.1 {status}\r\ndate: {DATE}\r\n");
    if !status.starts_with("204") {
        response += &format!("content-length: {}\r\n", answer.len());
    }
    let body = if is_head { Vec::new() } else { answer };
    writer.write_all(&[response.as_bytes(), b"\r\n", &body].concat()).ok()
}

fn redis(reader: &mut impl BufRead, writer: &mut impl Write, state: &Mutex<State>) -> Option<()> {
    let mut words = Vec::new();
    for _ in 0..number(reader, '*')? {
        let mut word = vec![0; number(reader, '$')? + 2];
        reader.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    let mut state = state.lock().unwrap();
    state.requests.push(words.iter().take(2).map(text).collect::<Vec<_>>().join(" "));
    let answer = match text(&words[0]).as_str() {
        "GET" | "HEAD" => match state.values.get(&text(&words[1])) {
            Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
            None => b"$-1\r\n".to_vec(),
        },
        "SET" => {
            state.values.insert(text(&words[1]), words[2].clone());
            b"+OK\r\n".to_vec()
        }
        "DEL" => format!(":{}\r\n", state.values.remove(&text(&words[1])).map_or(0, |_| 1)).into_bytes(),
        "AUTH" | "SELECT" => b"+OK\r\n".to_vec(),
        _ => b"-ERR unknown command\r\n".to_vec(),
    };
    drop(state);
    writer.write_all(&answer).ok()
}

fn number(reader: &mut impl BufRead, prefix: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(prefix)?.parse().ok()
}
