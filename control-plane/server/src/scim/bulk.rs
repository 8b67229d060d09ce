//! Many operations in one request (RFC 7644 §3.7). Each is a change of its
//! own: one that fails undoes none before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::http::StatusCode;
use ig_scim::{Error, ErrorKind, Projection, ResourceType};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::change;
use super::conditions::Conditions;
use crate::app::App;

/// Most operations of a request: `bulk.maxOperations`.
pub(super) const MAX_OPERATIONS: usize = 1000;

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const REFERENCE: &str = "bulkId:";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One operation, as it was sent.
struct Operation {
    method: Method,
    of: ResourceType,
    /// Of the resource, or of the operation that makes it.
    id: Option<String>,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Value,
}

fn syntax(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSyntax, detail)
}

/// Does all of it, in the order in which references can be resolved.
pub(super) async fn run(app: &App, caller: &Caller, body: &Value) -> Result<Answer, Refusal> {
    let schemas = body.get("schemas").and_then(Value::as_array);
    if !schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema == REQUEST)) {
        return Err(syntax(format!("`schemas` must name {REQUEST}")).into());
    }
    let operations = body.get("Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` must be a list"))?;
    if operations.len() > MAX_OPERATIONS {
        let detail = format!("more than {MAX_OPERATIONS} operations");
        return Err(Error::new(ErrorKind::TooLarge, detail).into());
    }
    let fail_on = match body.get("failOnErrors") {
        None | Some(Value::Null) => usize::MAX,
        Some(value) => value
            .as_u64()
            .filter(|count| *count > 0)
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| syntax("`failOnErrors` must be a number above 0"))?,
    };
    let parsed: Vec<Result<Operation, Error>> = operations.iter().map(parse).collect();
    let mut run = Run {
        app,
        caller,
        made: BTreeMap::new(),
        results: operations.iter().map(|_| None).collect(),
        errors: 0,
    };
    run.all(&parsed, operations, fail_on).await;
    let results: Vec<Value> = run.results.into_iter().flatten().collect();
    Ok(Answer::ok(
        json!({"schemas": [RESPONSE], "Operations": results}),
    ))
}

fn parse(sent: &Value) -> Result<Operation, Error> {
    let text = |name: &str| match sent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(syntax(format!("`{name}` must be a string"))),
    };
    let method = match text("method")?
        .unwrap_or_default()
        .to_ascii_uppercase()
        .as_str()
    {
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => return Err(syntax("`method` must be POST, PUT, PATCH or DELETE")),
    };
    let path = text("path")?.ok_or_else(|| syntax("`path` is missing"))?;
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next());
    let mut all = ResourceType::ALL.into_iter();
    let of = all
        .find(|of| of.endpoint().trim_start_matches('/') == kind)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no resources at {path}")))?;
    let bulk_id = text("bulkId")?;
    match (method, id) {
        (Method::Post, Some(_)) => return Err(syntax("POST goes to `/Users` or `/Groups`")),
        (Method::Post, None) if bulk_id.is_none() => {
            return Err(syntax("a POST needs a `bulkId`"));
        }
        (Method::Put | Method::Patch | Method::Delete, None) => {
            return Err(syntax("`path` must name a resource"));
        }
        _ => {}
    }
    Ok(Operation {
        method,
        of,
        id: id.map(ToOwned::to_owned),
        bulk_id,
        version: text("version")?,
        data: sent.get("data").cloned().unwrap_or_default(),
    })
}

struct Run<'a> {
    app: &'a App,
    caller: &'a Caller,
    /// Ids of what was made, by their `bulkId`; none for what could not be.
    made: BTreeMap<String, Option<String>>,
    results: Vec<Option<Value>>,
    errors: usize,
}

