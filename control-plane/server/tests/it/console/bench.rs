//! A control plane with a console, an identity provider, and browsers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ig_e2e::{ControlPlane, Issuer, Scim, TokenClaims, fill};
use serde_json::{Value, json};

use crate::databases::Database;

pub(super) const ORIGIN: &str = "http://localhost:8080";
pub(super) const CLIENT: &str = "the-console";
pub(super) const SECRET: &str = "very-hidden";

pub(super) fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs()
}

/// An identity provider whose token endpoint gives what a test wants.
pub(super) struct Provider {
    pub(super) url: String,
    pub(super) issuer: Issuer,
    pub(super) id_token: Arc<Mutex<String>>,
    /// What its token endpoint was sent.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    pub(super) fn start() -> Self {
        Self::saying(false)
    }

    /// One that says whether its answers name it (RFC 9207).
    pub(super) fn saying(names_itself: bool) -> Self {
        let issuer = Issuer::new(7).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let id_token = Arc::new(Mutex::new(String::new()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keys = json!({"keys": [issuer.jwk()]});
        let this = Self {
            url: url.clone(),
            issuer,
            id_token: id_token.clone(),
            asked: asked.clone(),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let text = read(&mut stream);
                let body = if text.contains("/.well-known/") {
                    json!({
                        "issuer": url, "jwks_uri": format!("{url}/keys"),
                        "authorization_endpoint": format!("{url}/auth"),
                        "token_endpoint": format!("{url}/token"),
                        "authorization_response_iss_parameter_supported": names_itself,
                    })
                } else if text.starts_with("POST /token") {
                    asked.lock().unwrap().push(text);
                    json!({"token_type": "Bearer", "id_token": *id_token.lock().unwrap()})
                } else {
                    keys.clone()
                };
                let body = body.to_string();
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
                let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
            }
        });
        this
    }

    pub(super) fn gives(&self, claims: Value) {
        *self.id_token.lock().unwrap() = self.issuer.token(&TokenClaims(claims));
    }
}

/// A request, with the body that its length says.
pub(super) fn read(stream: &mut impl std::io::Read) -> String {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).unwrap_or_default();
        text.extend_from_slice(&part[..read]);
        let all = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = all.split_once("\r\n\r\n") else {
            if read == 0 {
                return all;
            }
            continue;
        };
        let lower = head.to_lowercase();
        let length = lower.split_once("content-length: ");
        let length = length.and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return all;
        }
    }
}

/// An answer to a browser.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) text: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        let values = self.headers.get(name);
        values.map_or("", |values| values[0].as_str())
    }

    /// What is between two texts.
    pub(super) fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self.text.split_once(before).unwrap();
        let found = rest.split_once(after).unwrap().0;
        found.replace("&amp;", "&")
    }
}

/// A browser: it keeps cookies, and follows nothing.
#[derive(Clone, Default)]
pub(super) struct Browser {
    pub(super) base: String,
    pub(super) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn send(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Page {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build()
            .new_agent();
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("cookie", cookies.join("; "));
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let mut answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in answer.headers() {
            let values = headers.entry(name.to_string()).or_default();
            values.push(value.to_str().unwrap().to_owned());
        }
        for cookie in headers.get("set-cookie").into_iter().flatten() {
            let (pair, flags) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match flags.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Page {
            status: answer.status().as_u16(),
            headers,
            text: answer.body_mut().read_to_string().unwrap(),
        }
    }

    pub(super) fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, &[("sec-fetch-site", "none")], "")
    }

    pub(super) fn form(&mut self, path: &str, body: &str) -> Page {
        let from = [("origin", ORIGIN), ("sec-fetch-site", "same-origin")];
        self.form_from(path, &from, body)
    }

    /// A form that comes from somewhere.
    pub(super) fn form_from(&mut self, path: &str, from: &[(&str, &str)], body: &str) -> Page {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(from);
        self.send("POST", path, &headers, body)
    }

    /// A call that a script makes.
    pub(super) fn call(&mut self, path: &str, more: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(more);
        let page = self.send("POST", path, &headers, &body.to_string());
        (
            page.status,
            serde_json::from_str(&page.text).unwrap_or_default(),
        )
    }

