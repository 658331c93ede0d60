//! What is counted: RTCP, statistics each second, lints, rules that end a call, the summary.

use super::{Media, Out, Pipeline, Seat, Told};
use crate::{
    call::Input as CallInput,
    call::journal::{Body, CallState, Stats, Summary, rounded},
    call::latency,
    call::lint,
    call::summary::{Outcome, judge},
    clock::Instant,
    media::codec,
    media::recorder::Recorder,
    media::rtp::mos,
    media::rtp::report::RemoteReport,
    media::rtp::xr::VoipMetrics,
    unit::Mos,
};
use std::time::Duration;

impl Media {
    /// The newest second in the words of RFC 3611.
    fn voip_metrics(&self) -> VoipMetrics {
        let newest = &self.newest;
        let share = |part: u64| part as f64 / newest.expected.max(1) as f64;
        VoipMetrics {
            lost: share(newest.lost),
            discarded: share(newest.late),
            bursts: self.inbound.bursts(),
            ptime_ms: f64::from(self.agreed.ptime.ms()),
            round_trip_ms: self.reporter.rtt_ms(),
            end_system_ms: f64::from(self.agreed.ptime.ms()),
            level_dbfs: (newest.packets > 0).then_some(newest.level_dbfs),
            r: newest.r_factor,
            mos: newest.mos_lq.zip(newest.mos),
        }
    }

    /// What the far end hears of us, by its reports.
    fn heard_there(&self, remote: RemoteReport, rtt_ms: Option<f64>) -> Option<mos::Estimate> {
        let codec = codec::by_name(&self.agreed.codec.0)?;
        let ptime_ms = f64::from(self.agreed.ptime.ms());
        let delay_ms = rtt_ms.unwrap_or(0.0) / 2.0 + ptime_ms + 2.0 * remote.jitter_ms;
        #[expect(clippy::cast_possible_truncation, reason = "figures for people")]
        let (delay_ms, loss_percent) = (delay_ms as f32, remote.loss_percent as f32);
        Some(mos::estimate(&mos::Line {
            delay_ms,
            loss_percent,
            burst_ratio: 1.0,
            impairment: codec.impairment,
            wideband: codec.is_wideband(),
        }))
    }
}

impl Pipeline {
    pub(super) fn report(&mut self, now: Instant) {
        let wall = self.wall(now);
        let Some(media) = &mut self.media else { return };
        if media.reporter.timeout() > now {
            return;
        }
        let clock = media.inbound.codec().clock;
        let mut bytes = media.reporter.make(now, wall, media.outbound.totals(), media.inbound.stream(), clock);
        if let Some(about) = media.inbound.stream().map(|stream| stream.ssrc)
            && let Some(more) = media.reporter.extended(now, wall, about, &media.voip_metrics())
        {
            // Behind the reports in the same compound (RFC 3550 §6.1).
            bytes.extend(more);
        }
        let (to, mux) = (media.remote_rtcp, media.agreed.rtcp_mux);
        self.push(Out::Rtcp { to, mux, bytes });
    }

