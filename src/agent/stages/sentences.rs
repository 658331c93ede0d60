//! Text as it is written, cut into what can be spoken: one sentence at a time, so that the first is heard while the
//! model still writes the second.
//!
//! Owns where a sentence ends and which signs nobody pronounces. Called by [`super::talk`].

/// A sentence without an end is cut after this many characters: a voice must not wait for a page.
const LONG: usize = 240;
/// A sentence this short waits for the next: `Dr.` and `1.` are none, and a request for each word costs more than it saves.
const SHORT: usize = 2;
/// Words that a full stop belongs to.
const ABBREVIATIONS: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "st", "nr", "vs", "etc", "ca", "bzw", "usw", "inkl", "tel", "hr", "fr", "str",
    "e.g", "i.e", "z.b", "d.h", "u.a", "a.m", "p.m",
];

/// The cutter of one answer.
#[derive(Debug, Default)]
pub struct Sentences {
    waiting: String,
}

impl Sentences {
    /// More of the text; the sentences that are whole now are appended.
    pub fn push(&mut self, text: &str, whole: &mut Vec<String>) {
        self.waiting.push_str(text);
        while let Some(end) = end_of_sentence(&self.waiting) {
            let rest = self.waiting.split_off(end);
            give(&std::mem::replace(&mut self.waiting, rest), whole);
        }
    }

    /// The text is over: what waited is the last sentence.
    pub fn finish(&mut self, whole: &mut Vec<String>) {
        give(&std::mem::take(&mut self.waiting), whole);
    }
}

fn give(text: &str, whole: &mut Vec<String>) {
    let text = spoken(text);
    if text.chars().any(char::is_alphanumeric) {
        whole.push(text);
    }
}

/// The text without marks of formatting, which voices read out.
fn spoken(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let word = word.replace(['*', '`'], "");
        let word = word.trim_matches(['_', '#', '|', '~']);
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    // The dash of a list.
    let text = words.join(" ");
    text.strip_prefix("- ").map_or(text.clone(), str::to_owned)
}

/// Where the first sentence of `text` ends, if it is whole.
fn end_of_sentence(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    let mut count = 0;
    let mut space = None;
    while let Some((at, c)) = characters.next() {
        count += 1;
        let after = at + c.len_utf8();
        match c {
            '\n' if count > SHORT => return Some(after),
            '。' | '！' | '？' => return Some(after),
            '.' | '!' | '?' | '…' => {
                // Quotes and brackets belong to what they close.
                let mut end = after;
                while let Some((at, c)) = characters.next_if(|(_, c)| "\"'”’»)]*_.!?…".contains(*c)) {
                    (end, count) = (at + c.len_utf8(), count + 1);
                }
                // Without what follows nobody knows: 3.50, example.com.
                if characters.peek().is_some_and(|(_, next)| next.is_whitespace())
                    && count > SHORT
                    && !(c == '.' && goes_on(&text[..at]))
                {
                    return Some(end);
                }
            }
            _ if c.is_whitespace() => space = Some(after),
            _ => {}
        }
        if count >= LONG {
            let comma = text[..after].rfind([',', ';', ':']).map(|at| at + 1).filter(|at| *at > LONG / 3);
            return Some(comma.or(space).unwrap_or(after));
        }
    }
    None
}

/// Whether a full stop after this is not the end of a sentence.
fn goes_on(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || "(\"'“„«".contains(c)).next().unwrap_or_default();
    let is_number = !word.is_empty() && word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    is_number || is_initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Character by character, as the slowest model writes.
    fn cut(text: &str) -> Vec<String> {
        let (mut sentences, mut whole) = (Sentences::default(), Vec::new());
        for c in text.chars() {
            sentences.push(c.encode_utf8(&mut [0; 4]), &mut whole);
        }
        sentences.finish(&mut whole);
        whole
    }

    #[test]
    fn sentences_end_where_people_would_end_them() {
        for (text, expected) in [
            ("Hello! How are you?", vec!["Hello!", "How are you?"]),
            ("Dr. Who lives at 3. Main St. in Ulm. Really.", vec!["Dr. Who lives at 3. Main St. in Ulm.", "Really."]),
            ("It costs 3.50 at example.com. Fine?", vec!["It costs 3.50 at example.com.", "Fine?"]),
            ("He said \"no.\" Then he left...", vec!["He said \"no.\"", "Then he left..."]),
            ("Am 3. Mai, z.B. um 10 Uhr. Gut.", vec!["Am 3. Mai, z.B. um 10 Uhr.", "Gut."]),
            ("**Bold** and `code`.\n# Title\n- one\n- two", vec!["Bold and code.", "Title", "one", "two"]),
            ("你好。再见！", vec!["你好。", "再见！"]),
            ("  \n…  ", vec![]),
            ("no end", vec!["no end"]),
        ] {
            assert_eq!(cut(text), expected, "{text}");
        }
    }

    #[test]
    fn a_sentence_without_end_is_cut_at_a_pause() {
        let text = format!("{}, {}", "word ".repeat(30).trim(), "word ".repeat(30));
        let parts = cut(&text);
        assert!(parts.len() == 2 && parts[0].ends_with(','), "{parts:?}");
        let parts = cut(&"x".repeat(1_000));
        assert!(parts.iter().all(|part| part.len() <= LONG), "{parts:?}");
        assert_eq!(parts.concat().len(), 1_000, "nothing is lost");
    }
}
