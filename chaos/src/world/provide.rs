//! What a world's control plane is given.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use ig_contract::snapshot::{Foreign, Region, Residency};
use ig_e2e::{Scim, fill};
use serde_json::{Value, json};

use super::{
    HOSTS, ISSUER, Links, MAX_STALE, PEER_LINKS, REGIONS, Replica, TENANTS, UPSTREAM_LINKS,
    analyst, region_of, tenant_name,
};

/// The graph to whose catalogue operations are pushed. No gateway runs it.
pub const GRAPH_OF_PUSHES: &str = "pushed";

/// Where regions are: what the snapshot knows are links.
pub(super) fn residency(links: &Links) -> Result<Residency> {
    let at = |names: &[&str]| -> Result<BTreeSet<String>> {
        let addresses = names
            .iter()
            .map(|name| Ok(links.address(name)?.to_string()));
        addresses.collect()
    };
    let hosts = UPSTREAM_LINKS.chunks(HOSTS).zip(PEER_LINKS);
    let mut regions = BTreeMap::new();
    for (name, (hosts, peer)) in REGIONS.into_iter().zip(hosts) {
        let (primary, replicas) = hosts.split_at(1);
        let region = Region {
            gateways: at(&[peer])?,
            primary: at(primary)?,
            replicas: at(replicas)?,
        };
        regions.insert(name.to_owned(), region);
    }
    Ok(Residency {
        regions,
        default_region: None,
        foreign: Foreign::Forward,
    })
}

/// The control plane's settings, in TOML.
fn settings(residency: &Residency) -> String {
    let mut text = format!(
        "endpoint = \"/graphql\"\n[directory]\ncluster = \"control-plane\"\n\
         authority = \"ig\"\nmax-stale-seconds = {MAX_STALE}\n\
         [residency]\nforeign = \"forward\"\n"
    );
    for (name, region) in &residency.regions {
        text.push_str(&format!(
            "[residency.regions.{name}]\ngateways = {}\nprimary = {}\nreplicas = {}\n",
            json!(region.gateways),
            json!(region.primary),
            json!(region.replicas)
        ));
    }
    // Last, where a workload varies it.
    text.push_str("[subscriptions]\n");
    text
}

/// Gives the control plane the demo, its tenants and their analysts.
pub(super) fn provide(control: &Replica, token: &str, residency: &Residency) -> Result<Vec<Scim>> {
    let url = format!("http://{}", control.http);
    let bearer = format!("Bearer {token}");
    let call = |method: &str, path: &str, body: &[u8]| {
        ig_e2e::call(&url, &[("authorization", &bearer)], method, path, body)
            .unwrap_or_else(|error| (0, Value::String(format!("{error:#}"))))
    };
    let expect = |method: &str, path: &str, body: Value| {
        let (status, said) = call(method, path, body.to_string().as_bytes());
        ensure!(
            (200..300).contains(&status),
            "{method} {path}: {status} {said}"
        );
        anyhow::Ok(said)
    };
    fill(call)?;
    let sdl = std::fs::read(ig_e2e::workspace().join("persisted-queries/schema.graphql"))?;
    let (status, said) = call("PUT", &format!("/schemas/{GRAPH_OF_PUSHES}/dev"), &sdl);
    ensure!((200..300).contains(&status), "schema: {status} {said}");
    expect("DELETE", "/tenants/alpha", Value::Null)?;
    let mut provisioners = Vec::new();
    for tenant in 0..TENANTS {
        let name = tenant_name(tenant);
        let of = json!({
            "region": region_of(tenant), "purposes": ["investigation", "audit", "export"],
            "purposesByGroup": {"analyst": ["investigation", "export"]},
            "issuers": {ISSUER: {"attribute": "userName"}},
        });
        expect("PUT", &format!("/tenants/{name}"), of)?;
        let new = json!({
            "name": format!("idp-{name}"), "role": "provisioner", "tenant": name,
            "mayConfer": true,
        });
        let made = expect("POST", "/tokens", new)?;
        let token = made["token"].as_str().context("no token")?;
        let scim = Scim::new(format!("{url}/scim/v2"), token);
        let user = scim.post("/Users", &person(&analyst(tenant)));
        ensure!(user.status == 201, "{}", user.text);
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "analyst", "members": [{"value": user.id()}],
        });
        let group = scim.post("/Groups", &group);
        ensure!(group.status == 201, "{}", group.text);
        provisioners.push(scim);
    }
    let mut graph = expect("GET", "/graphs/demo", Value::Null)?;
    graph["settings"] = json!(settings(residency));
    expect("PUT", "/graphs/demo", graph)?;
    expect("POST", "/snapshots/demo", Value::Null)?;
    Ok(provisioners)
}

/// A user as SCIM has it.
pub fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name, "externalId": name,
    })
}
