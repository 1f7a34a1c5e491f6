//! Which proxies are believed, and what they say of the client: `Forwarded` (RFC 7239) and `X-Forwarded-*`.

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};

#[cfg(test)]
mod tests;

/// A network or a single address, `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Leading bits that count.
    length: u8,
}

/// Why a text is no [`Network`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no network: write an address (10.1.2.3, ::1) or an address and a prefix length (10.0.0.0/8)"
)]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let complaint = || NetworkError(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| complaint())?;
        let most = bits(address);
        let length = match length {
            Some(length) => length
                .trim()
                .parse()
                .ok()
                .filter(|length| *length <= most)
                .ok_or_else(complaint)?,
            None => most,
        };
        Ok(Network { address, length })
    }
}

impl Network {
    /// Whether an address lies in it. IPv4 addresses that came through an IPv6 socket count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                leading(u128::from(own.to_bits()) << 96, self.length)
                    == leading(u128::from(other.to_bits()) << 96, self.length)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                leading(own.to_bits(), self.length) == leading(other.to_bits(), self.length)
            }
            _ => false,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn leading(bits: u128, length: u8) -> u128 {
    bits.checked_shr(128 - u32::from(length)).unwrap_or(0)
}

/// What a proxy said of the request that it passed on. Everything in it has been checked for its form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// A host with or without a port.
    pub host: Option<String>,
    /// The port, when it is told apart from the host.
    pub port: Option<u16>,
    /// The path below which the proxy offers this server: empty, or starting with `/`.
    pub prefix: String,
}

/// What the headers say. Only for requests whose peer is a trusted proxy. A proxy writes one family of headers and may
/// pass on what the client sent of the other: where both say something and not the same, neither is believed.
pub fn forwarded(headers: &HeaderMap) -> Forwarded {
    let standard = text(headers, &FORWARDED).unwrap_or_default();
    let first = standard.split(',').next().unwrap_or_default();
    let said = |field, plain| agreed(parameter(first, field), listed(headers, plain));
    Forwarded {
        scheme: scheme(said("proto", "x-forwarded-proto")),
        host: said("host", "x-forwarded-host")
            .filter(|host| is_host(host))
            .map(str::to_owned),
        port: listed(headers, "x-forwarded-port").and_then(|port| port.parse().ok()),
        prefix: listed(headers, "x-forwarded-prefix")
            .and_then(prefix)
            .unwrap_or_default(),
    }
}

/// What the two families of headers say of one thing, unless they contradict each other.
fn agreed<'h>(standard: Option<&'h str>, plain: Option<&'h str>) -> Option<&'h str> {
    match (standard, plain) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other).then_some(one),
        (one, other) => one.or(other),
    }
}

/// The address of the client: that of the peer, and behind trusted proxies the last one they name that is
/// not a trusted proxy itself (what stands further left was sent by the client and may be forged). Where
/// `Forwarded` and `X-Forwarded-For` name different ones, one of them is the client's own word: then it is the peer's.
pub fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &[Network]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    if trusted.is_empty() || !peer.as_ref().is_some_and(is_trusted) {
        return peer;
    }
    let standard = items(headers, &FORWARDED).map(|hop| parameter(hop, "for").and_then(address));
    let plain = items(headers, &HeaderName::from_static("x-forwarded-for")).map(address);
    let named = match (last_hop(standard, is_trusted), last_hop(plain, is_trusted)) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other).flatten(),
    };
    named.or(peer)
}

/// All items of a comma-separated header, over all its lines.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    headers
        .get_all(name)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
}

/// The last hop of a list that is no trusted proxy. `None`: there is no list; `Some(None)`: it names none.
fn last_hop(
    hops: impl Iterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(&IpAddr) -> bool,
) -> Option<Option<IpAddr>> {
    let mut hops: Vec<Option<IpAddr>> = hops.map(|hop| hop.map(|hop| hop.to_canonical())).collect();
    let mut last = hops.pop()?;
    while last.as_ref().is_some_and(&is_trusted) {
        last = hops.pop().flatten();
    }
    Some(last)
}

/// Whether a text may stand as the host of a URL: a name or address, perhaps with a port, and nothing that
/// could break out of a header or a JSON string.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                ("v6", port.strip_prefix(':'))
            }
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let is_name = (1..=253).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let tail_is_port = match text.rsplit_once(']') {
        Some((_, tail)) => tail.is_empty() || tail.starts_with(':'),
        None => true,
    };
    is_name && tail_is_port && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn scheme(text: Option<&str>) -> Option<&'static str> {
    ["https", "http"]
        .into_iter()
        .find(|known| text.is_some_and(|text| text.eq_ignore_ascii_case(known)))
}

fn prefix(text: &str) -> Option<String> {
    let path = text.trim_end_matches('/');
    let plain = path.starts_with('/')
        && path.len() <= 200
        && !path.contains("//")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~'));
    plain.then(|| path.to_owned())
}

/// An address as proxies write it: bare, quoted, bracketed, with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse()
        .ok()
        .or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The first item of a comma-separated header: what the proxy next to the client said.
fn listed<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    let item = text(headers, &HeaderName::from_static(name))?
        .split(',')
        .next()?
        .trim();
    (!item.is_empty()).then_some(item)
}

fn parameter<'h>(hop: &'h str, name: &str) -> Option<&'h str> {
    hop.split(';').find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}
