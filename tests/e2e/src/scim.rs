//! A client of `/scim/v2`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::ControlPlane;

/// A client with a token, which threads may share. Each request has a
/// connection of its own: a server may end one whose request it did not read.
#[derive(Clone)]
pub struct Scim {
    agent: ureq::Agent,
    /// What paths are below of, such as `http://127.0.0.1:1/scim/v2`.
    pub base: String,
    /// The token, without `Bearer`.
    pub token: String,
}

/// An answer. Status 0 is none.
#[derive(Clone, Debug)]
pub struct ScimAnswer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body, as it came.
    pub text: String,
    /// Body; `Null` for none.
    pub body: Value,
}

impl ScimAnswer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The id of the resource that this is.
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A member of each resource of a list.
    pub fn each(&self, pointer: &str) -> Vec<String> {
        let resources = self.body["Resources"].as_array().into_iter().flatten();
        let values = resources.map(|one| one.pointer(pointer).and_then(Value::as_str));
        values
            .map(|one| one.unwrap_or_default().to_owned())
            .collect()
    }
}

impl Scim {
    /// A client of a server.
    pub fn new(base: impl Into<String>, token: impl Into<String>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(120)))
            .max_idle_connections(0)
            .proxy(None)
            .build()
            .new_agent();
        Self {
            agent,
            base: base.into(),
            token: token.into(),
        }
    }

    /// Sends a request; the headers come beside those of every request.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> ScimAnswer {
        let sent = self.try_send(method, path, headers, body);
        sent.unwrap_or_else(|error| ScimAnswer {
            status: 0,
            headers: http::HeaderMap::new(),
            text: format!("{error:#}"),
            body: Value::Null,
        })
    }

    fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<ScimAnswer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        let says_type = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-type");
        if !body.is_empty() && !headers.iter().any(says_type) {
            request = request.header("content-type", "application/scim+json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = self.agent.run(request.body(body)?)?;
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()?;
        let text = String::from_utf8(bytes)?;
        Ok(ScimAnswer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    /// GET
    pub fn get(&self, path: &str) -> ScimAnswer {
        self.send("GET", path, &[], b"")
    }

    /// POST
    pub fn post(&self, path: &str, body: &Value) -> ScimAnswer {
        self.send("POST", path, &[], body.to_string().as_bytes())
    }

    /// PUT
    pub fn put(&self, path: &str, body: &Value) -> ScimAnswer {
        self.send("PUT", path, &[], body.to_string().as_bytes())
    }

    /// PATCH with these operations.
    pub fn patch(&self, path: &str, operations: &Value) -> ScimAnswer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send("PATCH", path, &[], body.to_string().as_bytes())
    }

    /// DELETE
    pub fn delete(&self, path: &str) -> ScimAnswer {
        self.send("DELETE", path, &[], b"")
    }

    /// A list of resources, by parameters that are encoded here.
    pub fn list(&self, path: &str, parameters: &[(&str, &str)]) -> ScimAnswer {
        let parameters = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)));
        let parameters: Vec<_> = parameters.collect();
        self.get(&format!("{path}?{}", parameters.join("&")))
    }

    /// Whether the server answers at all.
    pub fn answers(&self) -> bool {
        self.get("/ServiceProviderConfig").status == 200
    }
}

/// Text as a part of a URL.
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl ControlPlane {
    /// A token of a role, made by the first one.
    ///
    /// # Errors
    /// What was answered, where it was not made.
    pub fn make_token(&self, role: &str, more: &Value) -> Result<String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut new = json!({"name": format!("{role}-{number}"), "role": role});
        for (name, value) in more.as_object().into_iter().flatten() {
            new[name] = value.clone();
        }
        let (status, made) = self.call("POST", "/tokens", new.to_string());
        ensure!(status == 201, "{status}: {made}");
        Ok(made["token"].as_str().unwrap_or_default().to_owned())
    }

    /// A tenant, and a client that provisions it.
    ///
    /// # Errors
    /// What was answered, where it was not made.
    pub fn provisioner(&self, tenant: &str, may_confer: bool) -> Result<Scim> {
        let path = format!("/tenants/{tenant}");
        let (status, answer) = self.call("PUT", &path, r#"{"region": "eu"}"#);
        ensure!(status == 204, "{status}: {answer}");
        let of = json!({"tenant": tenant, "mayConfer": may_confer});
        let token = self.make_token("provisioner", &of)?;
        Ok(Scim::new(format!("http://{}/scim/v2", self.http), token))
    }
}
