use ig_contract::snapshot::Region;

use super::*;

fn region(gateway: Option<&str>, primary: &str) -> Region {
    Region {
        gateways: gateway.into_iter().map(Into::into).collect(),
        primary: [primary.to_owned()].into(),
        ..Region::default()
    }
}

fn settings(foreign: Foreign, default: Option<&str>) -> Settings {
    Settings {
        regions: [
            ("eu".to_owned(), region(Some("127.0.0.1:1"), "127.0.0.1:80")),
            ("us".to_owned(), region(Some("[::1]:1"), "[0:0::1]:80")),
            ("ap".to_owned(), region(None, "ap.internal:80")),
        ]
        .into(),
        default_region: default.map(Into::into),
        foreign,
    }
}

#[test]
fn where_requests_are_served() {
    use Foreign::{Forward, Reject};
    use Place::Here;
    let to = Place::Forward;
    // (own region, foreign, default, tenant's, forwarded) → place, or rule
    let cases = [
        (Some("eu"), Reject, None, Some("eu"), false, Ok(Here("eu"))),
        (Some("eu"), Reject, None, Some("eu"), true, Ok(Here("eu"))),
        (
            Some("eu"),
            Reject,
            None,
            Some("us"),
            false,
            Err("region-foreign"),
        ),
        (
            Some("eu"),
            Reject,
            None,
            Some("us"),
            true,
            Err("region-foreign"),
        ),
        (Some("eu"), Forward, None, Some("us"), false, Ok(to("us"))),
        (
            Some("eu"),
            Forward,
            None,
            Some("us"),
            true,
            Err("region-loop"),
        ),
        (
            Some("eu"),
            Forward,
            None,
            Some("ap"),
            false,
            Err("region-gateway"),
        ),
        (
            Some("eu"),
            Forward,
            None,
            Some("mars"),
            false,
            Err("region-unknown"),
        ),
        (
            Some("eu"),
            Reject,
            None,
            Some("mars"),
            false,
            Err("region-unknown"),
        ),
        (
            Some("mars"),
            Reject,
            None,
            Some("mars"),
            false,
            Err("region-unknown"),
        ),
        (
            Some("eu"),
            Reject,
            None,
            None,
            false,
            Err("region-untagged"),
        ),
        (Some("eu"), Reject, Some("eu"), None, false, Ok(Here("eu"))),
        (Some("eu"), Forward, Some("us"), None, false, Ok(to("us"))),
        (
            Some("eu"),
            Reject,
            Some("us"),
            None,
            false,
            Err("region-foreign"),
        ),
        (
            Some("eu"),
            Reject,
            Some("us"),
            Some("eu"),
            false,
            Ok(Here("eu")),
        ),
        (
            Some(""),
            Forward,
            Some("us"),
            Some("eu"),
            false,
            Err("region-of-gateway"),
        ),
        (
            None,
            Reject,
            Some("eu"),
            Some("eu"),
            false,
            Err("region-of-gateway"),
        ),
    ];
    for case in cases {
        let (here, foreign, default, tenant, is_forwarded, expected) = case;
        let residency = Residency::new(&settings(foreign, default), here);
        let found = residency.place(tenant, is_forwarded);
        let found = found.as_ref().map_err(|deny| &*deny.rule).copied();
        assert_eq!(found, expected, "{case:?}");
    }
}

#[test]
fn who_answered() {
    use Role::{Gateway, Primary, Replica};
    let mut settings = settings(Foreign::Reject, None);
    let eu = settings.regions.get_mut("eu").unwrap();
    eu.replicas = ["127.0.0.1:81".to_owned()].into();
    let residency = Residency::new(&settings, Some("eu"));
    // (region, for whom it was, address, locality, whether that may answer)
    type Case = (
        &'static str,
        Role,
        &'static [u8],
        Option<&'static str>,
        bool,
    );
    let cases: [Case; 16] = [
        ("eu", Primary, b"127.0.0.1:80", None, true),
        ("eu", Replica, b"127.0.0.1:80", None, true),
        ("eu", Replica, b"127.0.0.1:81", None, true),
        ("eu", Primary, b"127.0.0.1:81", Some("eu"), false),
        ("eu", Gateway, b"127.0.0.1:1", None, true),
        // Nobody decided.
        ("eu", Gateway, b"127.0.0.1:80", None, false),
        ("eu", Primary, b"127.0.0.1:1", None, false),
        // What the snapshot says of an address counts more than Envoy's label.
        ("us", Primary, b"127.0.0.1:80", Some("us"), false),
        ("us", Primary, b"[::1]:80", None, true),
        ("eu", Primary, b"[::1]:80", Some("eu"), false),
        // A region whose hosts are all known has no other.
        ("eu", Primary, b"127.0.0.1:82", Some("eu"), false),
        ("ap", Primary, b"10.0.0.7:80", Some("ap"), true),
        ("ap", Primary, b"10.0.0.7:80", Some("eu"), false),
        ("ap", Primary, b"10.0.0.7:80", None, false),
        ("ap", Primary, b"\xff", None, false),
        ("mars", Primary, b"127.0.0.1:80", Some(""), false),
    ];
    for (region, wanted, address, locality, expected) in cases {
        let locality = || locality.map(|text| text.as_bytes().to_vec());
        let found = residency.is_of(region, wanted, address, locality);
        assert_eq!(found, expected, "{region} {wanted:?} {address:?}");
    }
}
