//! How losses lie together: bursts and gaps (RFC 3611 §4.7.2, Gmin 16), and the mean run of losses (`BurstR` of G.107).
//!
//! A burst begins and ends with a loss and holds no 16 good packets in a row; everything else is gap, isolated losses
//! included. Fed by `inbound` with packets in order, each either played or not (lost, or too late to be played).

/// Good packets in a row that end a burst (RFC 3611 §4.7.2, recommended).
pub const GMIN: u64 = 16;

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the words of RFC 3611")]
pub struct Bursts {
    total: u64,
    lost: u64,
    /// Losses in a row, and how many such runs.
    runs: u64,
    last_was_lost: bool,
    /// The stretch that may be a burst: its packets from the first loss to the newest, its losses.
    open_packets: u64,
    open_lost: u64,
    good_since_loss: u64,
    bursts: u64,
    burst_packets: u64,
    burst_lost: u64,
}

/// What RFC 3611 reports. Densities are shares of lost packets, 0 to 1; durations are means in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BurstFigures {
    /// Bursts so far.
    pub bursts: u64,
    /// Lost share within bursts.
    pub burst_density: f64,
    /// Packets of a burst.
    pub burst_packets: f64,
    /// Lost share within gaps.
    pub gap_density: f64,
    /// Packets of a gap.
    pub gap_packets: f64,
    /// Mean run of losses over the one that random loss would have; at least 1.
    pub ratio: f64,
}

impl Bursts {
    /// The next packet was played.
    pub fn played(&mut self) {
        self.total += 1;
        self.last_was_lost = false;
        if self.open_lost > 0 {
            self.good_since_loss += 1;
            if self.good_since_loss >= GMIN {
                self.close();
            }
        }
    }

    /// The next `count` packets were not.
    pub fn lost(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.total += count;
        self.lost += count;
        self.runs += u64::from(!self.last_was_lost);
        self.last_was_lost = true;
        if self.open_lost > 0 {
            self.open_packets += self.good_since_loss;
        }
        self.open_packets += count;
        self.open_lost += count;
        self.good_since_loss = 0;
    }

    fn close(&mut self) {
        // One loss between good packets belongs to the gap.
        if self.open_lost > 1 {
            self.bursts += 1;
            self.burst_packets += self.open_packets;
            self.burst_lost += self.open_lost;
        }
        self.open_packets = 0;
        self.open_lost = 0;
        self.good_since_loss = 0;
    }

    /// Figures so far; a stretch that is not over counts as what it is now.
    #[must_use]
    pub fn figures(&self) -> BurstFigures {
        let mut now = *self;
        now.close();
        let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        let gap_packets = now.total - now.burst_packets;
        let loss = share(now.lost, now.total);
        BurstFigures {
            bursts: now.bursts,
            burst_density: share(now.burst_lost, now.burst_packets),
            burst_packets: share(now.burst_packets, now.bursts),
            gap_density: share(now.lost - now.burst_lost, gap_packets),
            // A gap on each side of every burst.
            gap_packets: share(gap_packets, now.bursts + 1),
            ratio: (share(now.lost, now.runs) * (1.0 - loss)).max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` played, `x` lost.
    fn feed(pattern: &str) -> BurstFigures {
        let mut bursts = Bursts::default();
        for packet in pattern.chars() {
            match packet {
                'x' => bursts.lost(1),
                _ => bursts.played(),
            }
        }
        bursts.figures()
    }

    #[test]
    fn losses_within_sixteen_packets_are_a_burst_and_a_lonely_one_is_not() {
        let gap = ".".repeat(20);
        let lonely = feed(&format!("{gap}x{gap}x{gap}"));
        assert_eq!((lonely.bursts, lonely.burst_density), (0, 0.0));
        assert!((lonely.gap_density - 2.0 / 62.0).abs() < 1e-9);
        let burst = feed(&format!("{gap}x..x....x{gap}"));
        assert_eq!((burst.bursts, burst.burst_packets), (1, 9.0));
        assert!((burst.burst_density - 3.0 / 9.0).abs() < 1e-9 && burst.gap_density == 0.0);
        assert!((burst.gap_packets - 20.0).abs() < 1e-9);
        // Fifteen good packets do not end a burst, sixteen do.
        assert_eq!(feed(&format!("xx{}xx{gap}", ".".repeat(15))).bursts, 1);
        assert_eq!(feed(&format!("xx{}xx{gap}", ".".repeat(16))).bursts, 2);
    }

    #[test]
    fn the_ratio_tells_random_loss_from_runs() {
        assert!((feed(&"...x......".repeat(50)).ratio - 1.0).abs() < 0.01);
        let runs = feed(&format!("{}xxxxx", ".".repeat(95)).repeat(20));
        assert!((runs.ratio - 5.0 * 0.95).abs() < 0.01, "{runs:?}");
        assert!((feed("").ratio - 1.0).abs() < 1e-9);
    }
}
