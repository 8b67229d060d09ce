//! The table of raw requests: what each is answered, and what the upstream saw.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ig_e2e::{Envoy, Fixture, RawRequest, RawResponse, TokenClaims, demo, http1, http2};
use ig_envoy::HttpVersion;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::skip;

/// One case. Strings may hold `{{hash:Cases}}`, `{{text:Cases}}` and
/// `{{json:Cases}}` (the text as a JSON string).
#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    /// Section of the research that asks for it, or why it is here.
    #[expect(dead_code, reason = "for the reader of the table")]
    why: String,
    /// `1`, `2` or both.
    #[serde(default = "both")]
    http: Vec<u8>,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "endpoint")]
    target: String,
    /// Beside token, purpose and content type, unless `bare`. Each character
    /// is one byte.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Sends none of the usual headers.
    #[serde(default)]
    bare: bool,
    #[serde(default)]
    body: Option<String>,
    /// Hex digits, instead of `body`.
    #[serde(default)]
    body_hex: Option<String>,
    /// A body of so many bytes of white space in front of `body`.
    #[serde(default)]
    padding: usize,
    /// Cuts the body into pieces of this size.
    #[serde(default)]
    chunk: Option<usize>,
    #[serde(default)]
    chunked: bool,
    #[serde(default)]
    trailers: Vec<(String, String)>,
    expect: Expect,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expect {
    status: u16,
    /// Code of the guard; none for an answer by Envoy itself.
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    /// Response headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What the upstream gets, where it gets something.
    #[serde(default)]
    upstream: Option<Seen>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Seen {
    /// The body; `{{…}}` as in requests.
    #[serde(default)]
    body: Option<Value>,
    /// The request target.
    #[serde(default = "endpoint")]
    target: String,
    /// Headers with their only value.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers that must not arrive.
    #[serde(default)]
    absent: Vec<String>,
}

fn both() -> Vec<u8> {
    vec![1, 2]
}

fn post() -> String {
    "POST".into()
}

fn endpoint() -> String {
    "/graphql".into()
}

fn fill(text: &str, fixture: &Fixture) -> String {
    let mut filled = text.to_owned();
    for (name, text) in &fixture.texts {
        filled = filled
            .replace(
                &format!("{{{{hash:{name}}}}}"),
                &fixture.hash(name).to_string(),
            )
            .replace(
                &format!("{{{{json:{name}}}}}"),
                &Value::from(text.as_str()).to_string(),
            )
            .replace(&format!("{{{{text:{name}}}}}"), text);
    }
    filled
}

fn fill_value(value: &Value, fixture: &Fixture) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, fixture)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, fixture)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), fill_value(value, fixture)))
            .collect(),
        other => other.clone(),
    }
}

