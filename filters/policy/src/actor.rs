//! The actor: what Envoy's `jwt_authn` verified, in the snapshot's terms.

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::snapshot::{Head, Tenant};
use ig_contract::{Deny, DenyCode};
use regorus::Value;

use crate::input;

/// A claim of a verified token. Other kinds of claims are not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// A string.
    Text(String),
    /// An array of strings.
    List(Vec<String>),
}

/// Claims by name.
pub type Claims = BTreeMap<String, Claim>;

/// Who asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Actor {
    /// Issuer of the token.
    pub issuer: String,
    /// Subject of the token; unique within the issuer.
    pub subject: String,
    /// Tenant.
    pub tenant: String,
    /// Region of the tenant.
    pub region: Option<String>,
    /// The client that acts for the subject, where the token names one.
    pub client: Option<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Purposes the actor holds: those of the token and of its groups, as far
    /// as they exist for the tenant.
    pub purposes: BTreeSet<String>,
    /// `actor` and `tenant` of the policy input, built once.
    pub(crate) input: (Value, Value),
}

const CHARACTERS: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "subject-characters",
    "The access token's subject or tenant has characters that no header may hold.",
);
const NO_TENANT: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "tenant-claim",
    "The access token names no tenant.",
);
const UNKNOWN_TENANT: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "tenant-unknown",
    "The tenant is unknown or suspended.",
);

impl Actor {
    /// The answer where Envoy verified no token.
    pub const UNAUTHENTICATED: Deny = Deny::new(
        DenyCode::Unauthenticated,
        "token",
        "Send a valid access token: `authorization: Bearer …`.",
    );

    /// Reads the actor from verified claims.
    ///
    /// # Errors
    /// 401 without a subject, 403 without a known tenant.
    pub fn from_claims(claims: &Claims, head: &Head) -> Result<Self, Deny> {
        let names = &head.identity;
        // An empty identity would make strangers one actor.
        let issuer = text(claims, "iss").ok_or(Self::UNAUTHENTICATED)?;
        let subject = text(claims, "sub").ok_or(Self::UNAUTHENTICATED)?;
        let tenant = text(claims, &names.tenant_claim).ok_or(NO_TENANT)?;
        // OpenID Connect Core §2: a subject is at most 255 ASCII characters.
        // Both become header values.
        let is_header_value =
            |text: &str| text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_header_value(subject) || !is_header_value(tenant) {
            return Err(CHARACTERS);
        }
        let known = head.tenants.get(tenant).ok_or(UNKNOWN_TENANT)?;
        let groups = list(claims, &names.groups_claim);
        let purposes = purposes(list(claims, &names.purposes_claim), &groups, known);
        let mut actor = Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            tenant: tenant.to_owned(),
            region: known.region.clone(),
            client: text(claims, &names.client_claim).map(ToOwned::to_owned),
            groups,
            purposes,
            input: (Value::Undefined, Value::Undefined),
        };
        actor.input = (input::actor(&actor), input::tenant(&actor));
        Ok(actor)
    }
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    match claims.get(name)? {
        Claim::Text(text) if !text.is_empty() => Some(text),
        Claim::Text(_) | Claim::List(_) => None,
    }
}

fn list(claims: &Claims, name: &str) -> BTreeSet<String> {
    match claims.get(name) {
        Some(Claim::List(items)) => items.iter().cloned().collect(),
        Some(Claim::Text(_)) | None => BTreeSet::new(),
    }
}

fn purposes(
    mut held: BTreeSet<String>,
    groups: &BTreeSet<String>,
    tenant: &Tenant,
) -> BTreeSet<String> {
    let by_group = groups
        .iter()
        .filter_map(|group| tenant.purposes_by_group.get(group));
    held.extend(by_group.flatten().cloned());
    held.retain(|purpose| tenant.purposes.contains(purpose));
    held
}
