//! What administrators look at. Each page shows what its route of the API
//! answers the same caller, and nothing else.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::layout::{self, code, or_none, table, time};
use super::refusal::Refused;
use super::session::Session;
use crate::app::App;
use crate::auth::encoded;
use crate::decisions::{self, Decision};
use crate::extract::{Json, Path, Query};
use crate::page::PageQuery;
use crate::{catalogue as documents, graphs, proxies as edges, snapshots, tenants as all_tenants};

/// Entries of a page.
const LIMIT: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Chosen {
    graph: Option<String>,
    cursor: Option<String>,
}

impl Chosen {
    fn page(&self) -> PageQuery {
        PageQuery {
            cursor: self.cursor.clone(),
            limit: Some(LIMIT),
        }
    }
}

pub(super) async fn proxies(
    State(app): State<App>,
    session: Session,
) -> Result<Html<String>, Refused> {
    let Json(all) = edges::list(State(app), session.by.clone()).await?;
    let rows = all.iter().map(|one| {
        let is_current = one.wanted.is_some() && one.wanted == one.accepted;
        vec![
            html! { (one.node) },
            or_none(one.identity.as_deref()),
            html! { (one.resource) },
            html! {
                @match (is_current, &one.last_refusal) {
                    (true, _) => span class="good" { "up to date" },
                    (false, Some(_)) => span class="bad" { "refused" },
                    (false, None) => span { "on its way" },
                }
            },
            html! { @if let Some(revision) = &one.accepted { (code(revision)) } @else { "none" } },
            html! { @if let Some(at) = one.since { (time(at)) } @else { "–" } },
            html! { @if let Some(refusal) = &one.last_refusal {
                (refusal.reason) " (" (code(&refusal.revision)) ", " (time(refusal.at)) ")"
            } @else { "none" } },
        ]
    });
    let heads = [
        "Node",
        "Identity",
        "Filter",
        "State",
        "Runs",
        "Since",
        "Last refusal",
    ];
    let content = table("Proxies that are connected", &heads, rows.collect());
    Ok(layout::page("Proxies", Some(&session), content))
}

/// The graph that is chosen, or else the first, and the form that chooses.
async fn choose(
    app: &App,
    session: &Session,
    chosen: &Chosen,
) -> Result<(Option<String>, Markup), Refused> {
    let Json(names) = graphs::list(State(app.clone()), session.by.clone()).await?;
    let graph = chosen.graph.clone().or_else(|| names.first().cloned());
    let form = html! {
        form method="get" class="inline" {
            label for="graph" { "Graph" }
            select id="graph" name="graph" {
                @for name in &names {
                    option value=(name) selected[graph.as_ref() == Some(name)] { (name) }
                }
            }
            button type="submit" { "Show" }
        }
    };
    Ok((graph, form))
}

/// The link to the next page, if there may be one.
fn more(next: Option<&str>, graph: Option<&str>) -> Markup {
    let graph = graph.map(|graph| format!("&graph={}", encoded(graph)));
    html! {
        @if let Some(next) = next {
            p { a class="button" href={ "?cursor=" (encoded(next)) (graph.unwrap_or_default()) } { "Next page" } }
        }
    }
}

pub(super) async fn revisions(
    State(app): State<App>,
    session: Session,
    Query(chosen): Query<Chosen>,
) -> Result<Html<String>, Refused> {
    let (graph, form) = choose(&app, &session, &chosen).await?;
    let Some(graph) = graph else {
        let content = html! { p class="empty" { "There is no graph yet." } };
        return Ok(layout::page("Revisions", Some(&session), content));
    };
    let page = Query(chosen.page());
    let Json(page) =
        snapshots::list(State(app), session.by.clone(), Path(graph.clone()), page).await?;
    let rows = page.items.iter().map(|one| {
        vec![
            html! { (one.number) },
            code(&one.revision),
            time(one.published_at),
            html! { (one.published_by) },
        ]
    });
    let heads = ["Number", "Revision", "Published", "By"];
    let content = html! {
        (form)
        (table("Publications, the last first", &heads, rows.collect()))
        (more(page.next.as_deref(), Some(&graph)))
    };
    Ok(layout::page("Revisions", Some(&session), content))
}

