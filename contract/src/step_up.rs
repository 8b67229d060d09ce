//! Step-up tokens: what a fresh proof of presence was given for, and for how
//! long it counts. The control plane signs them (JWT, RFC 7519, by EdDSA, RFC
//! 8037); the guard verifies them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// `typ` of the header, so that no other token counts as one.
pub const TYPE: &str = "step-up+jwt";
/// `alg` of the header; there is no other.
pub const ALGORITHM: &str = "EdDSA";
/// Difference of clocks that is overlooked, in seconds.
pub const LEEWAY_SECONDS: u64 = 5;
/// Longest life of a token, in seconds.
pub const MAX_LIFE_SECONDS: u64 = 120;
/// Longest life of a token that a one-time password was given for, in seconds.
pub const MAX_OTP_LIFE_SECONDS: u64 = 60;
/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// Most actions that one proof may be given for.
pub const MAX_ACTIONS: usize = 16;
/// Longest name of an action that a proof may be given for, in bytes.
pub const MAX_ACTION_BYTES: usize = 128;

/// Whether a proof can be given for an action of this name: it has to fit into a
/// token, and into a challenge, where spaces part names.
pub fn is_provable(action: &str) -> bool {
    let is_visible = action.bytes().all(|byte| byte.is_ascii_graphic());
    (1..=MAX_ACTION_BYTES).contains(&action.len()) && is_visible
}

/// How strong the proof was (OpenID EAP ACR Values 1.0).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub enum Acr {
    /// A one-time password: break-glass.
    #[serde(rename = "otp")]
    Otp,
    /// Phishing-resistant.
    #[serde(rename = "phr")]
    PhishingResistant,
    /// Phishing-resistant, by hardware that is known by its attestation.
    #[serde(rename = "phrh")]
    Hardware,
}

impl Acr {
    /// As `acr` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::PhishingResistant => "phr",
            Self::Hardware => "phrh",
        }
    }
}

/// Header of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`ALGORITHM`]
    pub alg: String,
    /// [`TYPE`]
    pub typ: String,
    /// Which key.
    pub kid: String,
}

/// Claims of a token. Unknown ones make it invalid: what a later release adds
/// might narrow what a token is good for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The control plane.
    pub iss: String,
    /// The graph.
    pub aud: String,
    /// `sub` of the access token.
    pub sub: String,
    /// `iss` of the access token: subjects are unique within one only.
    pub sub_iss: String,
    /// Tenant.
    pub tid: String,
    /// The actions it was given for.
    pub actions: Vec<String>,
    /// What exactly, where it was given for one request only: SHA-256, in hex,
    /// of the document's hash (hex), the operation's name, and the variables as
    /// they go on (JSON), with a zero byte between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How strong the proof was.
    pub acr: Acr,
    /// How it was given (RFC 8176).
    pub amr: Vec<String>,
    /// When the proof was given, in seconds since the epoch.
    pub auth_time: u64,
    /// When the token was made.
    pub iat: u64,
    /// From when on it counts.
    pub nbf: u64,
    /// Until when it counts.
    pub exp: u64,
    /// Its number; 128 random bits.
    pub jti: String,
}

/// Name of the question whether a token that counts once has been used, below
/// the directory's path.
pub const SPEND: &str = "spend";

/// May this token be used? Answered by [`Spent`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpendRequest {
    /// Name of the graph.
    pub graph: String,
    /// Tenant.
    pub tenant: String,
    /// `jti` of the token, whose signature the guard has verified.
    pub token: String,
    /// What it is used for. Guards of a release before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_for: Option<UsedFor>,
}

/// What a token is used for: the decision of the guard that is about to let the
/// request through. Whoever acts on the request behind the guard can be asked
/// to show that there was one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsedFor {
    /// Id of the decision, as [`crate::headers::DECISION_ID`] has it.
    pub decision_id: String,
    /// `iss` of the access token.
    pub issuer: String,
    /// `sub` of the access token.
    pub subject: String,
    /// Purpose that the client gave.
    pub purpose: Option<String>,
    /// Legal basis that the client gave.
    pub authority: Option<String>,
    /// Every action of the operation, each once.
    pub actions: BTreeSet<String>,
}

/// Outcome of a [`SpendRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spent {
    /// It was not used before, and counts as used from now on.
    First,
    /// It was used before.
    Again,
    /// It does not count any more: it is over, or its user was suspended or has
    /// logged out.
    Over,
}

/// Longest answer with [`Spent`], in bytes.
pub const MAX_SPENT_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sides have to read what releases before them wrote.
    #[test]
    fn messages_are_spelt_so() {
        let request = SpendRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            token: "j".into(),
            used_for: None,
        };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, r#"{"graph":"demo","tenant":"alpha","token":"j"}"#);
        let used_for = UsedFor {
            decision_id: "01a2125f".into(),
            issuer: "https://login.example".into(),
            subject: "s-1".into(),
            purpose: Some("export".into()),
            authority: None,
            actions: ["export:assets".to_owned()].into(),
        };
        let request = SpendRequest {
            used_for: Some(used_for),
            ..request
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"graph":"demo","tenant":"alpha","token":"j","usedFor":{"decisionId":"01a2125f","issuer":"https://login.example","subject":"s-1","purpose":"export","authority":null,"actions":["export:assets"]}}"#
        );
        for (spent, text) in [
            (Spent::First, "\"first\""),
            (Spent::Again, "\"again\""),
            (Spent::Over, "\"over\""),
        ] {
            let json = serde_json::to_string(&spent).unwrap();
            assert_eq!(json, text);
            assert!(json.len() <= MAX_SPENT_BYTES);
        }
    }

    #[test]
    fn a_stronger_proof_is_more() {
        let order = [Acr::Otp, Acr::PhishingResistant, Acr::Hardware];
        assert!(order.is_sorted());
        for acr in order {
            let json = serde_json::to_string(&acr).unwrap();
            assert_eq!(json, format!("\"{}\"", acr.as_str()));
        }
    }

    #[test]
    fn claims_are_spelt_so() {
        let claims = Claims {
            iss: "https://ig.example".into(),
            aud: "demo".into(),
            sub: "s-1".into(),
            sub_iss: "https://login.example".into(),
            tid: "alpha".into(),
            actions: vec!["export:assets".into()],
            resource: None,
            acr: Acr::PhishingResistant,
            amr: vec!["pop".into(), "user".into()],
            auth_time: 1,
            iat: 1,
            nbf: 1,
            exp: 121,
            jti: "j".into(),
        };
        let json = serde_json::to_string(&claims).unwrap();
        assert_eq!(
            json,
            r#"{"iss":"https://ig.example","aud":"demo","sub":"s-1","sub_iss":"https://login.example","tid":"alpha","actions":["export:assets"],"acr":"phr","amr":["pop","user"],"auth_time":1,"iat":1,"nbf":1,"exp":121,"jti":"j"}"#
        );
        let more = json.replace("{\"iss\"", "{\"act\":1,\"iss\"");
        assert!(serde_json::from_str::<Claims>(&more).is_err());
    }
}
