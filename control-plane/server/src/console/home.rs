//! The start page: who I am, my passkeys, what was decided of me lately.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::layout::{self, table, time};
use super::refusal::Refused;
use super::session::Session;
use crate::app::App;
use crate::auth::{Person, encoded};
use crate::decisions::{self, Decision};
use crate::error::ApiError;
use crate::tenants;
use crate::webauthn::passkeys::{self, Shown};

/// Own decisions that are shown.
const SHOWN: i64 = 20;

pub(super) async fn page(
    State(app): State<App>,
    session: Session,
) -> Result<Html<String>, Refused> {
    let content = match session.person() {
        Some(person) => of_person(&app, person).await?,
        None => html! {
            p { "You are here with the token " b { (session.by.name) } "." }
            p { "The pages above show what proxies run, what may be asked, where tenants' data \
                lives, and what was decided." }
        },
    };
    Ok(layout::page("Start", Some(&session), content))
}

async fn of_person(app: &App, person: &Person) -> Result<Markup, ApiError> {
    let stored = passkeys::of(&mut *app.store.pool().acquire().await?, person).await?;
    let keys: Vec<Shown> = stored.into_iter().map(|one| one.shown).collect();
    let decided = own_decisions(app, person).await?;
    Ok(html! {
        dl class="facts" {
            div { dt { "You" } dd { (person.session.subject) } }
            div { dt { "Tenant" } dd { (person.tenant) } }
            div { dt { "Logged in at" } dd { (person.session.issuer) } }
            @if person.is_admin { div { dt { "Role" } dd { "Admin of the tenant" } } }
        }
        section aria-labelledby="passkeys" {
            h2 id="passkeys" { "Passkeys" }
            @if keys.is_empty() {
                p { "You have no passkey yet. You need one to approve exports and other actions \
                    that take data out." }
            } @else {
                (table("Your passkeys", &["Name", "Added", "Last used", "Maker vouches", "Remove"],
                    keys.iter().map(row).collect()))
            }
            (add(person, keys.len()))
        }
        section aria-labelledby="decisions" {
            h2 id="decisions" { "Your recent decisions" }
            @match decided {
                Some(decided) => (table("What was decided of your requests",
                    &["Time", "Graph", "Operation", "Outcome", "Rule", "Step-up"],
                    decided.iter().map(decision).collect())),
                None => p { "They are not shown: your tenant has several issuers, and what was \
                    decided names subjects without theirs, so it cannot be told whose it is." },
            }
        }
    })
}

/// None where it cannot be told whose they are: a decision has a subject, and no
/// issuer.
async fn own_decisions(app: &App, person: &Person) -> Result<Option<Vec<Decision>>, ApiError> {
    let mut connection = app.store.pool().acquire().await?;
    let settings = tenants::read(&mut connection, &person.tenant).await?;
    drop(connection);
    if settings.is_none_or(|tenant| tenant.issuers.len() != 1) {
        return Ok(None);
    }
    let subject = &person.session.subject;
    decisions::of_actor(app, &person.tenant, subject, SHOWN)
        .await
        .map(Some)
}

fn row(key: &Shown) -> Vec<Markup> {
    vec![
        html! { (key.name) },
        time(key.created_at),
        html! { @match key.used_at { Some(at) => (time(at)), None => "never" } },
        html! { @if key.attested { "yes" } @else { "no" } },
        html! {
            button type="button" class="plain" data-remove=(key.id)
                aria-label={ "Remove the passkey " (key.name) } { "Remove" }
        },
    ]
}

/// The form that adds a passkey. A login that is too old is renewed by a link
/// that the script shows.
fn add(person: &Person, known: usize) -> Markup {
    let again = format!(
        "/console/login?tenant={}&fresh=1&next=%2Fconsole",
        encoded(&person.tenant)
    );
    html! {
        @if known < passkeys::MOST {
            form id="register" data-first=[(known == 0).then_some("yes")] {
                label for="name" { "Name of the new passkey" }
                input id="name" name="name" required maxlength="60" autocomplete="off"
                    placeholder="My laptop";
                @if known > 0 {
                    p class="hint" { "You are asked twice: for a passkey that you have, then for \
                        the new one." }
                }
                button type="submit" { "Add a passkey" }
                button type="button" class="plain" data-cancel hidden { "Cancel" }
            }
        }
        p id="again" hidden { a class="button" href=(again) { "Log in again" } }
        noscript { p class="message bad" { "Passkeys need JavaScript, which is off here." } }
    }
}

fn decision(one: &Decision) -> Vec<Markup> {
    let record = super::admin::record(one);
    let text = |name: &str| record[name].as_str().map(ToOwned::to_owned);
    vec![
        time(one.at),
        html! { (one.graph) },
        layout::or_none(text("operation").as_deref()),
        super::admin::outcome(text("outcome").as_deref()),
        layout::or_none(text("rule").as_deref()),
        html! { @if text("stepUp").is_some() { "yes" } @else { "no" } },
    ]
}
