//! Certificates that are renewed. What a cluster names by itself Envoy reads once; what
//! comes by secret discovery (SDS), here from files, it reads again when it is replaced
//! (<https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/security/secret>).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::options::{CONTROL_PLANE, GATEWAY_PREFIX, StaticOptions, UpstreamTls};
use crate::{TRACES, cluster};

/// What the files of a cluster's certificates are called; none for clusters whose authorities
/// come with the system, and are replaced with it.
fn prefix(cluster: &str) -> Option<&'static str> {
    match cluster {
        CONTROL_PLANE => Some("control-plane"),
        TRACES => Some("traces"),
        _ if cluster.starts_with(GATEWAY_PREFIX) => Some("gateways"),
        _ => None,
    }
}

/// Certificates of TLS towards a cluster.
pub(crate) fn common_context(cluster: &str, tls: &UpstreamTls, options: &StaticOptions) -> Value {
    let names = json!([{"san_type": "DNS", "matcher": {"exact": tls.server_name}}]);
    let (Some(folder), Some(prefix)) = (&options.sds, prefix(cluster)) else {
        return from_files(tls, names);
    };
    let secret = |what: &str| {
        let name = format!("{prefix}-{what}");
        let path = folder.join(format!("{name}.json"));
        json!({
            "name": name,
            "sds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": path.to_string_lossy()},
            },
        })
    };
    let mut context = json!({
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": names},
            "validation_context_sds_secret_config": secret("authority"),
        },
    });
    if tls.identity.is_some() {
        context["tls_certificate_sds_secret_configs"] = json!([secret("certificate")]);
    }
    context
}

fn from_files(tls: &UpstreamTls, names: Value) -> Value {
    let mut context = json!({
        "validation_context": {
            "trusted_ca": {"filename": tls.trusted_ca.to_string_lossy()},
            "match_typed_subject_alt_names": names,
        },
    });
    if let Some((chain, key)) = &tls.identity {
        context["tls_certificates"] = json!([pair(chain, key)]);
    }
    context
}

fn pair(chain: &Path, key: &Path) -> Value {
    json!({
        "certificate_chain": {"filename": chain.to_string_lossy()},
        "private_key": {"filename": key.to_string_lossy()},
    })
}

/// The files that have to be in the folder `options.sds`, by their names: one for each
/// certificate and authority that is renewed.
pub fn sds_files(options: &StaticOptions) -> BTreeMap<String, Value> {
    let mut files = BTreeMap::new();
    if options.sds.is_none() {
        return files;
    }
    for (cluster, tls) in cluster::with_tls(options) {
        let Some(prefix) = prefix(&cluster) else {
            continue;
        };
        let mut authority = json!({"trusted_ca": {"filename": tls.trusted_ca.to_string_lossy()}});
        watch(&mut authority, [&*tls.trusted_ca, &*tls.trusted_ca]);
        add(
            &mut files,
            prefix,
            "authority",
            "validation_context",
            authority,
        );
        if let Some((chain, key)) = &tls.identity {
            let mut certificate = pair(chain, key);
            watch(&mut certificate, [chain, key]);
            add(
                &mut files,
                prefix,
                "certificate",
                "tls_certificate",
                certificate,
            );
        }
    }
    files
}

/// A volume of Kubernetes replaces all its files at once, by a link in their folder. Files of
/// two folders are watched each in its own, which is what Envoy does by itself.
fn watch(secret: &mut Value, [one, other]: [&Path; 2]) {
    if let (Some(folder), true) = (one.parent(), one.parent() == other.parent()) {
        let folder = folder.to_string_lossy();
        let folder = if folder.is_empty() {
            ".".into()
        } else {
            folder
        };
        secret["watched_directory"] = json!({"path": folder});
    }
}

fn add(files: &mut BTreeMap<String, Value>, prefix: &str, what: &str, kind: &str, secret: Value) {
    let name = format!("{prefix}-{what}");
    let mut resource = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": name,
    });
    resource[kind] = secret;
    files.insert(format!("{name}.json"), json!({"resources": [resource]}));
}
