//! A filter that does nothing: the floor of what any Wasm filter costs. Its
//! configuration names host calls it shall make none the less, so that
//! `cargo xtask bench --ladder` can say what each of them adds.

#![expect(missing_docs, reason = "the SDK's macro makes a public function")]

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Probe::default()));
}}

/// What to do; each step has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Default)]
enum Depth {
    #[default]
    Nothing,
    /// Read all headers.
    Headers,
    /// Hold the headers until the whole body is there.
    Hold,
    /// Read the body.
    Body,
    /// Replace it.
    Replace,
    /// Remove two headers and set eight.
    Annotate,
    /// Write filter state.
    State,
    /// Set a response header.
    Response,
}

#[derive(Clone, Copy, Default)]
struct Probe {
    depth: Depth,
}

impl Context for Probe {}

impl RootContext for Probe {
    fn on_configure(&mut self, _: usize) -> bool {
        let depth = match self.get_plugin_configuration().as_deref() {
            None | Some(b"") => Depth::Nothing,
            Some(b"headers") => Depth::Headers,
            Some(b"hold") => Depth::Hold,
            Some(b"body") => Depth::Body,
            Some(b"replace") => Depth::Replace,
            Some(b"annotate") => Depth::Annotate,
            Some(b"state") => Depth::State,
            Some(b"response") => Depth::Response,
            Some(_) => return false,
        };
        self.depth = depth;
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(*self))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

const ANNOTATIONS: [&str; 8] = [
    "content-type",
    "content-length",
    "x-ig-actor",
    "x-ig-tenant",
    "x-ig-authority",
    "x-ig-decision-id",
    "x-ig-operation",
    "x-ig-region",
];

impl HttpContext for Probe {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.depth >= Depth::Headers {
            let _ = hostcalls::get_map_bytes(MapType::HttpRequestHeaders);
        }
        match self.depth >= Depth::Hold && !end_of_stream {
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream && self.depth >= Depth::Hold {
            return Action::Pause;
        }
        if self.depth >= Depth::Body {
            let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size);
            let body = body.ok().flatten().unwrap_or_default();
            if self.depth >= Depth::Annotate {
                let map = MapType::HttpRequestHeaders;
                for name in ["x-ig-jwt-payload", "x-ig-step-up"] {
                    let _ = hostcalls::remove_map_value(map, name);
                }
                for name in ANNOTATIONS {
                    let value = match name {
                        "content-type" => "application/json",
                        "content-length" => &body.len().to_string(),
                        _ => "a value of twenty b.",
                    };
                    let _ = hostcalls::set_map_value(map, name, Some(value));
                }
            }
            if self.depth >= Depth::Replace {
                let _ = hostcalls::set_buffer(BufferType::HttpRequestBody, 0, usize::MAX, &body);
            }
            if self.depth >= Depth::State {
                let _ = hostcalls::set_property(vec!["ig.decision"], Some(&[b'x'; 600]));
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.depth >= Depth::Response {
            let map = MapType::HttpResponseHeaders;
            let _ = hostcalls::set_map_value(map, "x-ig-decision-id", Some("a value"));
        }
        Action::Continue
    }
}
