//! A kept HTTP connection that sends one request after another. It does as little work as possible, because the load
//! generator usually shares the machine with the server that it measures.

use anyhow::Context;
use axum::body::Bytes;
use axum::http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: String,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Connection {
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        let host = uri.host().with_context(|| format!("{url} has no host"))?;
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        Ok(Self { sender: Self::connect(&address).await?, address })
    }

    async fn connect(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("no server at {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // The next request notices when the connection has ended.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends one request. A closed connection is opened again before the request.
    pub(super) async fn post(&mut self, path: &str, headers: &[(&str, &str)], body: Bytes) -> anyhow::Result<Answer> {
        self.send("POST", path, "application/json", headers, body).await
    }

    /// Sends a form in the same way.
    pub(super) async fn post_form(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        form: Bytes,
    ) -> anyhow::Result<Answer> {
        self.send("POST", path, "application/x-www-form-urlencoded; charset=UTF-8", headers, form).await
    }

    pub(super) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send("GET", path, "application/json", headers, Bytes::new()).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        if self.sender.is_closed() {
            self.sender = Self::connect(&self.address).await?;
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", media_type);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let answer = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status().as_u16();
        Ok(Answer { status, body: answer.into_body().collect().await?.to_bytes() })
    }
}
