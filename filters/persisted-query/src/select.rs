//! From what a request names to the catalogued operation.

use ig_contract::snapshot::{Document, Operation, OperationIndex};
use ig_contract::{Deny, DenyCode, DocumentId, Snapshot, TextHash};

use crate::request::{Content, Request};

const NOT_IN_LIST: Deny = Deny::new(
    DenyCode::PersistedQueryNotInList,
    "not-in-list",
    "No operation of this id is in the catalogue.",
);

/// Finds the operation that a request names by id.
///
/// `load` decodes a record (callers keep those in a cache); `client` is the
/// authenticated client. An operation of another client is answered exactly
/// like one that does not exist.
///
/// # Errors
/// 404 for an unknown id, 400 for a text or a name the document lacks.
pub fn select<O: AsRef<Operation>>(
    snapshot: &Snapshot,
    request: &Request<'_>,
    client: Option<&str>,
    load: impl Fn(OperationIndex) -> Option<O>,
) -> Result<(Document, OperationIndex, O), Deny> {
    let document = snapshot.find(request.id()?).ok_or(NOT_IN_LIST)?;
    choose(document, request, client, load)
}

/// Finds the operation whose canonical text a request carries: for a guard
/// that runs behind the allow-list in a chain of its own.
///
/// # Errors
/// As [`select`]; 404 for a text that is not in the catalogue.
pub fn select_by_text<O: AsRef<Operation>>(
    snapshot: &Snapshot,
    request: &Request<'_>,
    client: Option<&str>,
    load: impl Fn(OperationIndex) -> Option<O>,
) -> Result<(Document, OperationIndex, O), Deny> {
    let id = match &request.content {
        Content::Id(id) => id.clone(),
        Content::Text(text) => DocumentId::Sha256(TextHash::of(text.as_bytes())),
    };
    choose(
        snapshot.find(&id).ok_or(NOT_IN_LIST)?,
        request,
        client,
        load,
    )
}

fn choose<O: AsRef<Operation>>(
    document: Document,
    request: &Request<'_>,
    client: Option<&str>,
    load: impl Fn(OperationIndex) -> Option<O>,
) -> Result<(Document, OperationIndex, O), Deny> {
    let mut candidates = document.operations();
    let only = candidates.len() == 1;
    let chosen = candidates.find_map(|index| {
        let operation = load(index)?;
        let named = match request.operation_name.as_deref() {
            Some(name) => name == operation.as_ref().name,
            None => only,
        };
        named.then_some((index, operation))
    });
    let Some((index, operation)) = chosen else {
        return Err(Deny::new(
            DenyCode::BadRequest,
            "operation-name",
            "`operationName` does not name one operation of the document.",
        ));
    };
    let clients = &operation.as_ref().clients;
    let is_for_client =
        clients.is_empty() || client.is_some_and(|client| clients.iter().any(|one| one == client));
    if !is_for_client {
        return Err(NOT_IN_LIST);
    }
    Ok((document, index, operation))
}
