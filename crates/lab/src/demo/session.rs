//! A client of the HTTP API with credentials, as the participants of the demo use it.

use anyhow::{Context, bail};
use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub(super) struct Session {
    http: reqwest::Client,
    url: String,
    header: (reqwest::header::HeaderName, String),
}

impl Session {
    /// Creates a session that authenticates with an API key.
    pub(super) fn with_key(http: &reqwest::Client, url: &str, key: &SecretString) -> Self {
        let header = (AUTHORIZATION, format!("Bearer {}", key.expose_secret()));
        Self { http: http.clone(), url: url.to_owned(), header }
    }

    /// Signs a user in.
    pub(super) async fn sign_in(
        http: &reqwest::Client,
        url: &str,
        email: &str,
        password: &str,
    ) -> anyhow::Result<Self> {
        let request = http.post(format!("{url}/api/auth/login")).json(&json!({"email": email, "password": password}));
        let answer = request.send().await.context("no answer from /api/auth/login")?;
        let cookie = answer.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let Some(cookie) = cookie.and_then(|cookie| cookie.split(';').next()) else {
            bail!("{email} can't sign in: HTTP {}", answer.status().as_u16());
        };
        Ok(Self { http: http.clone(), url: url.to_owned(), header: (COOKIE, cookie.to_owned()) })
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.http.get(format!("{}{path}", self.url)), path).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body), path).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.http.patch(format!("{}{path}", self.url)).json(body), path).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, path: &str) -> anyhow::Result<Value> {
        let (name, value) = self.header.clone();
        let answer = request.header(name, value).send().await.with_context(|| format!("no answer from {path}"))?;
        let status = answer.status();
        let body: Value = answer.json().await.with_context(|| format!("the answer from {path} is not JSON"))?;
        if !status.is_success() {
            bail!("{path} answers HTTP {}: {body}", status.as_u16());
        }
        Ok(body)
    }
}
