//! Why a request may not go on, and what its caller is told.

use ig_contract::snapshot::{OperationClass, Rate};
use ig_contract::{Deny, DenyCode};

use crate::bucket::Short;

/// Whose bucket it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The subject's.
    Subject,
    /// The tenant's, for all its subjects.
    Tenant,
    /// The tenant's, for all its subjects at all Envoys.
    Fleet,
}

/// A bucket that cannot give what a request costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Whose bucket.
    pub scope: Scope,
    /// Of which class.
    pub class: OperationClass,
    /// Why not.
    pub reason: Reason,
}

/// Why a bucket cannot give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It has not enough now.
    UsedUp {
        /// The rate that fills it.
        rate: Rate,
        /// Nanoseconds until it has enough.
        wait: u64,
        /// What it has.
        left: u32,
    },
    /// It never has enough.
    TooMuch {
        /// The rate that fills it.
        rate: Rate,
    },
    /// Others changed it each time.
    Contended,
    /// There is no place for it in the table.
    Full,
    /// The table cannot be used.
    Unavailable,
}

impl Reason {
    pub(crate) fn used_up(rate: Rate, Short { wait, left }: Short) -> Self {
        Self::UsedUp { rate, wait, left }
    }
}

const SUBJECT: Deny = Deny::new(
    DenyCode::RateLimited,
    "rate-limit-subject",
    "You ask for more than you may; try again later.",
);
const TENANT: Deny = Deny::new(
    DenyCode::RateLimited,
    "rate-limit-tenant",
    "Your tenant asks for more than it may; try again later.",
);
const FLEET: Deny = Deny::new(
    DenyCode::RateLimited,
    FLEET_RULE,
    "Your tenant asks for more than it may; try again later.",
);
const FLEET_TOO_MUCH: Deny = Deny::new(
    DenyCode::RateLimited,
    FLEET_RULE,
    "The request costs more than may ever be asked for at once; ask for less.",
);
const TOO_MUCH: Deny = Deny::new(
    DenyCode::RateLimited,
    "rate-limit-cost",
    "The request costs more than may ever be asked for at once; ask for less.",
);
const CONTENDED: Deny = Deny::new(
    DenyCode::RateLimited,
    "rate-limit-contended",
    "Too many requests at once; try again later.",
);
const FULL: Deny = Deny::new(
    DenyCode::RateLimited,
    "rate-limit-full",
    "Too many callers at once; try again later.",
);
const UNAVAILABLE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "rate-limit-unavailable",
    "It could not be found out whether you may ask for more; try again later.",
);

/// Rule of every deny by a limit of the fleet: whoever reads the access log
/// knows that one refused, but not why.
pub const FLEET_RULE: &str = "rate-limit-fleet";

impl Refusal {
    /// As a deny.
    pub fn deny(&self) -> Deny {
        match (&self.reason, self.scope) {
            (Reason::UsedUp { .. }, Scope::Subject) => SUBJECT,
            (Reason::UsedUp { .. }, Scope::Tenant) => TENANT,
            (Reason::UsedUp { .. }, Scope::Fleet) => FLEET,
            (Reason::TooMuch { .. }, Scope::Fleet) => FLEET_TOO_MUCH,
            (Reason::TooMuch { .. }, _) => TOO_MUCH,
            (Reason::Contended, _) => CONTENDED,
            (Reason::Full, _) => FULL,
            (Reason::Unavailable, _) => UNAVAILABLE,
        }
    }

    /// Seconds after which it is worth to try again (`Retry-After`, RFC 9110
    /// §10.2.3); none where it never is.
    pub fn retry_after(&self) -> Option<u64> {
        match self.reason {
            Reason::UsedUp { wait, .. } => Some(wait.div_ceil(1_000_000_000).max(1)),
            Reason::TooMuch { .. } => None,
            Reason::Contended | Reason::Full | Reason::Unavailable => Some(1),
        }
    }

    /// `RateLimit-Policy` and `RateLimit`
    /// (draft-ietf-httpapi-ratelimit-headers-10), where a rate refused. Quota
    /// and remainder are in cost, not in requests.
    pub fn headers(&self) -> Option<[(&'static str, String); 2]> {
        let (rate, left) = match self.reason {
            Reason::UsedUp { rate, left, .. } => (rate, left),
            Reason::TooMuch { rate } => (rate, 0),
            Reason::Contended | Reason::Full | Reason::Unavailable => return None,
        };
        let scope = match self.scope {
            Scope::Subject => "subject",
            Scope::Tenant => "tenant",
            Scope::Fleet => "fleet",
        };
        let name = format!("\"{scope}-{}\"", self.class.as_str());
        let Rate { cost, seconds, .. } = rate;
        let reset = self.retry_after().map(|seconds| format!(";t={seconds}"));
        let reset = reset.unwrap_or_default();
        Some([
            ("ratelimit-policy", format!("{name};q={cost};w={seconds}")),
            ("ratelimit", format!("{name};r={left}{reset}")),
        ])
    }
}
