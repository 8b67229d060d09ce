//! A tracker: as much of GitHub's and of Gitea's API as is called, after their
//! documentation (docs.github.com/rest/issues; Gitea's swagger, `issueListIssues`,
//! `issueCreateIssue`, `issueEditIssue`, `issueListLabels`).

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ig_control_plane::TrackerKind;
use serde_json::{Value, json};

/// What it takes.
pub(super) const TOKEN: &str = "tracker_secret_0123456789";

/// How a call fails, once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It is not done. A status, and a header.
    Status(u16, &'static str, &'static str),
    /// It is not done, and the answer has the token in it.
    Echo(u16),
    /// The next creation is done, and the answer is an error.
    DoneAndLost,
    /// The next creation is done, and the answer never comes.
    DoneAndSilent,
}

#[derive(Default)]
struct Repository {
    issues: Vec<Value>,
    faults: VecDeque<Fault>,
    writes: usize,
    /// The highest number that was given.
    last: i64,
}

impl Repository {
    fn open(&mut self, title: &str, body: &str, labels: Value) -> Value {
        // No number comes twice, whatever was deleted.
        let numbers = self.issues.iter();
        let highest = numbers.filter_map(|one| one["number"].as_i64()).max();
        self.last = self.last.max(highest.unwrap_or_default()) + 1;
        let issue = json!({
            "number": self.last, "title": title, "body": body, "labels": labels, "state": "open",
        });
        self.issues.push(issue.clone());
        issue
    }
}

/// A running tracker with one repository; it ends with the process.
pub(super) struct Stub {
    pub(super) kind: TrackerKind,
    address: SocketAddr,
    repository: Arc<Mutex<Repository>>,
}

#[derive(Clone)]
struct Shared {
    kind: TrackerKind,
    repository: Arc<Mutex<Repository>>,
}

impl Stub {
    pub(super) fn start(kind: TrackerKind) -> Self {
        let repository = Arc::new(Mutex::new(Repository::default()));
        // More than a page of others, one of which is a pull request.
        for number in 1..=70 {
            let mut issue = json!({
                "number": number, "title": "other", "state": "closed", "labels": [],
                "body": Value::Null,
            });
            if kind == TrackerKind::Github && number == 7 {
                issue["pull_request"] = json!({"url": "x"});
            }
            lock(&repository).issues.push(issue);
        }
        let shared = Shared {
            kind,
            repository: repository.clone(),
        };
        let (send, address) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                let routes = Router::new().fallback(answer).with_state(shared);
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self {
            kind,
            address: address.recv().unwrap(),
            repository,
        }
    }

    pub(super) fn url(&self) -> String {
        match self.kind {
            TrackerKind::Github => format!("http://{}", self.address),
            TrackerKind::Gitea => format!("http://{}/api/v1/", self.address),
        }
    }

    pub(super) fn fail(&self, faults: &[Fault]) {
        lock(&self.repository).faults.extend(faults);
    }

    /// Whether each fault has happened.
    pub(super) fn failed_all(&self) -> bool {
        lock(&self.repository).faults.is_empty()
    }

    /// Issues that were created or changed, in all.
    pub(super) fn writes(&self) -> usize {
        lock(&self.repository).writes
    }

    pub(super) fn issue(&self, number: i64) -> Value {
        let repository = lock(&self.repository);
        let mut issues = repository.issues.iter();
        issues
            .find(|issue| issue["number"] == number)
            .unwrap()
            .clone()
    }

    /// Issues of alerts.
    pub(super) fn own(&self) -> Vec<Value> {
        let repository = lock(&self.repository);
        let is_own = |issue: &&Value| {
            let body = issue["body"].as_str().unwrap_or_default();
            body.starts_with("<!-- ig-alert: ")
        };
        repository.issues.iter().filter(is_own).cloned().collect()
    }

    /// An issue that somebody else opens.
    pub(super) fn plant(&self, body: &str) -> i64 {
        let mut repository = lock(&self.repository);
        repository.open("planted", body, json!([]))["number"]
            .as_i64()
            .unwrap()
    }

    /// A label that somebody else puts there.
    pub(super) fn add_label(&self, number: i64, name: &str) {
        let (id, _) = LABELS.iter().find(|(_, known)| *known == name).unwrap();
        let label = match self.kind {
            TrackerKind::Github => json!(name),
            TrackerKind::Gitea => json!(id),
        };
        let mut repository = lock(&self.repository);
        let mut issues = repository.issues.iter_mut();
        let issue = issues.find(|issue| issue["number"] == number).unwrap();
        issue["labels"].as_array_mut().unwrap().push(label);
    }

    pub(super) fn labels(&self, issue: &Value) -> Vec<String> {
        let labels = issue["labels"].as_array().unwrap().iter();
        let name = |label: &Value| match self.kind {
            TrackerKind::Github => label.as_str().unwrap().to_owned(),
            TrackerKind::Gitea => {
                let known = LABELS.iter().find(|(id, _)| *label == *id);
                known.unwrap().1.to_owned()
            }
        };
        labels.map(name).collect()
    }

