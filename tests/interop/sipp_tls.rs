//! `SIPp` over TLS, both ways. Debian's `SIPp` is built without it: socat is the TLS end, and `SIPp` speaks TCP to it.
//!
//! So the handshake is OpenSSL's (in socat) with rustls here, and the SIP over it is `SIPp`'s, whose Via and Contact say
//! TCP: what is told apart by them must not matter. TLS of a telephone that says TLS is baresip's part.

use crate::{
    audio::{padded, voice},
    baresip::Papers,
    gateway::{Dial, Gateway},
    process::{Running, free_ports, wait_until},
    sipp::Sipp,
};
use std::{net::TcpListener, process::Command, time::Duration};
use tempfile::TempDir;

/// Exit code of a call without sound from the far end.
const NO_MEDIA: i32 = 6;

/// A socat between two addresses, once it listens on a port.
fn socat(port: u16, from: &str, to: &str) -> (Running, TempDir) {
    let folder = TempDir::with_prefix("voxgw-socat-").expect("a temporary folder");
    let mut command = Command::new("socat");
    command.args([from, to]);
    let mut running = Running::start("socat", &mut command, folder.path());
    wait_for_tcp(port, &mut running);
    (running, folder)
}

/// Waits until somebody listens on a port, without connecting.
fn wait_for_tcp(port: u16, running: &mut Running) {
    let taken = wait_until(Duration::from_secs(5), || TcpListener::bind(("127.0.0.1", port)).is_err());
    assert!(taken && !running.has_ended(), "nobody listens on {port}\n{}", running.report());
}

/// Runs a scenario through socat to a gateway that speaks TLS.
fn run(scenario: &str, flags: &[&str]) -> Gateway {
    let (papers, port, plain) = (Papers::new(), free_ports(2), free_ports(2));
    let gateway = Gateway::start_secure("echo:live", &papers.config(), port);
    let from = format!("TCP-LISTEN:{plain},bind=127.0.0.1,reuseaddr,fork");
    let to = format!("OPENSSL:127.0.0.1:{port},cafile={},commonname=localhost", papers.ca().display());
    let (_socat, _folder) = socat(plain, &from, &to);
    Sipp::caller(scenario, &format!("127.0.0.1:{plain}")).with(&["-t", "t1"]).with(flags).run();
    gateway
}

#[test]
#[ignore = "needs sipp, socat"]
fn a_call_of_sipp_over_tls_completes() {
    let mut gateway = run("uac_call", &["-d", "1000"]);
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    assert!(call.of_kind("sip").count() >= 5 && call.of_kind("sip").all(|message| message["transport"] == "tls"));
    gateway.stop();
}

#[test]
#[ignore = "needs sipp, socat"]
fn hold_and_resume_of_sipp_over_tls() {
    let mut gateway = run("hold", &[]);
    let call = gateway.only_call();
    assert!(call.states().contains(&"held"), "{:?}", call.states());
    assert!(call.of_kind("sip").all(|message| message["transport"] == "tls"), "a message left TLS");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp, socat"]
fn a_call_of_ours_to_sipp_over_tls_completes() {
    let (papers, port) = (Papers::new(), free_ports(2));
    let mut sipp = Sipp::called("uas_hangup").with(&["-t", "t1"]).talking_for(2).start();
    let from = format!(
        "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,verify=0,cert={}",
        papers.config().with_file_name("phone.pem").display()
    );
    let (_socat, _folder) = socat(port, &from, &format!("TCP:127.0.0.1:{}", sipp.port));
    let target = format!("sip:echo@localhost:{port};transport=tls");
    let mut dial =
        Dial::start_named(&target, &padded(&voice(3, 3), 1), &papers.config(), &["--max", "20s", "--journal", "kept"]);
    sipp.assert_succeeds();
    // This phone never sends sound: the signalling is fine, the media are not.
    dial.assert_ends_with(NO_MEDIA, Duration::from_secs(40));
    let call = dial.call();
    assert_eq!(call.summary().expect("it is over")["status"], 200, "{}", dial.report());
    assert!(call.of_kind("sip").all(|message| message["transport"] == "tls"), "a message left TLS");
}
