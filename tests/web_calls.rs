//! Calls of ours that meet browsers, over real sockets: to users who have only a page, to WHIP servers under the limits of
//! our calls, transfers of pages by agents and by the operator, and a telephone's REFER in a call with a page.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/party.rs"]
mod party;
#[path = "support/web_gateway.rs"]
mod web_gateway;

use browser::{Browser, Page, share_at};
use party::Party;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::seat::Plan,
    config::{Config, Layers},
    gateway::Originate,
    sip::uri::Uri,
};
use web_gateway::{Gateway, LIMIT, kinds};

const USERS: &str =
    "[users.bob]\npassword = 'looking-glass'\n[[routes]]\nname = 'bob'\nto = 'bob'\nuser = 'bob'\nring = '10s'\n";
const REST: &str = "[[routes]]\nname = 'rest'\nagent = 'desk'\n";

/// A page that is bob and waits.
async fn bob(gateway: &Gateway) -> Page {
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "register", "user": "bob", "password": "looking-glass" })).await;
    assert_eq!(page.expect("registered").await["user"], "bob");
    page
}

/// Takes the call that rings at a page; gives what it was told and the call's own socket.
async fn take(gateway: &Gateway, waiting: &mut Page, browser: &mut Browser) -> (Value, Page) {
    let incoming = waiting.expect("incoming").await;
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "join", "ring": incoming["ring"] })).await;
    page.expect("joined").await;
    let offer = browser.offer(&[]);
    page.say(json!({ "type": "offer", "sdp": offer })).await;
    let answer = page.expect("answer").await;
    browser.take_answer(answer["sdp"].as_str().unwrap());
    (incoming, page)
}

async fn connected(browser: &mut Browser) {
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
}

/// Two browsers sing and each hears the other.
async fn assert_talk(one: &mut Browser, other: &mut Browser) {
    let span = Duration::from_secs(2);
    let (high, low) = tokio::join!(one.sing(600.0, span), other.sing(1_700.0, span));
    for (heard, theirs) in [(high, 1_700.0), (low, 600.0)] {
        let share = share_at(theirs, &heard[heard.len() / 2..]);
        assert!(share > 0.8, "{theirs} Hz is {share} of what is heard");
    }
}

/// An agent that says back what it hears.
fn echo() -> Arc<Plan> {
    let config = Config::from_layers(&Layers::defaults()).unwrap();
    Arc::new(Plan::of(&config.profile("echo:live").unwrap(), &|_| None).unwrap())
}

fn call_to(to: &str, ring: Duration) -> Originate {
    Originate {
        to: Uri { scheme: "sip".into(), user: to.to_owned(), ..Uri::default() },
        from: Uri::parse("sip:desk@voxgw.invalid").unwrap(),
        proxy: None,
        whip: None,
        headers: Vec::new(),
        credentials: None,
        trunk: None,
        plan: echo(),
        ring,
        max_duration: None,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    }
}

