//! `ig access review`

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

/// The most users that are listed: a review of more is nobody's.
const MAX_USERS: usize = 200_000;

/// List who holds what: admin tokens with their roles, groups that the operator's issuer
/// gives roles, and each tenant's users with the groups that they are in.
///
/// Suspended users and tokens that ended are in it as well. It needs an owner's token.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig access review
  ig access review --csv -o access.csv
  ig access review --json --tenant alpha")]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Only users of this tenant; again for more. All of them, by default.
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// Print JSON: as evidence has it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV (RFC 4180): a line for each token and user.
    #[arg(long)]
    csv: bool,
    /// Write it here, and print nothing.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const HEAD: [&str; 7] = ["KIND", "TENANT", "NAME", "ROLE", "STATE", "SINCE", "GROUPS"];

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let review = review(&client, &args.tenants)?;
    if let Some(path) = &args.output {
        let bytes = match args.csv {
            true => csv(&rows(&review)),
            false => serde_json::to_string_pretty(&review)? + "\n",
        };
        files::write(path, bytes.as_bytes())?;
    } else if args.json {
        output::json(&review)?;
    } else if args.csv {
        output::line(csv(&rows(&review)).replace('\r', "").trim_end())?;
    } else {
        output::table(HEAD, rows(&review))?;
    }
    Ok(Outcome::Clean)
}

fn review(client: &Client, only: &[String]) -> Result<Value> {
    let tokens = client.get_json("/tokens")?;
    let roles = client.get_json("/access/roles")?;
    let mut names = only.to_vec();
    if names.is_empty() {
        let listed = client.get_json("/tenants")?;
        let listed = listed.as_object().cloned().unwrap_or_default();
        names.extend(listed.into_iter().map(|(tenant, _)| tenant));
    }
    let mut tenants = Vec::new();
    let mut many = 0;
    for tenant in names {
        let users = users(client, &tenant)?;
        many += users.len();
        ensure!(
            many <= MAX_USERS,
            "more than {MAX_USERS} users: name some tenants with --tenant"
        );
        tenants.push(json!({"tenant": tenant, "users": users}));
    }
    Ok(json!({"tokens": tokens, "roles": roles, "tenants": tenants}))
}

fn users(client: &Client, tenant: &str) -> Result<Vec<Value>> {
    let path = format!("/tenants/{}/access?limit=1000", encode(tenant));
    let mut users = Vec::new();
    let mut next = path.clone();
    loop {
        let page = client.get_json(&next)?;
        users.extend(page["items"].as_array().cloned().unwrap_or_default());
        let Some(cursor) = page["next"].as_str() else {
            return Ok(users);
        };
        ensure!(
            users.len() <= MAX_USERS,
            "{tenant} has more than {MAX_USERS} users"
        );
        next = format!("{path}&cursor={}", encode(cursor));
    }
}

fn rows(review: &Value) -> Vec<[String; 7]> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for token in list(&review["tokens"]) {
        let state = match (&token["revokedAt"], &token["expiresAt"]) {
            (Value::Null, Value::Null) => "active".to_owned(),
            (Value::Null, at) => format!("until {}", time(at)),
            (at, _) => format!("revoked {}", time(at)),
        };
        let tenant = match list(&token["tenants"]).is_empty() {
            true => text(&token["tenant"]),
            false => text(&token["tenants"]),
        };
        rows.push([
            "token".to_owned(),
            tenant,
            text(&token["name"]),
            text(&token["role"]),
            state,
            time(&token["createdAt"]),
            "-".to_owned(),
        ]);
    }
    let roles = review["roles"]["roles"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for (role, groups) in &roles {
        let role = role.as_str();
        let issuer = text(&review["roles"]["issuer"]);
        let groups = text(groups);
        let cells = [
            "issuer",
            "-",
            issuer.as_str(),
            role,
            "active",
            "-",
            groups.as_str(),
        ];
        rows.push(cells.map(ToOwned::to_owned));
    }
    for tenant in list(&review["tenants"]) {
        for user in list(&tenant["users"]) {
            let role = match (user["admin"] == true, user["privileged"] == true) {
                (true, _) => "tenant-admin",
                (false, true) => "privileged",
                (false, false) => "user",
            };
            let state = if user["active"] == true {
                "active"
            } else {
                "suspended"
            };
            rows.push([
                "user".to_owned(),
                text(&tenant["tenant"]),
                text(&user["userName"]),
                role.to_owned(),
                state.to_owned(),
                time(&user["createdAt"]),
                text(&user["groups"]),
            ]);
        }
    }
    rows
}

/// RFC 4180. A spreadsheet takes what begins with `=` for a formula, so nothing does.
fn csv(rows: &[[String; 7]]) -> String {
    let field = |text: &String| {
        let harmless = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text != "-" {
            true => format!("'{text}"),
            false => text.clone(),
        };
        format!("\"{}\"", harmless.replace('"', "\"\""))
    };
    let head = HEAD.map(|name| name.to_lowercase());
    let lines = std::iter::once(&head).chain(rows);
    lines
        .map(|row| row.iter().map(field).collect::<Vec<_>>().join(",") + "\r\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_ends_a_line_or_is_a_formula() {
        let row = ["=1+1", "a\"b", "a,b", "-", "@x", "", "x"].map(ToOwned::to_owned);
        let text = csv(&[row]);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("\"kind\",\"tenant\""));
        assert_eq!(
            lines.next(),
            Some("\"'=1+1\",\"a\"\"b\",\"a,b\",\"-\",\"'@x\",\"\",\"x\"")
        );
    }

    #[test]
    fn everybody_is_a_line() {
        let review = json!({
            "tokens": [{"name": "ci", "role": "publisher", "tenants": [], "tenant": null,
                "createdAt": 0, "expiresAt": null, "revokedAt": null}],
            "roles": {"issuer": "https://login.example", "roles": {"owner": ["ops"]}},
            "tenants": [{"tenant": "alpha", "users": [
                {"userName": "a", "active": true, "admin": true, "privileged": true,
                    "groups": ["admins"], "createdAt": 0},
                {"userName": "b", "active": false, "admin": false, "privileged": false,
                    "groups": [], "createdAt": 0},
            ]}],
        });
        let rows = rows(&review);
        let short: Vec<_> = rows
            .iter()
            .map(|row| (&*row[0], &*row[2], &*row[3], &*row[4]))
            .collect();
        assert_eq!(
            short,
            [
                ("token", "ci", "publisher", "active"),
                ("issuer", "https://login.example", "owner", "active"),
                ("user", "a", "tenant-admin", "active"),
                ("user", "b", "user", "suspended"),
            ]
        );
    }
}
