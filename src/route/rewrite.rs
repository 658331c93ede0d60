//! Number rewriting: characters off the front, then a prefix.

/// `{ strip = 2, prefix = "+49" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Characters taken off the front.
    pub strip: usize,
    /// What is put there.
    pub prefix: String,
}

impl Rewrite {
    /// The number, rewritten.
    #[must_use]
    pub fn of(&self, number: &str) -> String {
        let rest = number.char_indices().nth(self.strip).map_or("", |(at, _)| &number[at..]);
        format!("{}{rest}", self.prefix)
    }
}