impl Case {
    fn request(&self, fixture: &Fixture, id: &str) -> Result<RawRequest> {
        let latin1 = |text: &str| {
            text.chars()
                .map(|char| char as u32 as u8)
                .collect::<Vec<_>>()
        };
        let mut headers = vec![("x-case".to_owned(), id.as_bytes().to_vec())];
        let overrides = |name: &str| self.headers.iter().any(|(other, _)| other == name);
        if !self.bare {
            let token = fixture.issuer.token(&TokenClaims::alpha());
            let usual = [
                ("authorization", format!("Bearer {token}")),
                ("x-ig-purpose", "investigation".to_owned()),
                ("content-type", "application/json".to_owned()),
            ];
            let usual = usual.into_iter().filter(|(name, _)| !overrides(name));
            headers.extend(usual.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        }
        headers.extend(
            self.headers
                .iter()
                .filter(|(_, value)| value != "-")
                .map(|(name, value)| (name.clone(), latin1(&fill(value, fixture)))),
        );
        let mut body = vec![b' '; self.padding];
        match (&self.body, &self.body_hex) {
            (Some(text), _) => body.extend_from_slice(fill(text, fixture).as_bytes()),
            (None, Some(hex)) => {
                for at in (0..hex.len()).step_by(2) {
                    body.push(u8::from_str_radix(&hex[at..at + 2], 16)?);
                }
            }
            (None, None) => {}
        }
        let chunk = self.chunk.unwrap_or(body.len().max(1));
        Ok(RawRequest {
            method: self.method.clone(),
            target: fill(&self.target, fixture),
            headers,
            chunks: body.chunks(chunk).map(<[u8]>::to_vec).collect(),
            chunked: self.chunked,
            trailers: self.trailers.clone(),
        })
    }

    async fn check(&self, fixture: &Fixture, envoy: &Envoy, http: u8) -> Result<()> {
        let id = format!("{}-h{http}", self.name);
        let request = self.request(fixture, &id)?;
        let response = match http {
            1 => http1(envoy.gateway, &request).await?,
            _ => http2(envoy.gateway, &request).await?,
        };
        let seen = fixture.recorder.take(&id);
        self.check_response(&response)?;
        let Some(expected) = &self.expect.upstream else {
            ensure!(seen.is_empty(), "reached the upstream: {seen:?}");
            return Ok(());
        };
        let [seen] = seen.as_slice() else {
            anyhow::bail!("the upstream saw {} requests", seen.len());
        };
        ensure!(
            seen.target == fill(&expected.target, fixture),
            "target {}",
            seen.target
        );
        if let Some(body) = &expected.body {
            let sent: Value = serde_json::from_slice(&seen.body)
                .with_context(|| String::from_utf8_lossy(&seen.body).into_owned())?;
            ensure!(sent == fill_value(body, fixture), "body {sent}");
            let length = seen.header("content-length");
            ensure!(
                length == [seen.body.len().to_string()],
                "content-length {length:?}"
            );
            ensure!(
                seen.header("content-type") == ["application/json"],
                "content-type"
            );
        }
        ensure!(
            seen.trailers.is_empty(),
            "upstream got trailers {:?}",
            seen.trailers
        );
        for (name, value) in &expected.headers {
            let found = seen.header(name);
            ensure!(
                found == [fill(value, fixture)],
                "upstream's {name} is {found:?}"
            );
        }
        for name in expected
            .absent
            .iter()
            .map(String::as_str)
            .chain(["x-ig-step-up", "content-encoding"])
        {
            ensure!(seen.header(name).is_empty(), "upstream got {name}");
        }
        let id = response.header("x-ig-decision-id");
        ensure!(
            seen.header("x-ig-decision-id") == [id.unwrap_or_default()],
            "decision ids differ"
        );
        Ok(())
    }

    fn check_response(&self, response: &RawResponse) -> Result<()> {
        let expect = &self.expect;
        let body = String::from_utf8_lossy(&response.body);
        ensure!(
            response.status == expect.status,
            "status {} {body}",
            response.status
        );
        let code = response.extension("code");
        ensure!(code == expect.code, "code {code:?}, {body}");
        if let Some(rule) = &expect.rule {
            ensure!(
                response.extension("rule").as_ref() == Some(rule),
                "rule in {body}"
            );
        }
        for (name, value) in &expect.headers {
            let found = response.header(name);
            ensure!(found.as_ref() == Some(value), "{name} is {found:?}");
        }
        if code.is_some() {
            let id = response.header("x-ig-decision-id");
            ensure!(
                id.is_some() && response.extension("decisionId") == id,
                "decision id"
            );
            let control = response.header("cache-control");
            ensure!(
                control.as_deref() == Some("private, no-cache, must-revalidate"),
                "cache"
            );
        }
        Ok(())
    }
}

fn table() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file| {
        let text = std::fs::read_to_string(&file).unwrap();
        serde_json::from_str::<Vec<Case>>(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"))
    };
    files.into_iter().flat_map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_table_has_its_verdict() {
    check_all(HttpVersion::Http1).await;
}

/// The same in front of an upstream to which Envoy sends trailers too.
#[tokio::test(flavor = "multi_thread")]
async fn every_case_has_its_verdict_before_an_http2_upstream() {
    check_all(HttpVersion::Http2).await;
}

async fn check_all(upstream: HttpVersion) {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let make = |gateway, admin| {
        let mut options = fixture.options(gateway, admin)?;
        options.upstream.http_version = upstream;
        Ok(ig_envoy::render(&options))
    };
    let envoy = Envoy::start(1, make).await.unwrap();
    let cases = table();
    let mut names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two cases of one name");
    let only = std::env::var("IG_CASE").ok();
    let chosen = cases
        .iter()
        .filter(|case| only.as_ref().is_none_or(|only| case.name.contains(only)));
    let (fixture, envoy) = (Arc::new(fixture), Arc::new(envoy));
    let mut running = JoinSet::new();
    for (case, http) in chosen.flat_map(|case| case.http.iter().map(move |http| (case, *http))) {
        let (case, fixture, envoy) = (case.clone(), fixture.clone(), envoy.clone());
        running.spawn(async move {
            let outcome = case.check(&fixture, &envoy, http).await;
            outcome
                .err()
                .map(|error| format!("{} (HTTP/{http}): {error:#}", case.name))
        });
    }
    let outcomes = running.join_all().await;
    let checked = outcomes.len();
    let failures: Vec<_> = outcomes.into_iter().flatten().collect();
    let log = envoy.log();
    assert!(
        failures.is_empty(),
        "{} of {checked}:\n{}\n{log}",
        failures.len(),
        failures.join("\n")
    );
    // A trapped VM would be a deny too, and hide the reason.
    assert!(!log.contains("panicked"), "{log}");
    println!("{checked} requests, {} cases", cases.len());
}
