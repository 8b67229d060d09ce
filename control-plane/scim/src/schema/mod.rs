//! Schemas and resource types, as `/Schemas` and `/ResourceTypes` show them
//! and everything else reads them (RFC 7643 §4, §7).

mod attribute;
mod extensions;
mod group;
mod json;
mod user;

pub use attribute::{Attribute, Kind, Mutability, Returned, Uniqueness};
pub use extensions::{ENTERPRISE, TENANT};
pub use group::GROUP;
pub use json::{resource_type, resource_types, schema, schemas};
pub use user::USER;

/// A schema.
#[derive(Debug)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is of.
    pub description: &'static str,
    /// Its attributes, without those that every resource has.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// An attribute by its name, which is not case-sensitive (RFC 7643 §2.1).
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    let is = |attribute: &&Attribute| attribute.name.eq_ignore_ascii_case(name);
    attributes.iter().find(is)
}

/// Attributes of every resource (RFC 7643 §3.1).
pub static COMMON: [Attribute; 4] = [
    Attribute::text("schemas", "Schemas that the resource has")
        .list()
        .exact()
        .read_only()
        .always(),
    Attribute::text("id", "Id that the server gave")
        .exact()
        .read_only()
        .always()
        .unique(),
    Attribute::text("externalId", "Id that the client gave").exact(),
    Attribute::complex(
        "meta",
        "What the server knows of the resource",
        &[
            Attribute::text("resourceType", "Type of the resource")
                .exact()
                .read_only(),
            Attribute::time("created", "When it was created").read_only(),
            Attribute::time("lastModified", "When it was last changed").read_only(),
            Attribute::text("location", "Where it is")
                .exact()
                .read_only(),
            Attribute::text("version", "Its entity tag")
                .exact()
                .read_only(),
        ],
    )
    .read_only(),
];

static USER_EXTENSIONS: [&Schema; 2] = [&ENTERPRISE, &TENANT];
static GROUP_EXTENSIONS: [&Schema; 1] = [&TENANT];

/// Kinds of resources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ResourceType {
    /// A user.
    User,
    /// A group.
    Group,
}

impl ResourceType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// Its name, as `meta.resourceType` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Its path below the base.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// Its schema.
    pub const fn schema(self) -> &'static Schema {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// Schemas that its resources may have beside.
    pub const fn extensions(self) -> &'static [&'static Schema] {
        match self {
            Self::User => &USER_EXTENSIONS,
            Self::Group => &GROUP_EXTENSIONS,
        }
    }

    /// The attribute that no two resources of a tenant share.
    pub const fn name_attribute(self) -> &'static str {
        match self {
            Self::User => "userName",
            Self::Group => "displayName",
        }
    }

    /// A core or common attribute by its name.
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        let own = self.schema().attribute(name);
        own.or_else(|| find(&COMMON, name))
    }
}

#[cfg(test)]
mod tests;
