use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;

use crate::Work;

/// Header and claims, if one of the published keys verifies the token.
fn verify(work: &Work, token: &str) -> Option<(Value, Value)> {
    let jwks: Value = serde_json::from_str(&work.read("target/dev/keys/jwks.json")).unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let parts: Vec<_> = token.trim().split('.').collect();
    let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    let (header, claims) = (json(parts[0]), json(parts[1]));
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
    let coordinate = |name: &str| decode(key[name].as_str().unwrap());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let signature = Signature::from_slice(&decode(parts[2])).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    VerifyingKey::from_sec1_bytes(&point)
        .unwrap()
        .verify(signed.as_bytes(), &signature)
        .unwrap();
    Some((header, claims))
}

#[test]
fn users_of_the_demo() {
    let work = Work::new();
    let (header, claims) = verify(&work, &work.ig("token --user a@alpha.io").ok().stdout).unwrap();
    assert_eq!(header["alg"], "ES256");
    assert_eq!(claims["sub"], "a@alpha.io");
    assert_eq!(claims["tenant"], "alpha");
    assert_eq!(claims["groups"], serde_json::json!(["analyst"]));
    assert_eq!(
        claims["purposes"],
        serde_json::json!(["investigation", "audit", "export"])
    );
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        3600
    );
    let names: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names.into_iter().collect::<std::collections::BTreeSet<_>>(),
        [
            "aud",
            "auth_time",
            "azp",
            "exp",
            "groups",
            "iat",
            "iss",
            "jti",
            "nbf",
            "purposes",
            "sub",
            "tenant"
        ]
        .into()
    );
    let (_, claims) = verify(&work, &work.ig("token --user b@bravo.io").ok().stdout).unwrap();
    assert_eq!(
        (&claims["tenant"], &claims["purposes"][0]),
        (&"bravo".into(), &"investigation".into())
    );
}

#[test]
fn anybody_else_needs_a_tenant() {
    let work = Work::new();
    work.ig("token --user c@x.io").exits(2).says("--tenant");
    let token =
        "token --user c@x.io --tenant x --purposes audit,export --ttl 5m --issuer https://i";
    let (_, claims) = verify(&work, &work.ig(token).ok().stdout).unwrap();
    assert_eq!(claims["purposes"], serde_json::json!(["audit", "export"]));
    assert_eq!(claims["iss"], "https://i");
}

#[test]
fn rotation_keeps_the_key_before() {
    let work = Work::new();
    let old = work.ig("token --user a@alpha.io").ok().stdout;
    work.ig("token keys --rotate").ok();
    let new = work.ig("token --user a@alpha.io").ok().stdout;
    let kid = |token: &str| verify(&work, token).map(|(header, _)| header["kid"].clone());
    assert!(kid(&old).is_some());
    assert_ne!(kid(&old), kid(&new));
    work.ig("token keys --rotate").ok();
    assert!(kid(&old).is_none() && kid(&new).is_some());
}

#[cfg(unix)]
#[test]
fn the_private_key_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let work = Work::new();
    let said = work.ig("token keys").ok().stdout;
    work.ig("token keys --rotate").ok();
    let path = work.file("target/dev/keys/issuer.pem");
    assert_eq!(
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let pem = work.read("target/dev/keys/issuer.pem");
    let secret = pem.lines().nth(1).unwrap();
    assert!(!said.contains(secret) && !work.read("target/dev/keys/jwks.json").contains("\"d\""));
    // A broken key is not shown either.
    work.write("broken.pem", &pem.replace("PRIVATE", "SECRET"));
    let failed = work.ig("token --user a@alpha.io --key broken.pem").exits(2);
    assert!(!failed.stderr.contains(secret));
    let files: BTreeMap<_, _> = std::fs::read_dir(work.file("target/dev/keys"))
        .unwrap()
        .map(|entry| (entry.unwrap().file_name(), ()))
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
}
