//! One thing is changed at a time, and each is refused with its reason.

mod cases;

use ig_evidence::seal::sign;
use ig_evidence::{Asked, Kind, names, verify};
use ig_signing::PrivateKey;
use serde_json::Value;

use crate::small::{self, COMMIT, Map, NOW, Small, files, map};
use cases::{By, Case};

/// The bundle as a case has it.
fn changed(case: &Case, small: &Small) -> Map {
    let mut parts = small::parts();
    if case.by == By::Maker {
        (case.change)(&mut parts);
        return map(&small.seal(&parts).files);
    }
    let mut made = map(&small.seal(&parts).files);
    (case.change)(&mut made);
    let other = PrivateKey::generate().unwrap();
    let key = match case.by {
        By::Signer => &small.key,
        By::Foreign => &other,
        By::Stranger | By::Maker => return made,
    };
    // The log is where it was before the manifest came.
    let mut log = small.log();
    let honest = map(&small.seal(&parts).files);
    let delta: Value = serde_json::from_slice(&honest[names::DELTA]).unwrap();
    let bodies = delta["entries"].as_array().unwrap().iter().map(|entry| {
        use base64::Engine as _;
        let body = entry["body"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(body)
            .unwrap()
    });
    log.append(&bodies.collect::<Vec<_>>()).unwrap();
    made.remove(names::MANIFEST);
    made.remove(names::SIGNATURE);
    let keys = small.log_keys.keys();
    let about = made[names::ABOUT].clone();
    // Who signs again cannot be kept from signing what is no bundle.
    if ig_evidence::About::parse(&about).is_err() {
        made.insert(names::ABOUT.into(), honest[names::ABOUT].clone());
        let mut signed = map(&sign(files(&made), key, &mut log, keys).unwrap());
        signed.insert(names::ABOUT.into(), about);
        return signed;
    }
    map(&sign(files(&made), key, &mut log, keys).unwrap())
}

#[test]
fn what_was_tampered_with_is_refused_with_its_reason() {
    assert!(cases::all().count() >= 20);
    let small = Small::new();
    for case in cases::all() {
        let found = verify(
            &files(&changed(case, &small)),
            &Asked::by(small.key.public()),
        );
        let said: Vec<_> = found.problems.iter().collect();
        assert_eq!(found.exit_code(), 1, "{}: {said:?}", case.name);
        let is_it =
            |one: &&&ig_evidence::Problem| one.kind == case.kind && one.why.contains(case.why);
        assert!(
            said.iter().any(|one| is_it(&one)),
            "{}: {said:#?}",
            case.name
        );
        // What the signer did is signed: nothing else may be what refuses it.
        if case.by == By::Maker {
            let is_seal = |kind| {
                matches!(
                    kind,
                    Kind::Signature | Kind::Missing | Kind::Extra | Kind::Changed
                )
            };
            assert!(
                !said.iter().any(|one| is_seal(one.kind)),
                "{}: {said:#?}",
                case.name
            );
        }
    }
}

#[test]
fn what_is_left_out_before_it_is_signed_is_not_shown() {
    let small = Small::new();
    let text = String::from_utf8(small::parts()[names::CONTROLS].clone()).unwrap();
    let at = text.rfind("[[control]]").unwrap();
    for (other, item) in [
        (text[..at].to_owned(), "incident-response"),
        (text.replace("\"A1.2\"", "\"A1.3\""), "incident-response"),
        (text.replace("\"upstream-reset\"", ""), "residency"),
        (text.replace("\"residency\"", "\"whatever\""), "whatever"),
        (text.replace("is no audit", "is an audit"), names::CONTROLS),
    ] {
        let mut parts = small::parts();
        parts.insert(names::CONTROLS.into(), other.into_bytes());
        let sealed = small.seal(&parts);
        let found = verify(&sealed.files, &Asked::by(small.key.public()));
        assert_eq!(found.exit_code(), 2, "{item}: {:?}", found.problems);
        assert!(found.problems.iter().any(|one| one.item == item), "{item}");
    }
}

/// Nor does anybody without the key make a verifier judge for hours.
#[test]
fn controls_of_just_anybody_are_not_judged() {
    let small = Small::new();
    let honest = map(&small.seal(&small::parts()).files);
    let judged = |made: &Map| {
        let found = verify(&files(made), &Asked::by(small.key.public()));
        assert_eq!(found.exit_code(), 1, "{:?}", found.problems);
        !found.controls.is_empty()
    };
    let mut made = honest.clone();
    made.remove(names::SIGNATURE);
    assert!(judged(&made), "those of the program are");
    // The signature that is there is of other controls.
    let mut made = honest;
    let mut text = String::from_utf8(made[names::CONTROLS].clone()).unwrap();
    text.push_str("\n[[control.claim]]\nsays = \"more\"\ncheck = \"attestations\"\n");
    made.insert(names::CONTROLS.into(), text.into_bytes());
    assert!(!judged(&made));
    made.remove(names::SIGNATURE);
    assert!(!judged(&made));
}

/// Whoever says that nothing was seen in an artefact can leave out what they like.
#[test]
fn artefacts_that_name_nothing_show_nothing() {
    let small = Small::new();
    let mut parts = small::parts();
    let nothing = serde_json::json!({"ig": [], "ig_guard.wasm": []});
    parts.insert(names::SEEN.into(), small::bytes(&nothing));
    let found = verify(&small.seal(&parts).files, &Asked::by(small.key.public()));
    assert_eq!(found.exit_code(), 1, "{:?}", found.problems);
    let is_it = |one: &ig_evidence::Problem| one.why.contains("names no crate");
    assert!(found.problems.iter().any(is_it), "{:?}", found.problems);
}

#[test]
fn no_byte_of_any_file_may_change() {
    let small = Small::new();
    let made = map(&small.seal(&small::parts()).files);
    // A line in the signature's checkpoint by a key that nobody asks for says nothing; what
    // else is in it has its cases.
    for name in made.keys().filter(|name| *name != names::SIGNATURE) {
        let mut other = made.clone();
        let bytes = other.get_mut(name).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        let found = verify(&files(&other), &Asked::by(small.key.public()));
        assert_ne!(found.exit_code(), 0, "{name}");
    }
}

#[test]
fn what_is_asked_for_has_to_be_so() {
    let small = Small::new();
    let sealed = small.seal(&small::parts());
    let key = small.key.public();
    let kinds = |asked: &Asked<'_>| -> Vec<Kind> {
        verify(&sealed.files, asked)
            .problems
            .iter()
            .map(|one| one.kind)
            .collect()
    };
    let other = COMMIT.replace('0', "f");
    let commit = Asked {
        commit: Some(&other),
        ..Asked::by(key)
    };
    assert_eq!(kinds(&commit), [Kind::OtherRelease]);

    // What was made today is of no time before yesterday.
    let at = |now| Asked {
        now: Some(now),
        ..Asked::by(key)
    };
    assert_eq!(kinds(&at(NOW)), []);
    assert_eq!(kinds(&at(NOW - 86_400)), []);
    assert_eq!(kinds(&at(NOW - 86_401)), [Kind::OtherRelease]);

    let foreign = PrivateKey::generate().unwrap();
    assert!(kinds(&Asked::by(foreign.public())).contains(&Kind::Signature));

    // A ledger that the auditor knows, and the signer does not name.
    let mut strange = Small::new();
    let origin = "ledger.example".parse().unwrap();
    let keys = ig_ledger::sign::LogSigner::from_bytes(origin, &[1; 32], &[2; 32]).unwrap();
    strange.log_keys = std::sync::Arc::new(keys);
    let theirs = strange.seal(&small::parts());
    let root = theirs.files.get(names::TRUSTED_ROOT).unwrap();
    let root = ig_signing::TrustedRoot::parse(root).unwrap();
    let asked = Asked {
        trusted_root: Some(&root),
        ..Asked::by(key)
    };
    assert!(kinds(&asked).contains(&Kind::Inclusion));
    let asked = Asked {
        checkpoint: Some(theirs.checkpoint.as_bytes()),
        ..Asked::by(key)
    };
    assert_eq!(kinds(&asked), [Kind::Consistency]);

    let [name, _] = small::ARTEFACTS;
    for (name, bytes, kind) in [
        (name, small::artefact("ig, but another"), Kind::Changed),
        ("ig-else", small::artefact(name), Kind::Extra),
    ] {
        let artefacts = [(name.to_owned(), bytes)].into();
        let asked = Asked {
            artefacts,
            ..Asked::by(key)
        };
        assert_eq!(kinds(&asked), [kind]);
    }
}
