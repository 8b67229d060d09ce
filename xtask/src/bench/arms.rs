//! What is compared: one Envoy each, with the demo's configuration but other
//! filters.

use std::path::Path;

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
    Noop,
    /// A question to an HTTP service that always says yes.
    ExtAuthz,
    /// As rendered: `jwt_authn` and all guards.
    Guard,
    /// The slim module, without `jwt_authn`.
    AllowList,
}

const fn arm(name: &'static str, workers: u32, filters: Filters, request: Request) -> Arm {
    Arm {
        name,
        workers,
        filters,
        request,
    }
}

/// The first is what the others are compared with.
pub(super) static ARMS: [Arm; 10] = [
    arm("bare Envoy", 1, Filters::None, Request::Read),
    arm("jwt_authn", 1, Filters::Jwt, Request::Read),
    arm("Lua, one header read", 1, Filters::Lua, Request::Read),
    arm("no-op Wasm", 1, Filters::Noop, Request::Read),
    arm("ext_authz to a no-op", 1, Filters::ExtAuthz, Request::Read),
    arm("allow-list alone", 1, Filters::AllowList, Request::Read),
    arm("guard", 1, Filters::Guard, Request::Read),
    arm("guard, new facts", 1, Filters::Guard, Request::Write),
    arm("bare Envoy", 2, Filters::None, Request::Read),
    arm("guard", 2, Filters::Guard, Request::Read),
];

impl Arm {
    /// The arm that this one is a ratio of.
    pub(super) fn baseline(&self) -> &'static Arm {
        let same = |arm: &&Arm| arm.filters == Filters::None && arm.workers == self.workers;
        ARMS.iter().find(same).unwrap_or(&ARMS[0])
    }

    /// Turns the guard's configuration into this arm's.
    pub(super) fn configure(&self, config: &mut Value, modules: &Path, authz: u16) {
        let filters = config
            .pointer_mut(
                "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
            )
            .and_then(Value::as_array_mut);
        let Some(filters) = filters else { return };
        let is = |filter: &Value, name: &str| filter["name"] == name;
        let keep_jwt = matches!(self.filters, Filters::Jwt | Filters::Guard);
        filters.retain(|filter| keep_jwt || !is(filter, "envoy.filters.http.jwt_authn"));
        if self.filters == Filters::Guard {
            return;
        }
        let guard = filters
            .iter()
            .position(|filter| is(filter, "ig.guard"))
            .map(|at| filters.remove(at));
        let mut guard = guard.unwrap_or_default();
        let mut module = |name: &str| {
            let path = modules.join(name);
            guard["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] =
                json!(path.to_string_lossy());
            guard.clone()
        };
        let filter = match self.filters {
            Filters::None | Filters::Jwt | Filters::Guard => return,
            Filters::Lua => lua(),
            Filters::ExtAuthz => ext_authz(),
            Filters::Noop => module("noop.wasm"),
            Filters::AllowList => module("ig_guard_persisted_query.wasm"),
        };
        filters.insert(filters.len().saturating_sub(1), filter);
        if self.filters == Filters::ExtAuthz
            && let Some(clusters) = config.pointer_mut("/static_resources/clusters")
            && let Some(clusters) = clusters.as_array_mut()
        {
            clusters.push(authz_cluster(authz));
        }
    }
}

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

fn authz_cluster(port: u16) -> Value {
    json!({
        "name": "authz",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": "authz",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}],
        },
    })
}