    pub(super) fn delete(&self, number: i64) {
        let mut repository = lock(&self.repository);
        repository.issues.retain(|issue| issue["number"] != number);
    }
}

/// Gitea's, by id.
const LABELS: [(i64, &str); 3] = [(4, "alert"), (5, "bug"), (9, "page")];

fn lock(repository: &Mutex<Repository>) -> MutexGuard<'_, Repository> {
    repository.lock().unwrap()
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (scheme, base) = match shared.kind {
        TrackerKind::Github => ("Bearer", "/repos/acme/operations/"),
        TrackerKind::Gitea => ("token", "/api/v1/repos/acme/operations/"),
    };
    let authorization = headers.get("authorization");
    if authorization.is_none_or(|value| value != &format!("{scheme} {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    // GitHub answers 403 to whoever does not say who it is.
    if !headers.contains_key("user-agent") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(path) = uri.path().strip_prefix(base) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_creation = method == Method::POST && path == "issues";
    let fault = next_fault(&shared, is_creation);
    match fault {
        Some(Fault::Status(status, name, value)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return match name {
                "" => (status, "no JSON").into_response(),
                name => (status, [(name, value)]).into_response(),
            };
        }
        Some(Fault::Echo(status)) => {
            return (StatusCode::from_u16(status).unwrap(), TOKEN).into_response();
        }
        Some(Fault::DoneAndLost | Fault::DoneAndSilent) | None => {}
    }
    let done = perform(&shared, &method, path, &query, &body);
    match fault {
        Some(Fault::DoneAndLost) => StatusCode::BAD_GATEWAY.into_response(),
        Some(Fault::DoneAndSilent) => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            done
        }
        _ => done,
    }
}

fn next_fault(shared: &Shared, is_creation: bool) -> Option<Fault> {
    let mut repository = lock(&shared.repository);
    let is_of_creation = matches!(
        repository.faults.front(),
        Some(Fault::DoneAndLost | Fault::DoneAndSilent)
    );
    match is_of_creation && !is_creation {
        true => None,
        false => repository.faults.pop_front(),
    }
}

fn perform(
    shared: &Shared,
    method: &Method,
    path: &str,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Response {
    let mut repository = lock(&shared.repository);
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    match (method.as_str(), path) {
        ("GET", "issues") => list(shared.kind, &repository, query),
        ("GET", "labels") if shared.kind == TrackerKind::Gitea => {
            let labels = LABELS.map(|(id, name)| json!({"id": id, "name": name}));
            axum::Json(labels).into_response()
        }
        ("POST", "issues") => {
            let text = |name: &str| sent[name].as_str().unwrap().to_owned();
            let issue = repository.open(&text("title"), &text("body"), sent["labels"].clone());
            repository.writes += 1;
            (StatusCode::CREATED, axum::Json(issue)).into_response()
        }
        ("POST", path) if path.ends_with("/labels") => {
            let number = path
                .trim_start_matches("issues/")
                .trim_end_matches("/labels");
            let number: Value = number.parse::<i64>().unwrap().into();
            let mut issues = repository.issues.iter_mut();
            let issue = issues.find(|issue| issue["number"] == number).unwrap();
            let labels = issue["labels"].as_array_mut().unwrap();
            for label in sent["labels"].as_array().unwrap() {
                if !labels.contains(label) {
                    labels.push(label.clone());
                }
            }
            let labels = labels.clone();
            repository.writes += 1;
            axum::Json(labels).into_response()
        }
        ("PATCH", path) => {
            let number = path
                .strip_prefix("issues/")
                .and_then(|number| number.parse::<i64>().ok());
            let mut issues = repository.issues.iter_mut();
            let Some(issue) =
                issues.find(|issue| Some(&issue["number"]) == number.map(Value::from).as_ref())
            else {
                return StatusCode::NOT_FOUND.into_response();
            };
            for key in ["title", "body", "state"] {
                issue[key] = sent[key].clone();
            }
            let issue = issue.clone();
            repository.writes += 1;
            let status = match shared.kind {
                TrackerKind::Github => StatusCode::OK,
                TrackerKind::Gitea => StatusCode::CREATED,
            };
            (status, axum::Json(issue)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A page, the newest first.
fn list(kind: TrackerKind, repository: &Repository, query: &HashMap<String, String>) -> Response {
    let size = match kind {
        TrackerKind::Github => "per_page",
        TrackerKind::Gitea => "limit",
    };
    let number = |name: &str| {
        query
            .get(name)
            .and_then(|value| value.parse::<usize>().ok())
    };
    let (Some(size), Some(page)) = (number(size), number("page")) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    if query.get("state").is_none_or(|state| state != "all") {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let newest = repository.issues.iter().rev();
    let page: Vec<&Value> = newest.skip((page - 1) * size).take(size).collect();
    axum::Json(json!(page)).into_response()
}
