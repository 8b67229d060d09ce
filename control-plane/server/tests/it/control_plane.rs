//! A server in this process, and calls to it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ig_control_plane::{CannotServe, Config, Server};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

pub(crate) struct ControlPlane {
    runtime: Runtime,
    http: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<Result<(), CannotServe>>>,
    /// Made at the first start only.
    pub(crate) token: Option<String>,
}

pub(crate) fn config(database: String) -> Config {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        listen: local,
        grpc_listen: local,
        database,
        module: "/etc/envoy/ig_guard.wasm".into(),
    }
}

impl ControlPlane {
    pub(crate) fn start(folder: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = config(format!("sqlite:{}", folder.join("test.db").display()));
        let mut server = runtime.block_on(Server::bind(&config)).unwrap();
        let token = server.bootstrap_token.take();
        let (http, _) = server.addresses().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.serve(async { drop(stopped.await) }));
        Self {
            runtime,
            http,
            stop: Some(stop),
            serving: Some(serving),
            token,
        }
    }

    /// Ends it as SIGTERM would.
    pub(crate) fn stop(mut self) {
        drop(self.stop.take());
        let serving = self.serving.take().unwrap();
        self.runtime.block_on(serving).unwrap().unwrap();
    }

    /// Status and body of a call; `token` is the whole header, if any.
    pub(crate) fn call(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: impl AsRef<[u8]>,
    ) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(20)))
            .proxy(None)
            .build()
            .new_agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.http))
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let mut answer = agent.run(request.body(body.as_ref()).unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (answer.status().as_u16(), body)
    }
}
