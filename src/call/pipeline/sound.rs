//! Sound and digits on their ways: caller → recording and agent, agent → recording and caller.

use super::{
    Media, Out, Pipeline, SILENT_CHUNK, Seat, SipAction, Told, asides::ASIDE, background::NOBODY, placement::Place,
};
use crate::{
    agent::event::Command,
    agent::event::Event as AgentEvent,
    call::Input as CallInput,
    call::journal::{Body, Digit, Direction, Level, MediaChange, Note, Part, Turn, rounded},
    clock::Instant,
    media::codec,
    media::dsp::digits::Mode,
    media::dsp::level::Energy,
    media::dsp::resample::Resampler,
    media::dsp::vad::SpeechEdge,
    media::inbound,
    media::outbound::QUEUE_FULL,
    media::recorder::{Recorder, Side},
    media::rtp::packet::is_rtcp,
    unit::{SampleRate, TurnId},
};
use std::net::SocketAddr;
use std::time::Duration;

impl Media {
    /// Where a frame that arrived at `at` lies on the recording's clock, in samples at `to`: where it passed us, as what
    /// we send does. So nothing comes back before it was sent.
    fn place(
        &mut self,
        at: Instant,
        position: u64,
        rate: SampleRate,
        to: SampleRate,
        made_up: bool,
        energy: &Energy,
    ) -> Place {
        let signed = |samples: u64| i64::try_from(samples).unwrap_or(i64::MAX);
        let converted = |samples: u64| samples.saturating_mul(u64::from(to.0)) / u64::from(rate.0.max(1));
        let arrival = signed(to.samples_in(at.since(self.started_at)) as u64);
        // 50 ms.
        self.placement.place(arrival, signed(converted(position)), i64::from(to.0 / 20), made_up, || !is_voice(energy))
    }
}

impl Pipeline {
    // Media in

