//! Regions and limits.

use ig_contract::snapshot::{Foreign, OperationClass, Priority, Rate};

use super::*;

const REGIONS: &str = r#"
[tenants.a]
region = "eu"
[residency]
default-region = "eu"
foreign = "forward"
[residency.regions.eu]
gateways = ["10.0.0.1:10000"]
primary = ["10.0.0.2:80", "[::1]:80"]
replicas = ["db.internal:80"]
[residency.regions.us]
"#;

#[test]
fn regions_and_their_hosts() {
    let config = Config::parse(&format!("{LEAST}{REGIONS}")).unwrap();
    let residency = config.head("r1").residency.unwrap();
    assert_eq!(residency.foreign, Foreign::Forward);
    assert_eq!(residency.regions["eu"].primary.len(), 2);
    assert!(residency.regions["us"].gateways.is_empty());
    // What is replaced, by what, and where the problem is.
    let table = [
        (
            "default-region = \"eu\"",
            "default-region = \"mars\"",
            "residency.default-region",
        ),
        (
            "region = \"eu\"\n[res",
            "region = \"mars\"\n[res",
            "tenants.a.region",
        ),
        (
            "10.0.0.1:10000",
            "10.0.0.1",
            "residency.regions.eu.gateways",
        ),
        ("10.0.0.2:80", "10.0.0.2:0", "residency.regions.eu.primary"),
        ("10.0.0.2:80", "http://a:80", "residency.regions.eu.primary"),
        ("[::1]:80", "[::x]:80", "residency.regions.eu.primary"),
        ("[::1]:80", "::1:80", "residency.regions.eu.primary"),
        (
            "db.internal:80",
            "10.0.0.2:80",
            "residency.regions.eu.replicas",
        ),
        (
            "[residency.regions.us]",
            "[residency.regions.\"u s\"]",
            "residency.regions.u s",
        ),
        (
            "regions.us]",
            "regions.us]\nprimary = [\"10.0.0.1:10000\"]",
            "residency.regions.us.primary",
        ),
        (
            "[residency.regions.us]",
            "[residency.region]",
            "residency.region",
        ),
    ];
    for (from, to, path) in table {
        assert!(REGIONS.contains(from), "{from}");
        let wrong = REGIONS.replacen(from, to, 1);
        assert_eq!(paths(&format!("{LEAST}{wrong}")), [path], "{to}");
    }
    // A tenant without a region needs the default.
    let without = REGIONS
        .replace("region = \"eu\"\n[res", "[res")
        .replace("default-region = \"eu\"\n", "");
    assert_eq!(paths(&format!("{LEAST}{without}")), ["tenants.a.region"]);
}

const LIMITS: &str = r#"
[tenants.a]
rate-percent = 150
priority = "high"
[rate-limit]
slots = 128
clients = { batch = 50 }
[rate-limit.classes.query]
subject = [{ cost = 10, burst = 40 }, { cost = 900, seconds = 60 }]
tenant = [{ cost = 5 }]
[rate-limit.classes.sensitive]
fleet = [{ cost = 1, seconds = 3600, burst = 3 }]
"#;

#[test]
fn limits_and_shares() {
    let config = Config::parse(&format!("{LEAST}{LIMITS}")).unwrap();
    let head = config.head("r1");
    let tenant = &head.tenants["a"];
    assert_eq!(
        (tenant.rate_percent, tenant.priority),
        (Some(150), Priority::High)
    );
    let limits = head.rate_limit.unwrap();
    assert!(limits.is_global());
    let query = &limits.classes[&OperationClass::Query];
    let rate = |cost, seconds, burst| Rate {
        cost,
        seconds,
        burst,
    };
    assert_eq!(query.subject, [rate(10, 1, 40), rate(900, 60, 900)]);
    assert_eq!(query.tenant, [rate(5, 1, 5)]);
    let table = [
        ("slots = 128", "slots = 1", "rate-limit.slots"),
        ("batch = 50", "batch = 0", "rate-limit.clients.batch"),
        ("batch = 50", "batch = 10001", "rate-limit.clients.batch"),
        (
            "rate-percent = 150",
            "rate-percent = 0",
            "tenants.a.rate-percent",
        ),
        (
            "cost = 5",
            "cost = 0, burst = 1",
            "rate-limit.classes.query.tenant.cost",
        ),
        (
            "cost = 5",
            "cost = 1000001, burst = 1",
            "rate-limit.classes.query.tenant.cost",
        ),
        (
            "burst = 40",
            "burst = 0",
            "rate-limit.classes.query.subject.burst",
        ),
        (
            "seconds = 60",
            "seconds = 0",
            "rate-limit.classes.query.subject.seconds",
        ),
        (
            "[{ cost = 5 }]",
            "[{ cost = 5 }, { cost = 5 }, { cost = 5 }]",
            "rate-limit.classes.query.tenant",
        ),
        ("fleet =", "fleets =", "rate-limit.classes.sensitive.fleets"),
    ];
    for (from, to, path) in table {
        assert!(LIMITS.contains(from), "{from}");
        let wrong = LIMITS.replacen(from, to, 1);
        assert!(
            paths(&format!("{LEAST}{wrong}")).contains(&path.to_owned()),
            "{to}"
        );
    }
    // No such class.
    let wrong = LIMITS.replace("classes.query", "classes.queries");
    assert!(Config::parse(&format!("{LEAST}{wrong}")).is_err());
}

/// The examples of `docs/residency.md` and `docs/rate-limits.md`.
#[test]
fn their_documentation_is_valid() {
    let tenants = "[tenants.alpha]\n";
    for (page, tenants) in [
        (include_str!("../../../../../docs/residency.md"), tenants),
        (include_str!("../../../../../docs/rate-limits.md"), ""),
    ] {
        let block = page.split("```toml\n").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        Config::parse(&format!("{LEAST}{tenants}{block}")).unwrap();
    }
}
