//! Calls that go on: telephone to telephone, to a trunk, through Kamailio, and from an agent to a person.

use crate::{
    audio::{Law, assert_heard, tone, tone_share, voice},
    baresip::{Baresip, Papers, PhoneCodec},
    gateway::{Call, Gateway, Settings},
    kamailio::Kamailio,
    process::{free_ports, wait_until},
    sipp::Sipp,
};
use serde_json::{Value, json};
use std::time::Duration;

const ALICE: &str = "rabbit-hole";
const BOB: &str = "looking-glass";

/// Alice and bob may register; calls to `echo` go on as `rule` says.
fn settings(rule: &str, more: &str) -> Settings {
    Settings::of_alice(&format!(
        "[users.bob]\npassword = '{BOB}'\n{more}\n[[routes]]\nname = 'on'\nto = 'echo'\n{rule}\n"
    ))
}

fn wait_for_bob(gateway: &Gateway, phones: usize) {
    let there = wait_until(Duration::from_secs(10), || gateway.api().contacts("bob").len() >= phones);
    assert!(there, "bob has not {phones} phones\n{}", gateway.report());
}

/// Both sessions of a bridge: the caller's and the callee's, each with the other's name.
fn both(gateway: &Gateway) -> (Call, Call) {
    let calls = gateway.calls(2);
    let mut calls: Vec<Call> = calls.into_iter().collect();
    calls.sort_by_key(|call| call.header()["direction"] == "out");
    let callee = calls.pop().expect("two");
    let caller = calls.pop().expect("two");
    for (one, other) in [(&caller, &callee), (&callee, &caller)] {
        let peer = one.of_kind("bridge").next().expect("a bridge")["peer"].clone();
        assert_eq!(peer, other.header()["call"], "linked");
    }
    (caller, callee)
}

fn left(call: &Call) -> Value {
    call.of_kind("bridge").find(|change| change["state"] == "left").cloned().expect("it was joined")
}

/// Alice calls bob: both hear each other, and the caller's recording has both.
fn telephone_to_telephone(hers: Law, his: Law) -> (Value, Value) {
    let (here, there) = (voice(6, 31), voice(6, 32));
    let settings = settings("user = 'bob'", "");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut bob = Baresip::registered(gateway.sip, "bob", BOB, &there, his);
    wait_for_bob(&gateway, 1);
    let mut alice = Baresip::registered_calling(gateway.sip, "alice", ALICE, &here, hers, 10);
    alice.wait(Duration::from_secs(25));
    let (caller, callee) = both(&gateway);
    bob.stop();
    gateway.stop();
    assert_heard("sound at alice", &there, &alice.heard());
    assert_heard("sound at bob", &here, &bob.heard());
    let (left_channel, right_channel) = caller.voices();
    assert_heard("the caller in call.wav", &here, &left_channel);
    assert_heard("the callee in call.wav", &there, &right_channel);
    caller.assert_ended_well(hers.name());
    let summary = callee.summary().expect("it is over");
    assert_eq!((&summary["ended_by"], &summary["q850"]), (&json!("caller"), &json!(16)), "{summary}");
    assert_eq!(callee.header()["from"], "alice", "bob sees who calls");
    (left(&caller), left(&callee))
}

#[test]
#[ignore = "needs baresip"]
fn two_telephones_hear_each_other_and_nothing_is_decoded() {
    for change in <[Value; 2]>::from(telephone_to_telephone(Law::Mu, Law::Mu)) {
        let (passed, transcoded) = (change["passed"].as_u64().unwrap_or(0), change["transcoded"].as_u64().unwrap_or(0));
        assert!(passed > 200 && transcoded * 10 < passed, "{change}");
    }
}

#[test]
#[ignore = "needs baresip"]
fn two_telephones_with_different_codecs_hear_each_other() {
    for change in <[Value; 2]>::from(telephone_to_telephone(Law::A, Law::Mu)) {
        assert!(change["transcoded"].as_u64().unwrap_or(0) > 200, "{change}");
    }
}

