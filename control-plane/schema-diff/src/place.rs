//! Where something stands.

use apollo_compiler::Name;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use ig_schema::{Position, Schema};
use serde::Serialize;

/// A place in one of the schemas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Place {
    /// In which.
    pub schema: SchemaSide,
    /// Where there.
    #[serde(flatten)]
    pub position: Position,
}

/// One of the schemas, in reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaSide {
    /// The schema before.
    Old,
    /// The schema after.
    New,
}

impl Place {
    /// Where a span of `schema`, which is the one of `side`, begins.
    pub(crate) fn new(side: SchemaSide, schema: &Schema, span: SourceSpan) -> Option<Self> {
        let start = span.line_column_range(&schema.definitions().sources)?.start;
        Some(Self {
            schema: side,
            position: Position {
                line: start.line,
                column: start.column,
            },
        })
    }
}

/// The name of what is at a path: `Type`, `Type.field`, `Type.field.argument`,
/// `Input.field` or `@directive.argument`.
pub(crate) fn find(schema: &Schema, path: &str) -> Option<SourceSpan> {
    let definitions = schema.definitions();
    let mut parts = path.split('.');
    let first = parts.next()?;
    let (second, third) = (parts.next(), parts.next());
    if let Some(name) = first.strip_prefix('@') {
        let directive = definitions.directive_definitions.get(name)?;
        let argument = second.and_then(|name| directive.argument_by_name(name));
        return argument.map_or(&directive.name, |it| &it.name).location();
    }
    let ty = definitions.types.get(first)?;
    let name: &Name = match (ty, second, third) {
        (ty, None, _) => ty.name(),
        (ExtendedType::InputObject(ty), Some(field), _) => &ty.fields.get(field)?.name,
        (_, Some(field), argument) => {
            let field = definitions.type_field(first, field).ok()?;
            let argument = argument.and_then(|name| field.argument_by_name(name));
            argument.map_or(&field.name, |it| &it.name)
        }
    };
    name.location()
}
