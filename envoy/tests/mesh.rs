//! Objects for proxies that somebody else configures: what is rendered, and
//! what cannot be. That the real Envoy enforces it is in `tests/e2e`.

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

use std::collections::BTreeMap;
use std::path::Path;

use ig_contract::snapshot::Residency;
use ig_envoy::{
    Address, Backend, Chosen, ControlPlane, Endpoints, EnvoyGateway, GlobalLimits, Guard, Istio,
    Jwks, JwtProvider, LocalRegion, MAX_CLOCK_SKEW_SECONDS, MeshError, Naming, StaticOptions,
    Upstream, UpstreamTls, Workload, envoy_gateway, istio, sds_files, yaml,
};
use serde_json::{Value, json};

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"test","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// Fed by the control plane, as a mesh's proxies are.
fn options() -> StaticOptions {
    let mut options = StaticOptions::new(
        Address::new("127.0.0.1", 10000),
        Address::new("127.0.0.1", 9901),
        Upstream::plain([]),
    );
    options.guards = vec![Guard::of_graph("/var/lib/ig/ig_guard.wasm", "demo")];
    options.global_limits = Some(GlobalLimits::default());
    options.control_plane = Some(ControlPlane {
        endpoints: Endpoints {
            addresses: vec![Address::new("ig-control-plane.ig-system.svc", 18000)],
            tls: Some(UpstreamTls {
                server_name: "ig-control-plane.ig-system.svc".into(),
                trusted_ca: "/var/run/secrets/ig/ca.crt".into(),
                identity: Some((
                    "/var/run/secrets/ig/tls.crt".into(),
                    "/var/run/secrets/ig/tls.key".into(),
                )),
            }),
        },
        node: "envoy".into(),
    });
    options.jwt_providers = vec![JwtProvider {
        name: "issuer".into(),
        issuer: "https://login.example".into(),
        audiences: vec!["graph".into()],
        jwks: Jwks::Inline(KEYS.into()),
        clock_skew_seconds: MAX_CLOCK_SKEW_SECONDS,
    }];
    options
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("istio".into(), "ingressgateway".into())])
}

fn filter(workload: Workload) -> Istio {
    Istio {
        name: "ig-guard-demo".into(),
        namespace: Some("edge".into()),
        workload,
        port: None,
    }
}

fn policy() -> EnvoyGateway {
    EnvoyGateway {
        name: "ig-guard-demo".into(),
        namespace: "edge".into(),
        gateway: "graph".into(),
        listeners: vec!["http".into()],
        naming: Naming::ByName,
        backend: Some(Backend {
            class: "eg".into(),
            port: 80,
            service: "graph".into(),
            service_port: 4000,
        }),
    }
}

#[test]
fn rendering_is_as_recorded() {
    let gateway = Workload::Gateway(Chosen::Labels(labels()));
    let cases = [
        ("istio", istio(&options(), &filter(gateway))),
        (
            "istio-sidecar",
            istio(
                &options(),
                &Istio {
                    port: Some(4000),
                    ..filter(Workload::Sidecar(labels()))
                },
            ),
        ),
        (
            "istio-waypoint",
            istio(
                &options(),
                &filter(Workload::Waypoint(Chosen::Service("graph".into()))),
            ),
        ),
        ("envoy-gateway", envoy_gateway(&options(), &policy())),
    ];
    for (name, rendered) in cases {
        let rendered = rendered.unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{name}.yaml"));
        if std::env::var_os("IG_BLESS").is_some() {
            std::fs::write(&path, yaml(&rendered)).unwrap();
        }
        // Compared as values: the order of members depends on what else is in
        // a build, by a feature of serde_json.
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        let recorded: Vec<Value> = recorded
            .split("---\n")
            .map(|document| yaml_serde::from_str(document).unwrap())
            .collect();
        assert!(
            rendered == recorded,
            "{} differs from what is rendered; set IG_BLESS=1 to record it, and review the diff",
            path.display()
        );
    }
}

