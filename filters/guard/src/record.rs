//! Rulings, and the decision records they become.

use std::borrow::Cow;
use std::rc::Rc;

use ig_contract::{DecisionRecord, Deny, DenyCode, Mode, Outcome};
#[cfg(feature = "policy")]
use ig_step_up::Proof;

use crate::Guard;
use crate::effect::Verdict;
use crate::exchange::{By, Exchange, Selected};
#[cfg(feature = "policy")]
use crate::presence::Challenge;

/// What was ruled on one operation.
pub(crate) struct Ruling {
    pub(crate) by: By,
    pub(crate) selected: Option<Selected>,
    pub(crate) grant: Result<Granted, Deny>,
    /// What the client has to prove its presence for.
    #[cfg(feature = "policy")]
    pub(crate) challenge: Option<Challenge>,
    /// The bucket that could not give.
    #[cfg(feature = "policy")]
    pub(crate) refusal: Option<ig_rate_limit::Refusal>,
    /// The proof that counted.
    #[cfg(feature = "policy")]
    pub(crate) proof: Option<Proof>,
}

/// Why an operation may run.
pub(crate) struct Granted {
    rule: Rc<str>,
    obligations: Rc<[String]>,
}

static ABORTED: Deny = Deny::new(
    DenyCode::BatchAborted,
    "batch-aborted",
    "Another operation of the batch was denied; none was run.",
);

impl Ruling {
    pub(crate) fn deny(by: By, deny: Deny, selected: Option<Selected>) -> Self {
        Self {
            by,
            selected,
            grant: Err(deny),
            #[cfg(feature = "policy")]
            challenge: None,
            #[cfg(feature = "policy")]
            refusal: None,
            #[cfg(feature = "policy")]
            proof: None,
        }
    }

    pub(crate) fn allow_listed(selected: Selected) -> Self {
        let granted = Granted {
            rule: "allow-listed".into(),
            obligations: Rc::new([]),
        };
        Self {
            by: By::PersistedQuery,
            selected: Some(selected),
            grant: Ok(granted),
            #[cfg(feature = "policy")]
            challenge: None,
            #[cfg(feature = "policy")]
            refusal: None,
            #[cfg(feature = "policy")]
            proof: None,
        }
    }

    /// A WebSocket that is let in; what is said in it is decided on by itself.
    pub(crate) fn admitted(by: By) -> Self {
        let granted = Granted {
            rule: "websocket".into(),
            obligations: Rc::new([]),
        };
        Self {
            grant: Ok(granted),
            ..Self::deny(by, ABORTED.clone(), None)
        }
    }

    /// A request that another gateway decides on.
    #[cfg(feature = "policy")]
    pub(crate) fn forwarded() -> Self {
        let granted = Granted {
            rule: "region-forward".into(),
            obligations: Rc::new([]),
        };
        Self {
            grant: Ok(granted),
            ..Self::deny(By::Residency, ABORTED.clone(), None)
        }
    }

    /// By a bucket that could not give.
    #[cfg(feature = "policy")]
    pub(crate) fn refused(refusal: &ig_rate_limit::Refusal, selected: Option<Selected>) -> Self {
        Self {
            refusal: Some(refusal.clone()),
            ..Self::deny(By::RateLimit, refusal.deny(), selected)
        }
    }

    /// What one guard would deny that only watches, where nothing else does.
    #[cfg(feature = "policy")]
    pub(crate) fn watched(self, by: By, deny: Option<Deny>) -> Self {
        match (&self.grant, deny) {
            (Ok(_), Some(deny)) => Self {
                by,
                grant: Err(deny),
                ..self
            },
            _ => self,
        }
    }

    #[cfg(feature = "policy")]
    pub(crate) fn granted(
        grant: ig_policy::Grant,
        selected: Selected,
        proof: Option<Proof>,
    ) -> Self {
        let ig_policy::Grant { rule, obligations } = grant;
        Self {
            by: By::Policy,
            selected: Some(selected),
            grant: Ok(Granted { rule, obligations }),
            challenge: None,
            refusal: None,
            proof,
        }
    }

    /// The deny, also of an operation that was only dragged along.
    pub(crate) fn as_denied(&self) -> &Deny {
        self.grant.as_ref().err().unwrap_or(&ABORTED)
    }
}

/// What is recorded of a request.
#[derive(Clone, Default)]
pub(crate) struct Records {
    /// The records, comma-separated.
    pub(crate) json: String,
    /// What they say.
    pub(crate) verdicts: Vec<Verdict>,
}

/// Writes the records of a request.
pub(crate) fn records(
    exchange: &Exchange,
    guard: Option<&Guard>,
    rulings: &[Ruling],
    is_denied: bool,
) -> Records {
    let mut out = Records::default();
    for ruling in rulings {
        let record = record(exchange, guard, ruling, is_denied);
        let (outcome, code) = (record.outcome, record.code);
        out.verdicts.push(Verdict { outcome, code });
        let Ok(json) = serde_json::to_string(&record) else {
            continue;
        };
        if !out.json.is_empty() {
            out.json.push(',');
        }
        out.json.push_str(&json);
    }
    out
}

fn record<'a>(
    exchange: &'a Exchange,
    guard: Option<&Guard>,
    ruling: &'a Ruling,
    is_denied: bool,
) -> DecisionRecord<'a> {
    let (code, rule, obligations, outcome) = match (&ruling.grant, is_denied) {
        (Ok(granted), false) => (None, &*granted.rule, &*granted.obligations, Outcome::Allow),
        (Ok(_), true) => (Some(ABORTED.code), &*ABORTED.rule, &[][..], Outcome::Deny),
        (Err(deny), _) => {
            let outcome = match exchange.mode(ruling.by) {
                Mode::Enforce => Outcome::Deny,
                Mode::Shadow => Outcome::ShadowDeny,
            };
            (Some(deny.code), &*deny.rule, &[][..], outcome)
        }
    };
    let selected = ruling.selected.as_ref();
    let mut record = DecisionRecord {
        decision_id: Cow::Borrowed(&exchange.decision_id),
        tenant_id: None,
        actor: None,
        purpose: exchange.head.purpose().map(Cow::Borrowed),
        authority: exchange.head.authority().map(Cow::Borrowed),
        operation: selected.map(|selected| Cow::Borrowed(selected.operation.name.as_str())),
        document: selected.map(|selected| Cow::Owned(selected.document.hash.to_string())),
        outcome,
        code,
        rule: Cow::Borrowed(rule),
        step_up: None,
        obligations: obligations
            .iter()
            .map(|name| Cow::Borrowed(name.as_str()))
            .collect(),
        mode: exchange.mode(ruling.by),
        region: None,
        revision: guard.map(|guard| guard.snapshot().revision()),
    };
    #[cfg(feature = "policy")]
    if let Some(caller) = exchange.asker.caller() {
        record.tenant_id = Some(Cow::Borrowed(&caller.tenant));
        record.actor = Some(Cow::Borrowed(&caller.subject));
        record.region = caller.region.as_deref().map(Cow::Borrowed);
    }
    #[cfg(feature = "policy")]
    if let Some(proof) = &ruling.proof {
        record.step_up = Some(Cow::Borrowed(&proof.claims.jti));
    }
    #[cfg(not(feature = "policy"))]
    let _ = &mut record;
    record
}