pub(super) async fn catalogue(
    State(app): State<App>,
    session: Session,
    Query(chosen): Query<Chosen>,
) -> Result<Html<String>, Refused> {
    let (graph, form) = choose(&app, &session, &chosen).await?;
    let Some(graph) = graph else {
        let content = html! { p class="empty" { "There is no graph yet." } };
        return Ok(layout::page("Catalogue", Some(&session), content));
    };
    let filter = Query(documents::Filter { retired: true });
    let by = session.by.clone();
    let page = Query(chosen.page());
    let Json(page) = documents::list(State(app), by, Path(graph.clone()), filter, page).await?;
    let rows = page.items.iter().map(|one| {
        vec![
            html! { details { summary { (first_line(&one.text)) } pre tabindex="0" { (one.text) } } },
            code(&one.hash),
            html! { @if one.clients.is_empty() { "every client" } @else { (one.clients.join(", ")) } },
            html! { (one.uses) },
            html! { @match one.last_used_at { Some(at) => (time(at)), None => "never" } },
            html! { @match one.retired_at { Some(at) => (time(at)), None => "no" } },
        ]
    });
    let heads = [
        "Operation",
        "Hash",
        "Clients",
        "Uses",
        "Last used",
        "Retired",
    ];
    let content = html! {
        (form)
        (table("Operations of the graph", &heads, rows.collect()))
        (more(page.next.as_deref(), Some(&graph)))
    };
    Ok(layout::page("Catalogue", Some(&session), content))
}

/// Enough of a document to know it by.
fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default().chars().take(60).collect()
}

pub(super) async fn tenants(
    State(app): State<App>,
    session: Session,
) -> Result<Html<String>, Refused> {
    let Json(all) = all_tenants::list(State(app), session.by.clone()).await?;
    let list = |values: &std::collections::BTreeSet<String>| match values.is_empty() {
        true => "none".to_owned(),
        false => values.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let rows = all.iter().map(|(id, tenant)| {
        vec![
            html! { (id) },
            or_none(tenant.region.as_deref()),
            html! { (list(&tenant.purposes)) },
            html! {
                @if tenant.purposes_by_group.is_empty() { "none" } @else {
                    ul { @for (group, purposes) in &tenant.purposes_by_group {
                        li { (group) ": " (list(purposes)) }
                    } }
                }
            },
            html! { @if tenant.issuers.is_empty() { "none" } @else {
                ul { @for issuer in tenant.issuers.keys() { li { (issuer) } } }
            } },
        ]
    });
    let heads = [
        "Tenant",
        "Region",
        "Purposes",
        "Purposes by group",
        "Issuers",
    ];
    let title = match session.by.only_tenant() {
        Some(_) => "Settings",
        None => "Residency",
    };
    let content = table(
        "Where data lives, and what it may be used for",
        &heads,
        rows.collect(),
    );
    Ok(layout::page(title, Some(&session), content))
}

pub(super) async fn decisions(
    State(app): State<App>,
    session: Session,
    Query(chosen): Query<Chosen>,
) -> Result<Html<String>, Refused> {
    let filter = decisions::Filter {
        graph: chosen.graph.clone().filter(|graph| !graph.is_empty()),
        ..decisions::Filter::default()
    };
    let by = session.by.clone();
    let page = Query(chosen.page());
    let Json(page) = decisions::list(State(app), by, Query(filter), page).await?;
    let heads = [
        "Time",
        "Graph",
        "Tenant",
        "Actor",
        "Operation",
        "Purpose",
        "Outcome",
        "Rule",
        "Step-up",
        "Decision",
    ];
    let content = html! {
        (table("Decisions, the last first", &heads, page.items.iter().map(decision).collect()))
        (more(page.next.as_deref(), chosen.graph.as_deref()))
    };
    Ok(layout::page("Decisions", Some(&session), content))
}

/// What a guard said of a decision.
pub(super) fn record(decision: &Decision) -> Value {
    serde_json::from_str(decision.record.get()).unwrap_or_default()
}

pub(super) fn outcome(outcome: Option<&str>) -> Markup {
    html! {
        @match outcome {
            Some("allow") => span class="good" { "allowed" },
            Some("deny") => span class="bad" { "denied" },
            Some(other) => (other),
            None => "–",
        }
    }
}

fn decision(one: &Decision) -> Vec<Markup> {
    let record = record(one);
    let text = |name: &str| record[name].as_str();
    vec![
        time(one.at),
        html! { (one.graph) },
        or_none(text("tenantId")),
        or_none(text("actor")),
        or_none(text("operation")),
        or_none(text("purpose")),
        outcome(text("outcome")),
        or_none(text("rule")),
        html! { @if text("stepUp").is_some() { "yes" } @else { "no" } },
        html! { @if let Some(id) = text("decisionId") { (code(id)) } @else { "–" } },
    ]
}
