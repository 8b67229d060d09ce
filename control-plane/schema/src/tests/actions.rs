use ig_contract::snapshot::Resource;

use super::{actions, operation, operations, schema};

const SDL: &str = r#"
    type Query {
        plain: String
        case(id: ID): Case @authz(purpose: ["b", "a", "b"])
        export: [Case] @authz(action: "export:case", stepUp: true)
        across: Case @authz(action: "crossTenant:search", crossTenant: true, purpose: ["x"])
        node: Node
        secret: Secret
        any: Any
        public: Public
        other: Case @authz(action: "export:case", purpose: ["z"])
        marked: Marked
    }
    type Mutation { create: Case, drop: Boolean @authz(purpose: "a") }
    type Subscription { events: Case }
    interface Node { id: ID @authz(action: "node:id"), name: String }
    interface Other { name: String @authz(action: "other:name") }
    type Case implements Node {
        id: ID, name: String, parent: Case
        notes: String @authz(purpose: ["notes"])
        suspect: String @authz(stepUp: true, action: "suspect:read")
    }
    type Secret implements Node & Other @authz(action: "secret:read", purpose: ["s"]) {
        id: ID, name: String @authz(action: "secret:name")
    }
    interface Marked @authz(action: "marked:read") { x: Int }
    type Marker implements Marked { x: Int }
    type Public { x: Int }
    union Any = Public | Secret
"#;

#[test]
fn of_operations() {
    let cases: &[(&str, &[&str], bool, bool)] = &[
        ("{ plain }", &["query:plain"], false, false),
        ("{ p: plain }", &["query:plain"], false, false),
        ("{ __typename }", &["query:__typename"], false, false),
        (
            "{ __schema { __typename } }",
            &["query:__schema"],
            false,
            false,
        ),
        (
            "mutation { create { name } }",
            &["mutation:create"],
            false,
            false,
        ),
        ("mutation { drop }", &["mutation:drop[a]"], false, false),
        (
            "subscription { events { name } }",
            &["subscription:events"],
            false,
            false,
        ),
        // Purposes are sorted and distinct; a directive replaces the default.
        ("{ case { name } }", &["query:case[a,b]"], false, false),
        // A nested field without `action` is named by its root field.
        (
            "{ case { notes } }",
            &["query:case[a,b]", "query:case[notes]"],
            false,
            false,
        ),
        (
            "mutation { create { notes } }",
            &["mutation:create", "mutation:create[notes]"],
            false,
            false,
        ),
        (
            "{ case { suspect } }",
            &["query:case[a,b]", "suspect:read"],
            true,
            false,
        ),
        ("{ export { name } }", &["export:case"], true, false),
        // One action, two lists of purposes: each must allow.
        (
            "{ export { name } other { name } }",
            &["export:case", "export:case[z]"],
            true,
            false,
        ),
        (
            "{ across { name } }",
            &["crossTenant:search[x]"],
            false,
            true,
        ),
        // An object's directive counts where the object is returned …
        (
            "{ secret { __typename } }",
            &["secret:read[s]"],
            false,
            false,
        ),
        // … or may be, through an interface or a union.
        ("{ node { __typename } }", &["secret:read[s]"], false, false),
        ("{ any { __typename } }", &["secret:read[s]"], false, false),
        (
            "{ any { ... on Public { x } } }",
            &["secret:read[s]"],
            false,
            false,
        ),
        // A field of an interface: its own directive, those of objects, and
        // those of other interfaces of these objects.
        (
            "{ node { name } }",
            &["other:name", "secret:name", "secret:read[s]"],
            false,
            false,
        ),
        (
            "{ node { id } }",
            &["node:id", "secret:read[s]"],
            false,
            false,
        ),
        // A field of an object has the directive of its interface too.
        (
            "{ case { id } }",
            &["node:id", "query:case[a,b]"],
            false,
            false,
        ),
        (
            "{ secret { name } }",
            &["other:name", "secret:name", "secret:read[s]"],
            false,
            false,
        ),
        // A directive at an interface is one at its objects.
        ("{ marked { x } }", &["marked:read"], false, false),
        // Fragments, at the root and below, seen under two root fields.
        (
            "query { ...R } fragment R on Query { a: case { ...N } } fragment N on Case { notes }",
            &["query:case[a,b]", "query:case[notes]"],
            false,
            false,
        ),
        (
            "mutation { create { ...N } x: create { ...N } } fragment N on Case { notes }",
            &["mutation:create", "mutation:create[notes]"],
            false,
            false,
        ),
        (
            "{ case { ...N } other { ...N } } fragment N on Case { notes }",
            &[
                "export:case[z]",
                "query:case[a,b]",
                "query:case[notes]",
                "query:other[notes]",
            ],
            false,
            false,
        ),
        // Whatever the variables say.
        (
            "query($s: Boolean!) { plain export @skip(if: $s) { name } across @include(if: false) { name } }",
            &["crossTenant:search[x]", "export:case", "query:plain"],
            true,
            true,
        ),
        (
            "{ plain ... @include(if: false) { export { name } } }",
            &["export:case", "query:plain"],
            true,
            false,
        ),
    ];
    let schema = schema(SDL);
    for (text, expected, step_up, cross_tenant) in cases {
        let operation = operation(&schema, text);
        assert_eq!(actions(&operation), *expected, "{text}");
        assert_eq!(operation.step_up, *step_up, "{text}");
        assert_eq!(operation.cross_tenant, *cross_tenant, "{text}");
    }
}

