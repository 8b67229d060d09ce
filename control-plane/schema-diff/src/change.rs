//! A change, as `@graphql-inspector/core` 8 has it.

use apollo_compiler::parser::SourceSpan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a change is. Names, in JSON, are those of `@graphql-inspector/core` 8
/// (MIT, <https://github.com/graphql-hive/graphql-inspector>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say what changed")]
pub enum ChangeKind {
    FieldArgumentDescriptionChanged,
    FieldArgumentDefaultChanged,
    FieldArgumentTypeChanged,
    FieldArgumentAdded,
    FieldArgumentRemoved,
    DirectiveRemoved,
    DirectiveAdded,
    DirectiveDescriptionChanged,
    DirectiveLocationAdded,
    DirectiveLocationRemoved,
    DirectiveArgumentAdded,
    DirectiveArgumentRemoved,
    DirectiveArgumentDescriptionChanged,
    DirectiveArgumentDefaultValueChanged,
    DirectiveArgumentTypeChanged,
    DirectiveRepeatableAdded,
    DirectiveRepeatableRemoved,
    EnumValueRemoved,
    EnumValueAdded,
    EnumValueDescriptionChanged,
    EnumValueDeprecationReasonChanged,
    EnumValueDeprecationReasonAdded,
    EnumValueDeprecationReasonRemoved,
    FieldRemoved,
    FieldAdded,
    FieldDescriptionChanged,
    FieldDescriptionAdded,
    FieldDescriptionRemoved,
    FieldDeprecationAdded,
    FieldDeprecationRemoved,
    FieldDeprecationReasonChanged,
    FieldDeprecationReasonAdded,
    FieldDeprecationReasonRemoved,
    FieldTypeChanged,
    InputFieldRemoved,
    InputFieldAdded,
    InputFieldDescriptionAdded,
    InputFieldDescriptionRemoved,
    InputFieldDescriptionChanged,
    InputFieldDefaultValueChanged,
    InputFieldTypeChanged,
    ObjectTypeInterfaceAdded,
    ObjectTypeInterfaceRemoved,
    SchemaQueryTypeChanged,
    SchemaMutationTypeChanged,
    SchemaSubscriptionTypeChanged,
    TypeRemoved,
    TypeAdded,
    TypeKindChanged,
    TypeDescriptionChanged,
    TypeDescriptionRemoved,
    TypeDescriptionAdded,
    UnionMemberRemoved,
    UnionMemberAdded,
    DirectiveUsageUnionMemberAdded,
    DirectiveUsageUnionMemberRemoved,
    DirectiveUsageEnumAdded,
    DirectiveUsageEnumRemoved,
    DirectiveUsageEnumValueAdded,
    DirectiveUsageEnumValueRemoved,
    DirectiveUsageInputObjectAdded,
    DirectiveUsageInputObjectRemoved,
    DirectiveUsageScalarAdded,
    DirectiveUsageScalarRemoved,
    DirectiveUsageObjectAdded,
    DirectiveUsageObjectRemoved,
    DirectiveUsageInterfaceAdded,
    DirectiveUsageInterfaceRemoved,
    DirectiveUsageArgumentDefinitionAdded,
    DirectiveUsageArgumentDefinitionRemoved,
    DirectiveUsageSchemaAdded,
    DirectiveUsageSchemaRemoved,
    DirectiveUsageFieldDefinitionAdded,
    DirectiveUsageFieldDefinitionRemoved,
    DirectiveUsageInputFieldDefinitionAdded,
    DirectiveUsageInputFieldDefinitionRemoved,
    DirectiveUsageArgumentAdded,
    DirectiveUsageArgumentRemoved,
}

impl ChangeKind {
    /// Whether the change is about texts for people only: descriptions and
    /// deprecations.
    pub fn is_for_people(self) -> bool {
        use ChangeKind::*;
        matches!(
            self,
            FieldArgumentDescriptionChanged
                | DirectiveDescriptionChanged
                | DirectiveArgumentDescriptionChanged
                | EnumValueDescriptionChanged
                | EnumValueDeprecationReasonChanged
                | EnumValueDeprecationReasonAdded
                | EnumValueDeprecationReasonRemoved
                | FieldDescriptionChanged
                | FieldDescriptionAdded
                | FieldDescriptionRemoved
                | FieldDeprecationAdded
                | FieldDeprecationRemoved
                | FieldDeprecationReasonChanged
                | FieldDeprecationReasonAdded
                | FieldDeprecationReasonRemoved
                | InputFieldDescriptionAdded
                | InputFieldDescriptionRemoved
                | InputFieldDescriptionChanged
                | TypeDescriptionChanged
                | TypeDescriptionRemoved
                | TypeDescriptionAdded
        )
    }

    /// Whether the change puts something below what was there: whoever uses
    /// that does not name what is new.
    pub fn is_addition(self) -> bool {
        use ChangeKind::*;
        matches!(
            self,
            FieldArgumentAdded | InputFieldAdded | EnumValueAdded | DirectiveArgumentAdded
        )
    }

    /// Whether the change is of uses of directives.
    pub fn is_directive_usage(self) -> bool {
        self >= Self::DirectiveUsageUnionMemberAdded
    }
}

/// What a change does to whoever uses the schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Nothing.
    NonBreaking,
    /// It may behave otherwise.
    Dangerous,
    /// It may fail.
    Breaking,
}

/// A level, and why it is that one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Criticality {
    /// The level.
    pub level: Level,
    /// Why, where it does not go without saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One of the two schemas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The schema before.
    Old,
    /// The schema after.
    New,
}

/// One change.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// What changed, for people.
    pub message: String,
    /// What changed: `Type.field.argument`, `Enum.VALUE`, `@directive`,
    /// `Type.field.@directive.argument`; none for root types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What kind of change it is.
    #[serde(rename = "type")]
    pub kind: ChangeKind,
    /// Names and values of the message. Which members there are depends on the
    /// kind.
    pub meta: Map<String, Value>,
    /// How bad it is.
    pub criticality: Criticality,
    /// Where it stands.
    #[serde(skip)]
    pub(crate) at: Option<(Side, SourceSpan)>,
}

impl Change {
    /// `meta` is an object.
    pub(crate) fn new(kind: ChangeKind, level: Level, message: String, meta: Value) -> Self {
        let meta = match meta {
            Value::Object(meta) => meta,
            _ => Map::new(),
        };
        Self {
            message,
            path: None,
            kind,
            meta,
            criticality: Criticality {
                level,
                reason: None,
            },
            at: None,
        }
    }

    pub(crate) fn path(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Self {
        self.criticality.reason = Some(reason.into());
        self
    }

    pub(crate) fn at(self, side: Side, span: Option<SourceSpan>) -> Self {
        Self {
            at: span.map(|span| (side, span)),
            ..self
        }
    }

    /// The place that changed, without a directive that is used there.
    pub fn place(&self) -> &str {
        let path = self.path.as_deref().unwrap_or_default();
        match path.split_once(".@") {
            Some((place, _)) => place,
            None => path,
        }
    }

    /// The directive whose use changed.
    pub fn used_directive(&self) -> Option<&str> {
        let (_, used) = self.path.as_deref()?.split_once(".@")?;
        let is_usage = self.kind.is_directive_usage();
        is_usage.then(|| used.split_once('.').map_or(used, |(name, _)| name))
    }
}
