//! What a caller may.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// Roles. Viewer, publisher and owner each have the rights of those before;
/// a tenant's admin has its tenant and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// One tenant: its purposes, its decisions.
    TenantAdmin,
    /// Reads everything.
    Viewer,
    /// Pushes schemas, operations and policies, and publishes.
    Publisher,
    /// Tenants, tokens and everything else.
    Owner,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [
        Self::TenantAdmin,
        Self::Viewer,
        Self::Publisher,
        Self::Owner,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TenantAdmin => "tenant-admin",
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What one caller may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Grant {
    /// A role over everything.
    Global(Role),
    /// Admin of a tenant.
    Tenant(String),
}

impl Grant {
    /// A grant from its parts; `None` where they contradict each other.
    pub(crate) fn new(role: Role, tenant: Option<String>) -> Option<Self> {
        match (role, tenant) {
            (Role::TenantAdmin, Some(tenant)) => Some(Self::Tenant(tenant)),
            (Role::TenantAdmin, None) | (_, Some(_)) => None,
            (role, None) => Some(Self::Global(role)),
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// As the audit trail has it.
    pub(crate) name: String,
    pub(super) grant: Grant,
}

impl Principal {
    /// # Errors
    /// 403 below the role.
    pub(crate) fn require(&self, role: Role) -> Result<(), ApiError> {
        match &self.grant {
            Grant::Global(own) if *own >= role => Ok(()),
            _ => Err(ApiError::Forbidden(role.as_str())),
        }
    }

    /// Access to one tenant: by role, or as its admin.
    ///
    /// # Errors
    /// 403 below the role, and 404 for another tenant's admin, who does not
    /// learn which tenants there are.
    pub(crate) fn require_tenant(&self, tenant: &str, role: Role) -> Result<(), ApiError> {
        match &self.grant {
            Grant::Tenant(own) if own == tenant => Ok(()),
            Grant::Tenant(_) => Err(ApiError::NotFound(format!("the tenant {tenant}"))),
            Grant::Global(_) => self.require(role),
        }
    }

    /// The only tenant it may see; `None` for all.
    pub(crate) fn only_tenant(&self) -> Option<&str> {
        match &self.grant {
            Grant::Tenant(tenant) => Some(tenant),
            Grant::Global(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(grant: Grant, role: Role) -> bool {
        let name = String::new();
        Principal { name, grant }.require(role).is_ok()
    }

    #[test]
    fn a_role_has_the_rights_of_those_below() {
        let global = [Role::Viewer, Role::Publisher, Role::Owner];
        for (rank, own) in global.into_iter().enumerate() {
            for (needed, role) in global.into_iter().enumerate() {
                assert_eq!(may(Grant::Global(own), role), rank >= needed);
            }
        }
        for role in global {
            assert!(!may(Grant::Tenant("alpha".into()), role));
        }
        // Not even by mistake: a tenant's admin without a tenant.
        assert_eq!(Grant::new(Role::TenantAdmin, None), None);
        assert_eq!(Grant::new(Role::Viewer, Some("alpha".into())), None);
    }
}
