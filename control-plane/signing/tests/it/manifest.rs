use ig_signing::manifest::{Error, Item, MAX_BYTES, MAX_ITEMS, Manifest};
use ig_signing::{Sha256, json};

use crate::HASH;

const GOOD: &str = r#"{"createdBy":"user:alpha:a","items":[{"id":"asset-1","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}],"purpose":"investigation","tenant":"alpha","version":"0.2"}"#;

fn item(id: impl Into<String>) -> Item {
    Item {
        id: id.into(),
        sha256: Sha256::of(b"abc"),
    }
}

#[test]
fn what_is_written_is_canonical_and_read_back() {
    let manifest = Manifest::new(
        vec![item("asset-1")],
        "user:alpha:a",
        "alpha",
        "investigation",
    )
    .unwrap();
    assert_eq!(manifest.to_bytes(), GOOD.as_bytes());
    assert_eq!(Manifest::parse(GOOD.as_bytes()), Ok(manifest.clone()));
    // Other whitespace and order is the same manifest, though other bytes.
    let loose = format!(
        " {{\"version\": \"0.2\", \"items\": [{{\"sha256\": \"{HASH}\", \"id\": \"asset-\\u0031\"}}],\n\
         \"createdBy\": \"user:alpha:a\", \"tenant\": \"alpha\", \"purpose\": \"investigation\"}}\n"
    );
    assert_eq!(Manifest::parse(loose.as_bytes()), Ok(manifest));
}

#[test]
fn what_is_no_manifest_says_where() {
    let cases: Vec<(String, String, String)> =
        serde_json::from_str(include_str!("../cases/manifest.json")).unwrap();
    for (name, text, expected) in cases {
        let one = format!("{{\"id\":\"asset-1\",\"sha256\":\"{HASH}\"}}");
        let end = ",\"createdBy\":\"u\",\"tenant\":\"t\",\"purpose\":\"p\"}";
        let text = text
            .replace("$GOOD", GOOD)
            .replace("$ITEMS", "{\"version\":\"0.2\",\"items\":")
            .replace("$END", end)
            .replace("$ONE", &one)
            .replace("$HASH", HASH);
        let error = Manifest::parse(text.as_bytes()).expect_err(&name);
        assert_eq!(error.to_string(), expected, "{name}: {text}");
    }
}

#[test]
fn what_is_not_text_says_where() {
    let mut bytes = GOOD.as_bytes().to_vec();
    bytes[20] = 0xff;
    let error = Manifest::parse(&bytes).unwrap_err();
    assert_eq!(error, Error::Json(json::Error::NotUtf8(20)));
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(Manifest::parse(&utf16).is_err());
}

#[test]
fn limits_hold() {
    let new = |items| Manifest::new(items, "u", "t", "p");
    let all: Vec<_> = (0..MAX_ITEMS).map(|n| item(n.to_string())).collect();
    assert!(new(all.clone()).is_ok());
    let more = [all, vec![item("one more")]].concat();
    assert_eq!(new(more), Err(Error::TooManyItems(MAX_ITEMS + 1)));
    assert!(new(vec![item("é".repeat(512))]).is_ok());
    let long = new(vec![item("a"), item("é".repeat(513))]);
    assert_eq!(long, Err(Error::Id { index: 1 }));
    let long = vec![b' '; MAX_BYTES + 1];
    let long = Manifest::parse(&long);
    assert_eq!(long, Err(Error::Json(json::Error::TooLong(MAX_BYTES))));
    let many = format!("[{}0]", "0,".repeat(json::MAX_VALUES));
    let many = Manifest::parse(many.as_bytes());
    assert_eq!(many, Err(Error::Json(json::Error::TooMany)));
    let deep = "[".repeat(1 << 20);
    assert!(Manifest::parse(deep.as_bytes()).is_err());
}
