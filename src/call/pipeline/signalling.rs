//! Descriptions in and out, and the media path that they make or change (RFC 3264).

use super::{Media, Out, Pipeline, STATS_EVERY, Seat, Settings, SipAction, formats, placement::Placement};
use crate::{
    call::Input as CallInput,
    call::journal::{Body, InboundStats, Level, MediaChange, Note},
    clock::Instant,
    media::codec,
    media::dsp::echo::EchoMeter,
    media::dsp::vad::Kind,
    media::inbound,
    media::inbound::Inbound,
    media::outbound,
    media::outbound::Outbound,
    media::recorder::Recorder,
    media::rtp::report::Reporter,
    media::rtp::xr,
    sip::sdp::Description,
    sip::sdp::crypto::Security,
    sip::sdp::negotiate,
    sip::sdp::negotiate::Agreed,
    sip::sdp::negotiate::Local,
    sip::sdp::negotiate::Offerable,
    unit::{PayloadType, SampleRate, Ssrc},
};
use std::time::Duration;

impl Pipeline {
    pub(super) fn offerable(&self, security: Security) -> Offerable {
        let known = self.media.as_ref().map_or(&[][..], |media| &media.agreed.accepts);
        let mut offerable = self.settings.offerable(known, security);
        // What is being spoken stays the first choice: a hold is no reason to change the codec.
        if let Some(media) = &self.media {
            offerable.codecs.sort_by_key(|format| format.name != media.agreed.codec.0);
        }
        offerable
    }

    /// Our side of a description. Whoever writes one raises its version first (RFC 3264 §8: by one).
    pub(super) fn local(&self) -> Local {
        self.settings.local(self.sdp_version, self.hold.on)
    }

    pub(super) fn invited(&mut self, now: Instant, sdp: Option<&[u8]>) {
        if let Some(sdp) = sdp {
            match self.negotiated(now, sdp) {
                Ok((agreed, text)) => {
                    self.our_answer = Some(text);
                    self.start_media(now, agreed);
                }
                Err(problem) => return self.refuse(now, problem),
            }
        } else if let Some(problem) = self.srtp.for_answer().forbids_offer() {
            return self.refuse(now, problem.to_owned());
        }
        if sdp.is_none() {
            self.call.has_no_early_media();
        }
        self.call.handle(now, CallInput::Begin);
    }

    fn refuse(&mut self, now: Instant, problem: String) {
        self.record(now, Body::Note(Note { level: Level::Error, text: format!("488: {problem}") }));
        self.call.handle(now, CallInput::Refused(problem.clone()));
        self.push(Out::Sip(SipAction::Refuse(488, problem)));
    }

    pub(super) fn negotiated(&mut self, now: Instant, sdp: &[u8]) -> Result<(Agreed, String), String> {
        let offer = Description::parse(sdp)?;
        let security = self.srtp.for_answer();
        let mut local = self.local();
        local.session.1 += 1;
        let can = self.offerable(security);
        let (agreed, text) = negotiate::answer(&offer, &can, &local).map_err(|refused| refused.to_string())?;
        self.sdp_version += 1;
        self.warn_of_keys(now, &offer, &agreed);
        self.look_for_better(&offer, &agreed);
        Ok((agreed, text))
    }

    fn warn_of_keys(&mut self, now: Instant, theirs: &Description, agreed: &Agreed) {
        let they_have_keys = theirs.media.iter().any(|media| !media.crypto.is_empty());
        if let Some(text) = self.srtp.warning(they_have_keys, agreed.secured.is_some()) {
            self.record(now, Body::Note(Note { level: Level::Warn, text: text.to_owned() }));
        }
    }

    /// Keeps in mind if speech is narrower than it might be.
    fn look_for_better(&mut self, theirs: &Description, agreed: &Agreed) {
        let spoken = agreed.codec.0.as_str();
        let before = self.media.as_ref().map(|media| media.agreed.codec.0.as_str());
        self.fallback = formats::fallback(theirs, spoken, before);
    }

    pub(super) fn answered(&mut self, now: Instant, sdp: Option<&[u8]>) {
        // Early media goes on as it is.
        let known = self.media.is_some() && sdp.is_some() && sdp == self.described.as_deref();
        if known || self.take_answer(now, sdp) {
            if matches!(self.seat, Seat::Far) {
                self.push(Out::Sip(SipAction::Accepted));
            }
            self.call.handle(now, CallInput::Answered);
        }
    }

    pub(super) fn acknowledged(&mut self, now: Instant, sdp: Option<&[u8]>) {
        if std::mem::take(&mut self.offer_in_200) && !self.take_answer(now, sdp) {
            return;
        }
        self.call.handle(now, CallInput::Acknowledged);
    }

    /// Reads the answer to our offer; hangs up if there is no agreement.
    pub(super) fn take_answer(&mut self, now: Instant, sdp: Option<&[u8]>) -> bool {
        let (local, security) = (self.local(), self.srtp.offered());
        let agreed = sdp
            .ok_or_else(|| "the answer has no session description".to_owned())
            .and_then(Description::parse)
            .and_then(|answer| {
                let agreed = negotiate::accept(&answer, &self.offerable(security), &local);
                let agreed = agreed.map_err(|refused| refused.to_string())?;
                self.warn_of_keys(now, &answer, &agreed);
                self.look_for_better(&answer, &agreed);
                Ok(agreed)
            });
        match agreed {
            Ok(agreed) => {
                let held = self.hold.on || !agreed.flow.sends();
                self.start_media(now, agreed);
                self.call.handle(now, CallInput::Held(held));
                true
            }
            Err(problem) => {
                self.record(now, Body::Note(Note { level: Level::Error, text: problem.clone() }));
                self.call.handle(now, CallInput::HangUp { by: "us", reason: format!("no media: {problem}") });
                false
            }
        }
    }

