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
}
