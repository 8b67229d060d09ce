//! The text of an issue. Labels and annotations are strangers' words: in the text
//! they stand in code spans, where trackers see no mention, link, reference or HTML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::webhook::{Alert, Message, Status};

/// The longest title, in characters.
const MAX_TITLE: usize = 200;
/// The longest value in the text, in characters.
const MAX_VALUE: usize = 500;
/// The most alerts that are told one by one.
const MAX_ALERTS: usize = 20;
/// The most labels and annotations of an alert that are told.
const MAX_PAIRS: usize = 20;
/// The longest text, in bytes: trackers take 65,536 characters.
const MAX_BODY: usize = 60_000;
/// The longest link.
const MAX_LINK: usize = 500;
/// Days after which a group that nobody tells of any more is given up.
pub(super) const SILENT_DAYS: i64 = 90;

/// What an issue of a group is recognised by: with a hash that nobody else can make,
/// since whoever may open issues may write anything into them.
pub(super) fn marker(id: &str, mac: &str) -> String {
    format!("<!-- ig-alert: {id} {mac} -->")
}

/// One line, at most: by the name of what fires, and where.
pub(super) fn title(message: &Message) -> String {
    let name = message.name();
    let others = message
        .group_labels
        .iter()
        .filter(|(key, _)| *key != "alertname");
    let mut title = plain(name);
    for (at, (key, value)) in others.enumerate() {
        let sign = if at == 0 { ": " } else { ", " };
        let _ = write!(title, "{sign}{}={}", plain(key), plain(value));
    }
    if let Some(summary) = message.common_annotations.get("summary") {
        let _ = write!(title, ": {}", plain(summary));
    }
    bounded(&title, MAX_TITLE)
}

/// All of it, but the marker.
pub(super) fn body(message: &Message) -> String {
    let mut body = String::new();
    let firing = message
        .alerts
        .iter()
        .filter(|one| one.status == Status::Firing);
    let firing = firing.count();
    let _ = match firing {
        0 => writeln!(body, "Nothing of this fires any more.\n"),
        1 => writeln!(body, "One alert fires.\n"),
        many => writeln!(body, "{many} alerts fire.\n"),
    };
    pairs(&mut body, "", &message.common_annotations);
    if let Some(url) = message.common_annotations.get("runbook_url") {
        let _ = writeln!(body, "\nWhat to do: {}\n", link(url));
    }
    let mut alerts: Vec<&Alert> = message.alerts.iter().collect();
    alerts.sort_by_key(|one| (one.status, &one.fingerprint, &one.starts_at));
    let mut shown = 0;
    for alert in alerts.iter().take(MAX_ALERTS) {
        let (word, time) = match alert.status {
            Status::Firing => ("Fires since", &alert.starts_at),
            Status::Resolved => ("Over since", &alert.ends_at),
        };
        let mut told = format!("- {word} {}\n", code(time));
        pairs(&mut told, "  ", &alert.labels);
        let own = alert.annotations.iter();
        let own = own.filter(|(key, value)| message.common_annotations.get(*key) != Some(*value));
        let own = own
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        pairs(&mut told, "  ", &own);
        if body.len() + told.len() > MAX_BODY {
            break;
        }
        body += &told;
        shown += 1;
    }
    let all = message.alerts.len() + usize::try_from(message.truncated_alerts).unwrap_or_default();
    if all > shown {
        let _ = writeln!(body, "\n{all} alerts in all; Alertmanager has the others.");
    }
    body
}

/// What stands before the last text of a group that is given up.
pub(super) fn given_up() -> String {
    format!(
        "Nobody has told of this for {SILENT_DAYS} days. Whether it is over is not known: this issue \
         is closed, and opened again if anybody tells of it. What was said last:\n\n"
    )
}

fn pairs(text: &mut String, indent: &str, pairs: &BTreeMap<String, String>) {
    for (key, value) in pairs.iter().take(MAX_PAIRS) {
        let _ = writeln!(text, "{indent}- {}: {}", code(key), code(value));
    }
}

