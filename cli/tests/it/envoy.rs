use crate::{COMPILE, Work};

const RENDER: &str = "envoy render --snapshot guard.igsnap --module /guard/ig_guard.wasm \
     --upstream 127.0.0.1:4000 --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost";

#[test]
fn a_static_bootstrap() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let value = work.ig(RENDER).ok().json();
    let manager = value
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap();
    let names: Vec<_> = manager["http_filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["name"])
        .collect();
    assert_eq!(
        names,
        [
            "envoy.filters.http.jwt_authn",
            "ig.guard",
            "envoy.filters.http.router"
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    work.ig(&format!("{RENDER} --flavour istio"))
        .exits(2)
        .says("not in this release");
    work.ig(&format!("{RENDER} --text-store texts=texts:80"))
        .exits(2)
        .says("embeds its texts");
    work.ig(&RENDER.replace(":4000", ""))
        .exits(2)
        .says("host:port");
    work.ig(&RENDER.replace("jwks.json", "issuer.pem"))
        .exits(2)
        .says("is not JSON");
    work.write("private.json", r#"{"keys": [{"kty": "EC", "d": "x"}]}"#);
    work.ig(&RENDER.replace("target/dev/keys/jwks.json", "private.json"))
        .exits(2)
        .says("give public keys");
    let store = COMPILE.replace("guard.toml", "store.toml");
    work.ig(&format!("{store} --texts texts")).ok();
    work.ig(RENDER)
        .exits(2)
        .says("--text-store texts=HOST:PORT");
    work.ig(&format!("{RENDER} --text-store texts=texts.local:80"))
        .ok()
        .says("\"texts\"");
}

#[test]
fn keys_by_address_are_followed_over_tls_only() {
    let work = Work::new();
    work.compile();
    let from = |url: &str| RENDER.replace("target/dev/keys/jwks.json", url);
    let value = work.ig(&from("https://login.example/keys")).ok().json();
    let text = value.to_string();
    assert!(
        text.contains(r#""uri":"https://login.example/keys""#),
        "{text}"
    );
    let clusters = value.pointer("/static_resources/clusters").unwrap();
    let keys = clusters
        .as_array()
        .unwrap()
        .iter()
        .find(|cluster| cluster["name"] == "jwks_issuer");
    let tls = &keys.unwrap()["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "login.example");
    assert_eq!(
        tls.pointer("/common_tls_context/validation_context/trusted_ca/filename")
            .unwrap(),
        "/etc/ssl/certs/ca-certificates.crt"
    );
    work.ig(&from("http://127.0.0.1:9000/keys")).ok();
    work.ig(&from("http://login.example/keys"))
        .exits(2)
        .says("give an https URL");
    work.ig(&from("https:///keys")).exits(2);
}