    pub(super) fn take_stats(&mut self, now: Instant) -> Stats {
        let Some(media) = &mut self.media else { return Stats::default() };
        let remote = media.reporter.latest();
        let rtt_ms = media.reporter.rtt_ms().map(rounded);
        let mut outbound = media.outbound.take_stats();
        outbound.rtt_ms = rtt_ms;
        outbound.remote_loss_percent = remote.map(|report| rounded(report.loss_percent));
        outbound.remote_jitter_ms = remote.map(|report| rounded(report.jitter_ms));
        if let Some(there) = remote.and_then(|remote| media.heard_there(remote, rtt_ms)) {
            outbound.mos = Some(hundredths(there.mos_cq));
            outbound.mos_lq = Some(hundredths(there.mos_lq));
            outbound.r_factor = Some(rounded(f64::from(there.r)));
        }
        outbound.remote_mos =
            media.reporter.remote_metrics().and_then(|metrics| metrics.mos).map(|(_, cq)| rounded(cq));
        let elapsed = now.since(media.started_at);
        let echo = media.echo.measure();
        let mut stats = Stats { inbound: media.inbound.take_stats(elapsed, rtt_ms), outbound };
        (stats.inbound.srtp_failed, stats.inbound.srtp_replayed) = self.srtp.refused();
        stats.inbound.echo_delay_ms = echo.map(|echo| rounded(echo.delay.as_secs_f64() * 1_000.0));
        stats.inbound.echo_loss_db = echo.map(|echo| rounded(f64::from(echo.loss_db)));
        stats.inbound.double_talk_percent =
            rounded(media.double_talk.as_secs_f64() * 100.0 / elapsed.as_secs_f64().max(0.001));
        let missed = self.recorder.as_ref().map_or(Duration::ZERO, Recorder::missed);
        stats.inbound.unrecorded_ms = u64::try_from(missed.as_millis()).unwrap_or(u64::MAX);
        media.newest.clone_from(&stats.inbound);
        stats
    }

    pub(super) fn stats(&mut self, now: Instant) {
        let stats = self.take_stats(now);
        if let (Some(media), Some(percent)) = (&mut self.media, stats.outbound.remote_loss_percent) {
            #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
            media.outbound.expect_loss(percent as f32);
        }
        self.lints(now, &stats);
        let lost_media = self.media.as_ref().is_some_and(|media| {
            let timeout = self.settings.media_timeout;
            let held = self.call.state() == CallState::Held;
            !timeout.is_zero()
                && !held
                && media.agreed.flow.receives()
                && now.since(media.inbound.last_packet_at()) >= timeout
        });
        if lost_media && self.call.answered_at().is_some() {
            let seconds = self.settings.media_timeout.as_secs();
            let reason = format!("nothing was received for {seconds} s");
            self.call.handle(now, CallInput::HangUp { by: "network", reason });
        }
        self.hang_up_rules(now);
        self.record(now, Body::Stats(stats));
    }

    /// `dial --hangup-after`.
    pub(super) fn hang_up_rules(&mut self, now: Instant) {
        let Some(media) = &self.media else { return };
        // What we have just said deserves an answer first.
        let last = media.inbound.last_voiced();
        let last = self.own_voice_at.map_or(last, |own| own.max(last));
        let quiet = self.settings.hang_up_after_silence.is_some_and(|span| {
            self.far_spoke && media.outbound.is_drained() && !media.inbound.is_speaking() && now.since(last) >= span
        });
        if quiet {
            self.call.handle(now, CallInput::HangUp { by: "us", reason: "the far end fell silent".into() });
        }
        let answers = u32::try_from(self.answer_gaps_ms.len()).unwrap_or(u32::MAX);
        let waiting = self.media.as_ref().is_some_and(|media| media.inbound.is_speaking());
        if !waiting && self.settings.hang_up_after_turns.is_some_and(|turns| answers >= turns) {
            self.call.handle(now, CallInput::HangUp { by: "us", reason: "enough turns".into() });
        }
    }

    /// What waits in its queues and buffers, packets and marks each as one, sound in milliseconds: when nobody speaks it is
    /// the same after an hour as after a minute.
    #[must_use]
    pub fn held(&self) -> usize {
        let sound = self.media.as_ref().map_or(Duration::ZERO, |media| media.outbound.queued());
        let buffers = self.spare_samples.len() + self.spare_datagrams.len();
        self.out.len() + buffers + self.floor.marks() + usize::try_from(sound.as_millis()).unwrap_or(usize::MAX)
    }

