//! The playout buffer under the network's moods: loss, jitter, reordering, bursts, drift, pauses, changes mid-call.

use super::{
    golden,
    sounds::{Chance, voice},
};
use std::fmt::Write as _;
use voxgw::{
    clock::Instant,
    media::rtp::playout::{Figures, Playout},
    unit::SampleRate,
};

/// One pattern of arrivals.
#[derive(Clone, Copy)]
pub struct Pattern {
    pub name: &'static str,
    /// Share of frames lost at random.
    pub loss: f64,
    /// Frames are later by up to so much, evenly spread.
    pub jitter_ms: f64,
    /// Share of frames that are 30 ms later than their neighbours.
    reorder: f64,
    /// Every five seconds so many frames in a row are lost.
    burst: usize,
    /// Every five seconds the network stands still for so long, then gives all at once.
    stall_ms: f64,
    drift_ppm: f64,
    /// Pauses are not sent.
    dtx: bool,
    /// Frames of 20 ms become frames of so many after the first third.
    pub ptime_ms: usize,
}

const PLAIN: Pattern = Pattern {
    name: "plain",
    loss: 0.0,
    jitter_ms: 0.0,
    reorder: 0.0,
    burst: 0,
    stall_ms: 0.0,
    drift_ppm: 0.0,
    dtx: false,
    ptime_ms: 20,
};

pub const PATTERNS: &[Pattern] = &[
    PLAIN,
    Pattern { name: "loss 1 %", loss: 0.01, ..PLAIN },
    Pattern { name: "loss 5 %", loss: 0.05, ..PLAIN },
    Pattern { name: "loss 20 %", loss: 0.20, ..PLAIN },
    Pattern { name: "jitter 10 ms", jitter_ms: 10.0, ..PLAIN },
    Pattern { name: "jitter 40 ms", jitter_ms: 40.0, ..PLAIN },
    Pattern { name: "jitter 100 ms", jitter_ms: 100.0, ..PLAIN },
    Pattern { name: "jitter 40 ms, loss 5 %", jitter_ms: 40.0, loss: 0.05, ..PLAIN },
    Pattern { name: "reorder 5 %", reorder: 0.05, ..PLAIN },
    Pattern { name: "burst of 5", burst: 5, ..PLAIN },
    Pattern { name: "burst of 5, jitter 20 ms", burst: 5, jitter_ms: 20.0, ..PLAIN },
    Pattern { name: "stall 150 ms", stall_ms: 150.0, ..PLAIN },
    Pattern { name: "drift +200 ppm", drift_ppm: 200.0, jitter_ms: 10.0, ..PLAIN },
    Pattern { name: "drift -200 ppm", drift_ppm: -200.0, jitter_ms: 10.0, ..PLAIN },
    Pattern { name: "pauses not sent", dtx: true, jitter_ms: 20.0, ..PLAIN },
    Pattern { name: "20 to 60 ms", ptime_ms: 60, jitter_ms: 20.0, ..PLAIN },
    Pattern { name: "20 to 10 ms", ptime_ms: 10, jitter_ms: 20.0, ..PLAIN },
];

pub const SECONDS: usize = 150;

/// What came of it.
struct Outcome {
    figures: Figures,
    lost: usize,
    sent: usize,
    delay_max_ms: f64,
    /// Largest step between two samples that came out.
    step_max: i32,
}

/// A frame that arrives: when, in microseconds; its first sample; its sound; its number.
pub type Arrival<'a> = (u64, u32, &'a [i16], usize);

/// What arrives of `sound`, in order of arrival; how many frames were lost, of how many.
pub fn arrivals<'a>(pattern: &Pattern, sound: &'a [i16]) -> (Vec<Arrival<'a>>, usize, usize) {
    let mut chance = Chance(7);
    let (mut arrivals, mut lost, mut sent) = (Vec::new(), 0, 0);
    let (mut at, mut n, mut held_until) = (0, 0, 0.0);
    while at < sound.len() {
        let ptime = if at > sound.len() / 3 { pattern.ptime_ms } else { 20 };
        let length = (ptime * 8).min(sound.len() - at);
        let frame = &sound[at..at + length];
        // A frame leaves when its last sample is there.
        let sent_ms = (at + length) as f64 / 8.0 * (1.0 - pattern.drift_ppm * 1e-6);
        let phase = sent_ms % 5_000.0;
        let mut arrival_ms = sent_ms + 30.0 + chance.next() * pattern.jitter_ms;
        if chance.next() < pattern.reorder {
            arrival_ms += 30.0;
        }
        if pattern.stall_ms > 0.0 && sent_ms > 5_000.0 && phase < pattern.stall_ms {
            held_until = sent_ms - phase + 30.0 + pattern.stall_ms;
        }
        let arrival_ms = if sent_ms + 30.0 < held_until { held_until } else { arrival_ms };
        let in_burst = pattern.burst > 0 && sent_ms > 5_000.0 && phase < (pattern.burst * 20) as f64;
        let silent = pattern.dtx && frame.iter().all(|sample| sample.abs() < 20);
        if !silent {
            sent += 1;
            if chance.next() < pattern.loss || in_burst {
                lost += 1;
            } else {
                arrivals.push(((arrival_ms * 1e3) as u64, at as u32, frame, n));
            }
        }
        // Numbers count what is sent.
        n += usize::from(!silent);
        at += length;
    }
    arrivals.sort_by_key(|(micros, _, _, n)| (*micros, *n));
    (arrivals, lost, sent)
}

