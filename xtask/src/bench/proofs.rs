//! `cargo xtask bench --step-up`: what a proof of presence costs at the gateway.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ig_contract::snapshot;
use ig_contract::step_up::{ALGORITHM, Acr, Claims, Header, MAX_LIFE_SECONDS, TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arms::{Arm, DIRECTORY, Filters};
use super::fleet::Fleet;
use super::load::{self, Request, Script};
use super::report::{Row, Sample, Samples, rows};
use super::usage;
use crate::tools;

/// The same operation, as the schema asks for no proof and for one.
pub(super) static ARMS: [Arm; 3] = [
    arm("guard, no proof needed", Request::Read),
    arm("the same proof again", Request::Proved),
    arm("another proof each time", Request::ProvedAnew),
];

const fn arm(name: &'static str, request: Request) -> Arm {
    Arm {
        name,
        workers: 1,
        filters: Filters::Guard,
        request,
    }
}

const ISSUER: &str = "https://ig.localhost";
const KID: &str = "bench";
/// Proofs of a turn: more than a worker remembers, so that each is new again
/// when its turn comes.
const PROOFS: usize = 5_000;
/// Proofs that the stopwatch checks first.
const CHECKED: usize = 500;

/// Signs tokens as the control plane does.
pub(super) struct Proofs {
    key: SigningKey,
    claims: Claims,
}

impl Proofs {
    /// For the subject of an access token.
    fn new(access_token: &str) -> Result<Self> {
        let payload = access_token.split('.').nth(1).context("no JWT")?;
        let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            key: SigningKey::from_bytes(&[7; 32]),
            claims: Claims {
                iss: ISSUER.into(),
                aud: "demo".into(),
                sub: text("sub"),
                sub_iss: text("iss"),
                tid: text("tenant"),
                actions: vec!["query:case".into()],
                resource: None,
                acr: Acr::PhishingResistant,
                amr: ["swk", "user", "pop", "mfa"].map(Into::into).into(),
                auth_time: 0,
                iat: 0,
                nbf: 0,
                exp: 0,
                jti: String::new(),
            },
        })
    }

    fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes())
    }

    fn settings(&self) -> snapshot::StepUp {
        snapshot::StepUp {
            issuer: ISSUER.into(),
            keys: vec![snapshot::VerificationKey {
                kid: KID.into(),
                x: self.x(),
            }],
            single_use: snapshot::StepUp::default_single_use(),
            max_age_seconds: snapshot::StepUp::default_max_age_seconds(),
            acr: snapshot::StepUp::default_acr(),
        }
    }

    fn check_times(&self, fleet: &Fleet) -> Result<Check> {
        let actions = self.claims.actions.iter();
        let actions = actions.map(|name| snapshot::Action {
            name: name.clone(),
            purposes: Vec::new(),
        });
        let work = json!({
            "settings": self.settings(), "graph": self.claims.aud,
            "issuer": self.claims.sub_iss, "subject": self.claims.sub, "tenant": self.claims.tid,
            "actions": actions.collect::<Vec<_>>(), "tokens": self.tokens(CHECKED)?,
            "now": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        });
        Ok(serde_json::from_value(fleet.stopwatch(&work)?)?)
    }

    /// Tokens of now, each with a number of its own.
    pub(super) fn tokens(&self, count: usize) -> Result<Vec<String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = Header {
            alg: ALGORITHM.into(),
            typ: TYPE.into(),
            kid: KID.into(),
        };
        let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        let token = |number: usize| -> Result<String> {
            let claims = Claims {
                auth_time: now,
                iat: now,
                nbf: now,
                exp: now + MAX_LIFE_SECONDS,
                jti: format!("{now}-{number}"),
                ..self.claims.clone()
            };
            let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims)?);
            let signed = format!("{header}.{claims}");
            let signature = self.key.sign(signed.as_bytes()).to_bytes();
            Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
        };
        (0..count).map(token).collect()
    }
}

/// Measures all arms, in turns.
pub(super) fn measure(root: &Path, folder: &Path, rounds: u32, time: Duration) -> Result<Report> {
    let mut fleet = Fleet::start(root, folder, &[], Path::new(""))?;
    let token = fleet.materials.token("a@alpha.io")?;
    let proofs = Proofs::new(&token)?;
    let snapshots = snapshots(root, folder, &fleet, &proofs)?;
    for (arm, snapshot) in ARMS.iter().zip([0, 1, 1]) {
        fleet.add(arm, &snapshots[snapshot])?;
    }
    let script = Script {
        token: &token,
        read_id: &fleet.read_id,
        write_id: "",
    };
    let mut all: Vec<_> = ARMS.iter().map(|arm| (arm, Samples::default())).collect();
    for round in 0..=rounds {
        eprintln!("round {round} of {rounds}");
        for (running, (arm, samples)) in fleet.running.iter().zip(&mut all) {
            let tokens = match arm.request {
                Request::ProvedAnew => proofs.tokens(PROOFS)?,
                _ => proofs.tokens(1)?,
            };
            let file = script.write(folder, arm.request, &tokens)?;
            let before = usage::cpu_time(running.id)?;
            let load = load::run(running.port, &file, time)?;
            let cpu = usage::cpu_time(running.id)?.saturating_sub(before);
            if round > 0 {
                samples.rounds.push(Sample { load, cpu });
            }
            samples.resident_bytes = usage::resident_bytes(running.id)?;
        }
    }
    fleet.stop();
    Ok(Report {
        rows: rows(&all),
        check: proofs.check_times(&fleet)?,
    })
}

