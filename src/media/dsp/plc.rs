//! Packet-loss concealment: repeats the last pitch period and fades (after G.711 Appendix I's idea).
//!
//! Works on 8 kHz to 48 kHz mono. Full strength for the first 10 ms, silence after 60 ms.

use crate::unit::SampleRate;

/// Remembers the last voice and makes up what is missing.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: SampleRate,
    /// The newest 40 ms of good samples.
    history: Vec<i16>,
    /// Samples made up since the last good one.
    concealed: usize,
    /// One pitch period, found when the loss began; its end leads into its beginning.
    cycle: Vec<i16>,
    /// Step from the last good sample to the cycle; spread over the first 2.5 ms instead of clicking.
    step: f32,
}

impl Concealer {
    /// A concealer for sound at `rate`.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, history: Vec::new(), concealed: 0, cycle: Vec::new(), step: 0.0 }
    }

    /// Takes in good samples; softens the seam if they follow made-up ones.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.concealed > 0 && !samples.is_empty() {
            self.cross_fade(samples);
        }
        self.concealed = 0;
        let keep = self.ms(40);
        if samples.len() >= keep {
            self.history.clear();
            self.history.extend_from_slice(&samples[samples.len() - keep..]);
        } else {
            let surplus = (self.history.len() + samples.len()).saturating_sub(keep);
            self.history.drain(..surplus);
            self.history.extend_from_slice(samples);
        }
    }

    /// Appends `count` made-up samples.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        if self.concealed == 0 {
            self.make_cycle();
        }
        for _ in 0..count {
            let sample = self.next_sample();
            samples.push(sample);
        }
    }

    /// Whether the next made-up sample would be silence: nothing was heard yet, or the fade is over.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.history.is_empty() || self.concealed >= self.ms(60)
    }

    /// Whether nothing was made up since the last good sample.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.concealed == 0
    }

    /// What comes next begins by itself: it follows silence.
    pub const fn begin(&mut self) {
        self.concealed = 0;
    }

    fn next_sample(&mut self) -> i16 {
        let (full, end) = (self.ms(10), self.ms(60));
        let n = self.concealed;
        self.concealed += 1;
        if n >= end || self.cycle.is_empty() {
            return 0;
        }
        let gain = if n < full { 1.0 } else { 1.0 - (n - full) as f32 / (end - full) as f32 };
        let seam = self.seam();
        let step = if n < seam { self.step * (1.0 - n as f32 / seam as f32) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let sample = ((f32::from(self.cycle[n % self.cycle.len()]) + step) * gain) as i16;
        sample
    }

    const fn seam(&self) -> usize {
        self.ms(5) / 2
    }

    fn make_cycle(&mut self) {
        let period = self.pitch_period();
        let from = self.history.len() - period;
        self.cycle.clear();
        self.cycle.extend_from_slice(&self.history[from..]);
        self.step = 0.0;
        let Some(last) = self.history.last().copied().filter(|_| from > 0) else { return };
        self.step = f32::from(last) - f32::from(self.history[from - 1]);
        // The end of the period fades into what led to its beginning, so that repeating it has no seam.
        let seam = self.seam().min(from).min(period);
        for n in 0..seam {
            let share = (n + 1) as f32 / seam as f32;
            let (own, before) = (f32::from(self.cycle[period - seam + n]), f32::from(self.history[from - seam + n]));
            #[expect(clippy::cast_possible_truncation, reason = "between two samples")]
            let mixed = (own * (1.0 - share) + before * share) as i16;
            self.cycle[period - seam + n] = mixed;
        }
    }

    /// The lag from 2.5 to 15 ms at which the history looks most like itself.
    fn pitch_period(&self) -> usize {
        let (shortest, longest, window) = (self.ms(5) / 2, self.ms(15), self.ms(15));
        if self.history.len() < longest + window {
            return self.history.len();
        }
        let newest = &self.history[self.history.len() - window..];
        let mut best = (f64::MIN, longest);
        for lag in shortest..=longest {
            let start = self.history.len() - window - lag;
            let older = &self.history[start..start + window];
            let (mut product, mut energy) = (0_i64, 1_i64);
            for (a, b) in newest.iter().zip(older) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            let likeness = product as f64 / (energy as f64).sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }

    fn cross_fade(&mut self, samples: &mut [i16]) {
        let span = self.ms(4).min(samples.len());
        for (n, sample) in samples.iter_mut().take(span).enumerate() {
            let old = f32::from(self.next_sample());
            let share = n as f32 / span as f32;
            #[expect(clippy::cast_possible_truncation, reason = "between two samples")]
            let mixed = (old * (1.0 - share) + f32::from(*sample) * share) as i16;
            *sample = mixed;
        }
    }

    const fn ms(&self, ms: usize) -> usize {
        self.rate.0 as usize * ms / 1_000
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]
mod tests {
    use super::*;

    #[test]
    fn a_lost_frame_of_a_tone_continues_it_and_a_long_loss_goes_silent() {
        let tone = |n: usize| ((n as f32 * 2.0 * std::f32::consts::PI * 200.0 / 8_000.0).sin() * 10_000.0) as i16;
        let mut concealer = Concealer::new(SampleRate::HZ_8000);
        for frame in 0..5 {
            let mut samples: Vec<i16> = (frame * 160..(frame + 1) * 160).map(tone).collect();
            concealer.good(&mut samples);
        }
        let mut made_up = Vec::new();
        concealer.conceal(160, &mut made_up);
        let error: f32 = (0..80).map(|n| (f32::from(made_up[n]) - f32::from(tone(800 + n))).abs()).sum::<f32>() / 80.0;
        assert!(error < 500.0, "mean error {error}");
        made_up.clear();
        concealer.conceal(8_000, &mut made_up);
        assert!(made_up[400..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn nothing_heard_yet_conceals_to_silence() {
        let mut samples = Vec::new();
        Concealer::new(SampleRate::HZ_8000).conceal(160, &mut samples);
        assert_eq!(samples, [0; 160]);
    }
}
