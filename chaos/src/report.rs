//! A page that shows what happened: each scenario's verdicts, and its requests over
//! time with the faults behind them. It needs nothing but itself.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::history::{Event, Fault, Micros};
use crate::run::Outcome;
use crate::versions::Versions;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 160.0;

/// Milliseconds at the top of the plot; what took longer is there too.
const TOP: f64 = 1000.0;

/// Colours of answers: served, denied, refused for a fault, none at all.
const COLOURS: [(&str, &str); 4] = [
    ("served", "#2a7"),
    ("denied", "#88a"),
    ("unavailable", "#e80"),
    ("no answer", "#c22"),
];

/// Removes a report that an earlier run may have left.
///
/// # Errors
/// If it is there and stays.
pub fn forget(report: &Path) -> Result<()> {
    match std::fs::remove_file(report) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", report.display()))
        }
        _ => Ok(()),
    }
}

/// What every page begins with, under its title.
pub(crate) fn head(title: &str, versions: &Versions) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>\
         body{{font:14px sans-serif;max-width:960px;margin:2em auto;color:#222}}\
         h2{{margin-top:2em}}.fail{{color:#c22}}.pass{{color:#185}}svg{{background:#fafafa}}\
         td,th{{padding:2px 10px;text-align:left}}pre{{white-space:pre-wrap}}\
         </style><h1>{title}</h1><p>"
    );
    let known = |one: &Option<String>| one.as_deref().unwrap_or("not known").to_owned();
    let dirty = match versions.is_dirty {
        Some(true) => ", and what was changed since",
        _ => "",
    };
    for text in [
        format!(
            "Version {}, commit {}{dirty}.",
            versions.version,
            known(&versions.commit)
        ),
        format!("Envoy: {}.", known(&versions.envoy)),
        format!("{}.", known(&versions.postgres)),
        format!("{}.", known(&versions.redis)),
        format!("{}; {}.", versions.machine, known(&versions.date)),
    ] {
        let _ = write!(page, "{}<br>", escaped(&text));
    }
    page.push_str("</p>");
    page
}

/// The page of outcomes and their histories.
pub fn page(versions: &Versions, outcomes: &[(Outcome, Vec<Event>)]) -> String {
    let mut page = head("Chaos", versions);
    page.push_str(
        "<table><tr><th>scenario<th>verdict<th>served meanwhile<th>not\
         <th>p95 ms<th>recovered after ms",
    );
    for (outcome, _) in outcomes {
        let figures = &outcome.figures;
        let _ = write!(
            page,
            "<tr><td><a href=\"#{name}\">{name}</a><td class=\"{class}\">{class}\
             <td>{}<td>{}<td>{:.0}<td>{:.0}",
            figures.served,
            figures.unserved,
            figures.p95,
            figures.recovery,
            name = escaped(&outcome.name),
            class = if outcome.holds { "pass" } else { "fail" },
        );
    }
    page.push_str("</table>");
    for (outcome, events) in outcomes {
        section(&mut page, outcome, events);
    }
    page.push_str("</html>\n");
    page
}

fn section(page: &mut String, outcome: &Outcome, events: &[Event]) {
    let _ = write!(
        page,
        "<h2 id=\"{name}\">{name}</h2><p>{}. Seed {}, {} seconds.</p>",
        escaped(outcome.about),
        outcome.seed,
        outcome.duration,
        name = escaped(&outcome.name),
    );
    plot(page, events, &outcome.faults);
    page.push_str("<p>");
    for (name, colour) in COLOURS {
        let _ = write!(
            page,
            "<span style=\"color:{colour}\">&#9679;</span> {name} &nbsp; "
        );
    }
    page.push_str(
        "<br>Bars at the top, a row for each gateway: hosts left out (brown), breakers open (red).",
    );
    page.push_str("</p><table><tr><th>invariant<th>verdict<th>looked at");
    for verdict in &outcome.verdicts {
        let name = serde_json::to_value(verdict.invariant).unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td>{}<td class=\"{class}\">{class}<td>{}",
            escaped(name.as_str().unwrap_or_default()),
            verdict.looked_at,
            class = if verdict.holds { "pass" } else { "fail" },
        );
    }
    page.push_str("</table><p>Answers: ");
    for (answer, count) in &outcome.figures.answers {
        let _ = write!(page, "{} {count}; ", escaped(answer));
    }
    page.push_str("</p>");
    for (name, breaker) in &outcome.figures.breakers {
        let _ = write!(
            page,
            "<div>{} opened {} times, was open for {} ms, and {}</div>",
            escaped(name),
            breaker.trips,
            breaker.open_ms,
            if breaker.recovered {
                "closed"
            } else {
                "stayed open"
            },
        );
    }
    for fault in &outcome.faults {
        let _ = write!(
            page,
            "<div>{:.1}–{:.1} s: {}</div>",
            seconds(fault.from),
            seconds(fault.until),
            escaped(&fault.name)
        );
    }
    for violation in outcome.verdicts.iter().flat_map(|one| &one.violations) {
        let _ = write!(page, "<pre class=\"fail\">{}</pre>", escaped(violation));
    }
}

fn seconds(at: Micros) -> f64 {
    at as f64 / 1e6
}

fn plot(page: &mut String, events: &[Event], faults: &[Fault]) {
    let requests: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Request(request) => Some(request),
            _ => None,
        })
        .collect();
    let from = requests.iter().map(|one| one.at).min().unwrap_or_default();
    let until = requests
        .iter()
        .map(|one| one.at + one.took)
        .max()
        .unwrap_or(from);
    let span = until.saturating_sub(from).max(1) as f64;
    let x = |at: Micros| at.saturating_sub(from) as f64 / span * WIDTH;
    let _ = write!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\
         <title>Time that requests took, and faults</title>"
    );
    for fault in faults {
        let _ = write!(
            page,
            "<rect x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"#f2d0d0\" \
             stroke=\"#e0a0a0\"/>",
            x(fault.from),
            x(fault.until) - x(fault.from)
        );
    }
    let y = |milliseconds: f64| {
        // Logarithmic, from a millisecond.
        let part = (milliseconds.clamp(1.0, TOP)).ln() / TOP.ln();
        HEIGHT - 4.0 - part * (HEIGHT - 8.0)
    };
    for (milliseconds, label) in [(10.0, "10 ms"), (100.0, "100 ms"), (350.0, "350 ms")] {
        let at = y(milliseconds);
        let _ = write!(
            page,
            "<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ccc\"/>\
             <text x=\"2\" y=\"{at:.1}\" font-size=\"10\" fill=\"#666\">{label}</text>"
        );
    }
    for event in events {
        let Event::Breakers(seen) = event else {
            continue;
        };
        // A row for each gateway, below the top: what is out, and what is open.
        let row = 4.0 + 8.0 * seen.gateway as f64;
        for (is_so, at, colour) in [
            (seen.hosts_out > 0, row, "#b70"),
            (!seen.open.is_empty(), row + 3.0, "#c22"),
        ] {
            if is_so {
                let _ = write!(
                    page,
                    "<rect x=\"{:.1}\" y=\"{at}\" width=\"6\" height=\"3\" fill=\"{colour}\"/>",
                    x(seen.at)
                );
            }
        }
    }
    for request in requests {
        let kind = match (request.status, request.code.as_deref()) {
            (200, _) => 0,
            (0, _) => 3,
            (502..=504, _) => 2,
            _ => 1,
        };
        // Which deny it was, for who points at it.
        let code = request.code.as_deref().map(escaped);
        let code = code.map_or_else(String::new, |code| format!("<title>{code}</title>"));
        let _ = write!(
            page,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"1.6\" fill=\"{}\">{code}</circle>",
            x(request.at),
            y(request.took as f64 / 1000.0),
            COLOURS[kind].1
        );
    }
    page.push_str("</svg>");
}

pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, one| {
        match one {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            '"' => all.push_str("&quot;"),
            one => all.push(one),
        }
        all
    })
}
