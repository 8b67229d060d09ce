//! RFC 7643 §4.3, and the tenant.

use super::{Attribute, Schema};

/// The enterprise extension of users.
pub static ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        Attribute::text("employeeNumber", "Number within the organisation"),
        Attribute::text("costCenter", "Cost center"),
        Attribute::text("organization", "Organisation"),
        Attribute::text("division", "Division"),
        Attribute::text("department", "Department"),
        Attribute::complex(
            "manager",
            "The user's manager",
            &[
                Attribute::text("value", "Id of the manager").exact(),
                Attribute::reference("$ref", &["User"], "Where the manager is"),
                Attribute::text("displayName", "Name of the manager").read_only(),
            ],
        ),
    ],
};

/// The tenant of a resource: that of the token it was made with. A client may
/// say which it expects, and is refused where it is another.
/// It is shown to whoever asks for it: who has the token knows it.
pub static TENANT: Schema = Schema {
    id: "urn:ig:tenant",
    name: "Tenant",
    description: "Tenant that the resource belongs to",
    attributes: &[Attribute::text("id", "Id of the tenant")
        .exact()
        .read_only()
        .on_request()],
};
