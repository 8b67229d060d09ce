use crate::{ClientMessage, Protocol, ServerMessage, error_to_client, subscribe_to_upstream};

/// A client's message, in short; `-` for none.
fn client(protocol: Protocol, text: &str) -> String {
    match protocol.client(text) {
        Ok(ClientMessage::Init(payload)) => {
            format!("init {}", payload.map_or("", |payload| payload.get()))
        }
        Ok(ClientMessage::Ping) => "ping".into(),
        Ok(ClientMessage::Pong) => "pong".into(),
        Ok(ClientMessage::Subscribe { id, payload }) => format!("subscribe {id} {}", payload.get()),
        Ok(ClientMessage::Complete(id)) => format!("complete {id}"),
        Ok(ClientMessage::Terminate) => "terminate".into(),
        Err(_) => "-".into(),
    }
}

#[test]
fn what_clients_say() {
    let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(129));
    let cases = [
        (r#"{"type":"connection_init"}"#, "init ", "init "),
        (
            r#" {"type":"connection_init","payload":null}"#,
            "init ",
            "init ",
        ),
        (
            r#"{"type":"connection_init","payload":{"a":1}}"#,
            r#"init {"a":1}"#,
            r#"init {"a":1}"#,
        ),
        (r#"{"type":"connection_init","payload":[]}"#, "-", "-"),
        (r#"{"type":"connection_init","payload":"x"}"#, "-", "-"),
        (r#"{"type":"connection_init","type":"ping"}"#, "-", "-"),
        (
            r#"{"type":"connection_init","payload":{},"payload":{}}"#,
            "-",
            "-",
        ),
        (r#"{"type":"connection_init"}{"type":"ping"}"#, "-", "-"),
        (r#"{"type":"ping"}"#, "ping", "-"),
        (r#"{"type":"pong","payload":{"x":1}}"#, "pong", "-"),
        (
            r#"{"type":"subscribe","id":"1","payload":{"id":"x"}}"#,
            r#"subscribe 1 {"id":"x"}"#,
            "-",
        ),
        (
            r#"{"payload":{},"id":"1","type":"start"}"#,
            "-",
            "subscribe 1 {}",
        ),
        (r#"{"type":"subscribe","id":1,"payload":{}}"#, "-", "-"),
        (r#"{"type":"subscribe","id":"","payload":{}}"#, "-", "-"),
        (r#"{"type":"subscribe","payload":{}}"#, "-", "-"),
        (r#"{"type":"subscribe","id":"1"}"#, "-", "-"),
        (r#"{"type":"subscribe","id":"1","payload":[{}]}"#, "-", "-"),
        (r#"{"type":"complete","id":"1"}"#, "complete 1", "-"),
        (r#"{"type":"stop","id":"1"}"#, "-", "complete 1"),
        (&long, "-", "-"),
        (r#"{"type":"connection_terminate"}"#, "-", "terminate"),
        (r#"{"type":"next","id":"1","payload":{}}"#, "-", "-"),
        (r#"{"type":"Subscribe","id":"1","payload":{}}"#, "-", "-"),
        (r#"["subscribe","1",{}]"#, "-", "-"),
        (r#"{"id":"1"}"#, "-", "-"),
        ("", "-", "-"),
        ("null", "-", "-"),
    ];
    for (text, transport, legacy) in cases {
        assert_eq!(client(Protocol::Transport, text), transport, "{text}");
        assert_eq!(client(Protocol::Legacy, text), legacy, "{text}");
    }
}

#[test]
fn what_servers_say() {
    use ServerMessage::{Ack, Next, Other, Over, Ping};
    let cases = [
        (r#"{"type":"connection_ack"}"#, Some(Ack), Some(Ack)),
        (r#"{"type":"ping"}"#, Some(Ping), None),
        (r#"{"type":"pong"}"#, Some(Other), None),
        (r#"{"type":"ka"}"#, None, Some(Other)),
        (
            r#"{"type":"connection_error","payload":{}}"#,
            None,
            Some(Other),
        ),
        (
            r#"{"type":"next","id":"1","payload":{}}"#,
            Some(Next("1".into())),
            None,
        ),
        (
            r#"{"type":"data","id":"1","payload":{}}"#,
            None,
            Some(Next("1".into())),
        ),
        (
            r#"{"type":"error","id":"1","payload":[]}"#,
            Some(Over("1".into())),
            Some(Over("1".into())),
        ),
        (
            r#"{"type":"complete","id":"1"}"#,
            Some(Over("1".into())),
            Some(Over("1".into())),
        ),
        (r#"{"type":"subscribe","id":"1","payload":{}}"#, None, None),
        (r#"{"type":"next"}"#, None, None),
        ("x", None, None),
    ];
    for (text, transport, legacy) in cases {
        assert_eq!(Protocol::Transport.server(text).ok(), transport, "{text}");
        assert_eq!(Protocol::Legacy.server(text).ok(), legacy, "{text}");
    }
}

#[test]
fn what_is_written() {
    assert_eq!(
        subscribe_to_upstream(Protocol::Transport, "a\"b", "{}"),
        r#"{"id":"a\"b","type":"subscribe","payload":{}}"#
    );
    assert_eq!(
        error_to_client(Protocol::Legacy, "1", r#"{"message":"x"}"#),
        r#"{"id":"1","type":"error","payload":{"message":"x"}}"#
    );
    assert_eq!(
        error_to_client(Protocol::Transport, "1", "{}"),
        r#"{"id":"1","type":"error","payload":[{}]}"#
    );
}