#[test]
#[ignore = "needs baresip"]
fn all_telephones_of_a_user_ring_and_one_wins() {
    let settings = settings("user = 'bob'", "");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut silent = Sipp::called("uas_silent").listen();
    let mut bob = Baresip::registered(gateway.sip, "bob", BOB, &voice(5, 33), Law::Mu);
    register(&gateway, "bob", BOB, silent.port);
    wait_for_bob(&gateway, 2);
    let mut alice = Baresip::registered_calling(gateway.sip, "alice", ALICE, &voice(5, 34), Law::Mu, 6);
    alice.wait(Duration::from_secs(20));
    // it rang there too, and was told that somebody else has taken the call
    silent.assert_succeeds();
    assert!(silent.messages().contains("Call completed elsewhere"), "{}", silent.report());
    both(&gateway);
    bob.stop();
    gateway.stop();
}

/// Registers a user at a port by hand.
pub fn register(gateway: &Gateway, user: &str, password: &str, port: u16) {
    Sipp::caller("register", &gateway.target())
        .key("contact", &format!("<sip:{user}@127.0.0.1:{port}>"))
        .key("expires", "60")
        .credentials(user, password)
        .run();
}

/// A sipp that calls `echo`, which goes to a trunk at another sipp.
fn through_trunk(scenario: &str, callee: Sipp, rule: &str, seconds: u32) -> (Gateway, Sipp, Sipp) {
    let mut callee = callee.listen();
    let trunk = format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nuser = '4930'\ndomain = 'carrier.example'\nping = '0s'\n",
        callee.port
    );
    let settings = settings(&format!("trunk_out = 'carrier'\nrewrite_to.prefix = '+49'\n{rule}"), &trunk);
    let gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut caller = Sipp::caller(scenario, &gateway.target()).talking_for(seconds).start();
    caller.assert_succeeds();
    callee.assert_succeeds();
    (gateway, caller, callee)
}

