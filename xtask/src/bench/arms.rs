//! What is compared: one Envoy each, with the demo's configuration but other
//! filters.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ig_contract::Snapshot;
use ig_contract::snapshot::{
    ClassLimits, Foreign, OperationClass, Rate, RateLimit, Region, Residency,
};
use serde_json::{Value, json};

use super::load::Request;

/// One Envoy under load.
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) workers: u32,
    pub(super) filters: Filters,
    pub(super) request: Request,
}

/// The HTTP filters in front of the router.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filters {
    None,
    /// `jwt_authn` alone, which the guard needs and others use too.
    Jwt,
    Lua,
    /// The benchmarks' module, up to this step; it does nothing without one.
    Probe(&'static str),
    /// The same behind `jwt_authn`.
    JwtProbe(&'static str),
    /// A question to an HTTP service that always says yes.
    ExtAuthz,
    /// As rendered: `jwt_authn` and all guards.
    Guard,
    /// The same with more to look at.
    GuardWith(More),
    /// The same, and who is told of it.
    GuardTelling(Telling),
    /// Another build of the module.
    Other,
    /// The slim module, without `jwt_authn`.
    AllowList,
}

/// Who is told of a request. Every other arm writes its access log to nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// Nobody: no access log is formatted.
    Nobody,
    /// Who reads the access log, in a file.
    Readers,
    /// A control plane, which feeds the guard: an access log over gRPC beside the other.
    ControlPlane,
    /// A collector, of this many of a hundred requests.
    Collector(u32),
}

/// What a snapshot says beside the demo's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct More {
    regions: bool,
    limits: bool,
}

const REGIONS: Filters = Filters::GuardWith(More {
    regions: true,
    limits: false,
});
const LIMITS: Filters = Filters::GuardWith(More {
    regions: false,
    limits: true,
});
const WHOLE: Filters = Filters::GuardWith(More {
    regions: true,
    limits: true,
});

const fn arm(name: &'static str, workers: u32, filters: Filters, request: Request) -> Arm {
    Arm {
        name,
        workers,
        filters,
        request,
    }
}

const fn telling(name: &'static str, whom: Telling) -> Arm {
    arm(name, 1, Filters::GuardTelling(whom), Request::Read)
}

/// What is compared with one another.
pub(super) static ARMS: [Arm; 19] = [
    arm("bare Envoy", 1, Filters::None, Request::Read),
    arm("jwt_authn", 1, Filters::Jwt, Request::Read),
    arm("Lua, one header read", 1, Filters::Lua, Request::Read),
    arm("no-op Wasm", 1, Filters::Probe(""), Request::Read),
    arm("ext_authz to a no-op", 1, Filters::ExtAuthz, Request::Read),
    arm("allow-list alone", 1, Filters::AllowList, Request::Read),
    arm("guard", 1, Filters::Guard, Request::Read),
    arm("guard, new facts", 1, Filters::Guard, Request::Write),
    arm("guard, with regions", 1, REGIONS, Request::Read),
    arm("guard, with limits", 1, LIMITS, Request::Read),
    arm("guard, with both", 1, WHOLE, Request::Read),
    telling("guard, no access log", Telling::Nobody),
    telling("guard, access log in a file", Telling::Readers),
    telling(
        "guard, access log to a control plane",
        Telling::ControlPlane,
    ),
    telling("guard, 1 % traced", Telling::Collector(1)),
    telling("guard, all traced", Telling::Collector(100)),
    arm("bare Envoy", 2, Filters::None, Request::Read),
    arm("guard", 2, Filters::Guard, Request::Read),
    arm("guard, with both", 2, WHOLE, Request::Read),
];

/// `--module`
pub(super) static OTHER: Arm = arm("guard, other build", 1, Filters::Other, Request::Read);

