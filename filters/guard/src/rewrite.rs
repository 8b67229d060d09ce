//! What goes on instead of the client's bytes.

use ig_contract::{Deny, DenyCode, TextHash};
use ig_persisted_query::{Item, Method, canonical_body, canonical_target};

use crate::effect::Forward;
use crate::exchange::Selected;
use crate::record::Ruling;
use crate::{Exchange, Guard};

/// Outcome of writing a request anew.
pub(crate) enum Rewrite {
    Done(Forward),
    /// These texts are not here yet.
    Needs(Vec<TextHash>),
}

const TEXT_UNAVAILABLE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "text-unavailable",
    "The operation's text could not be fetched; try again later.",
);

impl Exchange {
    /// Writes a request anew, once every text is here.
    pub(crate) fn rewrite(
        &self,
        guard: &Guard,
        method: Method,
        is_batch: bool,
        items: &[Item<'_>],
        rulings: &[Ruling],
    ) -> Result<Rewrite, Deny> {
        let mut parts = Vec::with_capacity(items.len());
        let mut needed = Vec::new();
        for (item, ruling) in items.iter().zip(rulings) {
            let (Ok(request), Some(selected)) = (item, &ruling.selected) else {
                return Err(TEXT_UNAVAILABLE);
            };
            let Selected {
                document,
                index,
                operation,
            } = selected;
            let fetched = self.texts.get(&document.hash);
            let text = fetched.and_then(Option::as_deref);
            if text == Some("") {
                return Err(TEXT_UNAVAILABLE);
            }
            match guard.prepared(document, *index, operation, text) {
                Some(prepared) => parts.push((prepared, operation.as_ref(), request)),
                None => needed.push(document.hash),
            }
        }
        if !needed.is_empty() {
            needed.sort_unstable();
            needed.dedup();
            return Ok(Rewrite::Needs(needed));
        }
        let head = guard.snapshot().head();
        let mut forward = Forward::default();
        match (method, parts.as_slice()) {
            (Method::Get, [(prepared, operation, request)]) => {
                let limit = head.limits.max_target_bytes;
                let target = canonical_target(prepared, operation, request, &head.endpoint, limit)?;
                forward.set.push((":path", target));
            }
            _ => {
                let parts = parts.iter().map(|(prepared, operation, request)| {
                    (prepared.as_ref(), *operation, *request)
                });
                let body = canonical_body(is_batch, parts);
                if self.head.target() != head.endpoint {
                    forward.set.push((":path", head.endpoint.clone()));
                }
                forward
                    .set
                    .push(("content-type", "application/json".to_owned()));
                forward.set.push(("content-length", body.len().to_string()));
                forward.body = Some(body);
            }
        }
        Ok(Rewrite::Done(forward))
    }
}
