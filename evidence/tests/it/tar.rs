//! Bundles as one file, also hostile ones; and in folders with more than files.

use ig_evidence::{Files, FilesError, read};
use tar::{Builder, EntryType, Header};

use crate::small::{self, Small};

/// A `.tar` of entries as nobody's library would write them: a name, what it is, bytes.
fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_entry_type(*kind);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("manifest.json").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_tars_are_refused_with_their_reason() {
    const FILE: EntryType = EntryType::Regular;
    let good = tar(&[("a.json", FILE, b"{}"), ("b/c.json", FILE, b"[]")]);
    assert!(Files::from_tar(&good).is_ok());
    let mut more = good.clone();
    more.extend([1; 512]);
    more.extend([0; 1024]);
    let mut behind = good.clone();
    behind[512 + 2] = b'x';
    let many: Vec<_> = (0..1100).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|name| (name.as_str(), FILE, &b""[..]))
        .collect();
    for (name, tar, why) in [
        ("nothing", Vec::new(), "cut off"),
        ("cut off in a file", good[..600].to_vec(), "cut off"),
        ("cut off between files", good[..1024].to_vec(), "cut off"),
        (
            "cut off at its end",
            good[..good.len() - 512].to_vec(),
            "cut off",
        ),
        ("more after its end", more, "more after the end"),
        ("more behind a file", behind, "is no file's"),
        ("no tar", vec![b'x'; 2048], "cut off"),
        (
            "a way out",
            tar(&[("../a.json", FILE, b"{}")]),
            "is not the name",
        ),
        (
            "a way out below",
            tar(&[("a/../../b", FILE, b"{}")]),
            "is not the name",
        ),
        (
            "from the root",
            tar(&[("/etc/passwd", FILE, b"{}")]),
            "is not the name",
        ),
        (
            "a folder that is a way out",
            tar(&[("../a/", EntryType::Directory, b"")]),
            "is not the name",
        ),
        (
            "a name twice",
            tar(&[("a", FILE, b"1"), ("a", FILE, b"2")]),
            "twice",
        ),
        (
            "a name twice, after a point",
            tar(&[("a", FILE, b"1"), ("./a", FILE, b"2")]),
            "twice",
        ),
        (
            "names that some do not tell apart",
            tar(&[("a", FILE, b"1"), ("A", FILE, b"2")]),
            "twice",
        ),
        (
            "a link",
            tar(&[("a", EntryType::Symlink, b"")]),
            "a link or a device",
        ),
        (
            "a hard link",
            tar(&[("a", EntryType::Link, b"")]),
            "a link or a device",
        ),
        (
            "a device",
            tar(&[("a", EntryType::Char, b"")]),
            "a link or a device",
        ),
        ("too many", tar(&many), "more than"),
    ] {
        let error = Files::from_tar(&tar).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
}

/// A `.tar` of one file, with bytes of its head changed.
fn head(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut tar = tar(&[("a.json", EntryType::Regular, b"{}")]);
    for (at, bytes) in changes {
        tar[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    tar[148..156].fill(b' ');
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

/// Another program would unpack what nobody verified.
#[test]
fn heads_that_programs_read_differently_are_refused() {
    const FILE: EntryType = EntryType::Regular;
    let hidden = tar(&[("a.json", FILE, b"[]")])[..1024].to_vec();
    let of = |kind, name: &str, bytes: &[u8]| {
        tar(&[
            ("b.json", FILE, b"{}"),
            (name, kind, bytes),
            ("a.json", FILE, b"{}"),
        ])
    };
    for good in [
        of(EntryType::Directory, "reports/", b""),
        head(&[(124, b"00000000002 ")]),
        head(&[(345, b"reports\0")]),
    ] {
        assert!(Files::from_tar(&good).is_ok());
    }
    for (name, tar) in [
        (
            "files in a folder's entry",
            of(EntryType::Directory, "reports/", &hidden),
        ),
        (
            "another length in PAX",
            of(EntryType::XHeader, "x", b"10 size=0\n"),
        ),
        (
            "another length in PAX, of all",
            of(EntryType::XGlobalHeader, "x", b"10 size=0\n"),
        ),
        (
            "another name of GNU",
            of(EntryType::GNULongName, "x", b"c.json\0"),
        ),
        ("a length with a sign", head(&[(124, b"+0000000002\0")])),
        // Of another version, so that to some they are none.
        (
            "folders of a name",
            head(&[(263, b"99"), (345, b"reports\0")]),
        ),
    ] {
        let error = Files::from_tar(&tar).unwrap_err();
        assert!(matches!(error, FilesError::Unclear(_)), "{name}: {error}");
    }
}

#[test]
fn a_length_that_lies_is_refused() {
    let mut tar = tar(&[("a.json", EntryType::Regular, b"{}")]);
    // The head says more than there is.
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..6].copy_from_slice(b"a.json");
    header.set_size(1 << 40);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
    assert!(Files::from_tar(&tar).is_err());
}

#[test]
fn a_tar_of_the_folder_is_read_as_well() {
    let sealed = Small::new().seal(&small::parts());
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in sealed.files.iter() {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(1_795_867_200);
        builder
            .append_data(&mut header, format!("v0.2/{name}"), bytes)
            .unwrap();
    }
    let tar = builder.into_inner().unwrap();
    assert_eq!(Files::from_tar(&tar).unwrap(), sealed.files);
    assert_eq!(
        Files::from_tar(&sealed.files.to_tar().unwrap()).unwrap(),
        sealed.files
    );
}

#[test]
fn a_folder_has_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("v0.2");
    let sealed = Small::new().seal(&small::parts());
    read::write(&sealed.files, &root).unwrap();
    assert_eq!(read::bundle(&root).unwrap(), sealed.files);
    assert!(
        read::write(&sealed.files, &root).is_err(),
        "it is there already"
    );
    std::os::unix::fs::symlink("manifest.json", root.join("link.json")).unwrap();
    let error = read::bundle(&root).unwrap_err();
    assert!(
        matches!(error, read::ReadError::Files(FilesError::NotAFile(_))),
        "{error}"
    );
    std::fs::remove_file(root.join("link.json")).unwrap();
    std::os::unix::fs::symlink("..", root.join("up")).unwrap();
    let error = read::bundle(&root).unwrap_err();
    assert!(
        matches!(error, read::ReadError::Files(FilesError::NotAFile(_))),
        "{error}"
    );
    assert!(matches!(
        read::bundle(&root.join("none")),
        Err(read::ReadError::Io(..))
    ));
}
