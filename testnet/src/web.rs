//! A web server with one large page, and the fetching of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener, TcpStream};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// Bytes in an order that no compression shortens (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

/// Serves `length` bytes to everybody who asks for anything at `address`, and returns their
/// digest.
///
/// # Errors
/// When the address cannot be listened at.
pub fn serve(address: SocketAddrV4, length: usize) -> Result<String> {
    let page = noise(length);
    let digest = hex(&Sha256::digest(&page));
    let listener = TcpListener::bind(address).with_context(|| format!("listening at {address}"))?;
    std::thread::spawn(move || {
        std::thread::scope(|scope| {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up early does without the rest.
                scope.spawn(|| answer(stream, &page).ok());
            }
        });
    });
    Ok(digest)
}

fn answer(mut stream: TcpStream, page: &[u8]) -> std::io::Result<()> {
    let request = BufReader::new(stream.try_clone()?);
    for line in request.lines() {
        if line?.is_empty() {
            break;
        }
    }
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(page)
}

/// Asks for the page over an open stream, and returns its length and digest.
///
/// # Errors
/// When the answer is not a page, or stops in the middle.
pub fn fetch(mut stream: TcpStream) -> Result<(u64, String)> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")?;
    let mut answer = BufReader::with_capacity(1 << 16, stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).context("reading the answer")?;
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = Some(value.trim_end().parse::<u64>()?);
        }
        match line.as_str() {
            "" => bail!("the answer ended in its head"),
            "\r\n" => break,
            _ => {}
        }
    }
    let mut digest = Sha256::new();
    let mut got = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match answer.read(&mut buffer).context("reading the page")? {
            0 => break,
            count => {
                digest.update(&buffer[..count]);
                got += count as u64;
            }
        }
    }
    if length != Some(got) {
        bail!("got {got} bytes of {length:?}");
    }
    Ok((got, hex(&digest.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
