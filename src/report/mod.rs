//! Reports as text: the summary of a call, the turn table, bars. Numbers are those of the journal; nothing is measured here.

pub mod call;
pub mod media;

/// A bar of block characters for a series, `width` cells, scaled to its largest value.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cells of a bar")]
pub fn spark(values: &[f64], width: usize) -> String {
    const CELLS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if values.is_empty() || width == 0 {
        return String::new();
    }
    let cells = width.min(values.len());
    let largest = values.iter().copied().fold(0.0_f64, f64::max);
    (0..cells)
        .map(|cell| {
            let from = cell * values.len() / cells;
            let to = ((cell + 1) * values.len() / cells).max(from + 1);
            let value = values[from..to].iter().copied().fold(0.0_f64, f64::max);
            let level = if largest > 0.0 { (value / largest * 7.0).round() as usize } else { 0 };
            CELLS[level.min(7)]
        })
        .collect()
}

/// A number, or a dash for one that is not known.
#[must_use]
pub fn or_dash(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "—".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_scaled_and_fit() {
        assert_eq!(spark(&[0.0, 1.0, 2.0], 10), "▁▅█");
        assert_eq!(spark(&[1.0; 100], 10).chars().count(), 10);
        assert_eq!(spark(&[], 10), "");
        assert_eq!(spark(&[0.0; 3], 3), "▁▁▁");
    }
}
