//! Estimated quality by the E-model (ITU-T G.107, wideband G.107.1; codecs by G.113 Appendix I).
//!
//! Owns the formulas, with the model's default values for everything that a gateway cannot know (room, telephone set,
//! echo of the far end). Called by `inbound` and `call::pipeline` with what was measured.

use crate::unit::Mos;

/// `Ro` of G.107 with default values: noise in the rooms and of the line.
const RO: f32 = 94.77;
/// `Ro − Is` with default values.
const RO_LESS_IS: f32 = 93.36;
/// `Ro` of G.107.1, whose `Is` is 0; also the ratio of the two scales times 100.
const RO_WIDEBAND: f32 = 129.0;
/// Talker echo loudness rating and weighted echo path loss, default values in dB.
const TELR_DB: f32 = 65.0;
const WEPL_DB: f32 = 110.0;

/// What is known of one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// From mouth to ear, buffers included.
    pub delay_ms: f32,
    /// Packets lost or too late, of all that were sent.
    pub loss_percent: f32,
    /// Mean run of losses over the one of random loss (G.107 §7.3): 1 for random, more in bursts.
    pub burst_ratio: f32,
    /// The codec's `Ie` and `Bpl` (G.113).
    pub impairment: (f32, f32),
    /// The codec carries 7 kHz or more: `impairment` is on the scale of G.107.1.
    pub wideband: bool,
}

/// What the model makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Transmission rating factor: 0 to 93.2, wideband to 129.
    pub r: f32,
    /// Conversational quality: with the delay.
    pub mos_cq: Mos,
    /// Listening quality: without it.
    pub mos_lq: Mos,
}

/// The estimate for `line`.
#[must_use]
pub fn estimate(line: &Line) -> Estimate {
    let (ie, bpl) = line.impairment;
    let loss = line.loss_percent.clamp(0.0, 100.0);
    let equipment = ie + (95.0 - ie) * loss / (loss / line.burst_ratio.max(1.0) + bpl.max(0.1));
    let (best, scale) = if line.wideband { (RO_WIDEBAND, RO_WIDEBAND / 100.0) } else { (RO_LESS_IS, 1.0) };
    let r = |delay_ms: f32| (best - delay_impairment(delay_ms) - equipment).max(0.0);
    let (conversation, listening) = (r(line.delay_ms), r(0.0));
    Estimate { r: conversation, mos_cq: of_r_factor(conversation / scale), mos_lq: of_r_factor(listening / scale) }
}

/// `Id = Idte + Idle + Idd` (G.107 §7.4): talker echo, listener echo, delay itself.
fn delay_impairment(one_way_ms: f32) -> f32 {
    let t = one_way_ms.max(0.0);
    let root = |difference: f32, square: f32| difference / 2.0 + (difference * difference / 4.0 + square).sqrt();
    let echo_db = TELR_DB - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let talker = (root(RO - (80.0 + 2.5 * (echo_db - 14.0)), 100.0) - 1.0) * (1.0 - (-t).exp());
    let listener = root(RO - 10.5 * (WEPL_DB + 7.0) * (2.0 * t + 1.0).powf(-0.25), 169.0);
    let pure = if t <= 100.0 {
        0.0
    } else {
        let x = (t / 100.0).log2();
        25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
    };
    talker + listener + pure
}

/// MOS of an R factor (G.107 Annex B).
#[must_use]
pub fn of_r_factor(r: f32) -> Mos {
    if r <= 0.0 {
        return Mos(1.0);
    }
    if r >= 100.0 {
        return Mos(4.5);
    }
    Mos((1.0 + 0.035 * r + 7.0e-6 * r * (r - 60.0) * (100.0 - r)).clamp(1.0, 4.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Line =
        Line { delay_ms: 0.0, loss_percent: 0.0, burst_ratio: 1.0, impairment: (0.0, 25.1), wideband: false };

    fn near(is: f32, should: f32, by: f32) -> bool {
        (is - should).abs() <= by
    }

    #[test]
    fn default_values_give_the_ratings_that_the_itu_publishes() {
        // G.107: all parameters at their defaults.
        let clean = estimate(&CLEAN);
        assert!(near(clean.r, 93.2, 0.05), "{clean:?}");
        assert!(near(clean.mos_cq.0, 4.41, 0.005), "{clean:?}");
        // G.107 Annex B, table B.1: lower limits of the categories of G.109.
        for (r, mos) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!(near(of_r_factor(r).0, mos, 0.01), "R {r}: {:?}", of_r_factor(r));
        }
        assert_eq!((of_r_factor(-10.0), of_r_factor(f32::MAX)), (Mos(1.0), Mos(4.5)));
        // Codecs of G.113 Appendix I without loss: R falls by Ie.
        for (ie, bpl) in [(11.0, 19.0), (15.0, 16.1), (5.0, 10.0)] {
            let coded = estimate(&Line { impairment: (ie, bpl), ..CLEAN });
            assert!(near(coded.r, 93.2 - ie, 0.05), "{coded:?}");
        }
    }

    #[test]
    fn loss_costs_by_the_codecs_robustness_and_bursts_cost_more() {
        let at = |loss_percent: f32, impairment: (f32, f32), burst_ratio: f32| {
            estimate(&Line { loss_percent, burst_ratio, impairment, ..CLEAN }).r
        };
        // Ie,eff = 95 × Ppl / (Ppl + Bpl): G.711 with concealment loses 3.6 at 1 %, 15.8 at 5 %; without it 17.9 and 51.1.
        for (loss, bpl, cost) in [(1.0, 25.1, 3.6), (5.0, 25.1, 15.8), (1.0, 4.3, 17.9), (5.0, 4.3, 51.1)] {
            assert!(near(93.2 - at(loss, (0.0, bpl), 1.0), cost, 0.1), "{loss} % at Bpl {bpl}");
        }
        assert!(at(5.0, (0.0, 25.1), 2.0) < at(5.0, (0.0, 25.1), 1.0) - 1.0);
    }

    #[test]
    fn delay_costs_little_to_150_ms_and_much_beyond_and_nothing_of_the_listening_quality() {
        let at = |delay_ms: f32| estimate(&Line { delay_ms, ..CLEAN });
        // The known approximation 0.024 d + 0.11 (d − 177.3)⁺ follows the model within half a point up to 300 ms.
        for delay_ms in [20.0_f32, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0] {
            let near_by = 93.2 - 0.024 * delay_ms - 0.11 * (delay_ms - 177.3).max(0.0);
            assert!(near(at(delay_ms).r, near_by, 0.5), "{delay_ms}: {} {near_by}", at(delay_ms).r);
        }
        assert_eq!(at(400.0).mos_lq, at(0.0).mos_lq);
        assert!(at(400.0).mos_cq < at(0.0).mos_cq);
    }

    #[test]
    fn wideband_has_its_own_scale() {
        let wide = estimate(&Line { wideband: true, ..CLEAN });
        assert!(wide.r > 125.0 && near(wide.mos_cq.0, 4.5, 0.05), "{wide:?}");
        // G.722 at 64 kbit/s: Ie,WB = 13.
        let g722 = estimate(&Line { wideband: true, impairment: (13.0, 4.9), ..CLEAN });
        assert!(near(g722.r, 129.0 - 13.0, 0.3), "{g722:?}");
        assert!(g722.mos_cq > estimate(&CLEAN).mos_cq || near(g722.mos_cq.0, 4.35, 0.1), "{g722:?}");
    }
}
