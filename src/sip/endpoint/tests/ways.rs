//! Which way requests take: what is too long for a datagram (RFC 3261 §18.1.1), and names in Contact and Record-Route.

use super::{
    calling::{Calling, PROXY, cseq, header, path},
    *,
};

const THERE: &str = "198.51.100.7:5060";
/// At the address that answers.
const CONTACT: &str = "Contact: <sip:bob@198.51.100.7>\r\n";

fn with_tcp() -> Calling {
    let mut call = Calling::new();
    call.endpoint.takes_tcp_at(vec!["192.0.2.9:5062".parse().unwrap()]);
    call
}

fn up(contact: &str) -> Calling {
    let mut call = with_tcp();
    call.answer(&call.newest("INVITE"), 200, "b", contact);
    call
}

fn refuse_tcp(call: &mut Calling) {
    let lost = Path { transport: Transport::Tcp, ..path(THERE) };
    call.endpoint.connection_lost(call.now, lost, "connection refused");
    call.drain();
}

fn long() -> String {
    format!("v=0 {}", "x".repeat(1_300))
}

#[test]
fn a_long_reinvite_goes_by_tcp_and_as_a_datagram_where_tcp_is_refused() {
    let mut call = up(CONTACT);
    call.command(Command::Reinvite(call.leg, "v=0 short".into()));
    assert!(header(&call.newest("INVITE"), "Via").starts_with("SIP/2.0/UDP 192.0.2.9:5060"));
    call.answer(&call.newest("INVITE"), 200, "", CONTACT);
    call.command(Command::Reinvite(call.leg, long()));
    let by_tcp = call.newest("INVITE");
    assert!(header(&by_tcp, "Via").starts_with("SIP/2.0/TCP 192.0.2.9:5062"), "{by_tcp}");
    assert_eq!(header(&by_tcp, "Contact"), "<sip:voxgw@192.0.2.9:5060>", "the dialog stays where it is");
    refuse_tcp(&mut call);
    let again = call.newest("INVITE");
    assert!(header(&again, "Via").starts_with("SIP/2.0/UDP 192.0.2.9:5060"), "{again}");
    assert_eq!((cseq(&again), again.matches("User-Agent").count()), (cseq(&by_tcp), 1));
    assert_ne!(header(&again, "Via"), header(&by_tcp, "Via"));
    call.answer(&again, 200, "", CONTACT);
    assert!(matches!(call.events.last(), Some(Event::Changed(_, Ok(_)))), "{:?}", call.events.last());
    // Who refused is not asked again for an hour.
    call.command(Command::Reinvite(call.leg, long()));
    assert!(header(&call.newest("INVITE"), "Via").contains("/UDP"));
    call.answer(&call.newest("INVITE"), 200, "", CONTACT);
    call.now = call.now + Duration::from_hours(1) + Duration::from_secs(1);
    call.command(Command::Reinvite(call.leg, long()));
    assert!(header(&call.newest("INVITE"), "Via").contains("/TCP"));
    call.answer(&call.newest("INVITE"), 200, "", CONTACT);
    // Texts, too.
    call.command(Command::Text(call.leg, "y".repeat(1_300)));
    assert!(header(&call.newest("MESSAGE"), "Via").contains("/TCP"));
    refuse_tcp(&mut call);
    assert!(header(&call.newest("MESSAGE"), "Via").contains("/UDP"));
    call.answer(&call.newest("MESSAGE"), 200, "", "");
    assert!(matches!(call.events.last(), Some(Event::Texted(_, 200))));
    call.command(Command::HangUp(call.leg, None));
    call.answer(&call.newest("BYE"), 200, "", "");
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

#[test]
fn a_long_reinvite_stays_a_datagram_behind_nat_and_where_we_take_no_tcp() {
    let mut nat = up("Contact: <sip:bob@10.0.0.3>\r\n");
    nat.command(Command::Reinvite(nat.leg, long()));
    let sent = nat.all("INVITE").last().copied().unwrap().clone();
    assert!(sent.0 == THERE && sent.1.contains("SIP/2.0/UDP"), "no connection leads there: {sent:?}");
    let mut alone = Calling::new();
    alone.answer(&alone.newest("INVITE"), 200, "b", CONTACT);
    alone.command(Command::Reinvite(alone.leg, long()));
    assert!(header(&alone.newest("INVITE"), "Via").contains("/UDP"));
}

#[test]
fn an_invite_that_grows_by_a_challenge_goes_by_tcp() {
    let mut call = with_tcp();
    let challenge = PROXY.replace("p1", &"p".repeat(900));
    call.answer(&call.newest("INVITE"), 407, "x", &challenge);
    assert!(header(&call.newest("INVITE"), "Via").contains("/TCP"), "{}", call.newest("INVITE"));
    refuse_tcp(&mut call);
    let again = call.newest("INVITE");
    assert!(header(&again, "Via").contains("/UDP") && again.contains("Proxy-Authorization"), "{again}");
    call.answer(&again, 180, "b", CONTACT);
    call.answer(&again, 200, "b", CONTACT);
    assert!(call.is_answered() && call.ended().is_none());
    assert_eq!(cseq(&call.newest("ACK")), 2);
}

// Names

const BY_NAME: &str = "Record-Route: <sip:edge.example.net:5070;lr>\r\nContact: <sip:bob@10.0.0.3>\r\n";
const EDGE: &str = "203.0.113.9:5070";

/// The name that was asked for last.
fn asked(call: &Calling) -> Option<Uri> {
    call.events
        .iter()
        .rev()
        .find_map(|event| if let Event::Locate(_, name) = event { Some(name.clone()) } else { None })
}

fn tell(call: &mut Calling, place: Option<&str>) {
    let name = asked(call).expect("a name was asked for");
    call.command(Command::Located(call.leg, name, place.map(|place| place.parse().unwrap())));
}

fn went_to(call: &Calling, method: &str) -> Vec<String> {
    call.all(method).iter().map(|(remote, _)| remote.clone()).collect()
}

#[test]
fn a_name_in_record_route_is_found_before_the_200_has_its_ack() {
    let mut call = Calling::new();
    call.answer(&call.newest("INVITE"), 200, "b", BY_NAME);
    assert_eq!(asked(&call).unwrap().to_string(), "sip:edge.example.net:5070;transport=udp");
    assert!(call.all("ACK").is_empty() && !call.is_answered());
    tell(&mut call, Some(EDGE));
    assert!(call.is_answered());
    // The 200 again: its ACK was lost.
    call.answer(&call.newest("INVITE"), 200, "b", BY_NAME);
    call.command(Command::HangUp(call.leg, None));
    assert_eq!((went_to(&call, "ACK"), went_to(&call, "BYE")), (vec![EDGE.to_owned(); 2], vec![EDGE.to_owned()]));
    assert_eq!(call.events.iter().filter(|event| matches!(event, Event::Locate(..))).count(), 1);
}

#[test]
fn a_name_that_leads_nowhere_or_is_not_found_in_time_leaves_the_way_that_the_call_came() {
    let mut nowhere = Calling::new();
    nowhere.answer(&nowhere.newest("INVITE"), 200, "b", BY_NAME);
    tell(&mut nowhere, None);
    assert_eq!(went_to(&nowhere, "ACK"), [THERE]);
    let mut late = Calling::new();
    late.answer(&late.newest("INVITE"), 200, "b", BY_NAME);
    late.run(Duration::from_millis(1_900));
    assert!(late.all("ACK").is_empty());
    late.run(Duration::from_millis(200));
    assert_eq!(went_to(&late, "ACK"), [THERE]);
    // Better late than never.
    tell(&mut late, Some(EDGE));
    late.command(Command::HangUp(late.leg, None));
    assert_eq!(went_to(&late, "BYE"), [EDGE]);
}

#[test]
fn a_prack_goes_to_the_name_of_its_branch() {
    let mut call = Calling::new();
    let reliable = format!("{BY_NAME}Require: 100rel\r\nRSeq: 1\r\n");
    call.answer(&call.newest("INVITE"), 183, "b", &reliable);
    assert!(call.all("PRACK").is_empty());
    // The 200 waits behind it.
    call.answer(&call.newest("INVITE"), 200, "b", BY_NAME);
    assert!(call.all("ACK").is_empty());
    tell(&mut call, Some(EDGE));
    assert_eq!((went_to(&call, "PRACK"), went_to(&call, "ACK")), (vec![EDGE.to_owned()], vec![EDGE.to_owned()]));
    assert!(call.is_answered());
}

#[test]
fn a_call_that_is_hung_up_while_its_name_is_looked_for_is_ended_at_the_far_end_too() {
    let mut call = Calling::new();
    call.answer(&call.newest("INVITE"), 200, "b", BY_NAME);
    call.command(Command::HangUp(call.leg, None));
    assert!(call.ended().is_some());
    assert_eq!((call.all("ACK").len(), call.all("BYE").len()), (1, 1));
    call.answer(&call.newest("BYE"), 200, "", "");
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

#[test]
fn who_calls_by_a_name_is_reached_there_and_a_new_contact_is_followed() {
    let mut endpoint = endpoint(1);
    let here = |name: &str| format!("<sip:a@{name}>");
    let invite = request("INVITE", "1", "", 1, "").replace("<sip:a@10.0.0.1>", &here("pbx.example.net"));
    let names = |endpoint: &mut Endpoint| {
        let (mut names, mut sent) = (Vec::new(), Vec::new());
        loop {
            match endpoint.poll() {
                Output::Event(Event::Locate(_, name)) => names.push(name),
                Output::Transmit(path, bytes) => {
                    sent.push((path.remote.to_string(), String::from_utf8(bytes).unwrap()));
                }
                Output::Timeout(_) => return (names, sent),
                _ => {}
            }
        }
    };
    endpoint.handle(Instant::ZERO, path("198.51.100.7:40000"), invite.replace('\n', "\r\n").as_bytes());
    let (asked, _) = names(&mut endpoint);
    assert_eq!(asked[0].to_string(), "sip:pbx.example.net;transport=udp");
    endpoint.command(
        Instant::ZERO,
        Command::Located(LegId(1), asked[0].clone(), Some("203.0.113.5:5060".parse().unwrap())),
    );
    endpoint.command(Instant::ZERO, Command::Answer(LegId(1), "v=0".into()));
    let (_, sent) = names(&mut endpoint);
    let tag = sent[0].1.split("To: <sip:us@y>;tag=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let in_dialog = format!(";tag={tag}");
    for text in [
        request("ACK", "2", &in_dialog, 1, ""),
        request("INVITE", "3", &in_dialog, 2, "").replace("<sip:a@10.0.0.1>", &here("other.example.net:5080")),
    ] {
        endpoint.handle(Instant::ZERO, path("198.51.100.7:40000"), text.replace('\n', "\r\n").as_bytes());
    }
    let (asked, _) = names(&mut endpoint);
    assert_eq!(asked.len(), 1, "{asked:?}");
    endpoint.command(
        Instant::ZERO,
        Command::Located(LegId(1), asked[0].clone(), Some("203.0.113.6:5080".parse().unwrap())),
    );
    endpoint.command(Instant::ZERO, Command::RefuseReinvite(LegId(1), 488));
    endpoint.command(Instant::ZERO, Command::HangUp(LegId(1), None));
    let (_, sent) = names(&mut endpoint);
    let bye = sent.iter().find(|(_, text)| text.starts_with("BYE")).unwrap();
    assert_eq!(bye.0, "203.0.113.6:5080");
}