#[test]
#[ignore = "needs sipp"]
fn a_call_leaves_by_a_trunk_with_its_number_and_our_name() {
    let callee = Sipp::called("uas_echo").with(&["-rtp_echo"]).key("law", "PCMU").key("type", "0");
    let (mut gateway, _, callee) = through_trunk("uac_call", callee, "", 2);
    let messages = callee.messages();
    for words in ["INVITE sip:+49echo@127.0.0.1", "<sip:4930@carrier.example>", "Max-Forwards: 69", "cause=16"] {
        assert!(messages.contains(words), "no {words:?}\n{}", callee.report());
    }
    assert!(!messages.contains("P-Asserted-Identity"), "{messages}");
    let (caller, callee) = both(&gateway);
    assert_eq!((&caller.header()["to"], &callee.header()["to"]), (&json!("+49echo"), &json!("+49echo")));
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_callee_that_hangs_up_ends_the_caller() {
    let (mut gateway, _, phone) = through_trunk("uac_ended", Sipp::called("uas_hangup").talking_for(1), "", 1);
    let invite = phone.messages();
    for header in ["Diversion: <sip:+493055@", "History-Info: <sip:desk@", "User-to-User: 56a390f3", "X-Tenant: acme"] {
        assert!(invite.contains(header), "{header} goes on\n{}", phone.report());
    }
    assert!(!invite.contains("Subject"), "nothing else does");
    let (caller, callee) = both(&gateway);
    for call in [caller, callee] {
        assert_eq!(call.summary().expect("it is over")["ended_by"], "callee");
    }
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_busy_callee_is_busy_for_the_caller() {
    let (mut gateway, caller, _) = through_trunk("uac_refused", Sipp::called("uas_busy"), "", 1);
    assert_eq!(caller.received("SIP/2.0 486", "1 INVITE"), 1, "{}", caller.report());
    assert!(caller.messages().contains("Reason: Q.850;cause=17"), "{}", caller.report());
    let (caller, callee) = both(&gateway);
    for call in [&caller, &callee] {
        assert_eq!(call.states().last(), Some(&"failed"), "{:?}", call.states());
    }
    assert_eq!(caller.summary().expect("it is over")["status"], 486);
    assert_eq!(caller.summary().expect("it is over")["ended_by"], "callee");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_callee_who_does_not_answer_is_given_up_after_the_ring_time() {
    let (mut gateway, caller, callee) = through_trunk("uac_refused", Sipp::called("uas_silent"), "ring = '2s'", 1);
    assert_eq!(caller.received("SIP/2.0 180", "1 INVITE"), 1, "{}", caller.report());
    assert_eq!(caller.received("SIP/2.0 480", "1 INVITE"), 1, "{}", caller.report());
    assert!(callee.messages().contains("Reason: Q.850;cause=19"), "{}", callee.report());
    both(&gateway);
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_caller_who_gives_up_cancels_the_callee() {
    let (mut gateway, ..) = through_trunk("cancel", Sipp::called("uas_silent"), "", 1);
    let (caller, callee) = both(&gateway);
    for call in [&caller, &callee] {
        assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    }
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_caller_is_not_answered_by_an_answer_that_cannot_be_used() {
    let (mut gateway, caller, callee) = through_trunk("uac_refused", Sipp::called("uas_unusable"), "", 1);
    assert_eq!(caller.received("SIP/2.0 502", "1 INVITE"), 1, "{}", caller.report());
    assert_eq!(callee.received("BYE", "2 BYE"), 1, "{}", callee.report());
    both(&gateway);
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_callee_that_rings_is_given_up_by_the_operator() {
    let mut callee = Sipp::called("uas_silent").listen();
    let trunk = format!("[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nping = '0s'\n", callee.port);
    let settings = settings("trunk_out = 'carrier'", &trunk);
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let api = gateway.api();
    let mut caller = Sipp::caller("uac_refused", &gateway.target()).start();
    let ringing = || {
        let sessions = api.get("/v1/sessions");
        let callee =
            sessions["sessions"].as_array()?.iter().find(|session| session["header"]["direction"] == "out")?.clone();
        (callee["state"] == "ringing").then(|| callee["header"]["call"].as_str().unwrap_or_default().to_owned())
    };
    assert!(wait_until(Duration::from_secs(5), || ringing().is_some()), "{}", api.get("/v1/sessions"));
    let call = ringing().expect("it rings");
    // nobody can be put through who is not there yet
    let (status, document) = api.post(&format!("/v1/sessions/{call}/bridge"), &json!({"to": "bob"}));
    assert_eq!(status, 409, "{document}");
    assert_eq!(api.post(&format!("/v1/sessions/{call}/hangup"), &json!({})).0, 202);
    caller.assert_succeeds();
    callee.assert_succeeds();
    assert_eq!(callee.received("CANCEL", "1 CANCEL"), 1, "{}", callee.report());
    both(&gateway);
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_telephone_that_moved_is_followed_as_far_as_calls_out_may_go() {
    let there = Sipp::called("uas_silent").listen();
    let bob = Sipp::called("uas_moved").key("target", &format!("sip:bob@127.0.0.1:{}", there.port)).listen();
    let more = "[outbound]\ncalls_per_minute = 1\n[[routes]]\nname = 'agent'\nto = 'agent'\nagent = 'echo:live'\n";
    let settings = settings("user = 'bob'", more);
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let api = gateway.api();
    register(&gateway, "bob", BOB, bob.port);
    wait_for_bob(&gateway, 1);
    // the only call of this minute
    let nobody = format!("sip:somebody@127.0.0.1:{}", free_ports(2));
    let (status, document) = api.post("/v1/calls", &json!({"to": nobody, "agent": "echo:live"}));
    assert_eq!(status, 201, "{document}");
    Sipp::caller("uac_refused", &gateway.target()).run();
    assert_eq!(there.messages(), "", "it was called all the same");
    let calls = gateway.calls(3);
    let told = calls.iter().any(|call| {
        call.of_kind("summary").any(|summary| {
            summary["reason"].as_str().is_some_and(|reason| reason.contains("outbound.calls_per_minute"))
        })
    });
    assert!(told, "{}", gateway.report());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp, baresip"]
fn a_hold_is_passed_on() {
    let settings = settings("user = 'bob'", "");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut bob = Baresip::registered(gateway.sip, "bob", BOB, &voice(5, 35), Law::Mu);
    wait_for_bob(&gateway, 1);
    Sipp::caller("hold", &gateway.target()).run();
    let (caller, callee) = both(&gateway);
    assert!(caller.states().contains(&"held"), "{:?}", caller.states());
    let invites: Vec<&str> = callee
        .of_kind("sip")
        .filter(|sip| sip["direction"] == "out" && sip["label"] == "INVITE")
        .filter_map(|sip| sip["text"].as_str())
        .collect();
    let directions: Vec<bool> = invites.iter().map(|text| text.contains("a=sendonly")).collect();
    assert_eq!(directions, [false, true, false], "called, held, back");
    bob.stop();
    gateway.stop();
}

#[test]
#[ignore = "needs kamailio, baresip"]
fn a_call_goes_out_through_kamailio() {
    let (here, there) = (voice(5, 36), voice(5, 37));
    let upstream = free_ports(2);
    let mut far = Gateway::start("echo:live");
    let _kamailio = Kamailio::start(upstream, far.sip);
    let trunk = format!("[trunks.carrier]\nserver = 'sip:127.0.0.1:{upstream}'\nuser = '4930'\nping = '0s'\n");
    let settings = settings("trunk_out = 'carrier'", &trunk);
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut alice = Baresip::registered_calling(gateway.sip, "alice", ALICE, &here, Law::Mu, 9);
    alice.wait(Duration::from_secs(20));
    let (_, callee) = both(&gateway);
    let text = callee.of_kind("sip").filter_map(|sip| sip["text"].as_str()).collect::<String>();
    assert!(text.contains("Record-Route:"), "Kamailio stays in the way");
    // the far end is an echo: alice hears herself over two gateways
    assert_heard("sound at alice", &here, &alice.heard());
    assert_eq!(far.only_call().summary().expect("it is over")["ended_by"], "caller");
    drop(there);
    gateway.stop();
    far.stop();
}

#[test]
#[ignore = "needs baresip"]
fn an_agent_s_caller_is_put_through_to_a_person() {
    let (here, there) = (voice(9, 38), voice(9, 39));
    let settings = settings("agent = 'echo:live'", "");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let api = gateway.api();
    let mut alice = Baresip::registered_calling(gateway.sip, "alice", ALICE, &here, Law::Mu, 12);
    let call = api.wait_for_call("up");
    // nobody is there yet: the agent goes on
    let (status, document) = api.post(&format!("/v1/sessions/{call}/bridge"), &json!({"to": "bob"}));
    assert_eq!(status, 202, "{document}");
    let told = || api.get(&format!("/v1/sessions/{call}")).to_string().contains("not put through");
    assert!(wait_until(Duration::from_secs(5), told), "{}", gateway.report());
    let mut bob = Baresip::registered(gateway.sip, "bob", BOB, &there, Law::Mu);
    wait_for_bob(&gateway, 1);
    let (status, document) = api.post(&format!("/v1/sessions/{call}/bridge"), &json!({"to": "bob"}));
    assert_eq!(status, 202, "{document}");
    let joined = || api.get(&format!("/v1/sessions/{call}"))["bridged_to"] == document["call"];
    assert!(wait_until(Duration::from_secs(5), joined), "{}", gateway.report());
    alice.wait(Duration::from_secs(25));
    let calls = gateway.calls(2);
    bob.stop();
    gateway.stop();
    let caller = calls.iter().find(|call| call.header()["direction"] == "in").expect("alice's");
    let agent: Vec<&str> = caller.of_kind("agent").filter_map(|change| change["state"].as_str()).collect();
    assert_eq!(agent, ["connecting", "ready", "closed"]);
    let states: Vec<&str> = caller.of_kind("bridge").filter_map(|change| change["state"].as_str()).collect();
    assert_eq!(states, ["calling", "failed", "calling", "joined", "left"]);
    assert_eq!(caller.summary().expect("it is over")["agent"], "pass");
    assert_heard("the end of bob at alice", &there[..4 * 8_000], &alice.heard());
    assert!(bob.heard().len() > 3 * 8_000, "bob heard alice");
}

#[test]
#[ignore = "needs baresip"]
fn three_telephones_in_a_conference_hear_each_other_and_not_themselves() {
    let settings = settings("conference = 'team'", "");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let tones = [400.0, 1_000.0, 1_900.0];
    let mut phones: Vec<Baresip> = tones
        .into_iter()
        .zip([PhoneCodec::from(Law::Mu), PhoneCodec::from(Law::A), PhoneCodec::from(Law::Mu)])
        .map(|(hz, law)| Baresip::calling(gateway.sip, &tone(hz, 9), law, 9))
        .collect();
    for phone in &mut phones {
        phone.wait(Duration::from_secs(25));
    }
    let calls = gateway.calls(3);
    for call in &calls {
        let change = call.of_kind("bridge").find(|change| change["state"] == "left").expect("it was in a conference");
        assert_eq!(change["text"], "conference team", "{change}");
    }
    gateway.stop();
    for (n, phone) in phones.iter().enumerate() {
        let heard = phone.heard();
        // Three seconds from the middle, when all of them are there.
        let middle = heard.len() / 2;
        let part = &heard[middle.saturating_sub(12_000)..(middle + 12_000).min(heard.len())];
        for (other, hz) in tones.into_iter().enumerate() {
            let share = tone_share(part, hz);
            if other == n {
                assert!(share < 0.02, "{n} hears itself: {share}\n{}", phone.report());
            } else {
                assert!(share > 0.3, "{n} hears {other}: {share}\n{}", phone.report());
            }
        }
    }
}

/// A trunk to `port` of another address than callers have: what comes from a trunk's address is the trunk's.
fn carrier(port: u16, more: &str) -> String {
    format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.2:{port}'\nuser = '4930'\ndomain = 'carrier.example'\nping = '0s'\n{more}\n"
    )
}

#[test]
#[ignore = "needs baresip"]
fn a_call_that_is_encrypted_on_one_leg_is_plain_on_the_other() {
    let (papers, said, port, theirs) = (Papers::new(), voice(5, 41), free_ports(2), free_ports(2));
    let mut far = Gateway::start_with("echo:live", &["--sip", &format!("udp:127.0.0.2:{theirs}")]);
    let route = "[[routes]]\nname = 'on'\ntrunk_out = 'carrier'";
    papers.say(&format!("[media]\nsrtp = 'required'\n{}{route}", carrier(theirs, "srtp = 'off'")));
    let mut gateway = Gateway::start_secure("echo:live", &papers.config(), port);
    let mut phone = Baresip::calling_encrypted(&papers, port, &said, Law::Mu, ";mediaenc=srtp-mand", 9);
    phone.wait(Duration::from_secs(20));
    let (caller, callee) = both(&gateway);
    gateway.stop();
    far.stop();
    assert_heard("sound at baresip", &said, &phone.heard());
    assert_heard("the far end's own recording", &said, &far.only_call().voices().0);
    let suites = |call: &Call| -> Vec<String> {
        call.of_kind("media").map(|media| media["srtp"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert!(suites(&caller).iter().all(|suite| suite == "AES_CM_128_HMAC_SHA1_80"), "{:?}", suites(&caller));
    assert!(suites(&callee).iter().all(String::is_empty), "{:?}", suites(&callee));
    // the payload goes on as it came, in another envelope
    let change = left(&callee);
    assert!(change["passed"].as_u64() > Some(200), "{change}");
}

#[test]
#[ignore = "needs sipp"]
fn a_number_that_anybody_could_write_is_shown_and_not_vouched_for() {
    let mut there = Sipp::called("uas_echo").with(&["-rtp_echo"]).key("law", "PCMU").key("type", "0").listen();
    let trunk = carrier(there.port, "identity = 'caller'").replace("127.0.0.2", "127.0.0.1");
    let settings = settings("trunk_out = 'carrier'\nringback = true", &trunk);
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    // from another address than the trunk's, without a password
    Sipp::caller("uac_call", &gateway.target()).with(&["-i", "127.0.0.3"]).talking_for(1).run();
    there.assert_succeeds();
    let messages = there.messages();
    for words in ["<sip:sipp@carrier.example>", "P-Asserted-Identity: <sip:4930@carrier.example>"] {
        assert!(messages.contains(words), "no {words}\n{}", there.report());
    }
    gateway.stop();
}
