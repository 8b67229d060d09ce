//! Writes a signed export into a folder, for other programs to verify.
//!
//! Usage: `fixtures FOLDER`

use std::fs;
use std::path::Path;

use ig_signing::manifest::Item;
use ig_signing::statement::Subject;
use ig_signing::{Bundle, Manifest, Password, PrivateKey, Sha256, Statement};
use serde_json::Map;

type Any = Box<dyn std::error::Error>;

fn main() -> Result<(), Any> {
    let folder = std::env::args_os().nth(1).ok_or("usage: fixtures FOLDER")?;
    let folder = Path::new(&folder);
    let files = folder.join("files");
    fs::create_dir_all(files.join("images"))?;

    let mut items = Vec::new();
    // Names that canonical JSON has to get right.
    for (id, text) in [
        ("people.json", "[]\n"),
        ("images/1.png", "not one\n"),
        ("images/\"😀\" é.png", ""),
    ] {
        fs::write(files.join(id), text)?;
        let sha256 = Sha256::of(text.as_bytes());
        items.push(Item {
            id: id.into(),
            sha256,
        });
    }
    let manifest = Manifest::new(items, "user:alpha:a", "alpha", "investigation")?.to_bytes();
    let key = PrivateKey::generate()?;
    let bundle = Bundle::sign(&key, Sha256::of(&manifest))?;
    // By UTF-16, as canonical JSON sorts, the second name is before the third.
    let predicate = Map::from_iter([
        ("purpose".to_owned(), "investigation".into()),
        ("😀".to_owned(), 1e21.into()),
        ("\u{fb33}".to_owned(), 0.1.into()),
    ]);
    let subjects = vec![Subject::of("m.json", &manifest)];
    let statement = Statement::new(subjects, "https://example.com/export/v1", predicate)?;
    let attestation = Bundle::attest(&key, &statement)?;

    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    write("m.json", &manifest)?;
    write("m.sigstore.json", &bundle.to_bytes())?;
    write("m.json.sig", bundle.signature().to_detached().as_bytes())?;
    write("m.leaf.json", &bundle.log_body(key.public()))?;
    write("a.sigstore.json", &attestation.to_bytes())?;
    write("cosign.pub", key.public().to_pem().as_bytes())?;
    let password = Password::new(b"interop".to_vec());
    write("cosign.key", key.to_encrypted_pem(&password)?.as_bytes())?;
    Ok(())
}
