//! What the fuzzer varies. Half of it is a request that almost works, so that
//! mutations reach behind the first check; the other half is any bytes.

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::TextHash;
use ig_guard::VerifiedToken;
use serde_json::json;

use crate::fixture::{ALIAS, Fixture, GRANTED};

#[derive(Arbitrary, Debug)]
pub(crate) struct Input {
    pub(crate) guard: u8,
    method: Method,
    target: Target,
    has_json: bool,
    headers: Vec<Header>,
    pub(crate) claims: Token,
    body: Body,
    pub(crate) end_of_stream: bool,
    texts: [Fetched; 2],
}

#[derive(Arbitrary, Debug)]
enum Method {
    Post,
    Get,
    Other(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Target {
    Endpoint,
    DocumentId(u8),
    Parameters(Vec<Member>),
    Any(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Header {
    Purpose(u8),
    Authority(Vec<u8>),
    Known(u8, Vec<u8>),
    Any(Vec<u8>, Vec<u8>),
}

/// What `jwt_authn` left: the forwarded payload and its metadata.
#[derive(Arbitrary, Debug)]
pub(crate) enum Token {
    None,
    Alpha,
    AlphaApp,
    ByGroup,
    NoPurposes,
    Bravo,
    /// A client's own header, where no token was verified.
    Forged,
    /// A verified token about somebody else.
    Another,
    Claims(Vec<(String, Result<String, Vec<String>>)>),
    Any(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Body {
    One(Vec<Member>),
    Batch(Vec<Vec<Member>>),
    Any(Vec<u8>),
}

/// A member of a request object, or a parameter of a URL.
#[derive(Arbitrary, Debug)]
struct Member(Key, Value);

#[derive(Arbitrary, Debug)]
enum Key {
    Known(u8),
    Any(String),
}

#[derive(Arbitrary, Debug)]
enum Value {
    Id(u8),
    Prefixed(u8),
    Alias,
    Extension(u8),
    Text(u8),
    Name(u8),
    Variables(Vec<(u8, Scalar)>),
    Null,
    String(String),
    Raw(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Scalar {
    Number(f64),
    Integer(i64),
    Text(String),
    List(Vec<Scalar>),
    Retention(Box<Scalar>),
    Forever,
    Null,
}

#[derive(Arbitrary, Debug)]
enum Fetched {
    Right,
    Missing,
    Any(Vec<u8>),
}

const HEADERS: [&str; 12] = [
    "content-type",
    "content-encoding",
    "content-length",
    "upgrade",
    "accept",
    "x-ig-purpose",
    "x-ig-step-up",
    "x-ig-actor",
    "x_ig_tenant",
    "x-ig-region",
    "x-http-method-override",
    "x-rewrite-url",
];
const PURPOSES: [&str; 4] = ["investigation", "audit", "export", ""];
const KEYS: [&str; 8] = [
    "extensions",
    "documentId",
    "id",
    "doc_id",
    "operationName",
    "variables",
    "query",
    "Query",
];
const NAMES: [&str; 6] = ["CaseById", "CreateAsset", "A", "B", "", "Far"];
const VARIABLES: [&str; 3] = ["id", "input", "undeclared"];

fn pick<'a>(from: &[&'a str], number: u8) -> &'a str {
    from[usize::from(number) % from.len()]
}

impl Input {
    pub(crate) fn headers(&self, fixture: &Fixture) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut headers = vec![
            (b":method".to_vec(), self.method()),
            (b":path".to_vec(), self.target(fixture)),
        ];
        if self.has_json {
            headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
        }
        for header in &self.headers {
            headers.push(match header {
                Header::Purpose(number) => (
                    b"x-ig-purpose".to_vec(),
                    pick(&PURPOSES, *number).as_bytes().to_vec(),
                ),
                Header::Authority(value) => (b"x-ig-authority".to_vec(), value.clone()),
                Header::Known(name, value) => {
                    (pick(&HEADERS, *name).as_bytes().to_vec(), value.clone())
                }
                Header::Any(name, value) => (name.clone(), value.clone()),
            });
        }
        // Envoy removes what a client sends under this name.
        let payload = ig_contract::headers::JWT_PAYLOAD.as_bytes();
        headers.retain(|(name, _)| name != payload);
        headers.extend(self.claims.header().map(|value| (payload.to_vec(), value)));
        // A host has each pseudo-header once.
        let rest = headers
            .split_off(2)
            .into_iter()
            .filter(|(name, _)| !name.starts_with(b":"));
        headers.extend(rest.collect::<Vec<_>>());
        headers
    }

    pub(crate) fn method(&self) -> Vec<u8> {
        match &self.method {
            Method::Post => b"POST".to_vec(),
            Method::Get => b"GET".to_vec(),
            Method::Other(other) => other.clone(),
        }
    }

    pub(crate) fn target(&self, fixture: &Fixture) -> Vec<u8> {
        match &self.target {
            Target::Endpoint => b"/graphql".to_vec(),
            Target::DocumentId(number) => {
                let hash = TextHash::of(fixture.text(*number).as_bytes());
                format!("/graphql/sha256:{hash}").into_bytes()
            }
            Target::Parameters(members) => {
                let mut query =
                    form_urlencoded::Serializer::for_suffix(String::from("/graphql?"), 9);
                for Member(key, value) in members {
                    let value = value.json(fixture);
                    let value = match serde_json::from_slice(&value) {
                        Ok(serde_json::Value::String(text)) => text,
                        _ => String::from_utf8_lossy(&value).into_owned(),
                    };
                    query.append_pair(key.name(), &value);
                }
                query.finish().into_bytes()
            }
            Target::Any(target) => target.clone(),
        }
    }

    pub(crate) fn body(&self, fixture: &Fixture) -> Vec<u8> {
        match &self.body {
            _ if self.end_of_stream => Vec::new(),
            Body::One(members) => object(members, fixture),
            Body::Batch(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|members| object(members, fixture))
                    .collect();
                [&b"["[..], &items.join(&b','), b"]"].concat()
            }
            Body::Any(bytes) => bytes.clone(),
        }
    }

    pub(crate) fn text(&self, fixture: &Fixture, hash: &TextHash) -> Option<Vec<u8>> {
        match &self.texts[usize::from(hash.0[0] & 1)] {
            Fetched::Right => fixture.text_of(hash).map(|text| text.as_bytes().to_vec()),
            Fetched::Missing => None,
            Fetched::Any(bytes) => Some(bytes.clone()),
        }
    }
}

fn object(members: &[Member], fixture: &Fixture) -> Vec<u8> {
    let members: Vec<_> = members
        .iter()
        .map(|Member(key, value)| {
            let key = serde_json::to_vec(key.name()).expect("a string serialises");
            [&key[..], b":", &value.json(fixture)].concat()
        })
        .collect();
    [&b"{"[..], &members.join(&b','), b"}"].concat()
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Self::Known(number) => pick(&KEYS, *number),
            Self::Any(name) => name,
        }
    }
}

impl Value {
    fn json(&self, fixture: &Fixture) -> Vec<u8> {
        let hash = |number: u8| TextHash::of(fixture.text(number).as_bytes());
        let value = match self {
            Self::Id(number) => hash(*number).to_string().into(),
            Self::Prefixed(number) => format!("sha256:{}", hash(*number)).into(),
            Self::Alias => ALIAS.into(),
            Self::Extension(number) => {
                let hash = hash(*number).to_string();
                serde_json::json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
            }
            Self::Text(number) => fixture.text(*number).into(),
            Self::Name(number) => pick(&NAMES, *number).into(),
            Self::Variables(members) => members
                .iter()
                .map(|(name, value)| (pick(&VARIABLES, *name).to_owned(), value.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Self::Null => serde_json::Value::Null,
            Self::String(text) => text.as_str().into(),
            Self::Raw(bytes) => return bytes.clone(),
        };
        serde_json::to_vec(&value).expect("a value serialises")
    }
}

impl Scalar {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Integer(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Retention(value) => serde_json::json!({ "retention": value.json() }),
            Self::Forever => serde_json::json!({ "retention": "forever" }),
            Self::Null => serde_json::Value::Null,
        }
    }
}

impl Token {
    fn claims(&self) -> Option<serde_json::Value> {
        let (tenant, client, groups, purposes) = match self {
            Self::None | Self::Any(_) => return None,
            Self::Claims(claims) => {
                let claims = claims.iter().map(|(name, value)| {
                    let value = match value {
                        Ok(text) => json!(text),
                        Err(items) => json!(items),
                    };
                    (name.clone(), value)
                });
                return Some(claims.collect::<serde_json::Map<_, _>>().into());
            }
            // `azp` makes these payloads differ from those that are verified.
            Self::Forged => ("alpha", "forged", &[][..], &["investigation", "audit"][..]),
            Self::Another => ("alpha", "another", &[][..], &["investigation", "audit"][..]),
            Self::Alpha => (
                "alpha",
                "",
                &[][..],
                &["investigation", "audit", "export"][..],
            ),
            Self::AlphaApp => ("alpha", "app", &[][..], &["audit"][..]),
            Self::ByGroup => ("alpha", "", &["analysts"][..], &[][..]),
            Self::NoPurposes => ("alpha", "", &[][..], &["export"][..]),
            Self::Bravo => ("bravo", "", &[][..], &["audit"][..]),
        };
        Some(json!({
            "iss": "https://issuer",
            "sub": "a@alpha.io",
            "exp": 1,
            "tenant": tenant,
            "azp": client,
            "groups": groups,
            "purposes": purposes,
        }))
    }