/// Where there is a folder for it, certificates come by files that a ConfigMap brings.
#[test]
fn certificates_that_are_renewed() {
    let mut options = options();
    options.sds = Some("/var/run/secrets/ig".into());
    let files = sds_files(&options);
    let names = [
        "control-plane-authority.json",
        "control-plane-certificate.json",
    ];
    assert!(files.keys().eq(names), "{files:?}");
    let pointer = "/resources/0/tls_certificate";
    let expected = json!({
        "certificate_chain": {"filename": "/var/run/secrets/ig/tls.crt"},
        "private_key": {"filename": "/var/run/secrets/ig/tls.key"},
        "watched_directory": {"path": "/var/run/secrets/ig"},
    });
    assert_eq!(files[names[1]].pointer(pointer), Some(&expected));

    let gateway = Workload::Gateway(Chosen::Labels(labels()));
    let istio = istio(&options, &filter(gateway)).unwrap();
    let envoy_gateway = envoy_gateway(&options, &policy()).unwrap();
    for (objects, name) in [
        (&istio, "ig-guard-demo-sds"),
        (&envoy_gateway, "ig-guard-demo-sds"),
    ] {
        let map = objects
            .iter()
            .find(|one| one["kind"] == "ConfigMap")
            .unwrap();
        assert_eq!(map["metadata"], json!({"name": name, "namespace": "edge"}));
        for (name, file) in &files {
            let text = map["data"][name].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(text).unwrap(), *file);
        }
        // Nothing names a file of the Secret by itself, which would be read once.
        let others = objects.iter().filter(|one| one["kind"] != "ConfigMap");
        let text: String = others.map(Value::to_string).collect();
        assert!(
            !text.contains("/tls.crt") && !text.contains("/ca.crt"),
            "{text}"
        );
        for name in names {
            assert!(
                text.contains(&format!("/var/run/secrets/ig/{name}")),
                "{name}"
            );
        }
    }

    // Files of two folders are watched each in its own.
    let control_plane = options.control_plane.as_mut().unwrap();
    let tls = control_plane.endpoints.tls.as_mut().unwrap();
    tls.identity = Some(("/one/tls.crt".into(), "/two/tls.key".into()));
    let certificate = &sds_files(&options)[names[1]];
    let watched = certificate.pointer("/resources/0/tls_certificate/watched_directory");
    assert_eq!(watched, None, "{certificate}");

    options.sds = None;
    assert!(sds_files(&options).is_empty());
}

/// The guard is what the bootstrap has, with the flag without which it reads no
/// body.
#[test]
fn the_guard_is_the_bootstraps() {
    let bootstrap = ig_envoy::render(&options());
    let manager = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    let own = manager["typed_config"]["http_filters"].as_array().unwrap();
    let guard = own
        .iter()
        .find(|one| one["name"] == "ig.guard.demo")
        .unwrap();
    let flag = "/config_discovery/default_config/config/allow_on_headers_stop_iteration";
    assert_eq!(guard.pointer(flag), Some(&json!(true)));

    let gateway = Workload::Gateway(Chosen::Labels(labels()));
    let rendered = istio(&options(), &filter(gateway)).unwrap();
    let patches = rendered[0]["spec"]["configPatches"].as_array().unwrap();
    let values = patches.iter().map(|patch| &patch["patch"]["value"]);
    assert!(values.into_iter().any(|value| value == guard));

    let rendered = envoy_gateway(&options(), &policy()).unwrap();
    let patches = rendered[2]["spec"]["jsonPatches"].as_array().unwrap();
    let values = patches.iter().map(|patch| &patch["operation"]["value"]);
    assert!(values.into_iter().any(|value| value == guard));
}

#[test]
fn what_no_mesh_can_do_is_refused() {
    let mut regional = options();
    let residency = json!({"regions": {"eu": {"primary": ["127.0.0.1:4000"]}}});
    let residency: Residency = serde_json::from_value(residency).unwrap();
    regional.region = Some(LocalRegion::of(&residency, "eu").unwrap());

    let mut wide = options();
    wide.buffers.per_connection_bytes = 2 << 20;

    let mut embedded = options();
    embedded.guards = vec![Guard::new("ig_guard.wasm", vec![0; 70 << 10])];

    let gateway = || filter(Workload::Gateway(Chosen::Gateway("graph".into())));
    let waypoint = filter(Workload::Waypoint(Chosen::Gateway("graph".into())));
    let two = EnvoyGateway {
        listeners: vec!["http".into(), "https".into()],
        ..policy()
    };
    let cases = [
        (istio(&regional, &gateway()), Some(MeshError::Regions)),
        (
            envoy_gateway(&regional, &policy()),
            Some(MeshError::Regions),
        ),
        (
            istio(&wide, &waypoint),
            Some(MeshError::WaypointBuffer(2 << 20, 1 << 20)),
        ),
        (istio(&wide, &gateway()), None),
        (istio(&embedded, &gateway()), None),
        (
            envoy_gateway(&embedded, &two),
            Some(MeshError::TooLarge(140 << 10)),
        ),
    ];
    for (rendered, expected) in cases {
        assert_eq!(rendered.err(), expected);
    }
}
