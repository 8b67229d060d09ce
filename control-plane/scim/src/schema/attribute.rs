//! What an attribute is (RFC 7643 §2.2, §7).

use super::find;

/// Types of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A point in time, RFC 3339.
    Time,
    /// Bytes, base64.
    Binary,
    /// A URI, or the id of a resource.
    Reference,
    /// An object of other attributes.
    Complex,
}

/// Who may write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutability {
    /// The server.
    ReadOnly,
    /// Clients.
    ReadWrite,
    /// Clients, once.
    Immutable,
}

/// When it is part of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returned {
    /// Whatever is asked for.
    Always,
    /// Unless it is excluded.
    Default,
    /// If it is asked for.
    Request,
}

/// Whether others may have the same value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uniqueness {
    /// They may.
    None,
    /// Not in the same tenant.
    Server,
}

/// An attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Its name, canonical.
    pub name: &'static str,
    /// Type of its values.
    pub kind: Kind,
    /// Whether it is a list.
    pub is_multi_valued: bool,
    /// Whether a resource must have it.
    pub is_required: bool,
    /// Whether its values are compared with their case.
    pub is_case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is part of an answer.
    pub returned: Returned,
    /// Whether others may have the same value.
    pub uniqueness: Uniqueness,
    /// Values that clients are to prefer.
    pub canonical_values: &'static [&'static str],
    /// What a reference may be to.
    pub reference_types: &'static [&'static str],
    /// What it is, for people.
    pub description: &'static str,
    /// Attributes of a complex one.
    pub sub_attributes: &'static [Attribute],
}

impl Attribute {
    const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            is_multi_valued: false,
            is_required: false,
            is_case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: &[],
            reference_types: &[],
            description,
            sub_attributes: &[],
        }
    }

    pub(super) const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Text, description)
    }

    pub(super) const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Boolean, description)
    }

    pub(super) const fn time(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Time, description)
    }

    pub(super) const fn binary(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::Binary, description).exact()
    }

    pub(super) const fn reference(
        name: &'static str,
        types: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        let mut this = Self::new(name, Kind::Reference, description).exact();
        this.reference_types = types;
        this
    }

    pub(super) const fn complex(
        name: &'static str,
        description: &'static str,
        sub_attributes: &'static [Attribute],
    ) -> Self {
        let mut this = Self::new(name, Kind::Complex, description);
        this.sub_attributes = sub_attributes;
        this
    }

    pub(super) const fn list(mut self) -> Self {
        self.is_multi_valued = true;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(super) const fn exact(mut self) -> Self {
        self.is_case_exact = true;
        self
    }

    pub(super) const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    pub(super) const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    pub(super) const fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    pub(super) const fn on_request(mut self) -> Self {
        self.returned = Returned::Request;
        self
    }

    pub(super) const fn unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    pub(super) const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    /// Whether it is the server's to set.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// A sub-attribute by its name.
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }
}
