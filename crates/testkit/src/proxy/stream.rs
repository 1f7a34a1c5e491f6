//! TCP and Unix sockets behind one face.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Where to connect to.
#[derive(Clone, Debug)]
pub(super) enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Stream {
    /// Another handle of the same connection.
    pub(super) fn again(&self) -> Stream {
        match self {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone().expect("a handle can be doubled")),
            Stream::Unix(stream) => Stream::Unix(stream.try_clone().expect("a handle can be doubled")),
        }
    }

    /// Ends it for both sides; ending it twice does no harm.
    pub(super) fn close(&self) {
        let _ = match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }
}

impl Upstream {
    pub(super) fn connect(&self) -> std::io::Result<Stream> {
        match self {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Upstream::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }
}

impl Listener {
    /// On a free loopback port.
    pub(super) fn tcp() -> Listener {
        Listener::Tcp(TcpListener::bind("127.0.0.1:0").expect("a loopback port is free"))
    }

    /// On a socket at `path`.
    pub(super) fn unix(path: &Path) -> Listener {
        Listener::Unix(
            UnixListener::bind(path).expect("a socket in an own folder"),
            path.to_owned(),
        )
    }

    pub(super) fn address(&self) -> Upstream {
        match self {
            Listener::Tcp(listener) => {
                Upstream::Tcp(listener.local_addr().expect("a bound port has an address"))
            }
            Listener::Unix(_, path) => Upstream::Unix(path.clone()),
        }
    }

    pub(super) fn accept(&self) -> std::io::Result<Stream> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Listener::Unix(listener, _) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}