impl Run<'_> {
    /// What refers to something that is made later waits for it.
    async fn all(
        &mut self,
        operations: &[Result<Operation, Error>],
        sent: &[Value],
        fail_on: usize,
    ) {
        let Waits {
            mut needs,
            mut makes,
        } = Waits::of(operations);
        let ready = needs.iter().enumerate().filter(|(_, needed)| **needed == 0);
        let mut ready: BTreeSet<usize> = ready.map(|(position, _)| position).collect();
        let mut left: BTreeSet<usize> = (0..operations.len()).collect();
        // Those that wait for each other come last, and are refused.
        while let Some(position) = ready.pop_first().or_else(|| left.first().copied()) {
            if self.errors >= fail_on {
                return;
            }
            let is_circle = needs.get(position).is_some_and(|needed| *needed > 0);
            left.remove(&position);
            if let (Some(operation), Some(sent)) = (operations.get(position), sent.get(position)) {
                match is_circle {
                    false => self.one(position, operation, sent).await,
                    true => {
                        let detail = "these operations refer to each other in a circle";
                        let error = Error::new(ErrorKind::Conflict, detail);
                        self.one(position, &Err(error), sent).await;
                    }
                }
            }
            if !is_circle {
                for waiting in makes.remove(&position).unwrap_or_default() {
                    if let Some(needed) = needs.get_mut(waiting) {
                        *needed -= 1;
                        if *needed == 0 {
                            ready.insert(waiting);
                        }
                    }
                }
            }
            // What is refused at once must not keep others from their turn.
            tokio::task::yield_now().await;
        }
    }

    async fn one(&mut self, position: usize, operation: &Result<Operation, Error>, sent: &Value) {
        let outcome = match operation {
            Ok(operation) => self.take(operation).await,
            Err(error) => Err(error.clone().into()),
        };
        let mut result = Map::new();
        for name in ["method", "bulkId"] {
            if let Some(value @ Value::String(_)) = sent.get(name) {
                result.insert(name.into(), value.clone());
            }
        }
        if let Ok(operation) = operation {
            result.insert("method".into(), operation.method.as_str().into());
            if let Some(id) = &operation.id {
                let id = self.resolve(id).unwrap_or_else(|_| id.clone());
                let at = format!("{}{}/{id}", self.caller.base, operation.of.endpoint());
                result.insert("location".into(), at.into());
            }
        }
        let id = match &outcome {
            Ok(answer) => {
                result.insert("status".into(), answer.status.as_u16().to_string().into());
                if let Some(version) = &answer.version {
                    result.insert("version".into(), version.as_str().into());
                }
                if let Some(location) = &answer.location {
                    result.insert("location".into(), location.as_str().into());
                }
                let id = answer
                    .body
                    .as_ref()
                    .and_then(|body| body.get("id")?.as_str());
                id.map(ToOwned::to_owned)
            }
            Err(refusal) => {
                self.errors += 1;
                let status = refusal.error.kind.status().to_string();
                result.insert("status".into(), status.into());
                result.insert("response".into(), refusal.error.body());
                None
            }
        };
        if let Ok(Operation {
            method: Method::Post,
            bulk_id: Some(bulk_id),
            ..
        }) = operation
        {
            self.made.insert(bulk_id.clone(), id);
        }
        if let Some(place) = self.results.get_mut(position) {
            *place = Some(Value::Object(result));
        }
    }

    async fn take(&self, operation: &Operation) -> Result<Answer, Refusal> {
        let (app, caller, of) = (self.app, self.caller, operation.of);
        let conditions = operation.version.as_deref().map(Conditions::of_version);
        let conditions = conditions.unwrap_or_default();
        let everything = &Projection::Default;
        if operation.method == Method::Post {
            let bulk_id = operation.bulk_id.as_deref().unwrap_or_default();
            if self.made.contains_key(bulk_id) {
                return Err(syntax("this `bulkId` is there twice").into());
            }
        }
        let mut data = operation.data.clone();
        self.resolve_all(&mut data)?;
        let id = self.resolve(operation.id.as_deref().unwrap_or_default())?;
        match operation.method {
            Method::Post => change::create(app, caller, of, &data, everything).await,
            Method::Put => {
                change::replace(app, caller, of, &id, &data, &conditions, everything).await
            }
            Method::Patch => {
                let answer = change::patch(app, caller, of, &id, &data, &conditions, everything);
                let answer = answer.await?;
                Ok(Answer {
                    status: StatusCode::OK,
                    ..answer
                })
            }
            Method::Delete => change::delete(app, caller, of, &id, &conditions).await,
        }
    }

    /// The id of what an operation made.
    fn resolve(&self, id: &str) -> Result<String, Error> {
        let Some(bulk_id) = id.strip_prefix(REFERENCE) else {
            return Ok(id.to_owned());
        };
        let made = self.made.get(bulk_id).cloned().flatten();
        made.ok_or_else(|| {
            let detail = format!("nothing was made as {id}");
            Error::new(ErrorKind::InvalidValue, detail)
        })
    }

    fn resolve_all(&self, value: &mut Value) -> Result<(), Error> {
        match value {
            Value::String(text) if text.starts_with(REFERENCE) => {
                *text = self.resolve(text)?;
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.resolve_all(item)),
            Value::Object(members) => {
                let mut values = members.values_mut();
                values.try_for_each(|value| self.resolve_all(value))
            }
            _ => Ok(()),
        }
    }
}

/// Who waits for whom, by their positions.
struct Waits {
    /// How many operations one waits for.
    needs: Vec<usize>,
    /// Those that wait for one.
    makes: BTreeMap<usize, Vec<usize>>,
}

impl Waits {
    /// Looks at each operation once.
    fn of(operations: &[Result<Operation, Error>]) -> Self {
        let mut promised: HashMap<&str, usize> = HashMap::new();
        for (position, operation) in operations.iter().enumerate() {
            if let Ok(operation) = operation
                && operation.method == Method::Post
                && let Some(id) = operation.bulk_id.as_deref()
            {
                promised.entry(id).or_insert(position);
            }
        }
        let mut waits = Self {
            needs: vec![0; operations.len()],
            makes: BTreeMap::new(),
        };
        for (position, needed) in waits.needs.iter_mut().enumerate() {
            let Some(Ok(operation)) = operations.get(position) else {
                continue;
            };
            let mut makers = BTreeSet::new();
            collect(&operation.data, &promised, &mut makers);
            let id = operation.id.as_deref();
            let id = id.and_then(|id| id.strip_prefix(REFERENCE));
            makers.extend(id.and_then(|id| promised.get(id)));
            *needed = makers.len();
            for maker in makers {
                waits.makes.entry(maker).or_default().push(position);
            }
        }
        waits
    }
}

/// Positions of what a value refers to.
fn collect(value: &Value, promised: &HashMap<&str, usize>, makers: &mut BTreeSet<usize>) {
    match value {
        Value::String(text) => {
            let id = text.strip_prefix(REFERENCE);
            makers.extend(id.and_then(|id| promised.get(id)));
        }
        Value::Array(items) => {
            for item in items {
                collect(item, promised, makers);
            }
        }
        Value::Object(members) => {
            for value in members.values() {
                collect(value, promised, makers);
            }
        }
        _ => {}
    }
}
