//! A listener that says whether the guards have their snapshots. Envoy itself is ready
//! before, and denies everybody until they do: who sends requests to several proxies asks
//! here first.

use serde_json::{Value, json};

use crate::http::{CONNECTION_MANAGER, CONNECTION_MANAGER_TYPE};
use crate::options::StaticOptions;
use crate::{Address, filter};

/// Bytes that it holds of a request: it needs none of a body.
const BUFFER: u32 = 16 * 1024;

/// A guard without a snapshot answers 503, and with one denies who has no token; both are
/// answers of its own, and the latter is turned into a 200. Nothing leads to the service.
pub(crate) fn listener(options: &StaticOptions, address: &Address) -> Value {
    let mut filters: Vec<Value> = options.guards.iter().map(filter::wasm).collect();
    filters.push(filter::router());
    json!({
        "name": "readiness",
        "address": address.to_envoy(),
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [{
            "name": CONNECTION_MANAGER,
            "typed_config": {
                "@type": CONNECTION_MANAGER_TYPE,
                "stat_prefix": "readiness",
                "request_timeout": "5s",
                "stream_idle_timeout": "5s",
                "common_http_protocol_options": {"idle_timeout": "10s", "max_headers_count": 100},
                "http_filters": filters,
                "local_reply_config": {"mappers": [{
                    "filter": {"status_code_filter": {"comparison": {
                        "op": "LE",
                        "value": {"default_value": 499, "runtime_key": "ig.readiness"},
                    }}},
                    "status_code": 200,
                }]},
                "route_config": {
                    "name": "readiness",
                    "virtual_hosts": [{
                        "name": "readiness",
                        "domains": ["*"],
                        "routes": [{
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200},
                        }],
                    }],
                },
            },
        }]}],
    })
}
