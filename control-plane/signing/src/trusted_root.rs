//! `TrustedRoot` (`protos/sigstore_trustroot.proto` of sigstore/protobuf-specs)
//! in its JSON form: which transparency logs to believe.
//!
//! Authorities for certificates and time stamps stand in such files too. They are
//! for signatures without a key, so they are passed over.

use serde_json::{Map, Value, json};

use crate::json::{self, Node, base64};
use crate::key::{self, PublicKey};

/// The most bytes of a trusted root.
pub const MAX_BYTES: usize = 4 << 20;
/// The most logs of a trusted root.
pub const MAX_LOGS: usize = 64;
/// The media type that is written.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
/// Its later form, which is read as well.
const MEDIA_TYPE_LATER: &str = "application/vnd.dev.sigstore.trustedroot.v0.2+json";
/// The only type of key that we verify with.
const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

/// Which logs to believe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedRoot {
    logs: Vec<TrustedLog>,
}

/// A log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustedLog {
    /// The log's URL. Its host name is the origin of the log's checkpoints.
    pub base_url: String,
    /// The key of its checkpoints; `None` for one of a type that is not known
    /// here, so that nothing of that log can be verified.
    pub key: Option<PublicKey>,
    /// What entries name the log by.
    pub log_id: Vec<u8>,
    /// From when to when the key signed, as RFC 3339. Nothing compares it: an
    /// entry of ours has no time.
    pub valid_for: (Option<String>, Option<String>),
}

/// Why something is no trusted root.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON of one.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// Of another kind or version.
    #[error("mediaType is not {MEDIA_TYPE}")]
    MediaType,
    /// Too many logs.
    #[error("{0} tlogs, more than {MAX_LOGS}")]
    Logs(usize),
    /// A key that is not what it says.
    #[error("tlogs[{index}].publicKey: {error}")]
    Key {
        /// Of the log, from 0.
        index: usize,
        /// Why.
        error: key::Error,
    },
    /// Two logs that entries cannot tell apart.
    #[error("tlogs[{0}] has the logId of one before")]
    Twice(usize),
}

impl TrustedLog {
    /// The host name of the URL, without a port: what Sigstore's verifiers expect
    /// as the origin of checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        host(&self.base_url).unwrap_or_default()
    }
}

impl TrustedRoot {
    /// Believes these logs.
    ///
    /// # Errors
    /// For what [`TrustedRoot::parse`] would refuse.
    pub fn new(logs: Vec<TrustedLog>) -> Result<Self, Error> {
        // One set of rules: what is written is what can be read.
        Self::parse(&Self { logs }.to_bytes())
    }

    /// The logs, in the order of the file.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The log that an entry names.
    #[must_use]
    pub fn log(&self, id: &[u8]) -> Option<&TrustedLog> {
        self.logs.iter().find(|log| log.log_id == id)
    }

    /// Reads a trusted root.
    ///
    /// # Errors
    /// For anything that is not exactly one, with where it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut root = json::read(bytes, MAX_BYTES)?.object()?;
        let media_type = root.required("mediaType")?.string()?;
        if media_type != MEDIA_TYPE && media_type != MEDIA_TYPE_LATER {
            return Err(Error::MediaType);
        }
        for authorities in ["certificateAuthorities", "ctlogs", "timestampAuthorities"] {
            root.optional(authorities).map(Node::array).transpose()?;
        }
        let nodes = root.optional("tlogs").map(Node::array).transpose()?;
        let nodes = nodes.unwrap_or_default();
        root.end()?;
        if nodes.len() > MAX_LOGS {
            return Err(Error::Logs(nodes.len()));
        }
        let mut logs: Vec<TrustedLog> = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let log = TrustedLog::from_node(index, node)?;
            if logs.iter().any(|other| other.log_id == log.log_id) {
                return Err(Error::Twice(index));
            }
            logs.push(log);
        }
        Ok(Self { logs })
    }

    /// As JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(&json!({
            "mediaType": MEDIA_TYPE,
            "tlogs": self.logs.iter().map(TrustedLog::to_value).collect::<Vec<_>>(),
            "certificateAuthorities": [],
            "ctlogs": [],
            "timestampAuthorities": [],
        }))
    }
}

impl TrustedLog {
    fn from_node(index: usize, node: Node) -> Result<Self, Error> {
        let mut log = node.object()?;
        let base_url = log.required("baseUrl")?;
        let at = base_url.at().to_owned();
        let base_url = base_url.name()?;
        if host(&base_url).is_none() {
            let expected = "a URL of http or https with a host name";
            return Err(json::Error::Wrong { at, expected }.into());
        }
        log.required("hashAlgorithm")?.literal("SHA2_256")?;
        let mut key = log.required("publicKey")?.object()?;
        let mut id = log.required("logId")?.object()?;
        let log_id = id.required("keyId")?.base64()?;
        id.end()?;
        // Rekor's second name for its key, and who runs it: nothing to verify with.
        log.optional("checkpointKeyId")
            .map(Node::object)
            .transpose()?;
        log.optional("operator").map(Node::string).transpose()?;
        log.end()?;

        let bytes = key.required("rawBytes")?.base64()?;
        let details = key.required("keyDetails")?.name()?;
        let valid_for = key.optional("validFor").map(Node::object).transpose()?;
        key.end()?;
        let key = (details == KEY_DETAILS).then(|| PublicKey::from_der(&bytes));
        let key = key
            .transpose()
            .map_err(|error| Error::Key { index, error })?;
        let mut times = (None, None);
        if let Some(mut period) = valid_for {
            times.0 = period.optional("start").map(Node::name).transpose()?;
            times.1 = period.optional("end").map(Node::name).transpose()?;
            period.end()?;
        }
        Ok(Self {
            base_url,
            key,
            log_id,
            valid_for: times,
        })
    }

    fn to_value(&self) -> Value {
        let mut period = Map::new();
        for (name, time) in [("start", &self.valid_for.0), ("end", &self.valid_for.1)] {
            if let Some(time) = time {
                period.insert(name.to_owned(), time.as_str().into());
            }
        }
        // A key that is not known is not kept, so it is written as none.
        let der = self.key.as_ref().map(PublicKey::as_der).unwrap_or_default();
        let details = match self.key {
            Some(_) => KEY_DETAILS,
            None => "PUBLIC_KEY_DETAILS_UNSPECIFIED",
        };
        json!({
            "baseUrl": self.base_url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": base64(der),
                "keyDetails": details,
                "validFor": period,
            },
            "logId": {"keyId": base64(&self.log_id)},
        })
    }
}

/// The host name of a URL, if it has one and nothing that reads otherwise in
/// other programs.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://");
    let rest = rest.or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port),
        None => (authority, ""),
    };
    let is_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_good = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(is_host)
        && port.bytes().all(|byte| byte.is_ascii_digit());
    is_good.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_host_name() {
        for (url, origin) in [
            ("https://ledger.example", "ledger.example"),
            ("https://ledger.example/log/", "ledger.example"),
            ("http://ledger.example:8443/a?b#c", "ledger.example"),
        ] {
            assert_eq!(host(url), Some(origin), "{url}");
        }
        for url in [
            "",
            "https://",
            "ledger.example",
            "ftp://ledger.example",
            "https://user@ledger.example",
            "https://Ledger.example",
            "https://[::1]/",
            "https://a b/",
            "https://a:b/",
            "https://a\\b/",
        ] {
            assert_eq!(host(url), None, "{url}");
        }
    }
}
