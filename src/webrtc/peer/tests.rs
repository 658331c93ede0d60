//! A peer and a browser in virtual time, with a network between them that can be cut.
#![allow(clippy::disallowed_methods, reason = "str0m's clock has no origin of its own: the real one's now will do")]

use super::*;
use str0m::{
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, MediaKind, MediaTime},
};

const OURS: &str = "192.0.2.1:4000";
const THEIRS: &str = "192.0.2.2:5000";

/// Both ends and the time.
struct World {
    base: StdInstant,
    now: Instant,
    peer: Peer,
    browser: Rtc,
    pending: Option<SdpPendingOffer>,
    mid: Mid,
    /// Nothing arrives at either end.
    cut: bool,
    said: Vec<(Instant, Said)>,
    packets: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
    texts: Vec<String>,
}

fn browser(base: StdInstant) -> Rtc {
    let mut rtc = Rtc::builder().clear_codecs().enable_pcmu(true, false).build(base);
    rtc.add_local_candidate(Candidate::host(THEIRS.parse().unwrap(), "udp").unwrap());
    rtc
}

fn offer_of(rtc: &mut Rtc) -> (String, SdpPendingOffer, Mid) {
    let mut change = rtc.sdp_api();
    let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    change.add_channel("events".to_owned());
    let (offer, pending) = change.apply().unwrap();
    while !matches!(rtc.poll_output().unwrap(), Output::Timeout(_)) {}
    (offer.to_sdp_string(), pending, mid)
}

fn accept(offer: &str, lite: bool) -> Result<(Peer, Accepted), String> {
    let base = StdInstant::now();
    let settings = Settings::new(lite);
    let source = "198.51.100.7".parse().unwrap();
    Peer::accept(Instant::ZERO, base, &settings, OURS.parse().unwrap(), source, (&["pcmu", "pcma"], true), offer)
}

impl World {
    fn new(lite: bool) -> Self {
        let base = StdInstant::now();
        let mut browser = browser(base);
        let (offer, pending, mid) = offer_of(&mut browser);
        let source = "198.51.100.7".parse().unwrap();
        let (peer, accepted) = Peer::accept(
            Instant::ZERO,
            base,
            &Settings::new(lite),
            OURS.parse().unwrap(),
            source,
            (&["pcmu", "pcma"], true),
            &offer,
        )
        .unwrap();
        let mut world = Self {
            base,
            now: Instant::ZERO,
            peer,
            browser,
            pending: Some(pending),
            mid,
            cut: false,
            said: Vec::new(),
            packets: Vec::new(),
            heard: Vec::new(),
            texts: Vec::new(),
        };
        world.take_answer(&accepted.answer);
        world
    }

    fn std(&self) -> StdInstant {
        self.base + Duration::from_nanos(self.now.as_nanos())
    }

    fn take_answer(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.browser.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
        self.browser_turn();
    }

    /// The browser's outputs; gives when it wants to be called.
    fn browser_turn(&mut self) -> StdInstant {
        loop {
            match self.browser.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    if !self.cut {
                        let bytes: Vec<u8> = transmit.contents.into();
                        self.peer.datagram(self.now, THEIRS.parse().unwrap(), &bytes);
                    }
                }
                Output::Event(Event::MediaData(data)) => self.heard.push(data.data.to_vec()),
                Output::Event(Event::ChannelData(data)) => {
                    self.texts.push(String::from_utf8(data.data).unwrap());
                }
                Output::Event(_) => {}
            }
        }
    }

    fn peer_turn(&mut self) {
        while let Some((_, bytes)) = self.peer.transmit() {
            if !self.cut {
                let receive =
                    Receive::new(Protocol::Udp, OURS.parse().unwrap(), THEIRS.parse().unwrap(), &bytes).unwrap();
                let input = Input::Receive(self.std(), receive);
                self.browser.handle_input(input).unwrap();
                self.browser_turn();
            }
        }
        while let Some(said) = self.peer.poll() {
            if said == Said::Rtp {
                let mut packet = Vec::new();
                self.peer.packet(&mut packet);
                self.packets.push(packet);
            }
            self.said.push((self.now, said));
        }
    }

    /// Lets `span` pass in steps of 5 ms.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.now += Duration::from_millis(5);
            let input = Input::Timeout(self.std());
            self.browser.handle_input(input).unwrap();
            self.browser_turn();
            if self.peer.timeout() <= self.now {
                self.peer.handle_timeout(self.now);
            }
            self.peer_turn();
        }
    }

    fn failed(&self) -> Option<(Duration, &'static str)> {
        self.said.iter().find_map(|(at, said)| match said {
            Said::Failed(why) => Some((at.since(Instant::ZERO), *why)),
            _ => None,
        })
    }

    fn states(&self) -> Vec<State> {
        self.said
            .iter()
            .filter_map(|(_, said)| if let Said::State(state) = said { Some(*state) } else { None })
            .collect()
    }
}

