//! Media streams of a capture or recording, one line each, and what is to be said about them.

use super::{or_dash, spark};
use crate::replay::StreamReport;
use std::fmt::Write as _;

/// The table of streams with their lints, digits and graphs.
#[must_use]
pub fn streams(streams: &[StreamReport]) -> String {
    let mut text = String::from(
        "  stream                                         codec  packets    lost  burst  jitter  drift  conceal  level  MOS  talk\n",
    );
    for stream in streams {
        let stats = &stream.stats;
        let name = format!("{}→{} {}", stream.source, stream.destination, stats.ssrc);
        let _ = writeln!(
            text,
            "  {name:<45}  {:<5}  {:>7}  {:>5.1}%  {:>5}  {:>6.1}  {:>5}  {:>6.1}%  {:>5.0}  {:>3}  {:>3.0}%",
            stream.codec,
            stats.packets,
            stats.loss_percent,
            stats.burst_max,
            stats.jitter_mean_ms,
            or_dash(stats.drift_ppm, 0),
            stats.concealed_percent,
            stats.level_dbfs,
            or_dash(stats.mos, 1),
            stats.talk_percent
        );
    }
    for stream in streams {
        if !stream.digits.is_empty() {
            let digits: Vec<String> =
                stream.digits.iter().map(|(at_s, digit)| format!("{at_s:.2} \"{digit}\"")).collect();
            let _ = writeln!(text, "  dtmf  {}  {}", stream.stats.ssrc, digits.join("  "));
        }
        let (mean, max) = stream.jitter_wireshark_ms;
        if (mean - stream.stats.jitter_mean_ms).abs() > 0.1 {
            let _ = writeln!(
                text,
                "  note  {}  Wireshark shows jitter {mean:.1} max {max:.1} ms: it counts digits' packets",
                stream.stats.ssrc
            );
        }
        for lint in &stream.lints {
            let _ = writeln!(text, "  lint  {}  {}: {}", stream.stats.ssrc, lint.name, lint.evidence);
        }
        if stream.jitter_series_ms.len() > 3 {
            let bar = spark(&stream.jitter_series_ms, 60);
            let _ = writeln!(text, "  jitter {} ms  {bar}  max {:.1}", stream.stats.ssrc, stream.stats.jitter_max_ms);
        }
        if stream.loss_series_percent.iter().any(|loss| *loss > 0.0) {
            let _ = writeln!(text, "  loss   {} %   {}", stream.stats.ssrc, spark(&stream.loss_series_percent, 60));
        }
    }
    text
}
