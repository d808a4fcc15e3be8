//! A server on loopback that answers each request as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Which one it is, from 0.
    pub(crate) nth: usize,
    pub(crate) path: String,
    #[allow(dead_code, reason = "git hosts alone are sent any")]
    pub(crate) body: Vec<u8>,
    head: String,
}

impl Request {
    /// The value of a header field, if there is one.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Where a Range request begins.
    pub(crate) fn range(&self) -> Option<usize> {
        let from = self.field("range")?.strip_prefix("bytes=")?;
        from.strip_suffix('-')?.parse().ok()
    }
}

/// What a connection is read from and written to.
pub(crate) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

pub(crate) struct Server {
    /// Ends in a slash.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers over plain HTTP. Each connection serves one request.
    pub(crate) fn http(answer: impl Fn(&Request, &mut dyn Wire) + Send + Sync + 'static) -> Self {
        Self::start("http", move |stream, serve| {
            let mut stream = stream;
            serve(&mut stream, &answer);
        })
    }

    /// Answers over TLS with the certificate in `tls/`.
    pub(crate) fn https(answer: impl Fn(&Request, &mut dyn Wire) + Send + Sync + 'static) -> Self {
        let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch/tls");
        let certificate = CertificateDer::from_pem_file(format!("{tls}/loopback.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(format!("{tls}/loopback-key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        Self::start("https", move |stream, serve| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            serve(&mut rustls::StreamOwned::new(session, stream), &answer);
        })
    }

    fn start<A>(scheme: &str, connection: A) -> Self
    where
        A: Fn(TcpStream, &dyn Fn(&mut dyn Wire, &dyn Fn(&Request, &mut dyn Wire)))
            + Send
            + Sync
            + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let connection = Arc::new(connection);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, connection) = (Arc::clone(&log), Arc::clone(&connection));
                std::thread::spawn(move || {
                    connection(stream.unwrap(), &|wire, answer| {
                        let Some(request) = receive(wire, &log) else {
                            return;
                        };
                        answer(&request, wire);
                        let _ = wire.flush();
                    });
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The paths asked for, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .map(|request| request.path)
            .collect()
    }
}

fn receive(wire: &mut dyn Wire, log: &Mutex<Vec<Request>>) -> Option<Request> {
    let mut head = String::new();
    let mut reader = BufReader::with_capacity(1, wire);
    while !head.ends_with("\r\n\r\n") {
        // A client that refuses the certificate hangs up here.
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        let named = field.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut log = log.lock().unwrap();
    let request = Request {
        nth: log.len(),
        path: head.split(' ').nth(1).unwrap().to_owned(),
        body,
        head,
    };
    log.push(request.clone());
    Some(request)
}

/// A status line and header fields. The client may have gone: that is its right.
pub(crate) fn head(wire: &mut dyn Wire, status: &str, fields: &[(&str, &str)]) {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{fields}\r\n");
    let _ = wire.write_all(head.as_bytes());
}

/// An answer without a body.
pub(crate) fn empty(wire: &mut dyn Wire, status: &str, fields: &[(&str, &str)]) {
    let fields = [fields, &[("content-length", "0")]].concat();
    head(wire, status, &fields);
}

/// A whole file.
pub(crate) fn whole(wire: &mut dyn Wire, body: &[u8]) {
    head(
        wire,
        "200 OK",
        &[("content-length", &body.len().to_string())],
    );
    let _ = wire.write_all(body);
}

/// A file that is said to be whole and ends early.
pub(crate) fn broken(wire: &mut dyn Wire, body: &[u8], at: usize, fields: &[(&str, &str)]) {
    let length = body.len().to_string();
    head(
        wire,
        "200 OK",
        &[fields, &[("content-length", &length)]].concat(),
    );
    let _ = wire.write_all(&body[..at]);
}

/// The rest of a file, as `Range` asks for it.
pub(crate) fn rest(wire: &mut dyn Wire, body: &[u8], from: usize) {
    let (last, length) = (body.len() - 1, body.len());
    let range = format!("bytes {from}-{last}/{length}");
    let rest = (length - from).to_string();
    let fields = [("content-range", &*range), ("content-length", &*rest)];
    head(wire, "206 Partial Content", &fields);
    let _ = wire.write_all(&body[from..]);
}

/// Says nothing more until the client hangs up.
pub(crate) fn stall(wire: &mut dyn Wire) {
    let _ = wire.flush();
    let _ = wire.read(&mut [0]);
}
