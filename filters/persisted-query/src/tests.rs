//! Requests as tables of text, and properties over requests nobody wrote.

mod canonical;
mod carriers;
mod limits;
mod media;
mod properties;
mod random;
mod url;

use ig_contract::snapshot::{Limits, Operation, OperationKind};
use ig_contract::{DocumentId, TextHash};

use crate::{Content, Item, Method, RequestParts, decode};

const ENDPOINT: &str = "/graphql";
/// The texts behind `#H` and `#J` of the tables.
const H: &str = "query H { h }";
const J: &str = "query J { j }";

/// Puts hashes in the place of `#H` and `#J`.
fn fill(template: &str) -> String {
    let hash = |text: &str| TextHash::of(text.as_bytes()).to_string();
    template.replace("#H", &hash(H)).replace("#J", &hash(J))
}

fn batches() -> Limits {
    Limits {
        max_batch: 3,
        ..Limits::default()
    }
}

fn operation(name: &str, variables: &[&str]) -> Operation {
    Operation {
        name: name.into(),
        kind: OperationKind::Query,
        actions: Vec::new(),
        step_up: false,
        cross_tenant: false,
        cost: 1,
        sizes: Vec::new(),
        terms: Vec::new(),
        variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        facts: Vec::new(),
        resources: Vec::new(),
        clients: Vec::new(),
    }
}

/// What was read, in one line: `#H`, `text …` or `-rule` for each operation,
/// with ` @name` and ` {variables}` where they are; `[…]` around a batch;
/// `!rule` where the request as a whole was denied.
fn read(method: Method, target: &str, body: &[u8], limits: &Limits) -> String {
    let parts = RequestParts {
        method,
        target,
        body,
        endpoint: ENDPOINT,
        limits,
    };
    let line = decode(parts, |is_batch, items| {
        let items: Vec<_> = items.iter().map(describe).collect();
        match is_batch {
            true => format!("[{}]", items.join(" | ")),
            false => items.join(" | "),
        }
    });
    line.unwrap_or_else(|deny| format!("!{}", deny.rule))
}

fn describe(item: &Item<'_>) -> String {
    let request = match item {
        Ok(request) => request,
        Err(deny) => return format!("-{}", deny.rule),
    };
    let mut line = match &request.content {
        Content::Text(text) => format!("text {text}"),
        Content::Id(DocumentId::Alias(alias)) => format!("alias {alias}"),
        Content::Id(DocumentId::Sha256(hash)) => {
            match [H, J].map(|text| TextHash::of(text.as_bytes())) {
                [h, _] if *hash == h => "#H".to_owned(),
                [_, j] if *hash == j => "#J".to_owned(),
                _ => hash.to_string(),
            }
        }
    };
    if let Some(name) = &request.operation_name {
        line += &format!(" @{name}");
    }
    if !request.variables.is_empty() {
        let variables = request.variables.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| format!("{name}: {}", value.get()))
            .collect();
        line += &format!(" {{{}}}", variables.join(", "));
    }
    line
}

fn post(body: &str) -> String {
    read(
        Method::Post,
        ENDPOINT,
        fill(body).as_bytes(),
        &Limits::default(),
    )
}
