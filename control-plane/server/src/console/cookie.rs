//! Cookies of the console, and which of its origins a request is at.

use axum::http::header::{COOKIE, HOST};
use axum::http::request::Parts;

use crate::app::App;

/// Longest value that is looked at.
const MAX_BYTES: usize = 4096;

/// A cookie of the console.
#[derive(Clone, Copy)]
pub(super) enum Cookie {
    /// Who is logged in.
    Session,
    /// A login that was begun.
    Login,
}

/// The console's origin that a request is at: what its `Host` names, or else the
/// first.
pub(super) fn origin<'a>(app: &'a App, parts: &Parts) -> &'a str {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    let is_at = |origin: &&String| origin.split_once("://").map(|(_, at)| at) == host;
    let origin = app.origins.iter().find(is_at).or(app.origins.first());
    origin.map(String::as_str).unwrap_or_default()
}

impl Cookie {
    /// Over TLS no other host can set it, and it is sent over TLS only.
    fn name(self, origin: &str) -> &'static str {
        match (self, origin.starts_with("https://")) {
            (Self::Session, true) => "__Host-ig-console",
            (Self::Session, false) => "ig-console",
            (Self::Login, true) => "__Host-ig-console-login",
            (Self::Login, false) => "ig-console-login",
        }
    }

    /// Its value, where there is exactly one.
    pub(super) fn read(self, app: &App, parts: &Parts) -> Option<String> {
        let name = self.name(origin(app, parts));
        let headers = parts.headers.get_all(COOKIE).iter();
        let texts = headers.filter_map(|value| value.to_str().ok());
        let mut values = texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) if value.len() <= MAX_BYTES => Some(value.to_owned()),
            _ => None,
        }
    }

    /// As `Set-Cookie` has it; an empty value takes it away. `seconds` for one
    /// that ends by itself, not with the browser.
    pub(super) fn write(self, origin: &str, value: &str, seconds: Option<u32>) -> String {
        let name = self.name(origin);
        let secure = match origin.starts_with("https://") {
            true => "; Secure",
            false => "",
        };
        let life = match (value.is_empty(), seconds) {
            (true, _) => "; Max-Age=0".to_owned(),
            (false, Some(seconds)) => format!("; Max-Age={seconds}"),
            (false, None) => String::new(),
        };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_its_hosts_over_tls() {
        let secure = Cookie::Session.write("https://a.example", "x", None);
        assert!(secure.starts_with("__Host-ig-console=x; "), "{secure}");
        assert!(secure.contains("; Secure") && secure.contains("; Path=/;"));
        assert!(!secure.contains("Domain"));
        let plain = Cookie::Login.write("http://localhost:1", "x", Some(5));
        assert!(plain.starts_with("ig-console-login=x; "), "{plain}");
        assert!(!plain.contains("Secure") && plain.ends_with("Max-Age=5"));
    }
}
