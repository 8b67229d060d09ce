//! The page that a denied client sends its user to: it shows what is about to be
//! approved, and gives a token for that and nothing else. The token is shown
//! here; it is sent nowhere.

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::layout;
use super::refusal::Refused;
use super::session::Session;
use crate::app::App;
use crate::error::ApiError;
use crate::webauthn::authentication::{self, Intent};
use crate::webauthn::passkeys;

pub(super) async fn page(
    State(app): State<App>,
    session: Session,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Html<String>, Refused> {
    let Some(person) = session.person() else {
        let why = "Only users of a tenant approve actions; you are here with a token.";
        return Err(Refused::new(axum::http::StatusCode::FORBIDDEN, why));
    };
    let intent = read(pairs);
    authentication::check(&app, &intent)?;
    let known = passkeys::of(&mut *app.store.pool().acquire().await?, person).await?;
    let json = serde_json::to_string(&intent).map_err(ApiError::invalid)?;
    let content = html! {
        p { "You are asked to approve this with a passkey. Look at what it is: whoever has the token \
            can do it in your name for two minutes. If no client of yours asked for it, close this page." }
        (shown(&intent))
        @if known.is_empty() {
            div class="message bad" role="alert" {
                p { "You have no passkey yet; add one first, on the " a href="/console" { "start page" } "." }
            }
        } @else {
            form id="approve" data-intent=(json) {
                button type="submit" { "Approve with a passkey" }
                button type="button" class="plain" data-cancel hidden { "Cancel" }
            }
        }
        (granted())
        noscript { p class="message bad" { "Passkeys need JavaScript, which is off here." } }
    };
    Ok(layout::page("Approve", Some(&session), content))
}

/// Actions are separated by spaces, as in the challenge, or named one by one.
fn read(pairs: Vec<(String, String)>) -> Intent {
    let mut intent = Intent {
        graph: None,
        actions: Vec::new(),
        resource: None,
    };
    for (name, value) in pairs {
        match name.as_str() {
            _ if value.is_empty() => {}
            "graph" => intent.graph = Some(value),
            "actions" => intent
                .actions
                .extend(value.split_ascii_whitespace().map(ToOwned::to_owned)),
            "resource" => intent.resource = Some(value),
            _ => {}
        }
    }
    intent
}

fn shown(intent: &Intent) -> Markup {
    html! {
        dl class="facts" {
            div {
                dt { "Graph" }
                dd { @match &intent.graph { Some(graph) => (graph), None => "this control plane" } }
            }
            div {
                dt { "Actions" }
                dd { ul { @for action in &intent.actions { li { code { (action) } } } } }
            }
            div {
                dt { "For" }
                dd {
                    @match &intent.resource {
                        Some(resource) => {
                            "the one request whose content has the digest " (layout::code(resource))
                        }
                        None => "any request of yours with these actions",
                    }
                }
            }
        }
    }
}

/// Where the script puts the token.
fn granted() -> Markup {
    html! {
        section id="granted" hidden aria-labelledby="granted-head" {
            h2 id="granted-head" tabindex="-1" { "Approved" }
            label for="step-up-token" { "Step-up token" }
            textarea id="step-up-token" readonly rows="6" spellcheck="false"
                aria-describedby="step-up-hint" {}
            p id="step-up-hint" class="hint" {
                "Give it to the client that asked, as the header " code { "x-ig-step-up" }
                ". It counts until " time id="step-up-expiry" {} "."
            }
            button type="button" id="copy" { "Copy the token" }
        }
    }
}
