//! A directory of a million users: fills a database, starts the control plane on
//! it, and measures what SCIM clients wait for. Prints one line of JSON.
//!
//! `cargo run --release -p ig-control-plane --example directory -- --database
//! sqlite`; `cargo xtask bench --directory` runs it on both databases. The rows
//! are written by SQL, as the API writes them: the first step compares both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use ig_control_plane::Config;
use ig_e2e::{ControlPlane, Postgres};
use serde_json::{Value, json};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyPool, AssertSqlSafe, Connection as _};

/// Measures SCIM on a large directory.
#[derive(Parser)]
struct Args {
    /// Which database.
    #[arg(long, value_enum)]
    database: Kind,
    /// A database to use and to keep, filled if it is empty; without it one is
    /// made and forgotten.
    #[arg(long)]
    url: Option<String>,
    /// Users of the large tenant.
    #[arg(long, default_value_t = 1_000_000)]
    users: i64,
    /// Small tenants.
    #[arg(long, default_value_t = 10_000)]
    tenants: i64,
    /// Users of each small tenant.
    #[arg(long, default_value_t = 100)]
    each: i64,
    /// Members of the large group.
    #[arg(long, default_value_t = 100_000)]
    members: i64,
    /// Calls of each measurement.
    #[arg(long, default_value_t = 200)]
    calls: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let postgres;
    let url = match (&args.url, args.database) {
        (Some(url), _) => url.clone(),
        (None, Kind::Sqlite) => format!("sqlite:{}", folder.path().join("bench.db").display()),
        (None, Kind::Postgres) => {
            postgres = Postgres::start()?;
            postgres.database()?
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    if args.url.is_some() {
        runtime.block_on(forget_tokens(&url));
    }
    let control = ControlPlane::start(Config::local(url.clone(), "/guard.wasm"))?;
    let bench = Bench::new(&control, args)?;
    let seeded = Instant::now();
    runtime.block_on(bench.seed(&url))?;
    eprintln!("seeded in {:.0} s", seeded.elapsed().as_secs_f64());
    println!("{}", bench.measure()?);
    control.stop()
}

/// Of a run before this one; the control plane makes its first token only where
/// there is none. A database that is still empty has no such table.
async fn forget_tokens(url: &str) {
    install_default_drivers();
    if let Ok(mut connection) = sqlx::AnyConnection::connect(url).await {
        let _ = sqlx::query("DELETE FROM tokens")
            .execute(&mut connection)
            .await;
    }
}

struct Bench {
    args: Args,
    http: SocketAddr,
    agent: ureq::Agent,
    big: String,
    small: String,
}

impl Bench {
    fn new(control: &ControlPlane, args: Args) -> Result<Self> {
        let mut tokens = Vec::new();
        for tenant in ["big", "t1"] {
            let settings = json!({"region": "eu-west-1"}).to_string();
            let (status, said) = control.call("PUT", &format!("/tenants/{tenant}"), settings);
            ensure!(status == 204, "{said}");
            let new = json!({"name": tenant, "role": "provisioner", "tenant": tenant});
            let (status, made) = control.call("POST", "/tokens", new.to_string());
            ensure!(status == 201, "{made}");
            tokens.push(made["token"].as_str().context("no token")?.to_owned());
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(120)))
            .proxy(None)
            .build()
            .new_agent();
        let [big, small] = tokens.try_into().ok().context("two tokens")?;
        Ok(Self {
            args,
            http: control.http,
            agent,
            big,
            small,
        })
    }

    fn call(&self, token: &str, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}/scim/v2{path}", self.http))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/scim+json");
        let mut answer = match method {
            "GET" => self.agent.run(request.body(())?)?,
            _ => self.agent.run(request.body(body.to_string())?)?,
        };
        let text = answer.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok((answer.status().as_u16(), body))
    }

    /// Fills the tables, then checks that a row of ours is a row of the API's.
    async fn seed(&self, url: &str) -> Result<()> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .connect(url)
            .await?;
        let Args {
            users,
            tenants,
            each,
            members,
            ..
        } = self.args;
        let (filled,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM scim_counts")
            .fetch_one(&pool)
            .await?;
        if filled > 0 {
            return Ok(());
        }
        let is_sqlite = self.args.database == Kind::Sqlite;
        let run = async |sql: String| -> Result<()> {
            let started = Instant::now();
            sqlx::query(AssertSqlSafe(sql.clone()))
                .execute(&pool)
                .await?;
            let took = started.elapsed().as_secs_f64();
            eprintln!("{took:6.1} s  {}", sql.chars().take(70).collect::<String>());
            Ok(())
        };
        if is_sqlite {
            run("PRAGMA synchronous = OFF".into()).await?;
            run("PRAGMA cache_size = -2000000".into()).await?;
        }
        run("DROP INDEX scim_values_by_value".into()).await?;
        let numbers = |count: i64| {
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers \
                 WHERE n < {count})"
            )
        };
        let insert = "INSERT INTO scim_resources (tenant, kind, id, name, external_id, active, \
                      document, version, created_at, changed_at)";
        let document = |name: &str| {
            format!(
                "'{{\"active\":true,\"displayName\":\"Person '||n||'\",\"emails\":[{{\"primary\":\
                 true,\"type\":\"work\",\"value\":\"'||{name}||'\"}}],\"externalId\":\"ext-'||n||\
                 '\",\"name\":{{\"familyName\":\"Family'||(n % 1000)||'\",\"givenName\":\"Given\
                 '||(n % 300)||'\"}},\"title\":\"Title'||(n % 20)||'\",\"{ENTERPRISE}\":\
                 {{\"department\":\"Dept'||(n % 50)||'\"}},\"userName\":\"'||{name}||'\"}}'"
            )
        };
        let name = "'user'||n||'@big.example'";
        run(format!(
            "{} {insert} SELECT 'big', 'User', 'big-'||n, {name}, 'ext-'||n, 1, {}, 1, n, n \
             FROM numbers",
            numbers(users),
            document(name)
        ))
        .await?;
        let tenant = format!("'t'||((n - 1) / {each})");
        let name = "'user'||n||'@small.example'";
        run(format!(
            "{} {insert} SELECT {tenant}, 'User', 'small-'||n, {name}, 'ext-'||n, 1, {}, 1, n, n \
             FROM numbers",
            numbers(tenants * each),
            document(name)
        ))
        .await?;
        for (key, element, value) in VALUES {
            let number = match is_sqlite {
                true => "CAST(substr(external_id, 5) AS INTEGER)",
                false => "substr(external_id, 5)::BIGINT",
            };
            let value = value.replace("{n}", number);
            run(format!(
                "INSERT INTO scim_values (tenant, resource, key, element, value) \
                 SELECT tenant, number, '{key}', {element}, {value} FROM scim_resources"
            ))
            .await?;
        }
        run(
            "INSERT INTO scim_counts SELECT tenant, kind, COUNT(*) FROM scim_resources \
             GROUP BY tenant, kind"
                .into(),
        )
        .await?;
        run(format!(
            "{insert} VALUES ('big', 'Group', 'big-group', 'everybody', NULL, 1, \
             '{{\"displayName\":\"everybody\"}}', 1, 1, 1)"
        ))
        .await?;
        run(format!(
            "{} INSERT INTO scim_members (tenant, in_group, member, type) \
             SELECT 'big', (SELECT number FROM scim_resources WHERE id = 'big-group'), 'big-'||n, \
             'User' FROM numbers",
            numbers(members)
        ))
        .await?;
        run("CREATE INDEX scim_values_by_value ON scim_values \
             (tenant, key, value, resource, element)"
            .into())
        .await?;
        if !is_sqlite {
            // What autovacuum does by itself after a while.
            run("VACUUM ANALYZE".into()).await?;
        }
        self.compare(&pool).await?;
        pool.close().await;
        Ok(())
    }

    /// What the API writes of a user that looks like ours.
    async fn compare(&self, pool: &AnyPool) -> Result<()> {
        let (status, seeded) = self.call(&self.big, "GET", "/Users/big-7", &Value::Null)?;
        ensure!(status == 200, "{seeded}");
        let mut twin = seeded.clone();
        for name in ["userName", "externalId"] {
            twin[name] = json!("twin");
        }
        let (status, made) = self.call(&self.big, "POST", "/Users", &twin)?;
        ensure!(status == 201, "{made}");
        let rows = async |id: &str| -> Result<Vec<(String, i64, String)>> {
            let rows = sqlx::query_as(
                "SELECT key, element, value FROM scim_values WHERE resource = \
                 (SELECT number FROM scim_resources WHERE id = $1) AND key <> 'userName' \
                 ORDER BY key, element",
            );
            Ok(rows.bind(id.to_owned()).fetch_all(pool).await?)
        };
        let id = made["id"].as_str().context("no id")?;
        let (ours, theirs) = (rows("big-7").await?, rows(id).await?);
        ensure!(ours == theirs, "{ours:?} is not {theirs:?}");
        Ok(())
    }

    fn measure(&self) -> Result<Value> {
        let calls = self.args.calls;
        let users = self.args.users;
        let search = |token: &str, query: &str| -> Result<i64> {
            let (status, body) =
                self.call(token, "GET", &format!("/Users?{query}"), &Value::Null)?;
            ensure!(status == 200, "{query}: {body}");
            body["totalResults"].as_i64().context("no total")
        };
        let nth = |call: usize| 1 + (call as i64 * 7919) % users;
        let by_name = self.times("userName eq", calls, |call| {
            let name = format!("user{}@big.example", nth(call)).to_uppercase();
            let total = search(&self.big, &format!("filter=userName%20eq%20%22{name}%22"))?;
            ensure!(total == 1, "{name}: {total}");
            Ok(())
        })?;
        let co = |token: &str, needle: &str, count: i64| {
            search(
                token,
                &format!(
                    "count={count}&filter=emails%5Btype%20eq%20%22work%22%5D.value%20co%20%22{needle}%22"
                ),
            )
        };
        let contains = self.times("emails co", calls.min(50), |call| {
            let needle = format!("ser{}@", nth(call));
            ensure!(co(&self.big, &needle, 100)? >= 1, "{needle}");
            Ok(())
        })?;
        let one_letter = self.times("emails co one letter", calls.min(10), |_| {
            ensure!(co(&self.big, "x", 100)? >= users, "x");
            Ok(())
        })?;
        let small_contains = self.times("emails co, small tenant", calls.min(50), |_| {
            ensure!(co(&self.small, "ser", 100)? == self.args.each, "small");
            Ok(())
        })?;
        let deep = users / 10 + 1;
        let page =
            |sort: &str| format!("sortBy={sort}&startIndex={deep}&count=100&attributes=userName");
        let sorted = self.times("sorted page", calls.min(50), |_| {
            search(&self.big, &page("userName")).map(drop)
        })?;
        let whole = page("userName").replace("&attributes=userName", "");
        let sorted_whole = self.times("sorted page, all attributes", calls.min(50), |_| {
            search(&self.big, &whole).map(drop)
        })?;
        let sorted_by_family = self.times("sorted page by familyName", calls.min(5), |_| {
            search(&self.big, &page("name.familyName")).map(drop)
        })?;
        let run = std::process::id();
        // Others than those of an earlier run on this database.
        let others = i64::from(run) % (users - self.args.members - calls as i64).max(1);
        let path = "/Groups/big-group";
        let member = self.times("PATCH member", calls.min(100), |call| {
            let id = format!("big-{}", self.args.members + 1 + others + call as i64);
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "add", "path": "members", "value": [{"value": id}]}],
            });
            let (status, said) = self.call(&self.big, "PATCH", path, &body)?;
            ensure!(status == 204, "{status} {said}");
            Ok(())
        })?;
        let create = |token: &str, call: usize| -> Result<()> {
            let name = format!("new{run}-{call}@new.example");
            let body = json!({
                "schemas": [USER], "userName": name, "active": true,
                "emails": [{"value": name, "type": "work"}],
                "name": {"familyName": "New", "givenName": "Given"},
            });
            let (status, said) = self.call(token, "POST", "/Users", &body)?;
            ensure!(status == 201, "{said}");
            Ok(())
        };
        let created = self.times("create", calls, |call| create(&self.big, call))?;
        let created_small = self.times("create, small tenant", calls.min(100), |call| {
            create(&self.small, call)
        })?;
        let parallel = self.parallel(calls * 4, create)?;
        Ok(json!({
            "users": users, "tenants": self.args.tenants, "each": self.args.each,
            "members": self.args.members,
            "userNameEq": by_name, "emailsContain": contains, "emailsContainOneLetter": one_letter,
            "emailsContainSmallTenant": small_contains, "sortedPage": sorted,
            "sortedPageWhole": sorted_whole,
            "sortedPageByFamilyName": sorted_by_family, "patchMember": member,
            "create": created, "createSmallTenant": created_small,
            "createsPerSecond": parallel,
        }))
    }

    /// Milliseconds of calls, one after the other.
    fn times(&self, what: &str, calls: usize, one: impl Fn(usize) -> Result<()>) -> Result<Value> {
        one(0).ok();
        let mut millis = Vec::with_capacity(calls);
        for call in 1..=calls {
            let started = Instant::now();
            one(call)?;
            millis.push(started.elapsed().as_secs_f64() * 1e3);
        }
        millis.sort_by(f64::total_cmp);
        let at = |part: usize| {
            let index = (millis.len() * part).div_ceil(100).max(1) - 1;
            millis.get(index).copied().unwrap_or(f64::NAN)
        };
        let times = json!({"calls": calls, "p50": at(50), "p99": at(99), "max": at(100)});
        eprintln!("{what}: {times}");
        Ok(times)
    }

    /// Creations per second by eight clients.
    fn parallel(
        &self,
        calls: usize,
        one: impl Fn(&str, usize) -> Result<()> + Sync,
    ) -> Result<f64> {
        const CLIENTS: usize = 8;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let one = &one;
                    scope.spawn(move || {
                        (client..calls)
                            .step_by(CLIENTS)
                            .try_for_each(|call| one(&self.big, 1_000_000 + call))
                    })
                })
                .collect();
            clients
                .into_iter()
                .try_for_each(|client| client.join().ok().context("a client ended")?)
        })?;
        Ok(calls as f64 / started.elapsed().as_secs_f64())
    }
}

/// Values of a user, by its number.
const VALUES: [(&str, i64, &str); 14] = [
    ("EnterpriseUser:department", 0, "'dept'||({n} % 50)"),
    ("active", 0, "'true'"),
    ("displayName", 0, "'person '||{n}"),
    ("emails", 0, "'+'"),
    ("emails.primary", 0, "'true'"),
    ("emails.type", 0, "'work'"),
    ("emails.value", 0, "name"),
    ("name", 0, "'+'"),
    ("name.familyName", 0, "'family'||({n} % 1000)"),
    ("name.givenName", 0, "'given'||({n} % 300)"),
    ("schemas", 0, "'urn:ietf:params:scim:schemas:core:2.0:User'"),
    (
        "schemas",
        1,
        "'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'",
    ),
    ("title", 0, "'title'||({n} % 20)"),
    ("userName", 0, "name"),
];
