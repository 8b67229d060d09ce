//! What is valid in a schema, and still not what one wants.

use apollo_compiler::ast::{Directive, OperationType};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::{Node, ast};
use serde::Serialize;

use crate::reason::{Locator, Reason};
use crate::{Date, Schema};

/// What a schema is looked at for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A name that GraphQL or the guard gives a meaning of its own.
    ReservedName,
    /// A mutation to which no `@authz` applies.
    MutationAuthz,
    /// Personal data without a retention class.
    PiiRetention,
    /// A deprecation that does not say until when, or whose day has come.
    DeprecationDate,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ReservedName,
        Self::MutationAuthz,
        Self::PiiRetention,
        Self::DeprecationDate,
    ];

    /// Its name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReservedName => "reserved-name",
            Self::MutationAuthz => "mutation-authz",
            Self::PiiRetention => "pii-retention",
            Self::DeprecationDate => "deprecation-date",
        }
    }
}

/// A place that breaks a rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The place, as `Type.field`.
    pub place: String,
    /// What is wrong, where, and what to do.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Looks for what breaks a rule, in the order of the rules and the source.
/// `today` decides whose day has come.
pub fn lint(schema: &Schema, today: Date) -> Vec<Finding> {
    let mut linter = Linter {
        schema,
        locator: Locator::new(&schema.definitions.sources),
        findings: Vec::new(),
    };
    linter.names();
    linter.mutations();
    linter.resources();
    linter.deprecations(today);
    linter.findings
}

struct Linter<'a> {
    schema: &'a Schema,
    locator: Locator<'a>,
    findings: Vec<Finding>,
}

impl<'a> Linter<'a> {
    fn report(
        &mut self,
        rule: Rule,
        place: impl Into<String>,
        span: Option<SourceSpan>,
        message: String,
    ) {
        self.findings.push(Finding {
            rule,
            place: place.into(),
            reason: self.locator.reason(message, span),
        });
    }

    fn types(&self) -> impl Iterator<Item = &'a ExtendedType> + use<'a> {
        let types = self.schema.definitions.types.values();
        types.filter(|ty| !ty.is_built_in())
    }

    /// Names with two underscores are an error before this: GraphQL has them.
    fn names(&mut self) {
        let kinds = [
            ("Query", OperationType::Query),
            ("Mutation", OperationType::Mutation),
            ("Subscription", OperationType::Subscription),
        ];
        for (name, kind) in kinds {
            let root = self.schema.definitions.root_operation(kind);
            let ty = self.schema.definitions.types.get(name);
            if let Some(ty) = ty.filter(|_| root.is_none_or(|root| *root != name)) {
                let message = format!(
                    "`{name}` is the name of the {kind} type where `schema` says no other: \
                     name this type otherwise"
                );
                self.report(Rule::ReservedName, name, ty.name().location(), message);
            }
        }
        for ty in self.types() {
            let name = ty.name();
            // Identifiers of the guard in headers, policies and decisions.
            if name.as_str().to_ascii_lowercase().starts_with("ig_") {
                let message = format!("`{name}`: names with `ig_` are the guard's");
                self.report(Rule::ReservedName, name.as_str(), name.location(), message);
            }
        }
    }

    fn mutations(&mut self) {
        let definitions = &self.schema.definitions;
        let Some(root) = definitions.root_operation(OperationType::Mutation) else {
            return;
        };
        let Some(ExtendedType::Object(ty)) = definitions.types.get(root) else {
            return;
        };
        for field in ty.fields.values() {
            let all = self.schema.protection_of(root, &field.name);
            // A bare `@authz` asks for no more than where there is none.
            let asks = |authz: &crate::Authz| {
                authz.action.is_some() || !authz.purposes.is_empty() || authz.step_up
            };
            let uses = all.as_ref().map_or(&[][..], |all| &all.authz);
            if !uses.iter().any(asks) {
                let what = match uses {
                    [] => "applies to",
                    _ => "asks for anything at",
                };
                let message = format!(
                    "no `@authz` {what} `{root}.{}`: say which purposes may use it",
                    field.name
                );
                let place = format!("{root}.{}", field.name);
                self.report(Rule::MutationAuthz, place, field.location(), message);
            }
        }
    }

    fn resources(&mut self) {
        for (place, own) in self.schema.protections() {
            for resource in own.resources {
                if resource.pii && resource.retention.is_none() {
                    let message = format!(
                        "`{place}` is personal data: say how long it is kept, by \
                         `@resource(retention:)`"
                    );
                    let span = self.span_of(&place);
                    self.report(Rule::PiiRetention, place.clone(), span, message);
                }
            }
        }
    }

    /// Where a type or a field is.
    fn span_of(&self, place: &str) -> Option<SourceSpan> {
        let definitions = &self.schema.definitions;
        match place.split_once('.') {
            Some((ty, field)) => definitions.type_field(ty, field).ok()?.location(),
            None => definitions.types.get(place)?.name().location(),
        }
    }

    fn deprecations(&mut self, today: Date) {
        for ty in self.types() {
            let name = ty.name();
            match ty {
                ExtendedType::Object(ty) => self.of_fields(name, ty.fields.values(), today),
                ExtendedType::Interface(ty) => self.of_fields(name, ty.fields.values(), today),
                ExtendedType::InputObject(ty) => {
                    for field in ty.fields.values() {
                        let place = format!("{name}.{}", field.name);
                        self.deprecation(place, &field.directives, today);
                    }
                }
                ExtendedType::Enum(ty) => {
                    for value in ty.values.values() {
                        let place = format!("{name}.{}", value.value);
                        self.deprecation(place, &value.directives, today);
                    }
                }
                ExtendedType::Scalar(_) | ExtendedType::Union(_) => {}
            }
        }
    }

    fn of_fields(
        &mut self,
        ty: &str,
        fields: impl Iterator<Item = &'a Component<ast::FieldDefinition>>,
        today: Date,
    ) {
        for field in fields {
            let place = format!("{ty}.{}", field.name);
            for argument in &field.arguments {
                let place = format!("{place}.{}", argument.name);
                self.deprecation(place, &argument.directives, today);
            }
            self.deprecation(place, &field.directives, today);
        }
    }

    fn deprecation(&mut self, place: String, directives: &'a [Node<Directive>], today: Date) {
        let mut all = directives.iter();
        let Some(directive) = all.find(|directive| directive.name == "deprecated") else {
            return;
        };
        let reason = directive.specified_argument_by_name("reason");
        let day = reason.and_then(|reason| Date::find(reason.as_str()?));
        let message = match day {
            None => format!(
                "`{place}` is deprecated without a day: say in `reason` when it goes, as 2026-12-31"
            ),
            Some(day) if day <= today => {
                format!("`{place}` was to go on {day}: remove it, or give it another day")
            }
            Some(_) => return,
        };
        self.report(Rule::DeprecationDate, place, directive.location(), message);
    }
}