/// What each host call of the guard adds to the one before.
pub(super) static LADDER: [Arm; 11] = [
    arm("bare Envoy", 1, Filters::None, Request::Read),
    arm("no-op Wasm", 1, Filters::Probe(""), Request::Read),
    arm(
        "+ all headers read",
        1,
        Filters::Probe("headers"),
        Request::Read,
    ),
    arm(
        "+ held until the body is there",
        1,
        Filters::Probe("hold"),
        Request::Read,
    ),
    arm("+ body read", 1, Filters::Probe("body"), Request::Read),
    arm(
        "+ body replaced",
        1,
        Filters::Probe("replace"),
        Request::Read,
    ),
    arm(
        "+ 2 headers removed, 8 set",
        1,
        Filters::Probe("annotate"),
        Request::Read,
    ),
    arm(
        "+ filter state set",
        1,
        Filters::Probe("state"),
        Request::Read,
    ),
    arm(
        "+ response header set",
        1,
        Filters::Probe("response"),
        Request::Read,
    ),
    arm(
        "+ jwt_authn",
        1,
        Filters::JwtProbe("response"),
        Request::Read,
    ),
    arm("guard", 1, Filters::Guard, Request::Read),
];

impl Arm {
    /// Who is told, where that is what the arm is for.
    pub(super) fn whom(&self) -> Option<Telling> {
        match self.filters {
            Filters::GuardTelling(whom) => Some(whom),
            _ => None,
        }
    }

