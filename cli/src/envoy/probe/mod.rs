//! `ig envoy probe`: whether a gateway enforces its allow-list, as a client
//! finds out. That a configuration was accepted proves nothing.

mod request;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use ig_contract::DenyCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::control_plane::{Client, Connection, encode};
use crate::{Outcome, files, output};
use request::{Header, Sender, Way};
use verdict::{Verdict, judge};

/// Find out whether a gateway enforces its allow-list.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig envoy probe http://127.0.0.1:10000/graphql --token-file token
  ig envoy probe http://127.0.0.1:10000/graphql --token-file token --wait 60s --hold 5s --json
  ig envoy probe http://127.0.0.1:10000/graphql --token-file token --header 'host: graph.example' --graph demo

It sends a harmless query that no catalogue has (`query IgProbe…{__typename}`) by POST, by
GET, as a batch, under a wrong media type and in pieces, and expects of each that the guard
denies it. A deny of anybody else is none. Where the guard knows who asks, it needs an access
token: who has none is denied for that, which proves nothing of texts.

It exits with 0 when all are denied, with 1 when one went past the guard, and with 2 when it
could not find out.")]
pub(crate) struct Args {
    /// The gateway, with the path of the graph.
    #[arg(value_name = "URL", value_parser = request::url)]
    url: String,
    /// File with an access token to send; any that the gateway verifies.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A header to send; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,
    /// Another code with which the guard may deny; may be given several times.
    #[arg(long, value_name = "CODE", value_parser = code)]
    expect_code: Vec<DenyCode>,
    /// The graph that the guard must be of. The control plane is asked whose
    /// decision it was.
    #[arg(long)]
    graph: Option<String>,
    #[command(flatten)]
    control_plane: Connection,
    /// Authorities to trust when the gateway has TLS.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    ca: PathBuf,
    /// For each answer.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// Try again for so long until it is enforced.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    wait: Duration,
    /// Go on asking: it must be enforced for so long without a break. Where an upgrade
    /// replaces gateways, the first that answers may be one of before.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    hold: Duration,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Pause before all is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait: a Job has a deadline of its own.
const MAX_DURATION: Duration = Duration::from_secs(3600);

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match duration <= MAX_DURATION {
        true => Ok(duration),
        false => Err("an hour is the most".to_owned()),
    }
}

fn code(text: &str) -> Result<DenyCode, &'static str> {
    let known = DenyCode::ALL.into_iter().find(|code| code.as_str() == text);
    known.ok_or("docs/answers.md lists the codes, such as PERSISTED_QUERY_ID_REQUIRED")
}

/// One request of a round, and what became of it.
#[derive(Serialize)]
struct Finding {
    request: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    let mut headers = args.header.clone();
    if let Some(file) = &args.token_file {
        headers.push(Header::bearer(files::read_text(file)?.trim())?);
    }
    let sender = Sender::new(&args.url, headers, args.timeout, &args.ca)?;
    let control_plane = match &args.graph {
        Some(graph) => Some((graph.as_str(), Client::new(&args.control_plane)?)),
        None => None,
    };
    let started = Instant::now();
    let mut enforced_since = None;
    loop {
        let asked = Instant::now();
        let mut findings = round(&sender, &args.expect_code);
        if let (Some((graph, client)), true) = (&control_plane, is_enforced(&findings)) {
            let verdict = decided(client, graph, &findings, args.timeout);
            findings.push(Finding {
                request: "graph",
                verdict,
            });
        }
        enforced_since = is_enforced(&findings).then(|| enforced_since.unwrap_or(asked));
        let is_over = match enforced_since {
            Some(since) => since.elapsed() >= args.hold,
            None => started.elapsed() + PAUSE > args.wait,
        };
        if is_over {
            return report(&args, &findings);
        }
        std::thread::sleep(PAUSE);
    }
}

fn is_enforced(findings: &[Finding]) -> bool {
    let is_denied = |finding: &Finding| matches!(finding.verdict, Verdict::Denied { .. });
    findings.iter().all(is_denied)
}

/// Each way once. Where nobody listens, the others are not tried.
fn round(sender: &Sender, also: &[DenyCode]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for way in Way::ALL {
        let verdict = match sender.send(way) {
            Ok(answer) => judge(&answer, way.expected(), also),
            Err(verdict) => verdict,
        };
        let is_unreached = matches!(verdict, Verdict::Unreached { .. });
        findings.push(Finding {
            request: way.name(),
            verdict,
        });
        if is_unreached {
            break;
        }
    }
    name_the_flag(&mut findings);
    findings
}

/// A request with a body that is not answered, where one without a body is
/// denied: so does Envoy where the guard cannot hold headers back.
fn name_the_flag(findings: &mut [Finding]) {
    let is_get_denied = findings.iter().any(|finding| {
        finding.request == Way::Get.name() && matches!(finding.verdict, Verdict::Denied { .. })
    });
    for finding in findings.iter_mut() {
        if let (Verdict::Silent { detail }, true) = (&mut finding.verdict, is_get_denied) {
            detail.push_str(
                "; requests without a body are denied, so the guard's filter most likely lacks \
                 `allow_on_headers_stop_iteration: true`, which Envoy knows since 1.35",
            );
        }
    }
}

/// Whether the control plane has a decision of the round as one of the graph's.
fn decided(client: &Client, graph: &str, findings: &[Finding], patience: Duration) -> Verdict {
    let mut ids = findings
        .iter()
        .filter_map(|finding| finding.verdict.decision());
    let Some(id) = ids.next_back() else {
        return Verdict::unclear("no request has a decision");
    };
    let started = Instant::now();
    loop {
        let path = format!("/decisions?decisionId={}", encode(id));
        let found = match client.get_json(&path) {
            Ok(page) => page["items"][0]["graph"].as_str().map(ToOwned::to_owned),
            Err(error) => return Verdict::unclear(format!("{error:#}")),
        };
        match found {
            Some(found) if found == graph => return Verdict::of_graph(id),
            Some(found) => {
                return Verdict::passed(format!("the guard is of the graph `{found}`"));
            }
            None if started.elapsed() > patience => {
                return Verdict::unclear("the decision did not arrive at the control plane");
            }
            None => std::thread::sleep(PAUSE),
        }
    }
}

fn report(args: &Args, findings: &[Finding]) -> Result<Outcome> {
    let passed = findings
        .iter()
        .find(|one| matches!(one.verdict, Verdict::Passed { .. }));
    let enforced: Value = match (passed, is_enforced(findings)) {
        (Some(_), _) => json!(false),
        (None, true) => json!(true),
        (None, false) => Value::Null,
    };
    if args.json {
        output::json(&json!({"url": args.url, "enforced": enforced, "requests": findings}))?;
    } else {
        let rows = findings.iter().map(|one| {
            let told = one.verdict.told();
            [one.request.to_owned(), told.0.to_owned(), told.1]
        });
        output::table(["REQUEST", "OUTCOME", "DETAIL"], rows)?;
    }
    if let Some(passed) = passed {
        crate::output::remark(format_args!(
            "NOT enforced ({}): {}",
            passed.request,
            passed.verdict.told().1
        ));
        return Ok(Outcome::Findings);
    }
    let open = findings
        .iter()
        .find(|one| !matches!(one.verdict, Verdict::Denied { .. }));
    match open {
        None => Ok(Outcome::Clean),
        Some(open) => {
            let (_, detail) = open.verdict.told();
            Err(anyhow!(
                "could not find out whether {} enforces its allow-list ({}): {detail}",
                args.url,
                open.request
            ))
        }
    }
}
