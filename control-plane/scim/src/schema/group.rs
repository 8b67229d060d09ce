//! RFC 7643 §4.2.

use super::{Attribute, Schema};

/// The core schema of groups.
pub static GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "Group",
    attributes: &[
        Attribute::text(
            "displayName",
            "Name of the group, which purposes and policies know it by; unique in the tenant",
        )
        .required()
        .unique(),
        Attribute::complex(
            "members",
            "Users and groups in it",
            &[
                Attribute::text("value", "Id of the member")
                    .exact()
                    .immutable(),
                Attribute::reference("$ref", &["User", "Group"], "Where the member is").immutable(),
                Attribute::text("type", "What the member is")
                    .one_of(&["User", "Group"])
                    .exact()
                    .immutable(),
            ],
        )
        .list(),
    ],
};
