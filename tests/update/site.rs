//! A web site on loopback: a few files, and a lie where the test wants one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use relaysmith::fetch::Patience;

use crate::server::{Request, Server, Wire, broken, empty, head, stall, whole};

pub(crate) const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    read: Duration::from_millis(500),
    attempts: 2,
    backoff: Duration::from_millis(1),
    longest: Duration::from_millis(2),
};

/// How a file is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// A redirect.
    To(String),
    /// That it is there, and half of it.
    Half(Vec<u8>),
    /// More than anybody wants.
    Endless,
    /// A byte now and then.
    Drip,
    Silence,
    Status(&'static str),
}

/// The files by path, from `/` on. What is not there is not found.
pub(crate) type Site = BTreeMap<String, Answer>;

/// Serves `site`, with `BASE` in redirects standing for the server's own address.
pub(crate) fn serve(site: &Site) -> Server {
    let base = Arc::new(Mutex::new(String::new()));
    let (site, own) = (site.clone(), Arc::clone(&base));
    let server = Server::http(move |request: &Request, wire: &mut dyn Wire| {
        let path = request.path.split('?').next().unwrap();
        match site.get(path) {
            None => empty(wire, "404 Not Found", &[]),
            Some(Answer::Whole(bytes)) => whole(wire, bytes),
            Some(Answer::Half(bytes)) => broken(wire, bytes, bytes.len() / 2, &[]),
            Some(Answer::Status(status)) => empty(wire, status, &[]),
            Some(Answer::Silence) => stall(wire),
            Some(Answer::To(address)) => {
                let address = address.replace("BASE", &own.lock().unwrap());
                empty(wire, "302 Found", &[("location", &address)]);
            }
            Some(Answer::Endless) => {
                head(wire, "200 OK", &[]);
                while wire.write_all(&[b'a'; 1 << 16]).is_ok() {}
            }
            Some(Answer::Drip) => {
                head(wire, "200 OK", &[]);
                while wire.write_all(b"a").and_then(|()| wire.flush()).is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    });
    base.lock().unwrap().clone_from(&server.url);
    server
}
