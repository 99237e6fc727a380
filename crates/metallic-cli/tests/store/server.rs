//! Servers that keep what they are given over HTTP, or misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Works,
    /// Says that it took what it then has not.
    Forgets,
    /// Lets no one write.
    ReadOnly,
    /// Lets no one remove.
    Keeps,
    /// Has the time of 1994.
    IsLate,
    /// Changes a byte of what it was given.
    Damages,
}

/// Starts a server on a free port, and returns its URL. Its thread ends with the process.
pub(crate) fn start(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:password@{}/artifacts", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(HashMap::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = kept.clone();
            // A client that goes away ends its thread.
            std::thread::spawn(move || serve(stream, behaviour, &kept));
        }
    });
    url
}

fn serve(stream: TcpStream, behaviour: Behaviour, kept: &Mutex<HashMap<String, Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (mut request, mut length) = (String::new(), 0);
        reader.read_line(&mut request).ok().filter(|read| *read > 0)?;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
            let Some((name, value)) = header.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = request.split(' ');
        let (method, target) = (words.next()?, words.next()?.to_owned());
        let mut kept = kept.lock().unwrap();
        let (status, answer) = match method {
            "PUT" if behaviour == Behaviour::ReadOnly => ("403 Forbidden", Vec::new()),
            "PUT" => {
                if behaviour == Behaviour::Damages {
                    *body.last_mut()? ^= 1;
                }
                if behaviour != Behaviour::Forgets {
                    kept.insert(target, body);
                }
                ("201 Created", Vec::new())
            }
            "DELETE" if behaviour == Behaviour::Keeps => ("405 Method Not Allowed", Vec::new()),
            "DELETE" => match kept.remove(&target) {
                Some(_) => ("200 OK", Vec::new()),
                None => ("404 Not Found", Vec::new()),
            },
            _ => match kept.get(&target) {
                Some(value) => ("200 OK", value.clone()),
                None => ("404 Not Found", Vec::new()),
            },
        };
        drop(kept);
        let date =
            if behaviour == Behaviour::IsLate { "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status}\r\n{date}content-length: {}\r\n\r\n", answer.len());
        let body = if method == "HEAD" { &[][..] } else { &answer };
        writer.write_all(&[head.as_bytes(), body].concat()).ok()?;
    }
}
