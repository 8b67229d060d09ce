//! nginx as an upstream that costs next to nothing.

use std::path::Path;

use anyhow::{Context, Result};

use crate::background::Background;
use crate::process::Process;
use crate::{net, tools};

/// A directory in which nothing changes.
const FACTS: &str = r#"{"position":1,"user":"u-1","active":true,"groups":["analyst"]}"#;
const CHANGES: &str = r#"{"position":1,"reset":false,"changes":[]}"#;

/// Starts nginx: a GraphQL answer on the one port, an empty 200 on the other,
/// and on a third what takes spans.
///
/// # Errors
/// When it does not start.
pub(super) fn start(
    folder: &Path,
    graphql: u16,
    authz: u16,
    traces: Option<u16>,
) -> Result<Background> {
    // Takes spans, and says that it did as gRPC does.
    let traces = traces.map_or_else(String::new, |port| {
        format!(
            "  server {{ listen 127.0.0.1:{port} http2 backlog=4096; \
             default_type application/grpc; location / {{ add_header grpc-status 0; return 200; }} }}\n"
        )
    });
    let here = folder.display();
    let config = format!(
        "daemon off;\nworker_processes 1;\npid {here}/nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  default_type application/json;\n  keepalive_requests 1000000000;\n  \
           keepalive_timeout 3600s;\n  client_body_temp_path {here}/body;\n  proxy_temp_path {here}/proxy;\n  \
           fastcgi_temp_path {here}/fastcgi;\n  uwsgi_temp_path {here}/uwsgi;\n  scgi_temp_path {here}/scgi;\n  \
           server {{ listen 127.0.0.1:{graphql} backlog=4096; \
             location /directory/v1/facts {{ return 200 '{FACTS}'; }} \
             location /directory/v1/changes {{ return 200 '{CHANGES}'; }} location / {{ return 200 '{{\"data\":{{\"ok\":true}}}}'; }} }}\n  \
           server {{ listen 127.0.0.1:{authz} backlog=4096; location / {{ return 200 ''; }} }}\n{traces}}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
    let nginx = Process::new(tools::nginx()?.path)
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(&file);
    let nginx = Background::start(nginx, &folder.join("nginx.log"))?;
    net::wait_for_port(graphql, super::READY)?;
    Ok(nginx)
}
