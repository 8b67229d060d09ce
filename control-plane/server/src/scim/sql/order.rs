//! What lists are sorted by.

use ig_scim::{AttributePath, Error, ErrorKind, ResourceType};

use super::{Place, Sql, place, quoted};

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::scim) enum Order {
    /// The order in which they were made.
    Made,
    Column(&'static str, Type),
    Value(AttributePath),
    /// The type has no such attribute, another one has it.
    None,
}

/// Which resources: those that have a value to sort by, or those that have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::scim) enum Having {
    Value,
    None,
}

/// What a column has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::scim) enum Type {
    Text,
    Number,
}

impl Order {
    /// What a client asks for.
    pub(in crate::scim) fn of(kind: ResourceType, path: &str) -> Result<Self, Error> {
        let refuse = || {
            let detail = format!("cannot sort by `{path}`");
            Err(Error::new(ErrorKind::InvalidPath, detail))
        };
        let Some(mut found) = AttributePath::parse(kind, path) else {
            return refuse();
        };
        if found.leaf().kind == ig_scim::schema::Kind::Complex {
            let Some(value) = found.attribute.sub_attribute("value") else {
                return refuse();
            };
            found = found.with(value);
        }
        if found.leaf().kind == ig_scim::schema::Kind::Binary {
            return refuse();
        }
        match place(kind, &found) {
            Ok(Place::Column(column)) => {
                let is_text = ["r.id", "r.external_id", "r.name"].contains(&column);
                let of = if is_text { Type::Text } else { Type::Number };
                Ok(Self::Column(column, of))
            }
            Ok(Place::Constant(_)) => Ok(Self::Made),
            Ok(Place::Values) => Ok(Self::Value(found)),
            Ok(Place::Members(_) | Place::Groups(_)) | Err(_) => refuse(),
        }
    }

    /// Whether some have no value.
    pub(in crate::scim) fn is_nullable(self) -> bool {
        matches!(
            self,
            Self::Column("r.external_id", _) | Self::Value(_) | Self::None
        )
    }

    pub(in crate::scim) fn kind(self) -> Type {
        match self {
            Self::Made | Self::Column(_, Type::Number) => Type::Number,
            Self::Column(_, Type::Text) | Self::Value(_) | Self::None => Type::Text,
        }
    }

    /// Adds what is compared.
    pub(in crate::scim) fn push(self, sql: &mut Sql, tenant: &str) {
        match self {
            Self::Made => sql.push("r.number"),
            Self::Column(column, _) => sql.push(column),
            Self::None => sql.push("NULL"),
            Self::Value(path) => {
                sql.push("(SELECT v.value FROM scim_values v WHERE v.tenant = ");
                sql.text(tenant);
                sql.push(" AND v.resource = r.number AND v.key = ");
                sql.push(&quoted(&path.key()));
                sql.push(" AND v.element = 0)");
            }
        }
    }

    /// Number and value of what [`Self::push_having`] finds.
    pub(in crate::scim) fn columns(self, having: Having) -> (&'static str, &'static str) {
        match (self, having) {
            (Self::Value(_), Having::Value) => ("v.resource", "v.value"),
            (Self::Column(column, _), Having::Value) => ("r.number", column),
            (_, Having::None) | (Self::Made | Self::None, _) => ("r.number", "NULL"),
        }
    }

    /// Adds `FROM … WHERE …` of resources with a value, or without one; those
    /// with one an index has in order.
    pub(in crate::scim) fn push_having(
        self,
        sql: &mut Sql,
        kind: ResourceType,
        tenant: &str,
        having: Having,
    ) {
        match (self, having) {
            (Self::Value(path), Having::Value) => {
                sql.push(" FROM scim_values v");
                let is_shared = has_other(kind, &path);
                if is_shared {
                    sql.push(" CROSS JOIN scim_resources r");
                }
                sql.push(" WHERE v.tenant = ");
                sql.text(tenant);
                sql.push(" AND v.key = ");
                sql.push(&quoted(&path.key()));
                sql.push(" AND v.element = 0");
                if is_shared {
                    sql.push(" AND r.number = v.resource AND ");
                    push_of(sql, kind, tenant);
                }
            }
            (Self::Value(path), Having::None) => {
                sql.push(" FROM scim_resources r WHERE ");
                push_of(sql, kind, tenant);
                sql.push(" AND NOT EXISTS (SELECT 1 FROM scim_values v WHERE v.tenant = ");
                sql.text(tenant);
                sql.push(" AND v.resource = r.number AND v.key = ");
                sql.push(&quoted(&path.key()));
                sql.push(" AND v.element = 0)");
            }
            (order, having) => {
                sql.push(" FROM scim_resources r WHERE ");
                push_of(sql, kind, tenant);
                let is_there = having == Having::Value;
                match order {
                    Self::Column(column, _) => {
                        let not = if is_there { "NOT " } else { "" };
                        sql.push(&format!(" AND {column} IS {not}NULL"));
                    }
                    _ if is_there => {}
                    _ => sql.push(" AND 1 = 0"),
                }
            }
        }
    }
}

/// Whether resources of other types have rows of this key, too.
fn has_other(kind: ResourceType, path: &AttributePath) -> bool {
    let mut others = ResourceType::ALL.into_iter().filter(|of| *of != kind);
    others.any(|of| AttributePath::parse(of, &path.key()).is_some())
}

/// Adds that `r` is there, of the type and of the tenant.
pub(in crate::scim) fn push_of(sql: &mut Sql, kind: ResourceType, tenant: &str) {
    sql.push("r.tenant = ");
    sql.text(tenant);
    sql.push(" AND r.kind = ");
    sql.text(kind.name());
    sql.push(" AND r.deleted_at IS NULL");
}