    pub(super) fn csrf(&mut self) -> String {
        self.get("/console")
            .between("name=\"csrf\" content=\"", "\"")
    }
}

pub(super) struct Bench {
    pub(super) control: ControlPlane,
    pub(super) provider: Provider,
    pub(super) scim: Scim,
}

impl Bench {
    pub(super) fn start(database: &Database) -> Self {
        Self::of(database.start())
    }

    pub(super) fn of(control: ControlPlane) -> Self {
        let provider = Provider::start();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        // It puts the tenant, too.
        let scim = control.provisioner("alpha", true).unwrap();
        let url = provider.url.as_str();
        for tenant in ["alpha", "bravo", "silent"] {
            let settings = json!({
                "region": format!("{tenant}-region"), "issuers": {url: {"attribute": "externalId"}},
            });
            let path = format!("/tenants/{tenant}");
            assert_eq!(control.call("PUT", &path, settings.to_string()).0, 204);
            let mut login = json!({"issuer": url, "audience": tenant});
            if tenant != "silent" {
                login["client"] = json!({"id": format!("{CLIENT}-{tenant}"), "secret": SECRET});
            }
            let identity = json!({"logins": [login], "adminGroups": ["admins"]});
            let (status, said) =
                control.call("PUT", &format!("{path}/identity"), identity.to_string());
            assert_eq!(status, 204, "{said}");
        }
        assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
        Self {
            control,
            provider,
            scim,
        }
    }

    pub(super) fn browser(&self) -> Browser {
        Browser {
            base: format!("http://{}", self.control.http),
            ..Browser::default()
        }
    }

    pub(super) fn user(&self, scim: &Scim, name: &str) -> String {
        let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
        let user = json!({"schemas": [schema], "userName": name, "externalId": name});
        scim.post("/Users", &user).id()
    }

    /// A login that was begun: its state and nonce.
    pub(super) fn begin(&self, browser: &mut Browser, tenant: &str) -> (String, String) {
        let page = browser.get(&format!("/console/login?tenant={tenant}"));
        assert_eq!(page.status, 200, "{}", page.text);
        let url = page.between("content=\"0;url=", "\"");
        assert!(
            url.starts_with(&format!("{}/auth?", self.provider.url)),
            "{url}"
        );
        assert!(url.contains("code_challenge_method=S256"), "{url}");
        let part = |name: &str| {
            let (_, rest) = url.split_once(&format!("{name}=")).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        (part("&state"), part("&nonce"))
    }

    /// What the issuer sends a tenant's users back to, with a code.
    pub(super) fn callback(&self, tenant: &str, state: &str) -> String {
        let path = format!("/tenants/{tenant}/identity");
        let (_, identity) = self.control.call("GET", &path, "");
        let uri = &identity["logins"][0]["client"]["redirectUris"][0];
        let path = uri.as_str().unwrap().strip_prefix(ORIGIN).unwrap();
        format!("{path}?code=c&state={state}")
    }

    pub(super) fn claims(&self, name: &str, tenant: &str, nonce: &str) -> Value {
        json!({
            "iss": self.provider.url, "sub": name, "aud": format!("{CLIENT}-{tenant}"),
            "nonce": nonce, "auth_time": seconds(),
        })
    }

    pub(super) fn log_in(&self, tenant: &str, name: &str) -> Browser {
        let mut browser = self.browser();
        let (state, nonce) = self.begin(&mut browser, tenant);
        self.provider.gives(self.claims(name, tenant, &nonce));
        let page = browser.get(&self.callback(tenant, &state));
        assert_eq!(page.status, 303, "{}", page.text);
        assert_eq!(page.header("location"), "/console");
        assert_eq!(browser.get("/console").status, 200);
        browser
    }

    pub(super) fn admin(&self) -> Browser {
        let mut browser = self.browser();
        let token = self.control.token.clone().unwrap();
        let page = browser.form("/console/login", &format!("token={token}"));
        assert_eq!(page.status, 303, "{}", page.text);
        browser
    }
}
