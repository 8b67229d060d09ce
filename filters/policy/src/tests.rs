//! Claims, facts, purposes and bundles as tables; properties over the rest.

mod actor;
mod engine;
mod facts;
mod input;
mod purpose;

use std::collections::BTreeMap;

use ig_contract::policy::ENTRY_POINT;
use ig_contract::snapshot::{
    Action, Head, Identity, Limits, Modes, Operation, OperationKind, Tenant,
};
use regorus::languages::rego::compiler::Compiler;

use crate::{Actor, Claim, Claims};

/// Compiles policies as the control plane does; `rules` go into package `ig`.
pub(crate) fn compile(rules: &str) -> Vec<u8> {
    compile_to(rules, ENTRY_POINT)
}

pub(crate) fn compile_to(rules: &str, entry_point: &str) -> Vec<u8> {
    let mut engine = regorus::Engine::new();
    engine.set_rego_v0(false);
    engine
        .add_policy("ig.rego".into(), format!("package ig\n{rules}"))
        .unwrap();
    let compiled = engine.compile_with_entrypoint(&entry_point.into()).unwrap();
    let program = Compiler::compile_from_policy(&compiled, &[entry_point]).unwrap();
    program.serialize_binary().unwrap()
}

pub(crate) fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

pub(crate) fn operation(name: &str) -> Operation {
    Operation {
        name: name.into(),
        kind: OperationKind::Mutation,
        actions: vec![Action {
            name: format!("mutation:{name}"),
            purposes: Vec::new(),
        }],
        step_up: false,
        cross_tenant: false,
        cost: 1,
        sizes: Vec::new(),
        terms: Vec::new(),
        variables: Vec::new(),
        facts: Vec::new(),
        resources: Vec::new(),
        clients: Vec::new(),
    }
}

pub(crate) fn head() -> Head {
    let alpha = Tenant {
        region: Some("eu-west-1".into()),
        purposes: strings(&["a", "b", "ab", "investigation"])
            .into_iter()
            .collect(),
        purposes_by_group: BTreeMap::from([
            (
                "analysts".into(),
                strings(&["investigation", "export"]).into_iter().collect(),
            ),
            ("auditors".into(), strings(&["a"]).into_iter().collect()),
        ]),
        ..Tenant::default()
    };
    Head {
        graph: "demo".into(),
        schema_tag: "v1".into(),
        policy_revision: "p1".into(),
        endpoint: "/graphql".into(),
        limits: Limits::default(),
        identity: Identity::default(),
        modes: Modes::default(),
        tenants: BTreeMap::from([("alpha".into(), alpha), ("bravo".into(), Tenant::default())]),
        texts: None,
        directory: None,
        step_up: None,
        rate_limit: None,
        residency: None,
        subscriptions: None,
    }
}

pub(crate) fn claims() -> Claims {
    Claims::from([
        ("iss".into(), Claim::Text("https://issuer".into())),
        ("sub".into(), Claim::Text("a@alpha.io".into())),
        ("tenant".into(), Claim::Text("alpha".into())),
        (
            "purposes".into(),
            Claim::List(strings(&["a", "b", "ab", "investigation"])),
        ),
    ])
}

pub(crate) fn actor() -> Actor {
    Actor::from_claims(&claims(), &head()).unwrap()
}
