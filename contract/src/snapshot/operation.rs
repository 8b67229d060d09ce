//! The compiled record of one catalogued operation.

use serde::{Deserialize, Serialize};

use super::{CostTerm, ListSize};

/// Kind of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// `query`
    Query,
    /// `mutation`
    Mutation,
    /// `subscription`
    Subscription,
}

impl OperationKind {
    /// The keyword of GraphQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// What is known of an operation ahead of a request. There is one per
/// (document, operation name).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its name; empty for an anonymous operation.
    pub name: String,
    /// Its kind.
    pub kind: OperationKind,
    /// What it does, in the words of `@authz`.
    pub actions: Vec<Action>,
    /// Whether it needs a fresh proof of presence.
    pub step_up: bool,
    /// Whether it reaches into other tenants.
    pub cross_tenant: bool,
    /// Static cost: what it costs where no variable is given.
    pub cost: u32,
    /// Sizes of lists that variables ask for.
    pub sizes: Vec<ListSize>,
    /// What the cost is the sum of; none where no variable changes it.
    pub terms: Vec<CostTerm>,
    /// Names of the variables it declares, in order.
    pub variables: Vec<String>,
    /// Facts that policies may ask for.
    pub facts: Vec<Fact>,
    /// Distinct `@resource`s it selects.
    pub resources: Vec<Resource>,
    /// Clients that may use it; none means every client.
    pub clients: Vec<String>,
}

impl Operation {
    /// Whether it takes data out or reaches into other tenants.
    pub fn is_sensitive(&self) -> bool {
        let is_sensitive = |action: &Action| {
            ["export:", "crossTenant:"]
                .iter()
                .any(|prefix| action.name.starts_with(prefix))
        };
        self.cross_tenant || self.actions.iter().any(is_sensitive)
    }

    /// Whether it needs a proof of presence: where the schema says so, and
    /// wherever it is [sensitive](Self::is_sensitive).
    pub fn needs_step_up(&self) -> bool {
        self.step_up || self.is_sensitive()
    }
}

/// One action of an operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Its name, e.g. `export:assets` or, without directives, `mutation:createAsset`.
    pub name: String,
    /// Purposes that allow it; none means any purpose the actor holds.
    pub purposes: Vec<String>,
}

/// Where the values of a fact come from. Several records may name one fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// Name by `@fact`.
    pub name: String,
    /// Source of its value.
    pub source: FactSource,
}

/// Source of a fact's value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FactSource {
    /// JSON text of a value that stands in the document or the schema.
    Literal(String),
    /// A path that starts at a variable.
    Variable(VariablePath),
}

/// A path into the variables of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariablePath {
    /// The variable.
    pub variable: String,
    /// JSON text of the variable's default, taken when the request has none.
    pub default: Option<String>,
    /// Steps below the variable.
    pub steps: Vec<PathStep>,
}

/// A step of a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathStep {
    /// The member of this name.
    Field {
        /// Name of the input field.
        name: String,
        /// JSON text of the field's default in the schema, taken when absent.
        default: Option<String>,
    },
    /// Every item of a list; what is no list is its own single item, as
    /// GraphQL's input coercion has it.
    Each,
}

/// A distinct `@resource`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Personal data.
    pub pii: bool,
    /// Retention class of the data.
    pub retention: Option<String>,
    /// Licence class of the data.
    pub license_class: Option<String>,
}
