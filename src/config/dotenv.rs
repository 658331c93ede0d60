//! `.env`: names and values, one a line. A line that cannot be read is an error with its number, never skipped: a key
//! that silently is not there costs an hour.
//!
//! `NAME=value` takes the rest of the line, up to a ` #`. `'…'` is taken as it is; in `"…"` a backslash escapes, and
//! both may go over several lines. `${NAME}` is a variable of the environment or of a line above; one that nobody set
//! stays as it is written. `export ` in front and a byte order mark are skipped.

/// Names and values in their order.
///
/// # Errors
/// The number of the line and what is wrong with it, without the value: it may be a key.
pub fn parse(bytes: &[u8], outside: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, (usize, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let line = bytes[..wrong.valid_up_to()].split(|byte| *byte == b'\n').count();
        (line, "is not UTF-8".to_owned())
    })?;
    let mut found: Vec<(String, String)> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let wrong = |problem: &str| (number + 1, problem.to_owned());
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("has no =; write NAME=value"))?;
        let (name, mut value) = (name.trim(), value.trim().to_owned());
        let good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(good) {
            return Err(wrong("has no name of a variable before its ="));
        }
        let quote = value.chars().next().filter(|first| "'\"".contains(*first));
        while let Some(quote) = quote
            && closing(&value, quote).is_none()
        {
            let (_, next) = lines.next().ok_or_else(|| wrong("opens a quote that nothing closes"))?;
            value.push('\n');
            value.push_str(next);
        }
        let look_up = |name: &str| {
            outside(name)
                .or_else(|| found.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
        };
        let value = match quote.and_then(|quote| Some((quote, closing(&value, quote)?))) {
            Some((quote, end)) => {
                let rest = value[end + 1..].trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    return Err(wrong("goes on behind the closing quote"));
                }
                if quote == '"' { expand(&unescape(&value[1..end]), &look_up) } else { value[1..end].to_owned() }
            }
            None => expand(without_comment(&value), &look_up),
        };
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// Where the quote that `value` begins with ends.
fn closing(value: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in value.char_indices().skip(1) {
        match character {
            '\\' if quote == '"' => escaped = !escaped,
            _ if character == quote && !escaped => return Some(at),
            _ => escaped = false,
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    out
}

/// A comment begins at a `#` behind a space: keys may hold one.
fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value.match_indices('#').find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
    comment.map_or(value, |(at, _)| value[..at].trim_end())
}

fn expand(text: &str, look_up: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        if let Some((value, tail)) = after.split_once('}').and_then(|(name, tail)| Some((look_up(name)?, tail))) {
            out.push_str(&value);
            rest = tail;
        } else {
            out.push_str("${");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/bob".to_owned())
    }

    fn value(line: &str) -> String {
        let found = parse(line.as_bytes(), &outside).unwrap();
        assert_eq!((found.len(), found[0].0.as_str()), (1, "A"), "{line}");
        found[0].1.clone()
    }

    #[test]
    fn values_are_read_as_most_tools_read_them() {
        for (line, wanted) in [
            ("A=abc def", "abc def"),
            ("\u{feff}A=b", "b"),
            (" export A = b # c\r\n", "b"),
            ("A=b#c", "b#c"),
            ("A=", ""),
            ("A= # none", ""),
            ("A='b # ${HOME}' # c", "b # ${HOME}"),
            ("A=\"b\\n\\\"c\\\" ${HOME}\"", "b\n\"c\" /home/bob"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=${HOME}/x ${NOBODY:-y}", "/home/bob/x ${NOBODY:-y}"),
            ("A=it's", "it's"),
            ("# note\n\nA=b=c", "b=c"),
        ] {
            assert_eq!(value(line), wanted, "{line:?}");
        }
        let two = parse(b"A=1\nB=${A}2", &outside).unwrap();
        assert_eq!(two[1], ("B".to_owned(), "12".to_owned()));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_without_its_value() {
        for (text, line, word) in [
            (&b"A=1\nsecret"[..], 2, "no ="),
            (b"A=1\n\nB=\xff", 3, "UTF-8"),
            (b"A='secret", 1, "quote"),
            (b"A='b' secret", 1, "closing quote"),
            (b"my secret=b", 1, "name"),
        ] {
            let (found, problem) = parse(text, &outside).unwrap_err();
            assert_eq!(found, line, "{problem}");
            assert!(problem.contains(word) && !problem.contains("secret"), "{problem}");
        }
    }
}
