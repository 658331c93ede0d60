//! Estimated quality: R factor and MOS-CQE by the simplified E-model (ITU-T G.107, G.113 Appendix I).

use crate::unit::Mos;

/// R factor from one-way delay (jitter buffer included), loss and the codec's impairment (Ie, Bpl).
///
/// `burst_ratio` is 1 for random loss and grows with bursts (G.107 §3.5).
#[must_use]
pub fn r_factor(one_way_delay_ms: f32, loss_percent: f32, burst_ratio: f32, (ie, bpl): (f32, f32)) -> f32 {
    let over = (one_way_delay_ms - 177.3).max(0.0);
    let delay_impairment = 0.024 * one_way_delay_ms + 0.11 * over;
    let loss = loss_percent.clamp(0.0, 100.0);
    let equipment = ie + (95.0 - ie) * loss / (loss / burst_ratio.max(1.0) + bpl);
    93.2 - delay_impairment - equipment
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

    #[test]
    fn a_clean_g711_call_is_4_4_and_loss_costs() {
        let clean = of_r_factor(r_factor(20.0, 0.0, 1.0, (0.0, 25.1)));
        assert!((clean.0 - 4.40).abs() < 0.02, "{clean:?}");
        let lossy = of_r_factor(r_factor(20.0, 5.0, 1.0, (0.0, 25.1)));
        assert!((3.7..4.1).contains(&lossy.0), "{lossy:?}");
        assert_eq!(of_r_factor(-10.0), Mos(1.0));
        assert_eq!(of_r_factor(f32::MAX), Mos(4.5));
    }
}