/// Everything.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    check: Check,
}

/// Nanoseconds of the check alone, in Envoy's engine.
#[derive(Serialize, Deserialize)]
struct Check {
    first: u64,
    again: u64,
}

/// The demo with a directory: without and with a proof for the operation.
fn snapshots(root: &Path, folder: &Path, fleet: &Fleet, proofs: &Proofs) -> Result<[PathBuf; 2]> {
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
    };
    let config = format!(
        "{}purposes-by-group = {{ analyst = [\"investigation\"] }}\n\
         [directory]\ncluster = \"{DIRECTORY}\"\nauthority = \"bench\"\n\
         [step-up]\nissuer = \"{ISSUER}\"\nkeys = [{{ kid = \"{KID}\", x = \"{}\" }}]\n",
        alpha_last(&read("envoy/demo/guard.toml")?),
        proofs.x(),
    );
    let config_file = folder.join("proofs.toml");
    std::fs::write(&config_file, config)?;
    let plain = read("persisted-queries/schema.graphql")?;
    let field = "  case(id: ID!): Case\n";
    anyhow::ensure!(plain.contains(field), "the demo's schema has no `{field}`");
    let proved = plain.replace(field, "  case(id: ID!): Case @authz(stepUp: true)\n");
    let compile = |name: &str, sdl: &str| -> Result<PathBuf> {
        let schema = folder.join(format!("{name}.graphql"));
        std::fs::write(&schema, sdl)?;
        let snapshot = folder.join(format!("{name}.igsnap"));
        fleet.materials.compile(&schema, &config_file, &snapshot)?;
        Ok(snapshot)
    };
    Ok([compile("plain", &plain)?, compile("proved", &proved)?])
}

/// The configuration with alpha as the last table, so that more can be said of
/// it.
fn alpha_last(config: &str) -> String {
    let (before, bravo) = config.split_once("[tenants.bravo]").unwrap_or((config, ""));
    let (head, alpha) = before.split_once("[tenants.alpha]").unwrap_or((before, ""));
    format!("{head}[tenants.bravo]{bravo}\n[tenants.alpha]{alpha}")
}

/// The table, in Markdown.
pub(super) fn table(report: &Report) -> String {
    let mut out = String::from(
        "| arm | requests/s | p50 µs | p99 µs | CPU µs/request | over the first |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in &report.rows {
        out.push_str(&format!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.1} | {:+.1} |{}\n",
            row.arm,
            row.requests_per_second,
            row.p50_micros,
            row.p99_micros,
            row.cpu_micros,
            row.added_micros,
            match row.errors {
                0 => String::new(),
                errors => format!(" {errors} ERRORS"),
            },
        ));
    }
    let Check { first, again } = report.check;
    out.push_str(&format!(
        "\nThe check alone, in Envoy's engine: {:.1} µs the first time, {:.2} µs from then on.\n",
        first as f64 / 1e3,
        again as f64 / 1e3,
    ));
    out
}

/// The page in `docs`.
pub(super) fn page(report: &Report, rounds: u32, root: &Path) -> Result<String> {
    Ok(format!(
        "# Benchmarks of proofs of presence\n\n\
         The last run of `cargo xtask bench --step-up --write`; do not edit by hand.\n\n\
         {}, {}, Envoy {}, {rounds} rounds, median of each figure.\n\n{}\n{METHOD}",
        super::today(),
        super::machine(),
        tools::envoy(root)?.version,
        table(report),
    ))
}

const METHOD: &str = "\
## How it is measured

Three Envoys with one worker each run the guard with a directory, which nginx plays; wrk (one thread, eight
connections) loads them in turn. They differ in the schema, which asks for a proof for the operation or does not,
and in the proofs that requests bring: one that the worker knows by now, or one of 5,000 in turn, of which it
remembers 1,024 at most, so that every signature is verified. Differences are taken within a round; those of less
than ten microseconds are noise here. So the check itself is also timed where it runs: one request to a module with
nothing else makes 500 first checks and 20,000 of a token that is known, each with the two questions for the time
that the guard asks (`filters/wasm/examples/stopwatch.rs`). What is used once is asked of the control plane on top,
over the network; that is not in here.
";