    pub(super) fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let wall = self.wall(now);
        let Some(media) = &mut self.media else { return };
        let Some(bytes) = self.srtp.open(now, bytes) else { return };
        if is_rtcp(bytes) {
            if from.ip() == media.remote_rtcp.ip() || from.ip() == media.remote.ip() {
                // It speaks of what we send.
                let clock = codec::by_name(&media.agreed.codec.0).unwrap_or(media.inbound.codec()).clock;
                media.reporter.handle(now, wall, bytes, clock);
            }
            return;
        }
        media.inbound.handle_rtp(now, from, bytes);
        self.heard(now);
    }

    /// What came out of the inbound path goes its ways.
    pub(super) fn heard(&mut self, now: Instant) {
        let mut samples = std::mem::take(&mut self.samples);
        while let Some(out) = self.media.as_mut().and_then(|media| media.inbound.poll(&mut samples)) {
            match out {
                inbound::Out::Frame { rate, at, position, concealed, voiced, energy } => {
                    self.frame(at, position, (concealed, voiced), rate, (&samples, &energy));
                    if self.call.listens_closely()
                        && let Some(last) = self.media.as_ref().map(|media| media.inbound.last_voiced())
                    {
                        self.call.voice_lasts(now, last);
                    }
                }
                // Nobody's words: the network's tones and announcements, or a party that we hold.
                // But who was told that somebody began to speak is told that they ceased.
                inbound::Out::Speech(edge)
                    if (self.is_unanswered_call_of_ours() || self.hold.on)
                        && !(self.speech_open && matches!(edge, SpeechEdge::Ended(_))) => {}
                inbound::Out::Speech(edge) => {
                    self.speech_open = matches!(edge, SpeechEdge::Started(_));
                    self.far_spoke |= matches!(edge, SpeechEdge::Ended(_));
                    if let SpeechEdge::Started(at) = edge {
                        self.answered_us(now, at);
                        self.hush(now, true);
                    }
                    self.call.handle(now, CallInput::Speech(edge));
                    self.tell(now, Told::Speech(edge));
                }
                inbound::Out::Digit { digit, duration_ms } => {
                    let mode = self.settings.tuning.dtmf;
                    let in_events = self.media.as_ref().is_some_and(|media| !media.agreed.events_in.is_empty());
                    if self.keys.heard(now, mode, digit, in_events) {
                        self.digit(now, digit, duration_ms, !in_events);
                    }
                }
                inbound::Out::Latched(source) => self.latched(now, source),
                inbound::Out::NewSource(_) => {
                    if let Some(media) = &mut self.media {
                        media.source_changes += 1;
                    }
                    if matches!(self.seat, Seat::Far) {
                        self.push(Out::FarAnew);
                    }
                }
            }
        }
        self.samples = samples;
    }

    /// A digit in an INFO.
    pub(super) fn info_digit(&mut self, now: Instant, digit: char, duration_ms: u32) {
        if self.keys.informed(now, self.settings.tuning.dtmf, digit) {
            self.digit(now, digit, duration_ms, false);
        }
    }

    fn digit(&mut self, now: Instant, digit: char, duration_ms: u32, as_tone: bool) {
        if !self.recording.is_paused() {
            self.digits.push(digit);
        }
        self.record(now, Body::Dtmf(Digit { direction: Direction::In, digit, duration_ms }));
        self.call.handle(now, CallInput::Digit(digit));
        self.tell(now, Told::Digit(digit));
        if matches!(self.seat, Seat::Far) {
            let passed = if as_tone { Out::FarTone } else { Out::FarDigit };
            self.push(passed(digit, duration_ms));
        }
    }

    /// We are the caller and the far end began to speak: the silence that we heard is its gap.
    pub(super) fn answered_us(&mut self, now: Instant, at: Instant) {
        let Some(spoken_at) = self.own_voice_at.take().filter(|_| self.settings.we_are_caller) else { return };
        let gap_ms = rounded(at.signed_ms_since(spoken_at));
        // Within a frame of our own voice it is talking over us, not answering.
        if gap_ms < 60.0 {
            return;
        }
        self.answer_gaps_ms.push(gap_ms);
        self.newest_gap_ms = Some(gap_ms);
        let part = Part { name: "far end".to_owned(), ms: gap_ms, owner: "far end".to_owned() };
        let turn = Turn {
            turn: TurnId(u32::try_from(self.answer_gaps_ms.len()).unwrap_or(u32::MAX)),
            at: Some(rounded(at.signed_ms_since(self.origin) / 1_000.0)),
            gap_ms: Some(gap_ms),
            parts: vec![part],
            ..Turn::default()
        };
        self.record(now, Body::Turn(turn));
    }

    pub(super) fn latched(&mut self, now: Instant, source: SocketAddr) {
        let Some(media) = &mut self.media else { return };
        media.first_packet_after.get_or_insert(now.since(media.started_at));
        if media.remote == source {
            return;
        }
        // Symmetric RTP (RFC 4961): answer to where packets come from.
        media.remote = source;
        media.remote_rtcp =
            if media.agreed.rtcp_mux { source } else { SocketAddr::new(source.ip(), source.port().saturating_add(1)) };
        let change = MediaChange {
            codec: media.agreed.codec.0.clone(),
            payload_type: media.agreed.codec.1.0,
            ptime_ms: media.agreed.ptime.ms(),
            local: self.settings.rtp.to_string(),
            remote: source.to_string(),
            source: "latched".to_owned(),
            direction: media.agreed.flow.name().to_owned(),
            srtp: self.srtp.suite().to_owned(),
        };
        self.record(now, Body::Media(change));
    }

    /// One frame: to the recording, and resampled and gathered to the agent.
    pub(super) fn frame(
        &mut self,
        at: Instant,
        position: u64,
        (concealed, voiced): (bool, bool),
        rate: SampleRate,
        (samples, energy): (&[i16], &Energy),
    ) {
        let Some(media) = &mut self.media else { return };
        media.echo.heard(at, energy);
        if let Some(recorder) = &mut self.recorder {
            let side = if self.settings.we_are_caller { Side::Agent } else { Side::Caller };
            let place = media.place(at, position, rate, recorder.rate(), concealed, energy);
            recorder.add(side, place.position, rate, self.recording.kept(samples), place.slip);
        }
        if self.is_unanswered_call_of_ours() || self.hold.on {
            return;
        }
        if matches!(self.seat, Seat::Far) {
            self.pass_on(at, position, rate, samples);
            return;
        }
        let samples = self.recording.heard_by_agent(rate, samples);
        if let Seat::Local(agent) = &mut self.seat {
            agent.handle(at, Command::Audio { rate, samples });
            return;
        }
        let uplink = &mut self.uplink;
        if voiced && uplink.voiced_since.is_none() {
            uplink.voiced_since = Some(at);
        }
        if rate == uplink.rate {
            uplink.chunk.extend_from_slice(samples);
        } else {
            if uplink.resampler.as_ref().is_none_or(|(from, _)| *from != rate) {
                uplink.resampler = Resampler::new(rate, uplink.rate).ok().map(|resampler| (rate, resampler));
            }
            if let Some((_, resampler)) = &mut uplink.resampler {
                resampler.process(samples, &mut uplink.chunk);
            }
        }
        let full = if uplink.voiced_since.is_some() { Duration::from_millis(18) } else { SILENT_CHUNK };
        if uplink.rate.duration_of(uplink.chunk.len()) >= full {
            let mut chunk = self.spare_samples.pop().unwrap_or_default();
            chunk.clear();
            std::mem::swap(&mut chunk, &mut uplink.chunk);
            let voiced_since = uplink.voiced_since.take();
            self.out.push_back(Out::Audio(chunk, voiced_since));
        }
    }

    // Media out

    pub(super) fn agent(&mut self, now: Instant, event: AgentEvent, received_at: Instant) {
        if matches!(self.seat, Seat::Far) {
            // It has handed the caller over: its last words are nobody's.
            return;
        }
        let (rate, samples) = match event {
            AgentEvent::Audio { rate, samples } => (rate, samples),
            AgentEvent::Mark(mark) => return self.mark(now, mark),
            AgentEvent::ToolCall(call) => return self.tool_called(now, call),
            AgentEvent::ToolsCancelled(ids) => return self.tools_cancelled(now, ids),
            event => return self.call.handle(now, CallInput::Agent(event)),
        };
        if self.hold.on {
            return;
        }
        let Some(turn) = self.call.accept_audio(now, rate.duration_of(samples.len())) else { return };
        self.hush(now, false);
        let Some(media) = &mut self.media else { return };
        if media.outbound.is_drained() {
            self.audio_received_at = Some(received_at);
        }
        let dropped_ms = media.outbound.enqueue(now, turn, rate, &samples);
        self.floor.give(now, rate.duration_of(samples.len()));
        if dropped_ms > 0 {
            let text = format!("the agent is more than five minutes ahead: {dropped_ms} ms of its sound were dropped");
            self.record(now, Body::Note(Note { level: Level::Warn, text }));
        }
    }

    /// So much of the agent's sound waits that no more of it should be read. Not while the caller speaks: if the agent is
    /// interrupted, the word of that comes behind its sound.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.outbound.queued() >= QUEUE_FULL && !media.inbound.is_speaking())
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if let Some(media) = &mut self.media {
            // Nothing is said before the answer, unless that was agreed on.
            let open = self.early || self.call.answered_at().is_some();
            media.outbound.set_sending(media.agreed.flow.sends() && open);
        }
        self.sound_tone(now);
        self.feed(now);
        while let Some(media) = &mut self.media
            && media.outbound.timeout() <= now
        {
            let mut datagram = self.spare_datagrams.pop().unwrap_or_default();
            let ticked = media.outbound.tick(now, &mut datagram);
            if ticked.sent {
                let length = media.agreed.ptime.duration();
                media.echo.sent(now, media.outbound.energy());
                let background = self.background.is_some();
                let asked = media.inbound.is_speaking() || (self.settings.we_are_caller && !background);
                if ticked.voice && asked && is_voice(media.outbound.energy()) {
                    if media.inbound.is_speaking() {
                        media.double_talk += length;
                    }
                    if self.settings.we_are_caller && !background {
                        self.own_voice_at = Some(now);
                    }
                }
                if let Some(recorder) = &mut self.recorder {
                    let side = if self.settings.we_are_caller { Side::Caller } else { Side::Agent };
                    let position = recorder.rate().samples_in(ticked.position) as u64;
                    recorder.add(
                        side,
                        position,
                        media.outbound.rate(),
                        self.recording.kept(media.outbound.played()),
                        0,
                    );
                }
                let remote = media.remote;
                self.out.push_back(Out::Rtp(remote, datagram));
            } else {
                self.spare_datagrams.push(datagram);
            }
            if let Some(turn) = ticked.began.filter(|turn| ![NOBODY, ASIDE].contains(turn)) {
                if let Some(received_at) = self.audio_received_at.take() {
                    self.downlink.add(now.since(received_at));
                }
                self.call.handle(now, CallInput::Began(turn));
            }
            if ticked.finished.is_some_and(|turn| turn != ASIDE) {
                self.call.handle(now, CallInput::Finished);
            }
            if let Some(digit) = ticked.digit {
                self.record(now, Body::Dtmf(Digit { direction: Direction::Out, digit, duration_ms: 100 }));
            }
        }
        self.marks_reached(now);
        self.end_silent_turn(now);
        self.aside_over(now);
        if let Some(piece) = self.recorder.as_mut().and_then(Recorder::take_piece) {
            self.push(Out::Sound(piece));
        }
        // Music has no end that could be waited for.
        let is_quiet = self.background.is_some() || self.media.as_ref().is_none_or(|media| media.outbound.is_drained());
        if self.call.is_ending() && is_quiet {
            self.call.handle(now, CallInput::Drained);
        }
    }

    /// A digit that the far end does not take as telephone-event goes out in an INFO, where tones are not wanted
    /// (`media.dtmf` `events`); false where that is not so. Whether the far end takes INFO is the endpoint's to know.
    pub(super) fn inform(&mut self, now: Instant, digit: char, duration_ms: u32) -> bool {
        let digit = digit.to_ascii_uppercase();
        if self.settings.tuning.dtmf != Mode::Events || self.media.is_none() || !"0123456789*#ABCD".contains(digit) {
            return false;
        }
        self.push(Out::Sip(SipAction::Digit(digit, duration_ms)));
        self.record(now, Body::Dtmf(Digit { direction: Direction::Out, digit, duration_ms }));
        true
    }

    pub(super) fn press(&mut self, now: Instant, digits: &str) {
        for digit in digits.chars().filter(|digit| !digit.is_whitespace() && *digit != ',') {
            let taken = self.media.as_mut().is_some_and(|media| media.outbound.press(digit));
            if !taken && !self.inform(now, digit, INFO_MS) {
                let text = format!("digit {digit} was not sent: the far end takes none so (media.dtmf), or it is none");
                self.record(now, Body::Note(Note { level: Level::Warn, text }));
            }
        }
    }
}

/// How long a digit of ours is said to have been held in an INFO; events last as long.
pub(super) const INFO_MS: u32 = 100;

/// Loud enough to be a voice rather than the noise of a recording.
fn is_voice(energy: &Energy) -> bool {
    // −45 dBFS.
    energy.mean_square() > 33_000.0
}