#[test]
fn a_directive_at_the_root_type_is_for_every_root_field() {
    let schema =
        schema(r#"type Query @authz(purpose: ["a"]) { x: Int, y: Int @authz(action: "y") }"#);
    let cases: &[(&str, &[&str])] = &[("{ x }", &["query:x[a]"]), ("{ y }", &["query:y[a]", "y"])];
    for (text, expected) in cases {
        assert_eq!(actions(&operation(&schema, text)), *expected, "{text}");
    }
}

#[test]
fn operations_of_one_document_are_apart() {
    let operations = operations(
        &schema(SDL),
        "query A { plain } mutation B { create { name } }
         query C { export { ...F } } fragment F on Case { name }",
    );
    let shown: Vec<_> = operations
        .iter()
        .map(|operation| {
            (
                operation.name.as_str(),
                operation.kind.as_str(),
                actions(operation),
            )
        })
        .collect();
    let expected = [
        ("A", "query", vec!["query:plain".to_owned()]),
        ("B", "mutation", vec!["mutation:create".to_owned()]),
        ("C", "query", vec!["export:case".to_owned()]),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn variables_are_in_order() {
    let schema = schema("type Query { f(a: Int, b: [Int]): Int }");
    let operation = operation(&schema, "query Q($z: Int, $a: [Int]) { f(a: $z, b: $a) }");
    assert_eq!(operation.variables, ["z", "a"]);
    assert!(operation.clients.is_empty());
}

#[test]
fn resources() {
    let schema = schema(
        r#"
        type Query { person: Person, node: Node, any: Any, note: String @resource(retention: "30d") }
        interface Node { id: ID @resource(licenseClass: "osint") }
        type Person implements Node @resource(pii: true) { id: ID, mail: String @resource(pii: true, retention: "7d") }
        type Thing { id: ID }
        union Any = Thing | Person
        "#,
    );
    let pii = (true, None, None);
    /// Personal data, retention and licence class.
    type Shown = (bool, Option<&'static str>, Option<&'static str>);
    let cases: &[(&str, &[Shown])] = &[
        ("{ __typename }", &[]),
        ("{ note }", &[(false, Some("30d"), None)]),
        ("{ person { __typename } }", &[pii]),
        ("{ any { __typename } }", &[pii]),
        ("{ any { ... on Thing { id } } }", &[pii]),
        ("{ node { id } }", &[(false, None, Some("osint")), pii]),
        (
            "{ person { mail a: mail } }",
            &[pii, (true, Some("7d"), None)],
        ),
        (
            "{ person { ...F } } fragment F on Person { mail }",
            &[pii, (true, Some("7d"), None)],
        ),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected
            .iter()
            .map(|(pii, retention, license_class)| Resource {
                pii: *pii,
                retention: retention.map(str::to_owned),
                license_class: license_class.map(str::to_owned),
            })
            .collect();
        assert_eq!(operation(&schema, text).resources, expected, "{text}");
    }
}

/// Nobody could ever give a proof for it.
#[test]
fn what_needs_a_proof_can_be_proved() {
    let long = "x".repeat(129);
    let many: String = (0..17)
        .map(|number| format!("f{number}: String @authz(action: \"export:{number}\")\n"))
        .collect();
    let sdl = format!(
        r#"type Query {{
            spaced: String @authz(action: "export:all cases")
            foreign: String @authz(action: "export:fälle", stepUp: true)
            long: String @authz(action: "{long}", stepUp: true)
            harmless: String @authz(action: "read all")
            fine: String @authz(action: "export:cases")
            {many}
        }}"#
    );
    let schema = schema(&sdl);
    for (text, expected) in [
        ("{ spaced }", "`export:all cases`"),
        ("{ foreign }", "`export:fälle`"),
        ("{ long }", long.as_str()),
        ("{ fine spaced }", "`export:all cases`"),
    ] {
        let found = super::errors(&schema, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
        assert!(found[0].contains("@authz(action:)"), "{found:?}");
    }
    let all = |count: usize| {
        let fields: Vec<_> = (0..count).map(|number| format!("f{number}")).collect();
        format!("{{ {} }}", fields.join(" "))
    };
    assert!(super::errors(&schema, &all(17))[0].contains("17 actions"));
    for text in ["{ harmless }", "{ fine }", &all(16)] {
        operation(&schema, text);
    }
}
