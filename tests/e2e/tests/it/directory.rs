//! Who asks, as a directory says it over HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ig_contract::directory::{Change, Changes, ChangesRequest, Facts, FactsRequest};
use ig_e2e::{Fixture, RawRequest, demo, http2};
use ig_envoy::{Address, ControlPlane, Endpoints};
use tokio::sync::watch;

use crate::gateway::{ALLOWED, Gateway, denied};
use crate::identity::eventually;
use crate::reload::Discovery;
use crate::skip;

/// A directory with one user, whom every subject of alpha is linked to.
#[derive(Clone)]
pub(crate) struct People {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// What polls wait for.
    changed: watch::Sender<()>,
}

struct State {
    facts: Facts,
    changes: Vec<(u64, Change)>,
    questions: Vec<FactsRequest>,
    polls: Vec<ChangesRequest>,
    delay: Duration,
    is_down: bool,
    /// What polls are answered instead.
    nonsense: Option<Vec<u8>>,
}

impl People {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let facts = Facts {
            position: 1,
            user: Some("u-1".into()),
            active: true,
            step_up_from: 0,
            groups: ["analyst".to_owned()].into(),
        };
        let people = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                facts,
                changes: Vec::new(),
                questions: Vec::new(),
                polls: Vec::new(),
                delay: Duration::ZERO,
                is_down: false,
                nonsense: None,
            })),
            changed: watch::Sender::new(()),
        };
        let serving = people.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let people = serving.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let people = people.clone();
                        async move { Ok::<_, Infallible>(people.answer(request).await) }
                    });
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        people
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, request: http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.headers()["content-type"], "application/json");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let json = match path.as_str() {
            "/directory/v1/facts" => self.facts(&body).await,
            "/directory/v1/changes" => self.changes(&body).await,
            other => panic!("{other}"),
        };
        let status = if self.state().is_down { 503 } else { 200 };
        let mut response = http::Response::new(Full::new(json.into()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        response
    }

    async fn facts(&self, body: &[u8]) -> Vec<u8> {
        let question: FactsRequest = serde_json::from_slice(body).unwrap();
        let (facts, delay) = {
            let mut state = self.state();
            state.questions.push(question);
            (serde_json::to_vec(&state.facts).unwrap(), state.delay)
        };
        tokio::time::sleep(delay).await;
        facts
    }

    async fn changes(&self, body: &[u8]) -> Vec<u8> {
        let poll: ChangesRequest = serde_json::from_slice(body).unwrap();
        self.state().polls.push(poll.clone());
        let mut changed = self.changed.subscribe();
        let is_over = |state: &State| {
            state.is_down
                || state.nonsense.is_some()
                || poll.after.is_none_or(|after| state.facts.position > after)
        };
        let wait = async {
            while !is_over(&self.state()) {
                changed.changed().await.unwrap();
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(poll.wait_ms.into()), wait).await;
        let state = self.state();
        if let Some(nonsense) = &state.nonsense {
            return nonsense.clone();
        }
        let since = state
            .changes
            .iter()
            .filter(|(position, _)| poll.after.is_some_and(|after| *position > after));
        let changes = Changes {
            position: state.facts.position,
            reset: false,
            changes: since.map(|(_, change)| change.clone()).collect(),
        };
        serde_json::to_vec(&changes).unwrap()
    }

    pub(crate) fn change(&self, edit: impl FnOnce(&mut Facts)) {
        self.change_of("alpha", "u-1", edit);
    }

    fn change_of(&self, tenant: &str, user: &str, edit: impl FnOnce(&mut Facts)) {
        let mut state = self.state();
        edit(&mut state.facts);
        state.facts.position += 1;
        let change = Change {
            tenant: tenant.into(),
            user: Some(user.into()),
        };
        let position = state.facts.position;
        state.changes.push((position, change));
        drop(state);
        self.changed.send_replace(());
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.state().is_down = is_down;
        self.changed.send_replace(());
    }

    /// Changes users of another tenant, for as long as the answer lives.
    fn change_others(&self) -> tokio::task::JoinSet<()> {
        let people = self.clone();
        let mut burst = tokio::task::JoinSet::new();
        burst.spawn(async move {
            for number in 0_u64.. {
                people.change_of("bravo", &format!("u-{number}"), |_| ());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        burst
    }

    fn questions(&self) -> usize {
        self.state().questions.len()
    }

    /// Waits until both of Envoy's threads, the worker and the main one, know the
    /// position.
    pub(crate) async fn until_polled(&self) {
        eventually(async || {
            let state = self.state();
            let known = Some(state.facts.position);
            state
                .polls
                .iter()
                .filter(|poll| poll.after == known)
                .count()
                >= 2
        })
        .await;
    }
}

pub(crate) async fn fixture() -> Fixture {
    let mut fixture = demo().await.unwrap();
    let settings = r#"{"cluster":"control-plane","authority":"control","timeoutMs":2000}"#;
    fixture.head.directory = Some(serde_json::from_str(settings).unwrap());
    let alpha = fixture.head.tenants.get_mut("alpha").unwrap();
    alpha.purposes_by_group = [("analyst".to_owned(), ["investigation".to_owned()].into())].into();
    fixture
}

pub(crate) fn with_people(options: &mut ig_envoy::StaticOptions, people: &People) {
    let address = Address::new(people.address.ip().to_string(), people.address.port());
    options.control_plane = Some(ControlPlane {
        endpoints: Endpoints::plain([address]),
        node: "test".into(),
    });
}

async fn start() -> (People, Gateway) {
    let people = People::start().await;
    let gateway =
        Gateway::with_options(fixture().await, |options| with_people(options, &people)).await;
    (people, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_asked_once_and_told_of_changes() {
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    people.until_polled().await;
    for _ in 0..5 {
        assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
    }
    assert_eq!(people.questions(), 1);
    let question = people.state().questions[0].clone();
    assert_eq!(
        (&*question.graph, &*question.subject),
        ("test", "a@alpha.io")
    );
    let begun = Instant::now();
    people.change(|facts| facts.active = false);
    eventually(async || is_denied_by(&gateway, "suspended").await).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    people.change(|facts| facts.active = true);
    eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
    people.change(|facts| facts.groups.clear());
    eventually(async || is_denied_by(&gateway, "purpose-not-granted").await).await;
    // It waited each time, and was not asked all the time.
    assert!(people.state().polls.len() < 20);
}

async fn is_denied_by(gateway: &Gateway, rule: &str) -> bool {
    gateway.send_id("Cases").await.rule().as_deref() == Some(rule)
}

/// What others change, however much and for however long, hides no suspension,
/// keeps nobody out, and makes no worker ask all the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_another_tenant_hides_nobody() {
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    people.until_polled().await;
    let (before, begun) = (people.state().polls.len(), Instant::now());
    let _burst = people.change_others();
    for _ in 0..10 {
        eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
        people.change(|facts| facts.active = false);
        eventually(async || is_denied_by(&gateway, "suspended").await).await;
        people.change(|facts| facts.active = true);
    }
    // Others change while it is asked who these are.
    eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
    people.state().delay = Duration::from_millis(200);
    for number in 0..5 {
        let stranger = format!("stranger-{number}");
        let claims = ig_e2e::TokenClaims::alpha().with("sub", stranger.into());
        let token = gateway.fixture.issuer.token(&claims);
        let request = crate::gateway::request_with_token(&token, &gateway.id("Cases"));
        assert_eq!(gateway.send(request).await.verdict(), ALLOWED);
    }
    // By two threads, each at most every 40 ms.
    let polls = people.state().polls.len() - before;
    let most = 2 * (begun.elapsed().as_millis() / 40 + 1);
    assert!(polls as u128 <= most, "{polls} polls, {most} at most");
}

/// What polls are answered may have been of anybody, where it cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_forgets_everybody() {
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    let long = vec![b' '; ig_contract::directory::MAX_CHANGES_BYTES + 1];
    for nonsense in [b"<html>".to_vec(), long, Vec::new()] {
        people.until_polled().await;
        eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
        people.state().nonsense = Some(nonsense);
        people.change(|facts| facts.active = false);
        eventually(async || is_denied_by(&gateway, "suspended").await).await;
        people.state().nonsense = None;
        people.change(|facts| facts.active = true);
    }
}

/// However a request arrives while it is not known who asks, it is decided on
/// its whole body.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_facts_with_all_it_has() {
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    people.until_polled().await;
    people.state().delay = Duration::from_millis(300);
    let body = gateway.id("Cases").into_bytes();
    let chunks: Vec<_> = body.chunks(20).map(<[u8]>::to_vec).collect();
    let whole = gateway.request(&gateway.id("Cases"));
    let chunked = RawRequest {
        chunks: chunks.clone(),
        chunked: true,
        ..whole.clone()
    };
    let trailers = vec![
        ("x-ig-tenant".to_owned(), "bravo".to_owned()),
        ("x-other".to_owned(), "1".to_owned()),
    ];
    let with_trailers = RawRequest {
        trailers: trailers.clone(),
        ..chunked.clone()
    };
    let get = RawRequest {
        method: "GET".into(),
        target: format!(
            "/graphql?documentId=sha256:{}",
            gateway.fixture.hash("Cases")
        ),
        chunks: Vec::new(),
        ..whole.clone()
    };
    let large = RawRequest {
        chunks: vec![vec![b' '; 40_000]; 2],
        ..whole.clone()
    };
    let unknown = gateway.request(r#"{"query":"{ secret }"}"#);
    let table = [
        ("whole", whole, 200),
        ("chunked", chunked, 200),
        ("trailers", with_trailers, 200),
        ("get", get, 200),
        ("large", large, 413),
        ("text", unknown, 400),
        ("remote", gateway.request(&gateway.id("Remote")), 200),
    ];
    for (number, (name, mut request, status)) in table.into_iter().enumerate() {
        for is_http2 in [false, true] {
            people.change(|_| ());
            people.until_polled().await;
            let before = people.questions();
            let seen = if is_http2 {
                let case = format!("facts-{number}");
                request
                    .headers
                    .push(("x-case".into(), case.clone().into_bytes()));
                let response = http2(gateway.envoy.gateway, &request).await.unwrap();
                assert_eq!(response.status, status, "{name}");
                gateway.fixture.recorder.take(&case)
            } else {
                let outcome = gateway.send(request.clone()).await;
                assert_eq!(
                    outcome.response.status,
                    status,
                    "{name}: {:?}",
                    outcome.rule()
                );
                outcome.seen
            };
            // Who sends too much is answered before.
            let is_asked = people.questions() > before;
            assert!(is_asked || status == 413, "{name}");
            assert_eq!(seen.len(), usize::from(status == 200), "{name}");
            for seen in seen {
                assert_eq!(seen.header("x-ig-actor"), ["a@alpha.io"], "{name}");
                assert!(seen.trailers.is_empty(), "{name}: {:?}", seen.trailers);
                let text = String::from_utf8_lossy(&seen.body).into_owned() + &seen.target;
                assert!(text.contains("query"), "{name}: {text}");
            }
        }
    }
}

/// A head whose body comes after its facts.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_after_facts() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    people.until_polled().await;
    let body = gateway.id("Cases");
    let mut head = String::from("POST /graphql HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n");
    for (name, value) in gateway.request("").headers {
        head += &format!("{name}: {}\r\n", String::from_utf8(value).unwrap());
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    // Nothing happened meanwhile, or somebody was suspended.
    for (suspended, expected) in [(false, "HTTP/1.1 200"), (true, "HTTP/1.1 403")] {
        let mut stream = tokio::net::TcpStream::connect(gateway.envoy.gateway)
            .await
            .unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        eventually(async || people.questions() > 0).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        if suspended {
            people.change(|facts| facts.active = false);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_directory_the_guard_knows_whom_it_knew() {
    if !skip::ready() {
        return;
    }
    let (people, gateway) = start().await;
    people.until_polled().await;
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
    people.set_down(true);
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
    let claims = ig_e2e::TokenClaims::alpha().with("sub", "stranger".into());
    let token = gateway.fixture.issuer.token(&claims);
    let stranger = crate::gateway::request_with_token(&token, &gateway.id("Cases"));
    let outcome = gateway.send(stranger.clone()).await;
    assert_eq!(outcome.verdict(), denied(503, "GUARD_UNAVAILABLE"));
    assert_eq!(outcome.rule().as_deref(), Some("directory-unavailable"));
    people.set_down(false);
    assert_eq!(gateway.send(stranger).await.verdict(), ALLOWED);
    // It is polled again, too.
    people.change(|facts| facts.active = false);
    eventually(async || is_denied_by(&gateway, "suspended").await).await;

    // A cluster that is not there is a directory that does not answer.
    let gateway = Gateway::start(fixture().await, |_| ()).await;
    let outcome = gateway.send_id("Cases").await;
    assert_eq!(outcome.rule().as_deref(), Some("directory-unavailable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_goes_on_with_what_is_known() {
    if !skip::ready() {
        return;
    }
    let people = People::start().await;
    let fixture = fixture().await;
    let discovery = Discovery::new(&fixture);
    discovery.publish(&fixture.snapshot().unwrap());
    let mut next = fixture.clone();
    next.retire("Case");
    let make = |gateway, admin| {
        let mut options = fixture.options(gateway, admin)?;
        with_people(&mut options, &people);
        let mut bootstrap = ig_envoy::render(&options);
        discovery.edit(&mut bootstrap);
        Ok(bootstrap)
    };
    let envoy = ig_e2e::Envoy::start(1, make).await.unwrap();
    let gateway = Gateway { fixture, envoy };
    people.until_polled().await;
    assert_eq!(gateway.send_id("Case").await.verdict(), ALLOWED);
    assert_eq!(people.questions(), 1);
    discovery.publish(&next.snapshot().unwrap());
    eventually(async || gateway.send_id("Case").await.verdict() != ALLOWED).await;
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
    assert_eq!(people.questions(), 1);
    people.change(|facts| facts.active = false);
    eventually(async || is_denied_by(&gateway, "suspended").await).await;
}
