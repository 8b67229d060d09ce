//! RFC 7643 §4.1, without `password`: users log in at their identity provider,
//! so one that is sent is not kept, and nothing that is kept is not shown.

use super::{Attribute, Schema};

const VALUE: Attribute = Attribute::text("value", "The value");
const DISPLAY: Attribute = Attribute::text("display", "The value, for people");
const PRIMARY: Attribute = Attribute::boolean("primary", "Whether it is the preferred one");
const TYPE: Attribute = Attribute::text("type", "What it is for");

const WORK_HOME: &[&str] = &["work", "home", "other"];

/// The core schema of users.
pub static USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "User Account",
    attributes: &[
        Attribute::text(
            "userName",
            "Name that the user is known by; unique in the tenant",
        )
        .required()
        .unique(),
        Attribute::complex(
            "name",
            "The parts of the user's name",
            &[
                Attribute::text("formatted", "The whole name"),
                Attribute::text("familyName", "Family name"),
                Attribute::text("givenName", "Given name"),
                Attribute::text("middleName", "Middle names"),
                Attribute::text("honorificPrefix", "Title before the name"),
                Attribute::text("honorificSuffix", "Suffix behind the name"),
            ],
        ),
        Attribute::text("displayName", "Name to show"),
        Attribute::text("nickName", "What friends say"),
        Attribute::reference("profileUrl", &["external"], "A page about the user"),
        Attribute::text("title", "Job title"),
        Attribute::text("userType", "Relation to the organisation"),
        Attribute::text("preferredLanguage", "As in Accept-Language"),
        Attribute::text("locale", "For dates and currencies"),
        Attribute::text("timezone", "IANA time zone"),
        Attribute::boolean(
            "active",
            "Whether the user may do anything; suspended otherwise",
        ),
        Attribute::complex(
            "emails",
            "Email addresses; never what a login is linked by",
            &[VALUE, DISPLAY, TYPE.one_of(WORK_HOME), PRIMARY],
        )
        .list(),
        Attribute::complex(
            "phoneNumbers",
            "Phone numbers, kept as sent",
            &[
                VALUE,
                DISPLAY,
                TYPE.one_of(&["work", "home", "mobile", "fax", "pager", "other"]),
                PRIMARY,
            ],
        )
        .list(),
        Attribute::complex(
            "ims",
            "Instant messaging addresses",
            &[VALUE, DISPLAY, TYPE, PRIMARY],
        )
        .list(),
        Attribute::complex(
            "photos",
            "Photos",
            &[
                Attribute::reference("value", &["external"], "Where the photo is"),
                DISPLAY,
                TYPE.one_of(&["photo", "thumbnail"]),
                PRIMARY,
            ],
        )
        .list(),
        Attribute::complex(
            "addresses",
            "Postal addresses",
            &[
                Attribute::text("formatted", "The whole address"),
                Attribute::text("streetAddress", "Street and house"),
                Attribute::text("locality", "Town"),
                Attribute::text("region", "State or region"),
                Attribute::text("postalCode", "Postal code"),
                Attribute::text("country", "ISO 3166-1 alpha-2"),
                TYPE.one_of(WORK_HOME),
                PRIMARY,
            ],
        )
        .list(),
        Attribute::complex(
            "groups",
            "Groups of the user, change them at the groups",
            &[
                Attribute::text("value", "Id of the group")
                    .exact()
                    .read_only(),
                Attribute::reference("$ref", &["Group"], "Where the group is").read_only(),
                Attribute::text("display", "Name of the group").read_only(),
                Attribute::text("type", "Whether by another group")
                    .one_of(&["direct", "indirect"])
                    .read_only(),
            ],
        )
        .list()
        .read_only(),
        Attribute::complex(
            "entitlements",
            "Entitlements; policies do not read them",
            &[VALUE, DISPLAY, TYPE, PRIMARY],
        )
        .list(),
        Attribute::complex(
            "roles",
            "Roles; policies do not read them, groups are what counts",
            &[VALUE, DISPLAY, TYPE, PRIMARY],
        )
        .list(),
        Attribute::complex(
            "x509Certificates",
            "Certificates",
            &[
                Attribute::binary("value", "DER, base64"),
                DISPLAY,
                TYPE,
                PRIMARY,
            ],
        )
        .list(),
    ],
};