    /// The forwarded payload.
    fn header(&self) -> Option<Vec<u8>> {
        match self {
            Self::Any(bytes) => Some(bytes.clone()),
            _ => self
                .claims()
                .map(|claims| URL_SAFE_NO_PAD.encode(claims.to_string()).into_bytes()),
        }
    }

    /// The host's metadata.
    pub(crate) fn verified(&self) -> Option<VerifiedToken> {
        let claims = self.claims()?;
        let text = |name: &str| {
            claims[name]
                .as_str()
                .unwrap_or_default()
                .as_bytes()
                .to_vec()
        };
        match self {
            Self::Forged => None,
            Self::Another => Some(VerifiedToken {
                issuer: text("iss"),
                subject: b"b@alpha.io".to_vec(),
            }),
            _ => Some(VerifiedToken {
                issuer: text("iss"),
                subject: text("sub"),
            }),
        }
    }

    /// Whether a request of this actor may go on for `purpose`.
    pub(crate) fn holds(&self, purpose: &str) -> bool {
        match self {
            Self::Alpha | Self::ByGroup | Self::Claims(_) => GRANTED.contains(&purpose),
            Self::AlphaApp => purpose == "audit",
            _ => false,
        }
    }

    /// Whether it may use what only the client `app` may.
    pub(crate) fn is_app(&self) -> bool {
        matches!(self, Self::AlphaApp | Self::Claims(_))
    }
}
