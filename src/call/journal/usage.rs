//! What a provider counts of a call: tokens, and what is left of the account's limits.
//!
//! Counts are the provider's own, per answer as it reports them; the summary holds their sum. Knows no prices.

use serde::{Deserialize, Serialize};

/// Tokens of one answer, or of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// What the model was given: the conversation so far, sound and text.
    pub input_tokens: u64,
    /// What it made.
    pub output_tokens: u64,
    /// Both, and what else the provider counts.
    pub total_tokens: u64,
    /// Of `input_tokens`: sound.
    #[serde(default, skip_serializing_if = "super::figures::is_zero")]
    pub input_audio_tokens: u64,
    /// Of `output_tokens`: sound.
    #[serde(default, skip_serializing_if = "super::figures::is_zero")]
    pub output_audio_tokens: u64,
    /// Of `input_tokens`: known from before, and cheaper.
    #[serde(default, skip_serializing_if = "super::figures::is_zero")]
    pub cached_tokens: u64,
    /// Spent on thinking.
    #[serde(default, skip_serializing_if = "super::figures::is_zero")]
    pub thinking_tokens: u64,
    /// What is left of the account's limits, as last reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<RateLimit>,
}

/// A limit of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// `requests`, `tokens`.
    pub name: String,
    /// So much may be used within its span.
    pub limit: f64,
    /// So much is left.
    pub remaining: f64,
    /// It is whole again after so long.
    pub resets_in_s: f64,
}

/// A service has two or three; one that invents names fills no memory.
const LIMITS_MAX: usize = 8;

impl Usage {
    /// Adds what was counted since; limits take the place of those of the same name.
    pub fn add(&mut self, more: &Self) {
        let sums = [
            (&mut self.input_tokens, more.input_tokens),
            (&mut self.output_tokens, more.output_tokens),
            (&mut self.total_tokens, more.total_tokens),
            (&mut self.input_audio_tokens, more.input_audio_tokens),
            (&mut self.output_audio_tokens, more.output_audio_tokens),
            (&mut self.cached_tokens, more.cached_tokens),
            (&mut self.thinking_tokens, more.thinking_tokens),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for limit in &more.limits {
            if let Some(known) = self.limits.iter_mut().find(|known| known.name == limit.name) {
                known.clone_from(limit);
            } else if self.limits.len() < LIMITS_MAX {
                self.limits.push(limit.clone());
            }
        }
    }

    /// `in 120 (audio 100, cached 64) out 80 (audio 80)`
    #[must_use]
    pub fn words(&self) -> String {
        let of = |parts: [(&str, u64); 2]| {
            let parts: Vec<String> = parts
                .iter()
                .filter(|(_, tokens)| *tokens > 0)
                .map(|(name, tokens)| format!("{name} {tokens}"))
                .collect();
            if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
        };
        let input = of([("audio", self.input_audio_tokens), ("cached", self.cached_tokens)]);
        let output = of([("audio", self.output_audio_tokens), ("thinking", self.thinking_tokens)]);
        format!("in {}{input} out {}{output}", self.input_tokens, self.output_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_limits_are_the_newest() {
        let limit = |remaining| RateLimit { name: "tokens".into(), limit: 100.0, remaining, resets_in_s: 1.0 };
        let mut sum = Usage::default();
        for remaining in [50.0, 20.0] {
            sum.add(&Usage { input_tokens: 10, cached_tokens: 4, limits: vec![limit(remaining)], ..Usage::default() });
        }
        assert_eq!((sum.input_tokens, sum.cached_tokens, sum.limits.clone()), (20, 8, vec![limit(20.0)]));
        sum.add(&Usage { input_tokens: u64::MAX, ..Usage::default() });
        assert_eq!(sum.input_tokens, u64::MAX, "no count of a provider's overflows");
        assert_eq!(Usage { output_tokens: 8, ..sum }.words(), format!("in {} (cached 8) out 8", u64::MAX));
    }
}