    pub(super) fn reinvited(&mut self, now: Instant, sdp: Option<&[u8]>) {
        let Some(sdp) = sdp else {
            if self.srtp.for_answer().forbids_offer().is_some() {
                self.push(Out::Sip(SipAction::RefuseReinvite(488)));
                return;
            }
            // Offerless: our offer goes in the 200, their answer comes with the ACK.
            self.offer_in_200 = true;
            let text = self.offer();
            self.push(Out::Sip(SipAction::AnswerReinvite(text)));
            return;
        };
        match self.negotiated(now, sdp) {
            Ok((agreed, text)) => {
                self.push(Out::Sip(SipAction::AnswerReinvite(text)));
                if self.early {
                    self.described = Some(sdp.to_vec());
                }
                let held = self.hold.on || !agreed.flow.sends();
                self.start_media(now, agreed);
                self.call.handle(now, CallInput::Held(held));
            }
            Err(problem) => {
                self.record(
                    now,
                    Body::Note(Note { level: Level::Warn, text: format!("re-INVITE refused: {problem}") }),
                );
                self.push(Out::Sip(SipAction::RefuseReinvite(488)));
            }
        }
    }

    /// Starts media, or changes it.
    pub(super) fn start_media(&mut self, now: Instant, agreed: Agreed) {
        self.srtp.agreed(now, agreed.secured.as_ref());
        let ours = codec::by_name(&agreed.codec.0).unwrap_or(&codec::CODECS[0]);
        let expected = agreed.flow.receives();
        let tuning = self.settings.tuning;
        self.expected_media |= expected;
        let settings_in = inbound::Settings {
            codecs: agreed
                .accepts
                .iter()
                .filter_map(|(payload_type, name)| Some((*payload_type, codec::by_name(name)?)))
                .collect(),
            events: agreed.events_in.iter().map(|(event, clock)| (*event, SampleRate(*clock))).collect(),
            wanted: self.settings.wanted(),
            described: Some(agreed.remote),
            expected,
        };
        let settings_out = outbound::Settings {
            codec: ours,
            rate: ours.rate_for(self.settings.agent_speaks),
            fmtp: agreed.fmtp.clone(),
            payload_type: agreed.codec.1,
            event: agreed.event.map(|(event, clock)| (event, SampleRate(clock))),
            ptime: agreed.ptime,
            sending: agreed.flow.sends(),
        };
        let change = MediaChange {
            codec: ours.name.to_owned(),
            payload_type: agreed.codec.1.0,
            ptime_ms: agreed.ptime.ms(),
            local: self.settings.rtp.to_string(),
            remote: agreed.remote.to_string(),
            source: "sdp".to_owned(),
            direction: agreed.flow.name().to_owned(),
            srtp: self.srtp.suite().to_owned(),
        };
        if let Some(media) = &mut self.media {
            // After a hold the sender's positions say nothing about the time that passed.
            media.placement.forget();
            media.inbound.renegotiate(now, settings_in);
            media.outbound.renegotiate(settings_out);
            if media.agreed.remote != agreed.remote {
                media.remote = agreed.remote;
                media.remote_rtcp = agreed.remote_rtcp;
            }
            media.agreed = agreed;
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "the low half of a random number")]
            let ssrc = Ssrc((self.settings.seed >> 7) as u32);
            let mut inbound = Inbound::new(now, settings_in, agreed.ptime);
            if tuning.vad != Kind::Energy {
                inbound.set_vad(tuning.vad);
            }
            if self.settings.record {
                // Wideband is kept; all else would only be larger.
                let rate = if ours.is_wideband() { SampleRate::HZ_16000 } else { SampleRate::HZ_8000 };
                self.recorder = Some(Recorder::new(rate));
            }
            let mut outbound = Outbound::new(now, settings_out, ssrc, self.settings.seed.rotate_left(17));
            outbound.set_prebuffer(self.settings.prebuffer);
            self.media = Some(Media {
                inbound,
                outbound,
                reporter: Reporter::new(now, ssrc, format!("{:013x}", self.settings.seed >> 12)),
                remote: agreed.remote,
                remote_rtcp: agreed.remote_rtcp,
                started_at: now,
                placement: Placement::default(),
                first_packet_after: None,
                source_changes: 0,
                echo: EchoMeter::default(),
                double_talk: Duration::ZERO,
                newest: InboundStats::default(),
                agreed,
            });
            self.next_stats_at = now + STATS_EVERY;
            self.begin_tones(now);
        }
        if let Some(media) = &mut self.media {
            media.inbound.set_tones(tuning.dtmf.tones(!media.agreed.events_in.is_empty()));
            media.outbound.set_tones(tuning.dtmf.tones(media.agreed.event.is_some()));
            media.reporter.set_wanted(media.agreed.rtcp_xr.as_deref().map(xr::Wanted::parse).unwrap_or_default());
        }
        self.record(now, Body::Media(change));
        self.hear_far();
    }
}

impl Settings {
    /// What may be offered; what the far end is known to take has its numbers.
    pub(super) fn offerable(&self, known: &[(PayloadType, String)], security: Security) -> Offerable {
        let codecs = formats::of(&self.codecs, self.wanted(), known);
        Offerable { codecs, ptime: self.ptime, events: self.tuning.dtmf.events(), security }
    }

    /// Rate at which the agent hears best.
    fn wanted(&self) -> SampleRate {
        self.agent_rate.unwrap_or(SampleRate::HZ_16000)
    }

    /// Our side of a description of this version.
    pub(super) fn local(&self, version: u64, hold: bool) -> Local {
        Local { address: self.rtp, session: (self.seed >> 2, version), hold }
    }
}