    pub(super) fn lints(&mut self, now: Instant, stats: &Stats) {
        let Some(media) = &self.media else { return };
        let facts = lint::Facts {
            up_for: self.call.answered_at().map_or(Duration::ZERO, |at| now.since(at)),
            expects_media: media.agreed.flow.receives(),
            inbound: &stats.inbound,
            outbound: &stats.outbound,
            described: Some(media.agreed.remote),
            source: media.inbound.source(),
            source_changes: media.source_changes,
            newest_gap_ms: self.newest_gap_ms,
            barge_in_ms: self.call.barge_in_ms(),
            agent_connect: self.call.agent_connect(),
            agent_failed: self.call.agent_failed().is_some(),
            agent_stalled: self.call.agent_stalled(),
            agent_fell_back: self.call.fell_back_to(),
            first_packet_after: media.first_packet_after,
            ptimes_ms: (u32::from(media.agreed.ptime.ms()), u32::from(media.inbound.ptime().ms())),
            fallback: self.fallback.as_deref(),
            tone_digits: self.keys.as_tones(),
            digits_twice: self.keys.twice(),
        };
        for found in lint::check(&facts, &mut self.fired) {
            self.record(now, Body::Lint(found));
        }
    }

    pub(super) fn finish(&mut self, now: Instant) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if let Some(recorder) = &mut self.recorder {
            let rest = recorder.finish();
            if !rest.is_empty() {
                self.push(Out::Sound(rest));
            }
        }
        self.tell(now, Told::Close);
        self.leave(now);
        let stats = self.take_stats(now);
        self.lints(now, &stats);
        let summary = self.summary(now, stats);
        self.record(now, Body::Summary(Box::new(summary)));
        self.push(Out::Over);
    }

    pub(super) fn summary(&mut self, now: Instant, stats: Stats) -> Summary {
        let (ended_by, reason, status) = self.call.ending();
        let reason = reason.to_owned();
        let (mut turns, cuts) = self.call.turns.counts();
        let mut gaps = self.call.turns.gaps_ms().to_vec();
        if self.settings.we_are_caller {
            gaps.clone_from(&self.answer_gaps_ms);
            turns = u32::try_from(gaps.len()).unwrap_or(u32::MAX);
        }
        let gap = |percent| latency::percentile(gaps.clone(), percent);
        let mut summary = Summary {
            duration_s: rounded(now.signed_ms_since(self.origin) / 1_000.0),
            answered_after_ms: self.call.answered_at().map(|at| rounded(at.signed_ms_since(self.origin))),
            ended_by: ended_by.to_owned(),
            reason: reason.clone(),
            status,
            q850: crate::sip::cause::q850(&reason, status),
            codec: self.media.as_ref().map(|media| media.agreed.codec.0.clone()).unwrap_or_default(),
            turns,
            cuts,
            gap_p50_ms: gap(50.0),
            gap_p95_ms: gap(95.0),
            gap_max_ms: gap(100.0),
            dtmf: self.digits.clone(),
            uplink: self.uplink_latency,
            downlink: if matches!(self.seat, Seat::Remote) { self.downlink.percentiles() } else { None },
            usage: self.call.usage().cloned(),
            lints: self.fired.iter().map(|name| (*name).to_owned()).collect(),
            ..Summary::default()
        };
        let outcome = Outcome {
            state: self.call.state(),
            answered: self.call.answered_at().is_some(),
            up_for: self.call.answered_at().map_or(Duration::ZERO, |at| now.since(at)),
            ended_by,
            expected_media: self.expected_media,
            agent_ready: self.call.agent_was_ready(),
            // The far gateway says so in its BYE when its agent could not be reached.
            agent_failed: self.call.agent_failed().is_some()
                || (self.settings.we_are_caller && ended_by == "callee" && reason.contains("cause=503")),
        };
        judge(&mut summary, &outcome, &stats);
        summary.checks = self.call.checks();
        summary.stats = stats;
        summary
    }
}

fn hundredths(mos: Mos) -> f64 {
    (f64::from(mos.0) * 100.0).round() / 100.0
}