#[test]
fn media_and_texts_flow_both_ways_over_a_full_and_a_lite_agent() {
    for lite in [false, true] {
        let mut world = World::new(lite);
        world.pass(Duration::from_secs(2));
        assert_eq!(world.states(), [State::Checking, State::Handshake, State::Connected], "lite {lite}");
        let path = Said::Path(OURS.parse().unwrap(), THEIRS.parse().unwrap());
        assert!(world.said.iter().any(|(_, said)| *said == path), "lite {lite}: {:?}", world.said);

        let pt = world.browser.writer(world.mid).unwrap().payload_params().next().unwrap().pt();
        for n in 0..50_u16 {
            let time = MediaTime::new(u64::from(n) * 160, Frequency::EIGHT_KHZ);
            let now = world.std();
            world.browser.writer(world.mid).unwrap().write(pt, now, time, vec![n.to_le_bytes()[0]; 160]).unwrap();
            world.browser_turn();
            let mut packet = vec![0x80, 0];
            // Sequence numbers that wrap on the way.
            packet.extend((65_520_u16.wrapping_add(n)).to_be_bytes());
            packet.extend((u32::from(n) * 160).to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend([n.to_le_bytes()[0]; 160]);
            world.peer.rtp(world.now, &packet);
            world.pass(Duration::from_millis(20));
        }
        world.pass(Duration::from_secs(1));
        assert_eq!(world.packets.len(), 50, "lite {lite}");
        assert!(
            world
                .packets
                .iter()
                .all(|packet| packet.len() == 172 && packet[0] == 0x80 && packet[1].trailing_zeros() >= 7)
        );
        assert_eq!(world.packets[49][12..], [49; 160]);
        assert_eq!(world.heard.len(), 50, "lite {lite}");

        assert!(world.peer.text(world.now, r#"{"type":"state"}"#));
        world.pass(Duration::from_millis(200));
        assert_eq!(world.texts, [r#"{"type":"state"}"#]);
        assert!(world.said.iter().any(|(_, said)| matches!(said, Said::Report(_))));

        world.peer.close(world.now);
        world.peer_turn();
        assert_eq!(world.states().last(), Some(&State::Closed));
    }
}

#[test]
fn a_browser_that_never_comes_is_given_up_after_fifteen_seconds() {
    let mut world = World::new(false);
    world.cut = true;
    world.pass(CONNECT_WITHIN + Duration::from_secs(1));
    let (at, why) = world.failed().expect("an end");
    assert_eq!((at, why), (CONNECT_WITHIN, "ICE did not connect"));
}

#[test]
fn a_browser_that_vanishes_is_given_up_within_half_a_minute() {
    for lite in [false, true] {
        let mut world = World::new(lite);
        world.pass(Duration::from_secs(2));
        world.cut = true;
        world.pass(Duration::from_secs(40));
        let (at, why) = world.failed().expect("an end");
        assert_eq!(why, "the browser has vanished");
        println!("lite {lite}: given up after {:?}", at.saturating_sub(Duration::from_secs(2)));
        assert!(at < Duration::from_secs(32), "lite {lite}: after {at:?}");
    }
}

#[test]
fn a_short_outage_is_survived() {
    let mut world = World::new(false);
    world.pass(Duration::from_secs(2));
    world.cut = true;
    world.pass(Duration::from_secs(4));
    world.cut = false;
    world.pass(Duration::from_secs(20));
    assert_eq!(world.failed(), None);
    assert_eq!(world.peer.state(), State::Connected);
}

#[test]
fn ice_restarts_within_the_session() {
    let mut world = World::new(false);
    world.pass(Duration::from_secs(2));
    let mut change = world.browser.sdp_api();
    change.ice_restart(true);
    let (offer, pending) = change.apply().unwrap();
    world.pending = Some(pending);
    world.browser_turn();
    let now = world.now;
    let answer = world.peer.offer_again(now, &offer.to_sdp_string()).unwrap();
    assert!(world.peer.offer_again(now, "v=0\r\nm=audio 9 RTP/AVP 0\r\n").is_err());
    world.take_answer(&answer);
    world.pass(Duration::from_secs(3));
    assert_eq!(world.failed(), None);
    assert!(world.browser.is_connected());
    assert_eq!(world.peer.state(), State::Connected);
}

#[test]
fn the_pipeline_is_told_of_plain_rtp() {
    let base = StdInstant::now();
    let (offer, ..) = offer_of(&mut browser(base));
    let (_, accepted) = accept(&offer, false).unwrap();
    assert_eq!(accepted.stand_in, "198.51.100.7:9".parse().unwrap());
    assert_eq!(
        accepted.described,
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
         a=sendrecv\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n"
    );
    assert_eq!(first_clock(&accepted.described), 8_000);
    assert_eq!(first_clock("m=audio 9 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n"), 48_000);
    assert!(accepted.answer.contains(&format!("{} typ host", OURS.replace(':', " "))), "{}", accepted.answer);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let base = StdInstant::now();
    let (good, ..) = offer_of(&mut browser(base));
    let long = format!("{good}{}", "a=x:y\r\n".repeat(OFFER_MAX / 7));
    let many_lines = format!("{good}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(MEDIA_MAX));
    let many = format!("{good}{}", "a=candidate:1 1 udp 1 192.0.2.3 9 typ host\r\n".repeat(CANDIDATES_MAX + 1));
    let without_fingerprint: Vec<&str> = good.lines().filter(|line| !line.starts_with("a=fingerprint")).collect();
    let without_fingerprint = without_fingerprint.join("\r\n") + "\r\n";
    let opus = good.replace("PCMU/8000", "G729/8000").replace("SAVPF 0", "SAVPF 18").replace("map:0 ", "map:18 ");
    for (offer, wanted) in [
        (long.as_str(), "is the most"),
        (&many_lines, "media sections"),
        (&many, "candidates"),
        ("", "no audio"),
        ("\u{0}m=audio ", "no audio"),
        ("m=audio x", "cannot be read"),
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "cannot be read"),
        (&without_fingerprint, "fingerprint"),
        (&opus, "no codec in common"),
    ] {
        let why = accept(offer, false).err().unwrap_or_else(|| panic!("taken: {offer}"));
        assert!(why.contains(wanted), "{why} for {wanted}");
    }
}

#[test]
fn candidates_are_bounded_and_read() {
    let (offer, ..) = offer_of(&mut browser(StdInstant::now()));
    let (mut peer, _) = accept(&offer, false).unwrap();
    let now = Instant::ZERO;
    let good = "candidate:1 1 udp 2113937151 192.0.2.9 50000 typ host generation 0 ufrag abcd network-cost 999";
    for fine in ["", "end-of-candidates", "a=end-of-candidates", good, &format!("a={good}")] {
        assert_eq!(peer.candidate(now, fine), Ok(()), "{fine}");
    }
    // A name of its own network, and one over TCP: nothing for us, and no error.
    assert_eq!(peer.candidate(now, "candidate:1 1 udp 1 5b2-af.local 50000 typ host"), Ok(()));
    let tcp = "candidate:1 1 tcp 1518214911 192.0.2.9 9 typ host tcptype active";
    assert_eq!(peer.candidate(now, tcp), Ok(()));
    for wrong in
        ["candidate:", "candidate:1 1 udp x 192.0.2.9 50000 typ host", "nonsense", &"x".repeat(CANDIDATE_MAX + 1)]
    {
        assert!(peer.candidate(now, wrong).is_err(), "{wrong}");
    }
    let refused = (0..CANDIDATES_MAX).filter(|_| peer.candidate(now, good).is_err()).count();
    assert!(refused > 0, "no bound");
}

#[test]
fn strangers_are_not_heard() {
    let mut world = World::new(false);
    world.pass(Duration::from_secs(2));
    let before = world.said.len();
    let stranger = "203.0.113.9:1".parse().unwrap();
    // RTP, DTLS and STUN that were not signed for this session.
    let stun = [[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42].as_slice(), &[7; 12]].concat();
    for bytes in [&[0x80_u8; 172][..], &[22; 60], &stun, &[], &[0; 3], &[255; 1_500]] {
        assert!(!world.peer.datagram(world.now, stranger, bytes), "{bytes:?}");
    }
    world.peer_turn();
    assert_eq!(world.said.len(), before);
    // The same from the browser's own address is dropped by SRTP and DTLS.
    for bytes in [&[0x80_u8; 172][..], &[22; 60], &[0x81; 3]] {
        world.peer.datagram(world.now, THEIRS.parse().unwrap(), bytes);
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.peer.state(), State::Connected);
    assert!(world.packets.is_empty());
}
