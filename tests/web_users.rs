//! Browsers and telephones together, over real sockets: a browser's call that goes on to a trunk or a user, and pages that
//! ring because they are users.
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
#[path = "support/web_gateway.rs"]
mod web_gateway;

use browser::{Browser, Page, share_at};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use voxgw::{clock::SystemClock, webrtc::token::Claims};
use web_gateway::{Gateway, LIMIT, kinds};

const USERS: &str = "[users.bob]\npassword = 'looking-glass'\n[users.anna]\npassword = 'rabbit-hole'\n\
                     [[routes]]\nname = 'bob'\nto = 'bob'\nuser = 'bob'\nring = '4s'\n";

/// A page that is bob and waits.
async fn bob(gateway: &Gateway) -> Page {
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "register", "user": "bob", "password": "looking-glass" })).await;
    assert_eq!(page.expect("registered").await["user"], "bob");
    page
}

/// Takes the call that rings at a page; gives the call's own socket.
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

async fn run(browser: &mut Browser, ms: u64) {
    browser.run(Instant::now() + Duration::from_millis(ms), |_| false).await;
}

/// What a page was told of its call's state.
fn states(page: &Page) -> Vec<&str> {
    page.heard.iter().filter(|message| message["type"] == "state").filter_map(|m| m["state"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_s_call_leaves_by_a_trunk_and_hears_who_answers() {
    let far = Gateway::start("24600-24619", "echo:live", "").await;
    let more = format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nping = '0s'\nidentity = 'caller'\n\
         [[routes]]\nname = 'out'\nto = '+49*'\ntrunk_out = 'carrier'\n",
        far.sip()
    );
    let gateway = Gateway::start("24620-24639", "echo:live", &more).await;
    let mut browser = Browser::new().await;
    let mut page = Page::open(&gateway.place).await;
    page.join(&mut browser, "+4930", "").await;
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
    let heard = browser.sing(1_013.0, Duration::from_secs(2)).await;
    assert!(share_at(1_013.0, &heard) > 0.8, "{}", share_at(1_013.0, &heard));
    page.say(json!({ "type": "bye", "reason": "enough" })).await;
    page.expect("bye").await;
    assert!(states(&page).ends_with(&["up", "ended"]), "{:?}", states(&page));
    gateway.is_empty().await;
    far.is_empty().await;
    let journals = gateway.journals(2).await;
    assert_eq!(journals[0][0]["from"], "web:anna", "nobody has proved to be anna");
    let bridge = |lines: &[Value]| kinds(lines, "bridge").last().map(|line| (*line).clone()).unwrap();
    assert_eq!(
        (&bridge(&journals[0])["peer"], &bridge(&journals[1])["peer"]),
        (&journals[1][0]["call"], &journals[0][0]["call"])
    );
    assert_eq!(journals[1].last().unwrap()["ended_by"], "caller");
    let there = far.journal().await;
    assert_eq!(there[0]["from"], "web%3Aanna", "as an address writes it");
    assert_eq!(there.last().unwrap()["ended_by"], "caller");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_whose_call_is_refused_behind_us_hears_why() {
    let far = Gateway::start("24640-24659", "echo:live", "gateway.max_calls = 0").await;
    let more = format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nping = '0s'\n\
         [[routes]]\nname = 'out'\nto = '+49*'\ntrunk_out = 'carrier'\n{USERS}",
        far.sip()
    );
    let gateway = Gateway::start("24660-24679", "echo:live", &more).await;
    let mut browser = Browser::new().await;
    let mut page = Page::open(&gateway.place).await;
    page.join(&mut browser, "+4930", "").await;
    let bye = page.expect("bye").await;
    assert_eq!(bye["by"], "callee", "{bye}");
    assert!(bye["reason"].as_str().unwrap().contains("trunk carrier: 5"), "{bye}");
    assert_eq!(page.next().await, None);
    gateway.is_empty().await;
    // Nobody is bob: refused at once.
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "join", "to": "bob" })).await;
    page.expect("joined").await;
    let offer = Browser::new().await.offer(&[]);
    page.say(json!({ "type": "offer", "sdp": offer })).await;
    assert_eq!(page.expect("error").await["status"], 480);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_a_user_rings_and_two_browsers_hear_each_other() {
    let gateway = Gateway::start("24680-24699", "echo:live", USERS).await;
    assert!(gateway.users().await.is_empty());
    let mut waiting = bob(&gateway).await;
    assert_eq!(gateway.users().await, [("bob".to_owned(), 1)]);
    let (mut anna, mut other) = (Browser::new().await, Browser::new().await);
    let mut hers = Page::open(&gateway.place).await;
    hers.say(json!({ "type": "join", "to": "bob", "user": "anna", "password": "rabbit-hole" })).await;
    hers.expect("joined").await;
    let offer = anna.offer(&[]);
    hers.say(json!({ "type": "offer", "sdp": offer })).await;
    let answer = hers.expect("answer").await;
    anna.take_answer(answer["sdp"].as_str().unwrap());
    let (incoming, mut his) = take(&gateway, &mut waiting, &mut other).await;
    assert_eq!((&incoming["from"], &incoming["name"]), (&json!("anna"), &json!("anna")), "she has proved it");
    let (one, two) = tokio::join!(anna.connect(), other.connect());
    assert_eq!((one, two), ((), ()));
    let span = Duration::from_secs(2);
    let (high, low) = tokio::join!(anna.sing(600.0, span), other.sing(1_700.0, span));
    for (heard, theirs, own) in [(high, 1_700.0, 600.0), (low, 600.0, 1_700.0)] {
        let share = |hz| share_at(hz, &heard[heard.len() / 3..]);
        assert!(share(theirs) > 0.8, "{theirs} Hz is {} of what is heard", share(theirs));
        assert!(share(own) < 0.01, "its own {own} Hz is {} of what is heard", share(own));
    }
    // Digits go across; the callee hangs up, and stays to be called again.
    anna.press('7').await;
    run(&mut other, 200).await;
    his.say(json!({ "type": "bye", "reason": "enough" })).await;
    assert_eq!(his.expect("bye").await["by"], "callee");
    assert_eq!(hers.expect("bye").await["by"], "callee");
    assert_eq!(states(&hers), ["offered", "ringing", "up", "ended"]);
    gateway.is_empty().await;
    assert_eq!(gateway.users().await.len(), 1);
    let journals = gateway.journals(2).await;
    assert_eq!(journals[0][0]["from"], "web:anna");
    assert!(kinds(&journals[1], "dtmf").iter().any(|line| line["digit"] == "7" && line["direction"] == "out"));
    let connected = |lines: &[Value]| kinds(lines, "ice").iter().any(|line| line["state"] == "connected");
    assert!(journals.iter().all(|lines| connected(lines)));
    // Nobody else can take a call by the same ring.
    let mut late = Page::open(&gateway.place).await;
    late.say(json!({ "type": "join", "ring": incoming["ring"] })).await;
    late.expect("joined").await;
    let offer = Browser::new().await.offer(&[]);
    late.say(json!({ "type": "offer", "sdp": offer })).await;
    assert_eq!(late.expect("error").await["status"], 410);
    waiting.say(json!({ "type": "bye" })).await;
    assert_eq!(waiting.next().await, None);
    assert!(gateway.users().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_declines_does_not_answer_or_goes_and_the_caller_hears_of_it() {
    let gateway = Gateway::start("24700-24719", "echo:live", USERS).await;
    let mut first = bob(&gateway).await;
    let mut second = bob(&gateway).await;
    assert_eq!(gateway.users().await, [("bob".to_owned(), 2)]);
    for round in ["declines", "is given up", "does not answer", "goes"] {
        let mut browser = Browser::new().await;
        let mut caller = Page::open(&gateway.place).await;
        caller.join(&mut browser, "bob", "").await;
        let ring = first.expect("incoming").await["ring"].clone();
        match round {
            "declines" => {
                let other = second.expect("incoming").await["ring"].clone();
                // One page speaks for itself, and not for others.
                first.say(json!({ "type": "decline", "ring": other })).await;
                first.say(json!({ "type": "decline", "ring": ring })).await;
                second.say(json!({ "type": "decline", "ring": other })).await;
            }
            "is given up" => {
                second.expect("incoming").await;
                caller.say(json!({ "type": "bye", "reason": "never mind" })).await;
                assert_eq!(first.expect("cancelled").await["ring"], ring);
                assert_eq!(second.expect("cancelled").await["reason"], "the caller is gone");
            }
            "does not answer" => {
                second.expect("incoming").await;
                assert_eq!(first.expect("cancelled").await["reason"], "no answer");
                second.expect("cancelled").await;
            }
            _ => {
                let other = second.expect("incoming").await["ring"].clone();
                second.say(json!({ "type": "decline", "ring": other })).await;
                first.say(json!({ "type": "bye" })).await;
            }
        }
        let bye = caller.expect("bye").await;
        let wanted = match round {
            "declines" => "user bob: 486 declined",
            "is given up" => "never mind",
            "does not answer" => "user bob: 480 nobody answered",
            _ => "user bob: 486",
        };
        assert!(bye["reason"].as_str().unwrap().starts_with(wanted), "{round}: {bye}");
        gateway.is_empty().await;
    }
    drop((first, second));
    let gone = async {
        while !gateway.users().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("presence ends with the page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_proves_it_is_a_user() {
    let gateway = Gateway::start("24720-24739", "echo", &format!("sip.limits.trusted = ['127.0.0.1']\n{USERS}")).await;
    let now = SystemClock::wall().0 / 1_000_000;
    let mint =
        |sub: &str, to: &str| gateway.handle.join_key.sign(&Claims { sub: sub.into(), to: to.into(), exp: now + 60 });
    for (message, status) in [
        (json!({ "user": "bob" }), 401),
        (json!({ "user": "bob", "password": "wrong" }), 401),
        (json!({ "user": "nobody", "password": "wrong" }), 401),
        (json!({ "user": "anna", "password": "looking-glass" }), 401),
        (json!({ "user": "bob", "token": "nonsense" }), 401),
        (json!({ "user": "bob", "token": mint("anna", "") }), 403),
        (json!({ "token": mint("bob", "echo") }), 403),
        (json!({ "token": mint("stranger", "") }), 404),
        (json!({ "user": "<bob>", "password": "looking-glass" }), 400),
    ] {
        let mut page = Page::open(&gateway.place).await;
        let mut message = message;
        message["type"] = json!("register");
        page.say(message.clone()).await;
        assert_eq!(page.expect("error").await["status"], status, "{message}");
        assert_eq!(page.next().await, None);
    }
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "register", "token": mint("bob", "") })).await;
    assert_eq!(page.expect("registered").await["user"], "bob");
    assert_eq!(gateway.users().await, [("bob".to_owned(), 1)]);
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "join", "to": "echo", "user": "bob", "password": "wrong" })).await;
    assert_eq!(page.expect("error").await["status"], 401);
}
