//! A replica that cannot read the database: what a proxy brings along may be newer than
//! what it knows.

use ig_control_plane::Config;
use ig_e2e::{ControlPlane, Postgres, fill, postgres_binaries};
use tonic::transport::Channel;

use crate::tls::Stream;

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_keeps_what_it_has_until_the_database_was_read() {
    if let Err(missing) = postgres_binaries() {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let control = ControlPlane::start(Config::local(url, "/etc/envoy/ig_guard.wasm")).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (status, said) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{said}");
    let published = said["revision"].as_str().map(ToOwned::to_owned);
    let connect = async |revision: Option<&str>| {
        let address = Channel::from_shared(format!("http://{}", control.grpc)).unwrap();
        let channel = address.connect().await.unwrap();
        Stream::open_with(channel, revision).await.unwrap()
    };

    postgres.kill().unwrap();
    // One that has nothing is served with what is known.
    assert_eq!(connect(None).await.next().await, published);
    let mut from_elsewhere = connect(Some("newer")).await;
    assert_eq!(from_elsewhere.next().await, None);
    assert_eq!(from_elsewhere.next().await, None);

    // Nothing was published meanwhile, so nobody tells the stream: it looks.
    postgres.start_again().unwrap();
    let mut sent = None;
    for _ in 0..10 {
        sent = from_elsewhere.next().await;
        if sent.is_some() {
            break;
        }
    }
    assert_eq!(sent, published);
}
