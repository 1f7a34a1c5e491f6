//! `passerelle health`: asks a running server whether it is ready, for containers and scripts.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::say;
use crate::config::Settings;

/// How long to wait for each step of the answer. The server itself waits 2 s for its database.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than readiness ever says, bytes.
const MOST_BYTES: u64 = 16 * 1024;

/// Asks the admin address, or where there is none the one that is listened on.
///
/// # Errors
/// When the server is not ready: what it said, or that it cannot be reached.
pub(super) fn run(settings: &Settings) -> anyhow::Result<()> {
    let listening = settings.admin_listen.as_deref().unwrap_or(settings.listen());
    let address = reachable(listening)?;
    let answer = ask(address).with_context(|| format!("the server at {address} does not answer"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if status != "200" {
        bail!("the server at {address} is not ready: {status} {body}");
    }
    say(body)
}

/// The address to connect to: who listens on all addresses is reached on the loopback.
fn reachable(listening: &str) -> anyhow::Result<SocketAddr> {
    let mut address = listening
        .to_socket_addrs()
        .with_context(|| format!("{listening} is no address and port"))?
        .next()
        .with_context(|| format!("{listening} is no address and port"))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
