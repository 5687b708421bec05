//! A port of this machine for a server that is killed and started again and again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 that stays free for one server, also while that does not run: nobody else gets it for a
/// listener or, more likely, as the near end of an outgoing connection.
///
/// A socket is bound to it and never listens. Linux lets a server that sets `SO_REUSEADDR` (as tokio and PostgreSQL
/// do) listen beside it, and passes over the port when it looks for a free one.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _bound: TcpSocket,
}

impl ReservedPort {
    /// A port that was free.
    ///
    /// # Errors
    /// There is none.
    pub fn any() -> io::Result<Self> {
        Self::bind(0)
    }

    /// This port.
    ///
    /// # Errors
    /// It is taken.
    pub fn bind(number: u16) -> io::Result<Self> {
        let bound = TcpSocket::new_v4()?;
        bound.set_reuseaddr(true)?;
        bound.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
        Ok(Self { number: bound.local_addr()?.port(), _bound: bound })
    }

    /// Its number.
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
