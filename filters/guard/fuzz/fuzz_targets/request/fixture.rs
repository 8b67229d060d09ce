//! The fixed snapshot, and the guards made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ig_contract::policy::ENTRY_POINT;
use ig_contract::snapshot::{
    Action, DocumentSource, Fact, FactSource, Head, Identity, Limits, Modes, Operation,
    OperationKind, PathStep, SnapshotSource, Tenant, TextStore, VariablePath,
};
use ig_contract::{Mode, TextHash};
use ig_guard::{Guard, Guards};

pub(crate) const DECISION_ID: &str = "019adf3c-0000-7000-8000-000000000000";
pub(crate) const ALIAS: &str = "x-app:case";
/// What the token of the fixture's actor grants, and the tenant knows.
pub(crate) const GRANTED: [&str; 2] = ["investigation", "audit"];

const POLICY: &str = r#"
package ig

default decision := {"allow": false, "rule": "default-deny", "obligations": []}

decision := {"allow": true, "rule": "allow", "obligations": ["log"]} if {
    input.actor.tenant == input.tenant.id
    input.purpose in input.actor.purposes
    not forbidden
}

forbidden if "forever" in input.facts.retention
"#;

/// Name, kind, text, whether the snapshot embeds it.
type Row = (&'static [&'static str], OperationKind, &'static str, bool);

const CATALOGUE: [Row; 6] = [
    (
        &["CaseById"],
        OperationKind::Query,
        "query CaseById($id: ID!) { case(id: $id) { id } }",
        true,
    ),
    (
        &["CreateAsset"],
        OperationKind::Mutation,
        "mutation CreateAsset($input: I!) { createAsset(input: $input) { id } }",
        true,
    ),
    (
        &["A", "B"],
        OperationKind::Query,
        "query A($id: ID) { a(id: $id) } query B { b }",
        true,
    ),
    (&[""], OperationKind::Query, "{ \"\u{e9}\\\" }", true),
    (
        &["Far"],
        OperationKind::Query,
        "query Far($id: ID) { far(id: $id) }",
        false,
    ),
    (
        &["Farther"],
        OperationKind::Query,
        "query Farther { farther }",
        false,
    ),
];

fn operation(name: &str, kind: OperationKind) -> Operation {
    let retention = VariablePath {
        variable: "input".into(),
        default: None,
        steps: vec![
            PathStep::Each,
            PathStep::Field {
                name: "retention".into(),
                default: Some("\"short\"".into()),
            },
        ],
    };
    let is_create = name == "CreateAsset";
    Operation {
        name: name.into(),
        kind,
        actions: vec![Action {
            name: format!("{}:{name}", kind.as_str()),
            purposes: if is_create {
                vec!["investigation".into()]
            } else {
                Vec::new()
            },
        }],
        step_up: false,
        cross_tenant: false,
        cost: 1,
        sizes: Vec::new(),
        terms: Vec::new(),
        variables: vec![if is_create { "input" } else { "id" }.into()],
        facts: is_create
            .then(|| Fact {
                name: "retention".into(),
                source: FactSource::Variable(retention),
            })
            .into_iter()
            .collect(),
        resources: Vec::new(),
        clients: if name == "B" {
            vec!["app".into()]
        } else {
            Vec::new()
        },
    }
}

fn program() -> Vec<u8> {
    let mut engine = regorus::Engine::new();
    engine.set_rego_v0(false);
    engine
        .add_policy("ig.rego".into(), POLICY.into())
        .expect("the policy parses");
    let compiled = engine
        .compile_with_entrypoint(&ENTRY_POINT.into())
        .expect("it compiles");
    let program = regorus::languages::rego::compiler::Compiler::compile_from_policy(
        &compiled,
        &[ENTRY_POINT],
    );
    program
        .expect("it compiles")
        .serialize_binary()
        .expect("it serialises")
}