    /// Turns the guard's configuration into this arm's.
    pub(super) fn configure(&self, config: &mut Value, modules: &Path, other: &Path, authz: u16) {
        let filters = config.pointer_mut(FILTERS).and_then(Value::as_array_mut);
        let Some(filters) = filters else { return };
        let is = |filter: &Value, name: &str| filter["name"] == name;
        let keep_jwt = matches!(
            self.filters,
            Filters::Jwt
                | Filters::JwtProbe(_)
                | Filters::Guard
                | Filters::GuardWith(_)
                | Filters::GuardTelling(_)
                | Filters::Other
        );
        filters.retain(|filter| keep_jwt || !is(filter, "envoy.filters.http.jwt_authn"));
        if matches!(
            self.filters,
            Filters::Guard | Filters::GuardWith(_) | Filters::GuardTelling(_)
        ) {
            return;
        }
        let guard = filters
            .iter()
            .position(|filter| is(filter, "ig.guard"))
            .map(|at| filters.remove(at));
        let mut guard = guard.unwrap_or_default();
        let in_module = |mut guard: Value, path: &Path| {
            guard["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] =
                json!(path.to_string_lossy());
            guard
        };
        let filter = match self.filters {
            Filters::None
            | Filters::Jwt
            | Filters::Guard
            | Filters::GuardWith(_)
            | Filters::GuardTelling(_) => return,
            Filters::Lua => lua(),
            Filters::ExtAuthz => ext_authz(),
            Filters::Probe(step) | Filters::JwtProbe(step) => {
                guard["typed_config"]["config"]["configuration"] = json!({
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": step,
                });
                in_module(guard, &modules.join("probe.wasm"))
            }
            Filters::AllowList => in_module(guard, &modules.join("ig_guard_persisted_query.wasm")),
            Filters::Other => in_module(guard, other),
        };
        filters.insert(filters.len().saturating_sub(1), filter);
        if self.filters == Filters::ExtAuthz
            && let Some(clusters) = config.pointer_mut("/static_resources/clusters")
            && let Some(clusters) = clusters.as_array_mut()
        {
            clusters.push(cluster("authz", authz));
        }
    }
}

/// The guard's configuration.
fn configuration(config: &mut Value) -> Result<&mut Value> {
    let filters = config.pointer_mut(FILTERS).and_then(Value::as_array_mut);
    let mut filters = filters.into_iter().flatten();
    let guard = filters.find(|filter| filter["name"] == "ig.guard");
    let guard = guard.context("the configuration has no guard")?;
    Ok(&mut guard["typed_config"]["config"]["configuration"])
}

/// Has the guard look at more. Limits are never reached, and the demo's upstream
/// is in alpha's region.
pub(super) fn with_more(config: &mut Value, more: More, upstream: SocketAddr) -> Result<()> {
    let value = &mut configuration(config)?["value"];
    let bytes = STANDARD.decode(value.as_str().context("the guard has no snapshot")?)?;
    let snapshot = Snapshot::decode(bytes)?;
    let mut head = snapshot.head().clone();
    let region = head
        .tenants
        .get("alpha")
        .and_then(|tenant| tenant.region.clone());
    let region = region.context("the demo's alpha has no region")?;
    if more.limits {
        let rate = Rate {
            cost: 100_000_000,
            seconds: 100,
            burst: 100_000_000,
        };
        let limits = ClassLimits {
            subject: vec![rate],
            tenant: vec![rate],
            fleet: vec![],
        };
        head.rate_limit = Some(RateLimit {
            classes: OperationClass::ALL
                .map(|class| (class, limits.clone()))
                .into(),
            clients: [].into(),
            slots: RateLimit::default_slots(),
        });
    }
    if more.regions {
        let own = Region {
            primary: [upstream.to_string()].into(),
            ..Region::default()
        };
        head.residency = Some(Residency {
            regions: [
                (region.clone(), own),
                ("us-east-1".into(), Region::default()),
            ]
            .into(),
            default_region: None,
            foreign: Foreign::Reject,
        });
    }
    *value = json!(STANDARD.encode(snapshot.with_head(&head)?));
    config["node"] = json!({"id": "bench", "cluster": "ig", "locality": {"region": region}});
    Ok(())
}

/// Has Envoy write no access log.
pub(super) fn without_log(config: &mut Value) -> Result<()> {
    let manager = config.pointer_mut(MANAGER).and_then(Value::as_object_mut);
    let manager = manager.context("the configuration has no connection manager")?;
    manager.remove("access_log");
    Ok(())
}

/// Gives the guard another snapshot, and nginx as its directory.
pub(super) fn with_directory(config: &mut Value, snapshot: &[u8], port: u16) -> Result<()> {
    *configuration(config)? = json!({
        "@type": "type.googleapis.com/google.protobuf.BytesValue",
        "value": STANDARD.encode(snapshot),
    });
    let clusters = config.pointer_mut("/static_resources/clusters");
    let clusters = clusters.and_then(Value::as_array_mut);
    let clusters = clusters.context("the configuration has no clusters")?;
    clusters.push(cluster(DIRECTORY, port));
    Ok(())
}

/// Puts the stopwatch in the guard's place, alone.
pub(super) fn with_stopwatch(config: &mut Value, modules: &Path, work: &Value) -> Result<()> {
    let filters = config.pointer_mut(FILTERS).and_then(Value::as_array_mut);
    let filters = filters.context("the configuration has no filters")?;
    filters.retain(|filter| filter["name"] != "envoy.filters.http.jwt_authn");
    let guard = filters
        .iter_mut()
        .find(|filter| filter["name"] == "ig.guard");
    let guard = &mut guard.context("the configuration has no guard")?["typed_config"]["config"];
    guard["vm_config"]["code"]["local"]["filename"] =
        json!(modules.join("stopwatch.wasm").to_string_lossy());
    guard["configuration"] = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": work.to_string(),
    });
    Ok(())
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

const FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";

/// Name of the directory's cluster.
pub(super) const DIRECTORY: &str = "directory";

fn lua() -> Value {
    const CODE: &str = "function envoy_on_request(handle)\n  \
        if handle:headers():get('x-ig-purpose') == nil then handle:respond({[':status'] = '403'}, 'no') end\n\
        end";
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": CODE},
        },
    })
}

fn ext_authz() -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "http_service": {
                "server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "2s"},
            },
        },
    })
}

fn cluster(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_row_of_every_arm() {
        let page = crate::tools::root().join("docs/benchmarks.md");
        let page = std::fs::read_to_string(page).unwrap();
        for arm in &ARMS {
            let row = format!("\n| {} | {} |", arm.name, arm.workers);
            assert!(
                page.contains(&row),
                "{row}: run `cargo xtask bench --write`"
            );
        }
    }
}
