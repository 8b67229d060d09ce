//! The frame of every page.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::session::Session;

/// A page. `session` is whoever is logged in, for the way around and out.
pub(super) fn page(title: &str, session: Option<&Session>, content: Markup) -> Html<String> {
    framed(title, session, html! {}, content)
}

/// A page with more in its head.
pub(super) fn framed(
    title: &str,
    session: Option<&Session>,
    head: Markup,
    content: Markup,
) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – IntelGraph Guard" }
                link rel="stylesheet" href=(assets::style());
                @if let Some(session) = session {
                    meta name="csrf" content=(session.csrf);
                    script src=(assets::script()) defer {}
                }
                (head)
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                header {
                    p class="brand" { a href="/console" { "IntelGraph Guard" } }
                    @if let Some(session) = session { (way(session)) }
                }
                main id="content" tabindex="-1" {
                    h1 { (title) }
                    div id="messages" role="status" aria-live="polite" {}
                    (content)
                }
            }
        }
    };
    Html(page.into_string())
}

/// Where to go, by what the caller may.
fn way(session: &Session) -> Markup {
    let is_own = session.by.only_tenant().is_some();
    let sees_all = session.by.require(crate::auth::Role::Viewer).is_ok();
    html! {
        nav aria-label="Pages" {
            ul {
                li { a href="/console" { "Start" } }
                @if sees_all {
                    li { a href="/console/proxies" { "Proxies" } }
                    li { a href="/console/revisions" { "Revisions" } }
                    li { a href="/console/catalogue" { "Catalogue" } }
                }
                @if is_own || sees_all {
                    li { a href="/console/tenants" { @if is_own { "Settings" } @else { "Residency" } } }
                    li { a href="/console/decisions" { "Decisions" } }
                }
            }
        }
        form method="post" action="/console/logout" {
            input type="hidden" name="csrf" value=(session.csrf);
            button type="submit" class="plain" { "Log out" }
        }
    }
}

/// A table that scrolls by itself where the window is narrow.
pub(super) fn table(caption: &str, heads: &[&str], rows: Vec<Vec<Markup>>) -> Markup {
    html! {
        @if rows.is_empty() {
            p class="empty" { "Nothing here yet." }
        } @else {
            div class="scroll" role="region" tabindex="0" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody {
                        @for row in &rows { tr { @for cell in row { td { (cell) } } } }
                    }
                }
            }
        }
    }
}

/// A point in time, in milliseconds since the epoch.
pub(super) fn time(millis: i64) -> Markup {
    let exact = ig_scim::time::format(millis);
    let shown = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) { (shown) " UTC" } }
}

/// Something long that is the same or not: its first characters, all on demand.
pub(super) fn code(text: &str) -> Markup {
    let short: String = text.chars().take(12).collect();
    html! {
        @if short.len() < text.len() {
            code title=(text) { (short) "…" }
        } @else {
            code { (text) }
        }
    }
}

/// What may be missing.
pub(super) fn or_none(text: Option<&str>) -> Markup {
    html! { @match text { Some(text) => (text), None => { span class="none" { "–" } } } }
}