/// Sends `pattern` through a buffer that is pulled every 20 ms.
fn run(pattern: &Pattern, sound: &[i16]) -> Outcome {
    let (arrivals, lost, sent) = arrivals(pattern, sound);
    let mut playout = Playout::new(SampleRate::HZ_8000, SampleRate::HZ_8000);
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut samples, mut last) = (Vec::new(), 0);
    let mut outcome = Outcome { figures: Figures::default(), lost, sent, delay_max_ms: 0.0, step_max: 0 };
    for pull in 0..(SECONDS * 50) as u64 {
        let now = Instant::from_micros(pull * 20_000 + 7_000);
        while let Some((micros, timestamp, frame, _)) =
            arrivals.next_if(|(micros, ..)| Instant::from_micros(*micros) <= now)
        {
            playout.push(Instant::from_micros(micros), timestamp, frame);
        }
        playout.pull(now, 160, &mut samples);
        assert_eq!(samples.len(), 160, "{}: always as much as was asked for", pattern.name);
        let delay_ms = playout.figures().delay_ms;
        // After a second: the start has no measure yet.
        if pull > 50 {
            outcome.delay_max_ms = outcome.delay_max_ms.max(delay_ms);
        }
        for sample in &samples {
            outcome.step_max = outcome.step_max.max((i32::from(*sample) - last).abs());
            last = i32::from(*sample);
        }
    }
    outcome.figures = playout.figures();
    outcome
}

#[test]
fn figures_of_the_playout_buffer_are_as_known() {
    let sound = voice(SECONDS);
    let steady_step = sound.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap();
    let mut table = String::from(
        "pattern                   |  lost  late dupl  reord | concl%  insert  drop ms | target delay  max ms | drift ppm\n",
    );
    for pattern in PATTERNS {
        let Outcome { figures, lost, sent, delay_max_ms, step_max } = run(pattern, &sound);
        let concealed_share = figures.concealed_ms / figures.played_ms;
        let _ = writeln!(
            table,
            "{:25} | {lost:5} {:5} {:4} {:6} | {:6.1} {:7.0} {:8.0} | {:6.0} {:5.0} {:7.0} | {:9.0}",
            pattern.name,
            figures.late,
            figures.duplicate,
            figures.reordered,
            concealed_share * 100.0,
            figures.inserted_ms,
            figures.dropped_ms,
            figures.target_ms,
            figures.delay_ms,
            delay_max_ms,
            figures.drift_ppm.map_or(f64::NAN, |ppm| ppm.round() + 0.0),
        );
        // What must hold whatever the figures are.
        let name = pattern.name;
        let loss = lost as f64 / sent as f64;
        assert!((20.0..=200.0).contains(&figures.target_ms), "{name}: {figures:?}");
        assert!(delay_max_ms <= 240.0, "{name}: {delay_max_ms}");
        assert!((figures.late as f64) < 0.02 * sent as f64, "{name}: {} of {sent} came too late", figures.late);
        assert!(concealed_share < 1.3 * loss + 0.03, "{name}: {concealed_share:.3} made up, {loss} lost");
        assert!((figures.delay_ms - figures.target_ms).abs() < 45.0, "{name}: {figures:?}");
        assert!((figures.drift_ppm.unwrap() - pattern.drift_ppm).abs() < 20.0, "{name}: {figures:?}");
        assert!(step_max < 2 * steady_step, "{name}: a click of {step_max}, the voice itself has {steady_step}");
    }
    golden("playout.txt", &table);
}

#[test]
fn the_wait_grows_within_a_second_and_shrinks_again() {
    let sound = voice(60);
    let mut chance = Chance(3);
    let mut playout = Playout::new(SampleRate::HZ_8000, SampleRate::HZ_8000);
    let (mut samples, mut delays) = (Vec::new(), Vec::new());
    let mut arrivals: Vec<(u64, u32)> = (0..2_900_u32)
        .map(|n| {
            // Jitter of 80 ms from the 10th to the 20th second.
            let jitter_ms = if (500..1_000).contains(&n) { chance.next() * 80.0 } else { 0.0 };
            (u64::from(n) * 20_000 + (jitter_ms * 1e3) as u64, n)
        })
        .collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    for pull in 0..2_900_u64 {
        let now = Instant::from_micros(pull * 20_000 + 3_000);
        while let Some((micros, n)) = arrivals.next_if(|(micros, _)| Instant::from_micros(*micros) <= now) {
            let at = n as usize * 160;
            playout.push(Instant::from_micros(micros), n * 160, &sound[at..at + 160]);
        }
        playout.pull(now, 160, &mut samples);
        delays.push(playout.figures().delay_ms);
    }
    let mean = |from: usize, to: usize| delays[from * 50..to * 50].iter().sum::<f64>() / ((to - from) * 50) as f64;
    assert!(mean(5, 10) < 45.0, "calm: {}", mean(5, 10));
    assert!(mean(11, 20) > 70.0, "after one second of jitter: {}", mean(11, 20));
    assert!(mean(45, 58) < 45.0, "calm again: {}", mean(45, 58));
}
