//! `voxgw calls` on a running gateway: what each act does to a call, and what is said when it cannot be done.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use program::{Done, Gateway, Home, LIMIT, until};
use serde_json::Value;

/// A gateway with an echo, and how it is asked.
struct Setup {
    home: Home,
    gateway: Gateway,
}

impl Setup {
    fn new() -> Self {
        let home = Home::new();
        let gateway = home.serve("echo:live", &[]);
        Self { home, gateway }
    }

    fn calls(&self, arguments: &[&str]) -> Done {
        let place = format!("unix:{}", self.gateway.socket.display());
        self.home.run(&[&["calls", "--gateway", &place], arguments].concat())
    }

    /// The sessions that are running, newest first.
    fn running(&self) -> Vec<Value> {
        let snapshot = self.calls(&["ls", "-o", "json"]).exits(0).json();
        let over = |session: &Value| session["state"] == "ended" || session["state"] == "failed";
        snapshot["sessions"].as_array().unwrap().iter().filter(|session| !over(session)).cloned().collect()
    }

    /// Waits until the only running call is `state`; gives its name.
    fn call_that_is(&self, state: &str) -> String {
        assert!(
            until(LIMIT, || matches!(&self.running()[..], [one] if one["state"] == state)),
            "{:#?}",
            self.running()
        );
        self.running()[0]["header"]["call"].as_str().unwrap().to_owned()
    }

    fn target(&self) -> String {
        format!("sip:127.0.0.1:{}", self.gateway.udp)
    }
}

#[test]
fn a_call_is_listed_held_given_keys_and_hung_up() {
    let setup = Setup::new();
    assert!(setup.calls(&["ls"]).exits(0).stdout.contains("0 of 0 calls"));
    let caller = setup.home.start_dial(&setup.target(), &["--silence", "--hangup-after", "60s", "-o", "json"]);
    let call = setup.call_that_is("up");
    assert!(setup.calls(&["ls", "--filter", "state:up"]).exits(0).stdout.contains(&call));
    // The beginning of a name is enough, with or without its `c-`.
    setup.calls(&["dtmf", &call[..6], "12#"]).exits(0).says(&[&format!("{call}: pressing")]);
    // Each takes a sixth of a second to press.
    let last_key = |event: &Value| event["kind"] == "dtmf" && event["digit"] == "#";
    assert!(until(LIMIT, || setup.running()[0]["events"].as_array().unwrap().iter().any(last_key)));
    setup.calls(&["hold", &call[2..]]).exits(0);
    setup.call_that_is("held");
    setup.calls(&["resume", &call]).exits(0);
    setup.call_that_is("up");
    setup.calls(&["recording", &call, "paused"]).exits(0);
    assert!(until(LIMIT, || setup.running()[0]["recording_paused"] == true));
    setup.calls(&["hangup", &call, "--reason", "the test is over"]).exits(0).says(&["hanging up"]);
    let document = caller.wait().exits(0).json();
    assert_eq!(document["calls"][0]["summary"]["ended_by"], "callee");
    assert_eq!(document["calls"][0]["summary"]["dtmf"], "12#");
    setup.calls(&["hangup", &call]).exits(4).says(&["has ended already"]);
}

#[test]
fn a_call_is_placed_and_its_name_is_the_result() {
    let (setup, other) = (Setup::new(), Home::new());
    let there = other.serve("echo:live", &[]);
    let placed = setup.calls(&["place", &format!("sip:127.0.0.1:{}", there.udp), "--agent", "echo:live"]).exits(0);
    let call = setup.call_that_is("up");
    assert_eq!(placed.stdout.trim(), call);
    setup.calls(&["hangup", &call]).exits(0);
    assert!(until(LIMIT, || setup.running().is_empty()));
    // A closed port says so at once.
    setup.calls(&["text", "sip:bob@127.0.0.1:9", "hello"]).exits(4).says(&["503"]);
}

#[test]
fn mistakes_are_named() {
    let setup = Setup::new();
    setup.calls(&["hangup", "7f3a"]).exits(2).says(&["no call is called 7f3a", "hint: no call is running"]);
    setup.calls(&["hangup", "c-00000000"]).exits(4).says(&["there is no call c-00000000"]);
    setup.calls(&["recording", "c-00000000", "off"]).exits(2).says(&["paused", "on"]);
    setup.calls(&["place", "sip:127.0.0.1:9", "--agent", "nobody"]).exits(4).says(&["not started with that agent"]);
    let alone = Home::new();
    alone.run(&["calls", "ls"]).exits(3).says(&["could not reach a gateway", "hint: is `voxgw serve` running?"]);
    alone.run(&["calls", "hangup", "c-00000000"]).exits(3).says(&["could not reach a gateway"]);
}