/// A code span (CommonMark 0.31, 6.1), fenced by more backticks than any run in it.
fn code(value: &str) -> String {
    let value = bounded(&visible(value), MAX_VALUE);
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    let mut longest = 0;
    let mut run = 0;
    for character in value.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // One space of each side is taken away again.
    format!("{fence} {value} {fence}")
}

/// A link, where it is one of TLS and nothing else.
fn link(url: &str) -> String {
    let is_link = url.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && url.len() <= MAX_LINK
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#=&%+,".contains(&byte))
    });
    if is_link {
        format!("<{url}>")
    } else {
        code(url)
    }
}

/// For titles, which are no Markdown everywhere: without what could be a mention.
fn plain(text: &str) -> String {
    visible(text).replace('@', "\u{ff20}").replace('`', "'")
}

/// Without controls, and without characters that change how others look.
fn visible(text: &str) -> String {
    let is_hidden = |character: char| matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars()
        .take(MAX_VALUE + 1)
        .filter(|character| !is_hidden(*character))
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect::<String>()
        .trim()
        .to_owned()
}

fn bounded(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_spans() {
        for (value, expected) in [
            ("plain", "` plain `"),
            ("@all see #1 <!-- x -->", "` @all see #1 <!-- x --> `"),
            ("a`b", "`` a`b ``"),
            ("`` ` ```", "```` `` ` ``` ````"),
            ("two\n\n# lines\r\n- x", "` two  # lines  - x `"),
            ("\u{202e}back\u{200b}", "` back `"),
            (" \n ", "(empty)"),
        ] {
            assert_eq!(code(value), expected);
        }
        let long = code(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MAX_VALUE + 4);
    }

    #[test]
    fn links_are_of_tls_or_text() {
        assert_eq!(link("https://a.example/b#c"), "<https://a.example/b#c>");
        for url in [
            "http://a.example",
            "javascript:alert(1)",
            "https://a> @all <b",
            "https://a/\n",
            "https://user@a.example/",
            "https://",
        ] {
            assert!(link(url).starts_with("` "), "{url}");
        }
    }

    #[test]
    fn titles_are_a_line_that_mentions_nobody() {
        let mut message = Message {
            group_labels: [
                ("alertname".into(), "A`@x\n".into()),
                ("b".into(), "@c".into()),
            ]
            .into(),
            ..Message::default()
        };
        assert_eq!(title(&message), "A'\u{ff20}x: b=\u{ff20}c");
        message.common_annotations = [("summary".into(), "s".repeat(1000))].into();
        assert_eq!(title(&message).chars().count(), MAX_TITLE);
    }

    #[test]
    fn a_text_has_a_longest_length_whatever_it_is_of() {
        let wide: BTreeMap<String, String> = (0..100)
            .map(|number| {
                (
                    format!("{number}{}", "k".repeat(900)),
                    "`\u{e9}".repeat(9000),
                )
            })
            .collect();
        let alert = Alert {
            labels: wide.clone(),
            annotations: wide.clone(),
            ..Alert::default()
        };
        let message = Message {
            common_annotations: wide,
            alerts: vec![alert; 900],
            ..Message::default()
        };
        let text = body(&message);
        assert!(text.starts_with("900 alerts fire.\n"));
        let noted = given_up() + &text;
        assert!(noted.len() < 65_536, "{}", noted.len());
        assert!(text.ends_with("900 alerts in all; Alertmanager has the others.\n"));
        // Also of few, where they are too long.
        let few = Message {
            alerts: message.alerts[..MAX_ALERTS].to_vec(),
            ..message
        };
        let text = body(&few);
        assert!(text.len() < 65_536, "{}", text.len());
        assert!(text.ends_with("20 alerts in all; Alertmanager has the others.\n"));
    }
}
