//! What a caller may.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// Roles. Viewer, publisher and owner each have the rights of those before;
/// a tenant's admin and its provisioner have that tenant and nothing else; a
/// service behind a gateway has what callers of its tenants were let do there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Tells of alerts, and nothing else: an Alertmanager.
    Notifier,
    /// Exports for callers of some tenants, as guards let them through: a service
    /// behind a gateway.
    Exporter,
    /// One tenant's users and groups, by SCIM: an identity provider.
    Provisioner,
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
    pub(crate) const ALL: [Self; 7] = [
        Self::Notifier,
        Self::Exporter,
        Self::Provisioner,
        Self::TenantAdmin,
        Self::Viewer,
        Self::Publisher,
        Self::Owner,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Notifier => "notifier",
            Self::Exporter => "exporter",
            Self::Provisioner => "provisioner",
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
    /// Provisioner of a tenant.
    Provisioner(Provisioning),
    /// An Alertmanager: it tells of alerts.
    Notifier,
    /// A service that exports for callers of these tenants.
    Exporter(BTreeSet<String>),
    /// A user of a tenant.
    User(Person),
    /// Nothing of the API: a proxy, or whoever else the audit trail names.
    System,
}

/// A user of a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Person {
    pub(crate) tenant: String,
    /// Its id.
    pub(crate) user: String,
    /// Whether a group makes it an admin of the tenant.
    pub(crate) is_admin: bool,
    pub(crate) session: Session,
}

/// A login of a user, as its access token tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    /// `iss` of the token.
    pub(crate) issuer: String,
    /// `sub` of the token.
    pub(crate) subject: String,
    /// `sid` or `jti` of the token; without either, its hash.
    pub(crate) id: String,
    /// When the user logged in, in seconds since the epoch, where the token says
    /// so.
    pub(crate) auth_time: Option<u64>,
}

/// What a provisioner may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Provisioning {
    /// Its tenant.
    pub(crate) tenant: String,
    /// Whether it may put users into groups that the tenant calls privileged.
    pub(crate) may_confer: bool,
}

impl Grant {
    /// A grant from its parts; `None` where they contradict each other.
    pub(crate) fn new(role: Role, tenant: Option<String>, may_confer: bool) -> Option<Self> {
        match (role, tenant, may_confer) {
            (Role::Provisioner, Some(tenant), may_confer) => {
                Some(Self::Provisioner(Provisioning { tenant, may_confer }))
            }
            (Role::TenantAdmin, Some(tenant), false) => Some(Self::Tenant(tenant)),
            (Role::Notifier, None, false) => Some(Self::Notifier),
            // Its tenants are a list of their own.
            (Role::Exporter, None, false) => Some(Self::Exporter(BTreeSet::new())),
            (Role::TenantAdmin | Role::Provisioner | Role::Exporter | Role::Notifier, _, _)
            | (_, Some(_), _)
            | (_, _, true) => None,
            (role, None, false) => Some(Self::Global(role)),
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
    /// Somebody who calls nothing here, by the name in the audit trail.
    pub(crate) fn of_system(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            grant: Grant::System,
        }
    }

    /// The tenant that it administrates.
    fn own_tenant(&self) -> Option<&str> {
        match &self.grant {
            Grant::Tenant(tenant) => Some(tenant),
            Grant::User(person) if person.is_admin => Some(&person.tenant),
            _ => None,
        }
    }

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
        match self.own_tenant() {
            Some(own) if own == tenant => Ok(()),
            Some(_) => Err(ApiError::NotFound(format!("the tenant {tenant}"))),
            None => self.require(role),
        }
    }

    /// The only tenant it may see; `None` for all.
    pub(crate) fn only_tenant(&self) -> Option<&str> {
        self.own_tenant()
    }

    /// What it may provision, if it is a tenant's provisioner.
    pub(crate) fn provisioning(&self) -> Option<&Provisioning> {
        match &self.grant {
            Grant::Provisioner(provisioning) => Some(provisioning),
            _ => None,
        }
    }

    /// # Errors
    /// 403 for whoever is no Alertmanager: not even an owner makes up alerts.
    pub(crate) fn require_notifier(&self) -> Result<(), ApiError> {
        match &self.grant {
            Grant::Notifier => Ok(()),
            _ => Err(ApiError::Forbidden(Role::Notifier.as_str())),
        }
    }

    /// The tenants whose callers it exports for, if it is a service.
    pub(crate) fn exports_for(&self) -> Option<&BTreeSet<String>> {
        match &self.grant {
            Grant::Exporter(tenants) => Some(tenants),
            _ => None,
        }
    }

    /// The user it is, if it is one.
    pub(crate) fn person(&self) -> Option<&Person> {
        match &self.grant {
            Grant::User(person) => Some(person),
            _ => None,
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
            let provisioner = Grant::new(Role::Provisioner, Some("alpha".into()), true);
            assert!(!may(provisioner.unwrap(), role));
            let exporter = Grant::Exporter(["alpha".to_owned()].into());
            assert!(!may(exporter, role));
            assert!(!may(Grant::Notifier, role));
        }
        // Not even by mistake: a tenant's admin without a tenant.
        assert_eq!(Grant::new(Role::TenantAdmin, None, false), None);
        assert_eq!(Grant::new(Role::Provisioner, None, false), None);
        assert_eq!(
            Grant::new(Role::Exporter, Some("alpha".into()), false),
            None
        );
        assert_eq!(Grant::new(Role::Viewer, Some("alpha".into()), false), None);
        assert_eq!(Grant::new(Role::Owner, None, true), None);
    }
}
