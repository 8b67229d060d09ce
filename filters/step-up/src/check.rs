//! Whether a token counts, for whom, and for what.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ig_contract::snapshot::{self, Action};
use ig_contract::step_up::{
    Acr, Claims, LEEWAY_SECONDS, MAX_ACTIONS, MAX_LIFE_SECONDS, MAX_OTP_LIFE_SECONDS,
};
use ig_contract::{Deny, DenyCode};

use crate::token::{InvalidKey, Keys};

/// The step-up guard of one snapshot revision.
pub struct StepUp {
    settings: snapshot::StepUp,
    graph: String,
    keys: Keys,
    /// Tokens whose signature was verified. `HashMap` hashes with a key of its
    /// own, so that nobody makes tokens meet.
    verified: RefCell<HashMap<Box<str>, Rc<Claims>>>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The token, where the client sent one.
    pub token: Option<&'a str>,
    /// `iss` of the access token.
    pub issuer: &'a str,
    /// `sub` of the access token.
    pub subject: &'a str,
    /// Tenant.
    pub tenant: &'a str,
    /// Tokens made before this do not count, in seconds since the epoch.
    pub from: u64,
    /// What is to be done.
    pub actions: &'a [Action],
    /// Whether it reaches into other tenants, whatever its actions are called.
    pub is_cross_tenant: bool,
    /// Hash of what exactly; made only where a token names one.
    pub resource: &'a dyn Fn() -> String,
    /// Seconds since the epoch; `None` where the time is not known.
    pub now: Option<u64>,
    /// Whether the control plane is asked before a token is used. Only it knows
    /// whether one-time passwords count now, so none counts without.
    pub is_asked: bool,
}

/// A token that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// What it says.
    pub claims: Rc<Claims>,
    /// Whether it counts once only: then it has to be asked whether it was used.
    pub is_single_use: bool,
}

/// Begins the actions that reach into other tenants.
const CROSS_TENANT: &str = "crossTenant:";

/// Most tokens remembered; a worker sees a few in the two minutes of a life.
const MAX_VERIFIED: usize = 1024;

const REQUIRED: Deny = deny(
    "step-up-required",
    "Prove your presence for this, and send the step-up token as `x-ig-step-up`.",
);
const INVALID: Deny = deny(
    "step-up-invalid",
    "The step-up token is not one of this service; get a new one.",
);
const EXPIRED: Deny = deny(
    "step-up-expired",
    "The step-up token is too old; get a new one.",
);
const EARLY: Deny = deny(
    "step-up-early",
    "The step-up token does not count yet; check the clocks.",
);
const SUBJECT: Deny = deny(
    "step-up-subject",
    "The step-up token is somebody else's; get one of your own.",
);
const ACTION: Deny = deny(
    "step-up-action",
    "The step-up token was given for something else; get one for this.",
);
const RESOURCE: Deny = deny(
    "step-up-resource",
    "The step-up token was given for other variables; get one for these.",
);
const WEAK: Deny = deny(
    "step-up-weak",
    "A stronger proof of presence is needed for this.",
);
const ENDED: Deny = deny(
    "step-up-ended",
    "The step-up token ended with your session; get a new one.",
);
const NO_TIME: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "step-up-undecided",
    "It could not be decided whether the step-up token counts; try again later.",
);

const fn deny(rule: &'static str, message: &'static str) -> Deny {
    Deny::new(DenyCode::StepUpRequired, rule, message)
}

impl StepUp {
    /// Where there are no settings, nothing that needs a proof is let through.
    pub const NONE: Deny = REQUIRED;

    /// Makes the guard of what a snapshot says.
    ///
    /// # Errors
    /// [`InvalidKey`]
    pub fn new(settings: &snapshot::StepUp, graph: &str) -> Result<Self, InvalidKey> {
        Ok(Self {
            keys: Keys::new(&settings.keys)?,
            settings: settings.clone(),
            graph: graph.to_owned(),
            verified: RefCell::default(),
        })
    }

    /// What the snapshot says.
    pub fn settings(&self) -> &snapshot::StepUp {
        &self.settings
    }

