//! Reserves a port for a server that is killed and started again and again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 that is reserved for one server, even while the server does not run. No other process gets it as
/// a free port for a listener or, more likely, as the local port of an outgoing connection.
///
/// The reservation is a socket that is bound to the port and never listens. Linux skips the port when it looks for a
/// free one, but a server that sets `SO_REUSEADDR`, as tokio and PostgreSQL do, can still listen on it.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _bound: TcpSocket,
}

impl ReservedPort {
    /// Reserves a free port.
    ///
    /// # Errors
    /// An error if no port is free.
    pub fn any() -> io::Result<Self> {
        Self::bind(0)
    }

    /// Reserves port `number`; 0 chooses a free one.
    ///
    /// # Errors
    /// An error if the port is in use.
    pub fn bind(number: u16) -> io::Result<Self> {
        let bound = TcpSocket::new_v4()?;
        bound.set_reuseaddr(true)?;
        bound.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
        Ok(Self { number: bound.local_addr()?.port(), _bound: bound })
    }

    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_server_after_the_other_may_listen_and_nobody_else_gets_the_port() {
        let port = ReservedPort::any().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        for _ in 0..3 {
            let server = tokio::net::TcpListener::bind(address).await.unwrap();
            let (client, served) =
                tokio::join!(tokio::net::TcpStream::connect(address), async { server.accept().await.unwrap() });
            drop((client.unwrap(), served, server));
        }
        assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens");
    }
}