fn source(modes: Modes, program: &[u8]) -> SnapshotSource {
    let purposes: BTreeSet<String> = GRANTED.map(str::to_owned).into();
    let tenant = Tenant {
        region: Some("eu-west-1".into()),
        purposes: purposes.clone(),
        purposes_by_group: BTreeMap::from([("analysts".into(), purposes)]),
        ..Tenant::default()
    };
    let head = Head {
        graph: "demo".into(),
        schema_tag: "v1".into(),
        policy_revision: "p1".into(),
        endpoint: "/graphql".into(),
        limits: Limits {
            max_body_bytes: 2048,
            max_depth: 6,
            max_batch: 3,
            ..Limits::default()
        },
        identity: Identity::default(),
        modes,
        tenants: BTreeMap::from([("alpha".into(), tenant)]),
        // A cache of one text: what was here a moment ago is gone.
        texts: Some(TextStore {
            cluster: "texts".into(),
            authority: "texts".into(),
            path_prefix: "/".into(),
            timeout_ms: 1,
            cache_bytes: 1,
        }),
        directory: None,
        step_up: None,
        rate_limit: None,
        residency: None,
        subscriptions: None,
    };
    let documents = CATALOGUE.iter().map(|(names, kind, text, embed)| {
        let operations = names.iter().map(|name| operation(name, *kind)).collect();
        let document = DocumentSource {
            text: (*text).into(),
            embed: *embed,
            operations,
        };
        (TextHash::of(text.as_bytes()), document)
    });
    let aliases = BTreeMap::from([(ALIAS.to_owned(), TextHash::of(CATALOGUE[0].2.as_bytes()))]);
    SnapshotSource {
        head,
        program: program.to_vec(),
        documents: documents.collect(),
        aliases,
    }
}

/// Everything an input may refer to.
pub(crate) struct Fixture {
    guards: [Rc<Guard>; 4],
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let program = program();
        let guard = |modes: Modes, guards: Guards| {
            let snapshot = source(modes, &program).encode().expect("it fits");
            Rc::new(Guard::new(snapshot, guards).expect("the snapshot is valid"))
        };
        let all = Guards {
            persisted_query: true,
            policy: true,
        };
        let shadow = Modes {
            persisted_query: Mode::Shadow,
            policy: Mode::Shadow,
            step_up: Mode::Shadow,
        };
        let policy_shadow = Modes {
            policy: Mode::Shadow,
            step_up: Mode::Shadow,
            ..Modes::default()
        };
        Self {
            guards: [
                guard(Modes::default(), all),
                guard(shadow, all),
                guard(policy_shadow, all),
                guard(
                    Modes::default(),
                    Guards {
                        persisted_query: false,
                        policy: true,
                    },
                ),
            ],
        }
    }

    /// Most inputs go to the guard that enforces everything.
    pub(crate) fn guard(&self, number: u8) -> Rc<Guard> {
        let index = if number < 192 {
            0
        } else {
            usize::from(number % 3) + 1
        };
        self.guards[index].clone()
    }

    pub(crate) fn is_enforcing(&self, guard: &Rc<Guard>) -> bool {
        Rc::ptr_eq(guard, &self.guards[0])
    }

    pub(crate) fn text(&self, number: u8) -> &'static str {
        CATALOGUE[usize::from(number) % CATALOGUE.len()].2
    }

    fn row(&self, hash: &TextHash) -> Option<&'static Row> {
        CATALOGUE
            .iter()
            .find(|row| TextHash::of(row.2.as_bytes()) == *hash)
    }

    pub(crate) fn text_of(&self, hash: &TextHash) -> Option<&'static str> {
        self.row(hash).map(|row| row.2)
    }

    pub(crate) fn is_remote(&self, hash: &TextHash) -> bool {
        self.row(hash).is_some_and(|row| !row.3)
    }

    /// Names and kind of the operations of a text, if it is catalogued.
    pub(crate) fn operations(
        &self,
        text: &str,
    ) -> Option<(&'static [&'static str], OperationKind)> {
        self.row(&TextHash::of(text.as_bytes()))
            .map(|row| (row.0, row.1))
    }
}
