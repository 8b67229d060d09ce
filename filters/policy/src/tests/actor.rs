//! From claims to an actor.

use ig_contract::DenyCode;
use ig_contract::directory::Facts;
use ig_contract::snapshot::Link;

use super::*;
use crate::Caller;

fn with(name: &str, claim: Option<Claim>) -> Claims {
    let mut claims = claims();
    claims.remove(name);
    claims.extend(claim.map(|claim| (name.to_owned(), claim)));
    claims
}

fn text(text: &str) -> Option<Claim> {
    Some(Claim::Text(text.to_owned()))
}

fn list(items: &[&str]) -> Option<Claim> {
    Some(Claim::List(strings(items)))
}

#[test]
fn whom_nobody_knows_is_nobody() {
    let long = "a".repeat(256);
    let table = [
        ("iss", None, 401, "token"),
        ("iss", text(""), 401, "token"),
        ("iss", list(&["https://issuer"]), 401, "token"),
        ("sub", None, 401, "token"),
        ("sub", text(""), 401, "token"),
        ("sub", list(&["a@alpha.io"]), 401, "token"),
        ("sub", list(&[]), 401, "token"),
        ("tenant", None, 403, "tenant-claim"),
        ("tenant", text(""), 403, "tenant-claim"),
        ("tenant", list(&["alpha"]), 403, "tenant-claim"),
        ("tenant", text("Alpha"), 403, "tenant-unknown"),
        ("tenant", text("charlie"), 403, "tenant-unknown"),
        // What a header cannot hold, or what ends one.
        (
            "sub",
            text("a\r\nx-ig-tenant: bravo"),
            403,
            "subject-characters",
        ),
        ("sub", text("a\0"), 403, "subject-characters"),
        ("sub", text("a b"), 403, "subject-characters"),
        ("sub", text("caf\u{e9}"), 403, "subject-characters"),
        ("sub", text("\u{7f}"), 403, "subject-characters"),
        ("sub", text(&long), 403, "subject-characters"),
        ("tenant", text("alpha\n"), 403, "subject-characters"),
        ("tenant", text(" alpha"), 403, "subject-characters"),
    ];
    for (name, claim, status, rule) in table {
        let deny = Actor::from_claims(&with(name, claim.clone()), &head()).unwrap_err();
        assert_eq!(
            (deny.code.status(), &*deny.rule),
            (status, rule),
            "{name}: {claim:?}"
        );
    }
    let longest = Actor::from_claims(&with("sub", text(&long[1..])), &head()).unwrap();
    assert_eq!(longest.subject.len(), 255);
    let nobody = Actor::from_claims(&Claims::new(), &head()).unwrap_err();
    assert_eq!(nobody.code, DenyCode::Unauthenticated);
}

#[test]
fn purposes_are_those_of_the_tenant() {
    // Claims of purposes and groups, and what is held.
    let table: &[(Option<Claim>, Option<Claim>, &[&str])] = &[
        (list(&["a", "b"]), None, &["a", "b"]),
        (list(&["a", "a"]), None, &["a"]),
        (list(&["a", "root", "A", ""]), None, &["a"]),
        (list(&[]), None, &[]),
        (None, None, &[]),
        // A group adds what the tenant knows, and only that.
        (None, list(&["analysts"]), &["investigation"]),
        (
            list(&["b"]),
            list(&["auditors", "analysts"]),
            &["a", "b", "investigation"],
        ),
        (list(&["b"]), list(&["strangers"]), &["b"]),
        // Claims of another kind grant nothing.
        (text("a"), text("analysts"), &[]),
        (text("a b"), None, &[]),
    ];
    for (purposes, groups, expected) in table {
        let mut claims = with("purposes", purposes.clone());
        claims.extend(groups.clone().map(|groups| ("groups".to_owned(), groups)));
        let actor = Actor::from_claims(&claims, &head()).unwrap();
        let held: Vec<_> = actor.purposes.iter().map(String::as_str).collect();
        assert_eq!(held, *expected, "{purposes:?} {groups:?}");
    }
    let of_bravo = Actor::from_claims(&with("tenant", text("bravo")), &head()).unwrap();
    assert!(of_bravo.purposes.is_empty());
    assert_eq!(of_bravo.region, None);
}

#[test]
fn claims_have_the_names_of_the_snapshot() {
    let mut head = head();
    head.identity = Identity {
        metadata_key: "ig".into(),
        tenant_claim: "org".into(),
        groups_claim: "roles".into(),
        purposes_claim: "pou".into(),
        client_claim: "client_id".into(),
    };
    let mut claims = claims();
    assert_eq!(
        Actor::from_claims(&claims, &head).unwrap_err().rule,
        "tenant-claim"
    );
    claims.extend([
        ("org".to_owned(), Claim::Text("alpha".into())),
        ("roles".to_owned(), Claim::List(strings(&["auditors"]))),
        ("pou".to_owned(), Claim::List(strings(&["b"]))),
        ("client_id".to_owned(), Claim::Text("app".into())),
        ("azp".to_owned(), Claim::Text("other".into())),
    ]);
    let actor = Actor::from_claims(&claims, &head).unwrap();
    assert_eq!(actor.client.as_deref(), Some("app"));
    assert_eq!(actor.purposes, strings(&["a", "b"]).into_iter().collect());
    assert_eq!(actor.groups, strings(&["auditors"]).into_iter().collect());
    assert_eq!(actor.region.as_deref(), Some("eu-west-1"));
    assert_eq!(actor.issuer, "https://issuer");
}

