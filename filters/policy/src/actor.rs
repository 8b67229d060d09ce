//! The actor: what Envoy's `jwt_authn` verified, and what the directory knows, in
//! the snapshot's terms.

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::directory::Facts;
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

/// Whom a token is about, before it is known what they may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
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
    /// Value of the claim that links the issuer's subjects to users of the
    /// tenant.
    pub link: Option<String>,
    /// Groups and purposes that the token lists.
    groups: BTreeSet<String>,
    purposes: BTreeSet<String>,
}

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
    /// Purposes the actor holds: those of its groups and, without a directory,
    /// of the token, as far as they exist for the tenant.
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
const ISSUER: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "issuer",
    "The access token is of an issuer that does not vouch for this tenant.",
);
const UNLINKED: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "unlinked",
    "The access token's subject is not linked to a user of the tenant.",
);
const SUSPENDED: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "suspended",
    "The user is suspended.",
);

/// Longest value of a claim that links, in bytes; a longer one links nobody.
const MAX_LINK_BYTES: usize = 512;

impl Caller {
    /// Reads whom a token is about from verified claims.
    ///
    /// # Errors
    /// 401 without a subject, 403 without a known tenant that the issuer may
    /// name.
    pub fn from_claims(claims: &Claims, head: &Head) -> Result<Self, Deny> {
        let names = &head.identity;
        // An empty identity would make strangers one actor.
        let issuer = text(claims, "iss").ok_or(Actor::UNAUTHENTICATED)?;
        let subject = text(claims, "sub").ok_or(Actor::UNAUTHENTICATED)?;
        let tenant = text(claims, &names.tenant_claim).ok_or(NO_TENANT)?;
        // OpenID Connect Core §2: a subject is at most 255 ASCII characters.
        // Both become header values.
        let is_header_value =
            |text: &str| text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_header_value(subject) || !is_header_value(tenant) {
            return Err(CHARACTERS);
        }
        let known = head.tenants.get(tenant).ok_or(UNKNOWN_TENANT)?;
        // One tenant's issuer could otherwise speak for another's people.
        let link = known.issuers.get(issuer);
        if link.is_none() && !known.issuers.is_empty() {
            return Err(ISSUER);
        }
        let link = link
            .and_then(|link| text(claims, &link.claim))
            .filter(|value| value.len() <= MAX_LINK_BYTES);
        Ok(Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            tenant: tenant.to_owned(),
            region: known.region.clone(),
            client: text(claims, &names.client_claim).map(ToOwned::to_owned),
            link: link.map(ToOwned::to_owned),
            groups: list(claims, &names.groups_claim),
            purposes: list(claims, &names.purposes_claim),
        })
    }

    /// The actor, by what the token says.
    ///
    /// # Errors
    /// 403 where `head` does not know the tenant.
    pub fn by_token(&self, head: &Head) -> Result<Actor, Deny> {
        self.actor(self.groups.clone(), self.purposes.clone(), head)
    }

    /// The actor, by what the directory says. Groups and purposes of the token
    /// are not believed.
    ///
    /// # Errors
    /// 403 where the directory has no active user for the subject.
    pub fn by_facts(&self, facts: &Facts, head: &Head) -> Result<Actor, Deny> {
        if facts.user.is_none() {
            return Err(UNLINKED);
        }
        match facts.active {
            true => self.actor(facts.groups.clone(), BTreeSet::new(), head),
            false => Err(SUSPENDED),
        }
    }

    fn actor(
        &self,
        groups: BTreeSet<String>,
        held: BTreeSet<String>,
        head: &Head,
    ) -> Result<Actor, Deny> {
        let tenant = head.tenants.get(&self.tenant).ok_or(UNKNOWN_TENANT)?;
        let purposes = purposes(held, &groups, tenant);
        let mut actor = Actor {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            tenant: self.tenant.clone(),
            region: self.region.clone(),
            client: self.client.clone(),
            groups,
            purposes,
            input: (Value::Undefined, Value::Undefined),
        };
        actor.input = (input::actor(&actor), input::tenant(&actor));
        Ok(actor)
    }
}

impl Actor {
    /// The answer where Envoy verified no token.
    pub const UNAUTHENTICATED: Deny = Deny::new(
        DenyCode::Unauthenticated,
        "token",
        "Send a valid access token: `authorization: Bearer …`.",
    );

    /// Reads the actor from verified claims alone, as without a directory.
    ///
    /// # Errors
    /// Those of [`Caller::from_claims`].
    pub fn from_claims(claims: &Claims, head: &Head) -> Result<Self, Deny> {
        Caller::from_claims(claims, head)?.by_token(head)
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
