//! Limits that the control plane counts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};

use ig_envoy::{ControlPlane, Endpoints, GlobalLimits, Guard, Upstream};

use crate::envoy;
use crate::proxy::{Answer, Host, NO_OP, OK, Proxy, address, nobody};

/// A gateway of a graph that is fed, with a guard in front that lets everything
/// through. The fed one has no snapshot, and its module does nothing either.
fn limited(envoy: &std::path::Path, host: &Host, control_plane: SocketAddr) -> Proxy {
    Proxy::start(envoy, NO_OP, |options| {
        options.upstream = Upstream::plain([address(host.address)]);
        let module = options.guards.remove(0).module;
        options.guards.push(Guard::of_graph(module, "demo"));
        options.control_plane = Some(ControlPlane {
            endpoints: Endpoints::plain([address(control_plane)]),
            node: "edge".into(),
        });
        options.global_limits = Some(GlobalLimits {
            // The machine that tests may be slow.
            timeout: std::time::Duration::from_secs(5),
        });
    })
}

fn ask(proxy: &Proxy) -> Answer {
    proxy.send(&[
        ("x-ig-route", "replica"),
        ("x-ig-tenant", "alpha"),
        ("x-ig-cost-query", "77"),
        ("x-ig-cost-sensitive", "1000000000"),
    ])
}

/// A rate-limit service that has one answer, over as much of HTTP/2 as that
/// takes. It tells what it was asked; streams of others stay open.
struct Service {
    address: SocketAddr,
    asked: Receiver<Vec<u8>>,
}

impl Service {
    /// `overall_code` is 1 for within limits, and 2 for over them.
    fn start(overall_code: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tell = tell.clone();
                std::thread::spawn(move || serve(stream, overall_code, &tell));
            }
        });
        Self { address, asked }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn serve(mut stream: TcpStream, overall_code: u8, tell: &Sender<Vec<u8>>) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    write(&mut stream, SETTINGS, 0, 0, &[])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).ok()?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => write(&mut stream, SETTINGS, ACK, 0, &[])?,
            // A call without a stream of its own ends with its question.
            (DATA, flags) if flags & END_STREAM != 0 => {
                tell.send(payload).ok()?;
                let mut headers = vec![0x88];
                field(&mut headers, "content-type", "application/grpc");
                write(&mut stream, HEADERS, END_HEADERS, id, &headers)?;
                let message = [0, 0, 0, 0, 2, 0x08, overall_code];
                write(&mut stream, DATA, 0, id, &message)?;
                let mut trailers = Vec::new();
                field(&mut trailers, "grpc-status", "0");
                write(
                    &mut stream,
                    HEADERS,
                    END_HEADERS | END_STREAM,
                    id,
                    &trailers,
                )?;
            }
            _ => {}
        }
    }
}

fn write(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Option<()> {
    let length = u32::try_from(payload.len()).ok()?.to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    stream.write_all(&frame).ok()
}

/// A literal without indexing (RFC 7541, 6.2.2).
fn field(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend(text.as_bytes());
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_control_plane_is_asked_for_what_a_request_costs() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let (host, service) = (Host::start(OK), Service::start(1));
    let proxy = limited(&envoy, &host, service.address);
    let answer = ask(&proxy);
    assert_eq!(answer.status, 200);
    let asked = service.asked.recv().unwrap();
    for part in ["ig.guard.demo", "tenant", "alpha", "class", "query"] {
        assert!(contains(&asked, part.as_bytes()), "{part}: {asked:?}");
    }
    // `hits_addend` of the descriptor: field 3, a wrapped 77.
    assert!(contains(&asked, &[0x1a, 2, 0x08, 77]), "{asked:?}");
    // A request that has no limits is not asked about.
    assert_eq!(proxy.send(&[("x-ig-tenant", "alpha")]).status, 200);
    assert!(service.asked.try_recv().is_err());
}

#[test]
fn what_is_over_the_limits_is_told_so() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let (host, service) = (Host::start(OK), Service::start(2));
    let proxy = limited(&envoy, &host, service.address);
    let answer = ask(&proxy);
    assert_eq!(answer.error(), (429, "RATE_LIMITED".to_owned()));
    assert!(answer.has("retry-after: 1"));
    assert!(host.seen().is_empty());
}

#[test]
fn limits_stop_nothing_while_nobody_counts() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let host = Host::start(OK);
    let proxy = limited(&envoy, &host, nobody());
    assert_eq!(ask(&proxy).status, 200);
    assert_eq!(host.seen().len(), 1);
}
