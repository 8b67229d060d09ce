//! The parameters of GraphQL over HTTP, from a JSON body or a URL.

use async_graphql::{
    Request, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationType},
    },
};
use serde_json::{Map, Value};

use crate::error::HttpError;

/// What kind of operation a request will execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Query,
    Mutation,
    Subscription,
}

/// Well-formed parameters; whether the document is valid is not known yet.
#[derive(Debug, PartialEq)]
pub(crate) struct Params {
    query: String,
    operation_name: Option<String>,
    variables: Map<String, Value>,
}

impl Params {
    /// Reads `query`, `operationName`, `variables` and `extensions` of a JSON object.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, HttpError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| HttpError::bad_request(format!("the body is not JSON: {error}")))?;
        let Value::Object(mut body) = value else {
            return Err(HttpError::bad_request("the body must be a JSON object"));
        };
        Self::from_values(
            body.remove("query"),
            body.remove("operationName"),
            body.remove("variables"),
            body.remove("extensions"),
        )
    }

    /// Reads the same parameters from a URL, where maps are JSON text.
    pub(crate) fn from_url(query: &str) -> Result<Self, HttpError> {
        let mut found: [Option<String>; 4] = Default::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "query" => &mut found[0],
                "operationName" => &mut found[1],
                "variables" => &mut found[2],
                "extensions" => &mut found[3],
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(HttpError::bad_request(format!("{name} occurs twice")));
            }
        }
        let [query, operation_name, variables, extensions] = found;
        Self::from_values(
            query.map(Value::String),
            operation_name
                .filter(|name| !name.is_empty())
                .map(Value::String),
            url_json("variables", variables)?,
            url_json("extensions", extensions)?,
        )
    }

    fn from_values(
        query: Option<Value>,
        operation_name: Option<Value>,
        variables: Option<Value>,
        extensions: Option<Value>,
    ) -> Result<Self, HttpError> {
        let Some(Value::String(query)) = query else {
            return Err(HttpError::bad_request("query must be a string"));
        };
        let operation_name = match operation_name {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(HttpError::bad_request("operationName must be a string")),
        };
        // Extensions mean nothing to this server, but their type is part of the protocol.
        map("extensions", extensions)?;
        Ok(Self {
            query,
            operation_name,
            variables: map("variables", variables)?,
        })
    }

    /// The request to execute; the kind is unknown where the document does
    /// not parse or has no such operation, which execution will report.
    pub(crate) fn into_request(self) -> (Request, Option<OperationKind>) {
        let document = parse_query(&self.query).ok();
        let kind = document
            .as_ref()
            .and_then(|document| operation_kind(document, self.operation_name.as_deref()));
        let mut request =
            Request::new(self.query).variables(Variables::from_json(Value::Object(self.variables)));
        if let Some(name) = self.operation_name {
            request = request.operation_name(name);
        }
        if let Some(document) = document {
            request.set_parsed_query(document);
        }
        (request, kind)
    }
}

fn operation_kind(document: &ExecutableDocument, name: Option<&str>) -> Option<OperationKind> {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => operation,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name)?,
        // The one operation of a document needs no name to be chosen.
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()?
        }
        (DocumentOperations::Multiple(_), None) => return None,
    };
    Some(match operation.node.ty {
        OperationType::Query => OperationKind::Query,
        OperationType::Mutation => OperationKind::Mutation,
        OperationType::Subscription => OperationKind::Subscription,
    })
}

fn map(name: &str, value: Option<Value>) -> Result<Map<String, Value>, HttpError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(HttpError::bad_request(format!("{name} must be an object"))),
    }
}

fn url_json(name: &str, text: Option<String>) -> Result<Option<Value>, HttpError> {
    text.filter(|text| !text.is_empty())
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| HttpError::bad_request(format!("{name} is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_parameters_are_refused() {
        for body in [
            "",
            "[]",
            "1",
            "{\"query\":1}",
            "{}",
            "{\"query\":\"{a}\",\"variables\":[]}",
            "{\"query\":\"{a}\",\"operationName\":1}",
            "{\"query\":\"{a}\",\"extensions\":\"x\"}",
            "{\"query\":\"{a}\"} {}",
        ] {
            assert!(Params::from_json(body.as_bytes()).is_err(), "{body}");
        }
        for url in [
            "",
            "query=a&query=b",
            "query=a&variables=x",
            "query=a&variables=[]",
        ] {
            assert!(Params::from_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_url_and_the_body_say_the_same() {
        let body = r#"{"query":"{a}","operationName":null,"variables":{"b":1}}"#;
        let url = "query=%7Ba%7D&variables=%7B%22b%22%3A1%7D&extensions=&unknown=1";
        assert_eq!(
            Params::from_json(body.as_bytes()).unwrap(),
            Params::from_url(url).unwrap()
        );
    }

    #[test]
    fn the_kind_is_that_of_the_operation_to_execute() {
        for (query, name, want) in [
            ("{a}", None, Some(OperationKind::Query)),
            ("mutation M{a}", None, Some(OperationKind::Mutation)),
            (
                "query Q{a} mutation M{a}",
                Some("M"),
                Some(OperationKind::Mutation),
            ),
            (
                "query Q{a} subscription S{a}",
                Some("S"),
                Some(OperationKind::Subscription),
            ),
            ("query Q{a} mutation M{a}", None, None),
            ("query Q{a} mutation M{a}", Some("X"), None),
            ("{", None, None),
        ] {
            let params = Params {
                query: query.to_owned(),
                operation_name: name.map(str::to_owned),
                variables: Map::new(),
            };
            assert_eq!(params.into_request().1, want, "{query} {name:?}");
        }
    }
}