    /// Says whether an operation has the proof that it needs.
    ///
    /// # Errors
    /// A [`Deny`] with a rule of its own for each reason.
    pub fn check(&self, question: Question<'_>) -> Result<Proof, Deny> {
        let token = question.token.ok_or(REQUIRED)?;
        let now = question.now.ok_or(NO_TIME)?;
        let claims = self.claims(token, now)?;
        self.check_time(&claims, now)?;
        let is_theirs = claims.sub == question.subject
            && claims.sub_iss == question.issuer
            && claims.tid == question.tenant;
        if !is_theirs {
            return Err(SUBJECT);
        }
        if claims.iat < question.from {
            return Err(ENDED);
        }
        // An emergency is for the control plane to declare: there it is asked,
        // always, and here it is the exact request.
        let is_emergency = claims.acr == Acr::Otp;
        if is_emergency && !question.is_asked {
            return Err(WEAK);
        }
        if !is_emergency && claims.acr < self.settings.acr {
            return Err(WEAK);
        }
        let mut actions = question.actions.iter();
        let is_covered = !question.actions.is_empty()
            && actions.all(|action| claims.actions.contains(&action.name));
        if !is_covered {
            return Err(ACTION);
        }
        let is_this = match &claims.resource {
            Some(resource) => *resource == (question.resource)(),
            None => !is_emergency,
        };
        if !is_this {
            return Err(RESOURCE);
        }
        Ok(Proof {
            is_single_use: is_emergency || self.is_single_use(&question),
            claims,
        })
    }

    fn is_single_use(&self, question: &Question<'_>) -> bool {
        let names = question.actions.iter().map(|action| &*action.name);
        // Its class counts as an action's, whoever named the action.
        let class = question.is_cross_tenant.then_some(CROSS_TENANT);
        let mut names = names.chain(class);
        names.any(|name| self.settings.is_single_use(name))
    }

    /// Verifies a token once. What was verified is remembered until it is over.
    fn claims(&self, token: &str, now: u64) -> Result<Rc<Claims>, Deny> {
        if let Some(claims) = self.verified.borrow().get(token) {
            return Ok(claims.clone());
        }
        let claims = self.keys.verify(token).ok_or(INVALID)?;
        let is_ours = claims.iss == self.settings.issuer
            && claims.aud == self.graph
            && claims.actions.len() <= MAX_ACTIONS;
        if !is_ours {
            return Err(INVALID);
        }
        let claims = Rc::new(claims);
        let mut verified = self.verified.borrow_mut();
        if verified.len() >= MAX_VERIFIED {
            verified.retain(|_, claims| !is_over(claims, now));
        }
        if verified.len() >= MAX_VERIFIED {
            verified.clear();
        }
        verified.insert(token.into(), claims.clone());
        Ok(claims)
    }

    fn check_time(&self, claims: &Claims, now: u64) -> Result<(), Deny> {
        // Whoever signs does not make tokens for longer; a signature by mistake
        // is bounded here.
        let life = claims.exp.checked_sub(claims.iat).ok_or(INVALID)?;
        let most = match claims.acr {
            Acr::Otp => MAX_OTP_LIFE_SECONDS,
            Acr::PhishingResistant | Acr::Hardware => MAX_LIFE_SECONDS,
        };
        if life > most || claims.nbf > claims.exp || claims.auth_time > claims.exp {
            return Err(INVALID);
        }
        let soon = now.saturating_add(LEEWAY_SECONDS);
        if claims.nbf > soon || claims.iat > soon || claims.auth_time > soon {
            return Err(EARLY);
        }
        let age = now.saturating_sub(claims.auth_time);
        let most = u64::from(self.settings.max_age_seconds) + LEEWAY_SECONDS;
        match is_over(claims, now) || age > most {
            true => Err(EXPIRED),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
impl StepUp {
    pub(crate) fn verified_count(&self) -> usize {
        self.verified.borrow().len()
    }
}

fn is_over(claims: &Claims, now: u64) -> bool {
    now >= claims.exp.saturating_add(LEEWAY_SECONDS)
}