async fn last_of(gateway: &Gateway, count: usize) -> Vec<Value> {
    let mut all = gateway.journals(count).await;
    all.sort_by_key(|lines| lines[0]["started"].as_str().unwrap().to_owned());
    all.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_a_user_who_has_only_pages() {
    for (ports, more) in [("24900-24909", ""), ("24900-24909", "web.media_port = 24910\ngateway.workers = 1\n")] {
        let gateway = Gateway::start(ports, "echo:live", &format!("{more}{USERS}")).await;
        let nobody = gateway.handle.originate(call_to("bob", LIMIT)).await.unwrap_err().to_string();
        assert!(nobody.contains("no telephone registered"), "{nobody}");
        let (mut one, mut other) = (bob(&gateway).await, bob(&gateway).await);
        // One page declines, the other takes it.
        let call = gateway.handle.originate(call_to("bob", LIMIT)).await.unwrap();
        let incoming = one.expect("incoming").await;
        assert_eq!(incoming["from"], "desk");
        one.say(json!({ "type": "decline", "ring": incoming["ring"] })).await;
        let mut browser = Browser::new().await;
        let (_, page) = take(&gateway, &mut other, &mut browser).await;
        connected(&mut browser).await;
        let heard = browser.sing(1_013.0, Duration::from_secs(2)).await;
        assert!(share_at(1_013.0, &heard) > 0.8, "the agent talks to it");
        drop(page);
        gateway.is_empty().await;
        let journal = last_of(&gateway, 1).await;
        assert_eq!((&journal[0]["direction"], &journal[0]["to"]), (&json!("out"), &json!("bob")));
        assert_eq!(journal[0]["call"], call.to_string());
        let states: Vec<&str> = kinds(&journal, "state").iter().filter_map(|line| line["state"].as_str()).collect();
        assert_eq!(states, ["offered", "ringing", "up", "ended"]);
        assert_eq!(journal.last().unwrap()["ended_by"], "callee");
        // Both decline.
        gateway.handle.originate(call_to("bob", LIMIT)).await.unwrap();
        for page in [&mut one, &mut other] {
            let incoming = page.expect("incoming").await;
            page.say(json!({ "type": "decline", "ring": incoming["ring"] })).await;
        }
        gateway.is_empty().await;
        let journal = last_of(&gateway, 2).await;
        assert_eq!(journal.last().unwrap()["status"], 486, "{}", journal.last().unwrap());
        // Nobody takes it; one page goes, and the other rings no more when we give up.
        gateway.handle.originate(call_to("bob", Duration::from_secs(1))).await.unwrap();
        one.expect("incoming").await;
        drop(one);
        other.expect("incoming").await;
        other.expect("cancelled").await;
        gateway.is_empty().await;
        let journal = last_of(&gateway, 3).await;
        assert!(journal.last().unwrap()["reason"].as_str().unwrap().contains("not answered within 1 s"));
        let snapshot = gateway.handle.hub.snapshot().await.unwrap();
        assert_eq!(snapshot.gateway.rtp_ports_used, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_whip_servers_count_under_the_limits_of_our_calls() {
    let there = Gateway::start("24920-24929", "echo:live", "").await;
    let gateway =
        Gateway::start("24930-24939", "echo:live", "outbound.calls_per_minute = 1\noutbound.allow = ['echo']").await;
    let whip = |name: &str| Originate {
        whip: Some(voxgw::network::url::Url::parse(&format!("http://{}/whip/{name}", there.place)).unwrap()),
        ..call_to(name, LIMIT)
    };
    let refused = gateway.handle.originate(whip("premium")).await.unwrap_err().to_string();
    assert!(refused.contains("outbound.allow"), "{refused}");
    let call = gateway.handle.originate(whip("echo")).await.unwrap();
    let refused = gateway.handle.originate(whip("echo")).await.unwrap_err().to_string();
    assert!(refused.contains("outbound.calls_per_minute"), "{refused}");
    assert!(gateway.handle.hang_up(call, "enough").await);
    gateway.is_empty().await;
    there.is_empty().await;
    let refused_by = gateway.handle.hub.snapshot().await.unwrap().gateway.refused_by;
    assert_eq!((refused_by["outbound.allow"], refused_by["outbound.calls_per_minute"]), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_the_operator_transfer_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("desk.toml");
    std::fs::write(&script, "name = 'desk'\n[greeting]\ntext = 'moment'\ntransfer = 'bob'\n").unwrap();
    let desk = format!("[agents.desk]\nkind = 'scripted'\nscript = '{}'\n", script.display());
    for by_agent in [true, false] {
        let agent = if by_agent { "desk" } else { "echo:live" };
        let gateway = Gateway::start("24940-24959", agent, &format!("{desk}{USERS}{REST}")).await;
        let mut waiting = bob(&gateway).await;
        let mut anna = Browser::new().await;
        let mut hers = Page::open(&gateway.place).await;
        hers.join(&mut anna, "desk", "").await;
        connected(&mut anna).await;
        if !by_agent {
            let answer = hers.heard.iter().find(|message| message["type"] == "answer").unwrap();
            let call = answer["call"].as_str().unwrap().parse().unwrap();
            // Nobody can be asked to go elsewhere; the call goes on.
            assert!(gateway.handle.transfer(call, Uri::parse("sip:carol@far.example").unwrap()).await);
            let to = Uri::parse(&format!("sip:bob@127.0.0.1:{}", gateway.sip())).unwrap();
            assert!(gateway.handle.transfer(call, to).await);
        }
        let mut other = Browser::new().await;
        let wait = async {
            loop {
                anna.run(std::time::Instant::now() + Duration::from_millis(100), |_| false).await;
                assert!(!anna.closed, "her call ended");
                assert!(!anna.closed, "her call ended");
            }
        };
        let (_, his) = tokio::select! {
            () = wait => unreachable!(),
            taken = take(&gateway, &mut waiting, &mut other) => taken,
        };
        let (one, two) =
            tokio::join!(other.connect(), anna.run(std::time::Instant::now() + Duration::from_secs(1), |_| false));
        assert_eq!((one, two), ((), ()));
        assert_talk(&mut anna, &mut other).await;
        drop((hers, his));
        gateway.is_empty().await;
        let journals = gateway.journals(2).await;
        let hers = journals.iter().find(|lines| lines[0]["direction"] == "in").unwrap();
        assert!(kinds(hers, "bridge").iter().any(|line| line["state"] == "joined"), "{hers:?}");
        if by_agent {
            let action = kinds(hers, "action").into_iter().find(|line| line["state"] == "done");
            assert_eq!(action.expect("what became of it")["action"], "transfer");
        } else {
            let notes = kinds(hers, "note");
            assert!(notes.iter().any(|note| note["text"].as_str().unwrap().contains("the page is not transferred")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telephone_refers_its_end_of_a_call_with_a_page_and_the_page_stays() {
    let (phone, carol) = (Party::new(), Party::new());
    let more = format!(
        "[trunks.carrier]\nserver = 'sip:{}'\nping = '0s'\n[[routes]]\nname = 'out'\nto = '+49*'\ntrunk_out = 'carrier'\n",
        phone.address
    );
    let gateway = Gateway::start("24960-24979", "echo:live", &more).await;
    let mut anna = Browser::new().await;
    let mut hers = Page::open(&gateway.place).await;
    hers.join(&mut anna, "+4930", "").await;
    let mut talk = tokio::task::block_in_place(|| {
        let invite = phone.request("INVITE");
        phone.take(&invite, &[("Allow", "INVITE, ACK, BYE, REFER, NOTIFY")], &[0, 101])
    });
    connected(&mut anna).await;
    let to = format!("<sip:carol@{}>", carol.address);
    let there = tokio::task::block_in_place(|| {
        phone.send(&mut talk, "REFER", &[("Refer-To", &to)], "");
        phone.response(202);
        let invite = carol.request("INVITE");
        let there = carol.take(&invite, &[], &[0, 101]);
        let bye = phone.request("BYE");
        phone.answer(&bye, 200, &[], None);
        there
    });
    let listening = tokio::task::spawn_blocking(move || {
        let heard = carol.heard(Duration::from_secs(2));
        carol.hang_up(there);
        heard.0
    });
    anna.sing(1_013.0, Duration::from_millis(1_400)).await;
    let heard = listening.await.unwrap();
    let share = share_at(1_013.0, &heard[heard.len() / 3..]);
    assert!(share > 0.8, "{share} of what carol hears of {} samples is the page", heard.len());
    assert_eq!(hers.expect("bye").await["by"], "callee", "carol hung up");
    gateway.is_empty().await;
}
