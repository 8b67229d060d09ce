//! From filters and sort orders to SQL. What a client sends is always a bound
//! argument; the text is made of ours alone.
//!
//! `r` is the row of the resource.

mod condition;
mod order;
mod test;

use ig_scim::schema::TENANT;
use ig_scim::{AttributePath, Error, ErrorKind, ResourceType};
use sqlx::any::AnyArguments;
use sqlx::query::QueryAs;
use sqlx::{Any, AnyConnection, AssertSqlSafe, FromRow, any::AnyRow};

pub(super) use condition::{filter, of_member};
pub(super) use order::{Having, Order, Type, push_of};

/// An argument.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Argument {
    Text(String),
    Number(i64),
}

/// Text with numbered places, and what goes there.
#[derive(Default)]
pub(super) struct Sql {
    pub(super) text: String,
    arguments: Vec<Argument>,
}

impl Sql {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a place and its argument.
    pub(super) fn bind(&mut self, argument: Argument) {
        self.arguments.push(argument);
        let place = format!("${}", self.arguments.len());
        self.text.push_str(&place);
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.bind(Argument::Text(text.into()));
    }

    pub(super) fn number(&mut self, number: i64) {
        self.bind(Argument::Number(number));
    }

    /// The query. Filters are as many as clients think of, so none is kept
    /// prepared.
    pub(super) fn query<T>(&self) -> QueryAs<'static, Any, T, AnyArguments>
    where
        T: for<'r> FromRow<'r, AnyRow>,
    {
        let mut query = sqlx::query_as(AssertSqlSafe(self.text.clone())).persistent(false);
        for argument in &self.arguments {
            query = match argument {
                Argument::Text(text) => query.bind(text.clone()),
                Argument::Number(number) => query.bind(*number),
            };
        }
        query
    }
}

impl Sql {
    /// Runs a statement that answers nothing, and says how many rows it
    /// changed.
    pub(super) async fn execute(&self, connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
        // As many rows as are sent: kept prepared it would fill the cache.
        let mut query = sqlx::query(AssertSqlSafe(self.text.clone())).persistent(false);
        for argument in &self.arguments {
            query = match argument {
                Argument::Text(text) => query.bind(text.clone()),
                Argument::Number(number) => query.bind(*number),
            };
        }
        Ok(query.execute(connection).await?.rows_affected())
    }
}

/// Where the values of an attribute are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// A column of the resource.
    Column(&'static str),
    /// The same for each resource of the type, or of the tenant.
    Constant(Constant),
    /// Rows of their own.
    Values,
    /// A column of a group's members.
    Members(&'static str),
    /// A column of a user's groups.
    Groups(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Constant {
    Kind,
    Tenant,
}

fn place(of: ResourceType, path: &AttributePath) -> Result<Place, Error> {
    if path.extension.is_some_and(|schema| schema.id == TENANT.id) {
        return Ok(Place::Constant(Constant::Tenant));
    }
    if path.extension.is_some() {
        return Ok(Place::Values);
    }
    let sub = path.sub_attribute.map(|sub| sub.name);
    let not_searched = || {
        let detail = format!("`{}` cannot be searched", path.key());
        Err(Error::new(ErrorKind::InvalidFilter, detail))
    };
    Ok(match (path.attribute.name, sub) {
        ("id", _) => Place::Column("r.id"),
        ("externalId", _) => Place::Column("r.external_id"),
        (name, None) if name == of.name_attribute() => Place::Column("r.name"),
        ("meta", Some("created")) => Place::Column("r.created_at"),
        ("meta", Some("lastModified")) => Place::Column("r.changed_at"),
        ("meta", Some("resourceType")) => Place::Constant(Constant::Kind),
        ("meta", _) => return not_searched(),
        ("members", None | Some("value")) => Place::Members("m.member"),
        ("members", Some("type")) => Place::Members("m.type"),
        ("groups", None | Some("value")) => Place::Groups("g.id"),
        ("groups", Some("display")) => Place::Groups("g.name"),
        ("members" | "groups", _) => return not_searched(),
        _ => Place::Values,
    })
}

/// A key of ours, as a literal: an index that has some keys only is known to
/// have this one.
fn quoted(key: &str) -> String {
    format!("'{key}'")
}
