use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::*;

/// An archive of entries as they stand: the builder would refuse these names.
fn pack(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_old();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn what_is_of_a_bundle_is_read() {
    let archive = pack(&[
        ("/.manifest", FILE, b"{}"),
        ("./ig", EntryType::Directory, b""),
        ("./ig/a.rego", FILE, b"package ig"),
        ("README", FILE, b"not read"),
    ]);
    let files = unpack(&archive).unwrap();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, [".manifest", "ig/a.rego"]);
    assert_eq!(files["ig/a.rego"], b"package ig");
}

#[test]
fn what_leads_out_or_is_no_file_is_refused() {
    for name in [
        "../a.rego",
        "ig/../../a.rego",
        "/../a.rego",
        "ig\\..\\a.rego",
    ] {
        let refused = unpack(&pack(&[(name, FILE, b"")]));
        assert!(matches!(refused, Err(InvalidArchive::Name(_))), "{name}");
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char] {
        let refused = unpack(&pack(&[("ig/a.rego", kind, b"")]));
        assert!(matches!(refused, Err(InvalidArchive::Kind(_))), "{kind:?}");
    }
    let twice = unpack(&pack(&[("a.rego", FILE, b"1"), ("./a.rego", FILE, b"2")]));
    assert!(matches!(twice, Err(InvalidArchive::Twice(_))), "{twice:?}");
}

#[test]
fn what_is_cut_off_or_too_large_is_refused() {
    let archive = pack(&[("ig/a.rego", FILE, &[b'x'; 5_000])]);
    for length in [0, 1, 9, archive.len() / 2] {
        let refused = unpack(&archive[..length]);
        assert!(
            matches!(refused, Err(InvalidArchive::Unreadable(_))),
            "{length}"
        );
    }
    assert!(unpack(b"no archive").is_err());
    let bomb = vec![0; (MAX_BYTES + 1_000) as usize];
    let refused = unpack(&pack(&[("ig/a.rego", FILE, &bomb)]));
    assert!(
        matches!(refused, Err(InvalidArchive::TooLarge)),
        "{refused:?}"
    );
}