fn with_issuers(issuers: &[(&str, &str)]) -> Head {
    let mut head = head();
    let link = |claim: &str| Link {
        claim: claim.to_owned(),
        ..Link::default()
    };
    head.tenants.get_mut("alpha").unwrap().issuers = issuers
        .iter()
        .map(|(issuer, claim)| ((*issuer).to_owned(), link(claim)))
        .collect();
    head
}

#[test]
fn a_tenant_is_named_by_its_own_issuers() {
    let table: &[(&[(&str, &str)], &str)] = &[
        // Without a list, every issuer that Envoy trusts will do.
        (&[], ""),
        (&[("https://issuer", "sub")], ""),
        (&[("https://other", "sub"), ("https://issuer", "sub")], ""),
        (&[("https://other", "sub")], "issuer"),
        (&[("https://issuer/", "sub")], "issuer"),
        (&[("HTTPS://issuer", "sub")], "issuer"),
        (&[("https://issue", "sub")], "issuer"),
    ];
    for (issuers, rule) in table {
        let found = Actor::from_claims(&claims(), &with_issuers(issuers));
        let found = found.err().map(|deny| (deny.code, deny.rule.to_string()));
        let expected = (!rule.is_empty()).then(|| (DenyCode::SubjectInactive, (*rule).to_owned()));
        assert_eq!(found, expected, "{issuers:?}");
    }
    // What was denied before is denied as before.
    let head = with_issuers(&[("https://other", "sub")]);
    for (name, rule) in [
        ("iss", "token"),
        ("sub", "token"),
        ("tenant", "tenant-claim"),
    ] {
        let deny = Actor::from_claims(&with(name, None), &head).unwrap_err();
        assert_eq!(deny.rule, rule, "{name}");
    }
    let of_bravo = Actor::from_claims(&with("tenant", text("bravo")), &head);
    assert!(of_bravo.is_ok(), "another tenant's issuers are not asked");
}

#[test]
fn a_link_is_the_value_of_the_issuers_claim() {
    let long = "a".repeat(513);
    let table = [
        ("sub", None, Some("a@alpha.io")),
        ("oid", None, None),
        ("oid", text("o-1"), Some("o-1")),
        ("oid", text("caf\u{e9}"), Some("caf\u{e9}")),
        ("oid", text(""), None),
        ("oid", list(&["o-1"]), None),
        ("oid", text(&long), None),
        ("oid", text(&long[1..]), Some(&long[1..])),
    ];
    for (claim, value, expected) in table {
        let head = with_issuers(&[("https://issuer", claim)]);
        let claims = match value {
            Some(value) => with(claim, Some(value)),
            None => claims(),
        };
        let caller = Caller::from_claims(&claims, &head).unwrap();
        assert_eq!(caller.link.as_deref(), expected, "{claim}");
    }
    let caller = Caller::from_claims(&claims(), &head()).unwrap();
    assert_eq!(caller.link, None, "no link is configured");
}

#[test]
fn facts_say_what_tokens_do_not() {
    let facts = |user: Option<&str>, active, groups: &[&str]| Facts {
        position: 1,
        user: user.map(ToOwned::to_owned),
        active,
        step_up_from: 0,
        groups: strings(groups).into_iter().collect(),
    };
    type Case<'a> = (Facts, Result<&'a [&'a str], &'a str>);
    let table: &[Case<'_>] = &[
        (
            facts(Some("u"), true, &["analysts"]),
            Ok(&["investigation"]),
        ),
        (
            facts(Some("u"), true, &["analysts", "auditors", "strangers"]),
            Ok(&["a", "investigation"]),
        ),
        (facts(Some("u"), true, &[]), Ok(&[])),
        (facts(Some("u"), false, &["analysts"]), Err("suspended")),
        (facts(None, true, &["analysts"]), Err("unlinked")),
        (facts(None, false, &[]), Err("unlinked")),
    ];
    // The token would grant more.
    let claims = with("groups", list(&["auditors", "root"]));
    let caller = Caller::from_claims(&claims, &head()).unwrap();
    for (facts, expected) in table {
        let actor = caller.by_facts(facts, &head());
        match (actor, expected) {
            (Ok(actor), Ok(purposes)) => {
                assert_eq!(actor.groups, facts.groups);
                assert_eq!(actor.purposes, strings(purposes).into_iter().collect());
            }
            (Err(deny), Err(rule)) => {
                assert_eq!((deny.code, &*deny.rule), (DenyCode::SubjectInactive, *rule));
            }
            (actor, _) => panic!("{facts:?}: {actor:?}"),
        }
    }
}
