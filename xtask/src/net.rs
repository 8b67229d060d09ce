//! Local ports and addresses: finding a free one, waiting for an answer.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(50);
/// Longest wait for one connection or answer within a longer wait.
const ATTEMPT: Duration = Duration::from_secs(2);

/// A TCP port that nobody listens on at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Fails with a clear word when somebody listens on a port we want.
///
/// # Errors
/// When the port is taken; `what` says what it is for, `option` how to choose
/// another.
pub fn require_free(port: u16, what: &str, option: &str) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .with_context(|| format!("port {port} for {what} is taken; choose another with {option}"))
}

/// Waits until somebody listens on `127.0.0.1:port`.
///
/// # Errors
/// When nobody does within `timeout`.
pub fn wait_for_port(port: u16, timeout: Duration) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let started = Instant::now();
    loop {
        match TcpStream::connect_timeout(&address, ATTEMPT) {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() >= timeout => {
                bail!(
                    "nobody listens on {address} after {} s: {error}",
                    timeout.as_secs_f32()
                )
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// Waits until a GET of this `http://` address is answered with 2xx.
///
/// # Errors
/// When none is within `timeout`; the error has the last answer.
pub fn wait_for_http(url: &str, timeout: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        let last = match http_get(url) {
            Ok((status, _)) if (200..300).contains(&status) => return Ok(()),
            Ok((status, body)) => format!("status {status} {}", body.trim()),
            Err(error) => format!("{error:#}"),
        };
        if started.elapsed() >= timeout {
            bail!(
                "{url} is not ready after {} s: {last}",
                timeout.as_secs_f32()
            );
        }
        thread::sleep(POLL);
    }
}

/// A client for local servers: no proxy, and every status is an answer.
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .build()
        .new_agent()
}

/// A plain GET, for readiness and admin pages; status and body.
///
/// # Errors
/// When there is no HTTP answer.
pub fn http_get(url: &str) -> Result<(u16, String)> {
    let mut answer = agent(ATTEMPT)
        .get(url)
        .call()
        .with_context(|| format!("no answer from {url}"))?;
    let body = answer.body_mut().read_to_string();
    let body = body.with_context(|| format!("no whole answer from {url}"))?;
    Ok((answer.status().as_u16(), body))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Answers each connection in turn, then closes.
    fn serve(answers: &'static [&'static str]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        port
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        require_free(port, "a test", "--port").unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let error = require_free(port, "the gateway", "--port").unwrap_err();
        assert!(
            format!("{error:#}").contains("for the gateway is taken"),
            "{error:#}"
        );
    }

    #[test]
    fn waits_until_the_answer_is_good() {
        let port = serve(&[
            "HTTP/1.1 503 No\r\n\r\nnot yet",
            "HTTP/1.1 200 OK\r\n\r\nLIVE",
        ]);
        wait_for_http(
            &format!("http://127.0.0.1:{port}/ready"),
            Duration::from_secs(5),
        )
        .unwrap();
    }

    #[test]
    fn gives_up_with_the_last_answer() {
        let port = serve(&["HTTP/1.1 503 No\r\n\r\nnot yet"]);
        let error = wait_for_http(&format!("http://127.0.0.1:{port}"), Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("status 503 not yet"), "{error}");
        let port = free_port().unwrap();
        assert!(wait_for_port(port, Duration::from_millis(100)).is_err());
    }
}
