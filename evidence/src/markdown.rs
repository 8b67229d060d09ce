//! The controls, for people: generated from `controls.toml` and, in a bundle, with the
//! verdicts.

use std::fmt::Write as _;

use crate::{Claim, Control, Controls, Judged, Verdict, Verdicts};

/// The page. Without verdicts, it says what would decide.
#[must_use]
pub fn page(controls: &Controls, verdicts: Option<&Verdicts>) -> String {
    let mut page = format!("# {}\n\n", plain(&controls.title));
    page.push_str(
        "<!-- Generated from evidence/controls.toml by ig-evidence: changes here are lost. -->\n\n",
    );
    let _ = writeln!(page, "{}\n", plain(&controls.notice));
    match verdicts {
        Some(verdicts) => released(&mut page, verdicts),
        None => page.push_str(
            "`PASS`: the evidence is in the bundle, of its commit and day, and passed. `GAP`: evidence \
             is missing, so nothing is known. `FAIL`: evidence says that it does not hold, or is not \
             what it should be. A control has the worst verdict of its claims.\n\n",
        ),
    }
    summary(&mut page, controls, verdicts);
    for control in &controls.controls {
        let judged = verdicts.and_then(|all| all.controls.iter().find(|one| one.id == control.id));
        section(&mut page, control, judged);
    }
    page
}

fn released(page: &mut String, verdicts: &Verdicts) {
    let Verdicts {
        version,
        commit,
        created,
        ..
    } = verdicts;
    let _ = writeln!(
        page,
        "Version {version}, commit `{commit}`, judged {created}.\n"
    );
    let counts = [Verdict::Pass, Verdict::Gap, Verdict::Fail]
        .map(|verdict| format!("{} {}", verdicts.count(verdict), verdict.as_str()));
    let _ = writeln!(page, "{}.\n", counts.join(", "));
}

fn summary(page: &mut String, controls: &Controls, verdicts: Option<&Verdicts>) {
    page.push_str(match verdicts {
        Some(_) => "| control | SOC 2 | NIST SP 800-53 | verdict |\n|---|---|---|---|\n",
        None => "| control | SOC 2 | NIST SP 800-53 | checks |\n|---|---|---|---|\n",
    });
    for (place, control) in controls.controls.iter().enumerate() {
        let verdict = verdicts.and_then(|all| all.controls.get(place));
        let last = match verdict {
            Some(judged) => judged.verdict.as_str().to_owned(),
            None => {
                let checks = control.claims.iter().map(|claim| claim.check.as_str());
                checks.collect::<Vec<_>>().join(", ")
            }
        };
        let nist: Vec<_> = control.nist.iter().map(|id| shown(id)).collect();
        let (title, soc2) = (plain(&control.title), control.soc2.join(", "));
        let _ = writeln!(page, "| {title} | {soc2} | {} | {last} |", nist.join(", "));
    }
    page.push('\n');
}

fn section(page: &mut String, control: &Control, judged: Option<&Judged>) {
    let _ = writeln!(page, "## {}\n", plain(&control.title));
    let _ = writeln!(page, "{}\n", plain(&control.text));
    let _ = writeln!(page, "What is yours to do: {}\n", plain(&control.yours));
    page.push_str(match judged {
        Some(_) => "| claim | files | verdict | why |\n|---|---|---|---|\n",
        None => "| claim | files | check | decides by |\n|---|---|---|---|\n",
    });
    for (place, claim) in control.claims.iter().enumerate() {
        let files: Vec<_> = claim
            .check
            .files()
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let (says, files) = (plain(&claim.says), files.join(", "));
        let _ = match judged.and_then(|judged| judged.claims.get(place)) {
            Some(found) => {
                let (verdict, why) = (found.verdict.as_str(), plain(&found.why));
                writeln!(page, "| {says} | {files} | {verdict} | {why} |")
            }
            None => {
                let check = claim.check.as_str();
                writeln!(page, "| {says} | {files} | `{check}` | {} |", rule(claim))
            }
        };
    }
    page.push('\n');
}

fn rule(claim: &Claim) -> String {
    let rule = claim.check.rule();
    match claim.names.as_slice() {
        [] => rule.to_owned(),
        names => {
            let names: Vec<_> = names
                .iter()
                .map(|name| format!("`{}`", plain(name)))
                .collect();
            format!("{rule}: {}", names.join(", "))
        }
    }
}

/// `ac-6.7` as NIST prints it: `AC-6(7)`.
fn shown(nist: &str) -> String {
    let upper = nist.to_ascii_uppercase();
    match upper.split_once('.') {
        Some((control, enhancement)) => format!("{control}({enhancement})"),
        None => upper,
    }
}

/// One line, and nothing that ends a cell or a comment.
fn plain(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}
