//! The house keeps its plan: who may use whom, where printing is allowed, how long files get.
//!
//! Reads `src` as text. The plan is `docs/ARCHITECTURE.md`; this table is its enforceable half. Text before a file's
//! first `#[cfg(test)]` counts as production; files called `tests.rs` do not.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use std::path::{Path, PathBuf};

/// Words that depend on nothing of ours.
const BASE: &[&str] = &["unit", "clock", "error", "redact", "network", "jwt", "secret"];
/// Words that everybody below the faces may use: the journal is a vocabulary, whoever writes it.
const WORDS: &[&str] = &["unit", "clock", "error", "redact", "network", "jwt", "secret", "call::journal"];
/// What the monitor may see of the program.
const SEEN_BY_MONITOR: &[&str] = &["unit", "error", "redact", "call::journal", "api::model", "report"];

/// Who may use whom: module, words it may use, what else it may use. The longest module that fits a file decides.
/// A module may always use itself and what lies below it.
#[rustfmt::skip]
const EDGES: &[(&str, &[&str], &[&str])] = &[
    // words
    ("unit",          BASE,  &[]),
    ("clock",         BASE,  &[]),
    ("error",         BASE,  &[]),
    ("redact",        BASE,  &[]),
    ("network",       BASE,  &[]),
    ("jwt",           BASE,  &[]),
    ("secret",        &[],   &[]),
    ("call::journal", BASE,  &[]),
    // pure
    ("sip",           WORDS, &[]),
    ("media",         WORDS, &[]),
    ("route",         BASE,  &[]),
    ("agent::event",  WORDS, &["media::dsp"]),
    // Sound on a socket may be G.711.
    ("agent::wire",   WORDS, &["agent::event", "media::codec"]),
    ("agent::stages", WORDS, &["agent::event", "agent::wire", "media::codec", "media::dsp", "media::file::wav"]),
    ("agent::local",  WORDS, &["agent::event", "agent::wire", "media::dsp"]),
    ("call",          WORDS, &["sip", "media", "agent::event", "agent::wire", "agent::local"]),
    // The config names what it configures; nothing pure may use it.
    ("config",        WORDS, &["sip", "media::codec", "media::dsp", "media::Tuning", "agent::wire", "agent::stages", "call", "route"]),
    // shells
    ("net",           WORDS, &["config", "sip"]),
    ("agent",         WORDS, &["config", "media", "call"]),
    ("api::model",    WORDS, &["call"]),
    // What a browser is to a session: the peer, what its page says, who may join.
    ("webrtc::peer",  WORDS, &[]),
    ("webrtc::protocol", WORDS, &[]),
    ("webrtc::token", WORDS, &[]),
    ("gateway",       WORDS, &["config", "route", "sip", "media", "call", "agent", "net", "api::model", "webrtc::peer", "webrtc::protocol", "webrtc::token"]),
    ("webrtc",        WORDS, &["config", "sip", "net", "gateway"]),
    ("replay",        WORDS, &["config", "sip", "media", "call", "agent", "net", "gateway"]),
    ("api",           WORDS, &["config", "sip", "media", "call", "agent", "net", "gateway", "replay", "webrtc::protocol", "webrtc::token"]),
    // faces
    ("report",        WORDS, &["call", "api::model", "replay"]),
    ("tui",           SEEN_BY_MONITOR, &[]),
    ("cli",           WORDS, &["config", "route", "sip", "media", "call", "agent", "net", "gateway", "webrtc", "replay", "api", "report", "tui"]),
];

/// The map and the door: they name everything.
const EXEMPT: &[&str] = &["lib.rs", "main.rs"];

/// Where printing is allowed.
const PRINTERS: &[&str] = &["cli/", "report/", "main.rs"];
const PRINTS: &[&str] = &["println!", "print!(", "dbg!("];

const LINES_MAX: usize = 1_000;
/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// One file of `src`.
struct Source {
    /// Path below `src`, with slashes.
    name: String,
    text: String,
}

impl Source {
    /// Its module path without `crate`.
    fn module(&self) -> String {
        let path = self.name.trim_end_matches(".rs");
        path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
    }

    fn is_tests(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.contains("/tests/")
    }

    /// Lines that are neither comments nor tests, with their numbers.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let text = if self.is_tests() { "" } else { self.text.split("#[cfg(test)]").next().unwrap_or_default() };
        let numbered = text.lines().enumerate().map(|(n, line)| (n + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Lines of production that hold one of `words`, as `name:line: text`.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        self.production()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(number, line)| format!("src/{}:{number}: {}", self.name, line.trim()))
            .collect()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Source { name: name_below(&root, &path), text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(sources.len() > 50, "src was not found");
    sources
}

fn name_below(root: &Path, path: &Path) -> String {
    let below: PathBuf = path.strip_prefix(root).unwrap().to_path_buf();
    below.to_string_lossy().replace('\\', "/")
}

fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}\n{}", wrong.join("\n"));
}

// Paths

/// Whether `path` is `module` or lies below it.
fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All paths that a text names below `crate::`, groups of imports spread out.
fn crate_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, found) in text.match_indices("crate::") {
        if !text[..at].ends_with(is_word) {
            read_tree(&text[at + found.len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one tree of imports below `prefix`; gives what follows it.
fn read_tree<'a>(text: &'a str, prefix: &str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return read_group(group, prefix, paths);
    }
    let end = text.find(|c: char| !is_word(c) && c != '*').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        let mut rest = text.chars();
        rest.next();
        return rest.as_str();
    }
    let path = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return read_tree(rest, &path, paths);
    }
    paths.push(path);
    let renamed = rest.trim_start().strip_prefix("as ");
    renamed.map_or(rest, |rest| rest.trim_start().trim_start_matches(is_word))
}

fn read_group<'a>(text: &'a str, prefix: &str, paths: &mut Vec<String>) -> &'a str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.is_empty() {
            return rest;
        }
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        rest = read_tree(rest, prefix, paths);
    }
}

#[test]
fn imports_in_groups_are_spread_out() {
    let text = "use crate::{\n    a::{self, b, c::D as E},\n    f,\n};\nfn g(h: &crate::i::J<K>) -> crate::l::M {}";
    assert_eq!(crate_paths(text), ["a::self", "a::b", "a::c::D", "f", "i::J", "l::M"]);
}

// The rules

#[test]
fn nobody_uses_what_the_plan_does_not_allow() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !EXEMPT.contains(&source.name.as_str())) {
        let module = source.module();
        let rows = EDGES.iter().filter(|(row, ..)| is_below(&module, row));
        let Some((row, words, uses)) = rows.max_by_key(|(row, ..)| row.len()) else {
            wrong.push(format!("src/{} has no row in EDGES", source.name));
            continue;
        };
        let production: Vec<&str> = source.production().map(|(_, line)| line).collect();
        for path in crate_paths(&production.join("\n")) {
            let mut allowed = words.iter().chain(*uses);
            if !is_below(&path, row) && !allowed.any(|module| is_below(&path, module)) {
                wrong.push(format!("src/{} ({row}) uses crate::{path}", source.name));
            }
        }
    }
    assert_none("edges that the plan does not have:", &wrong);
}

#[test]
fn only_faces_print() {
    let silent = |source: &Source| !PRINTERS.iter().any(|place| source.name.starts_with(place));
    let wrong: Vec<String> =
        sources().iter().filter(|source| silent(source)).flat_map(|source| source.lines_with(PRINTS)).collect();
    assert_none("printing outside cli, report and main.rs:", &wrong);
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let wrong: Vec<String> = sources().iter().flat_map(|source| source.lines_with(&[".unwrap()"])).collect();
    assert_none("an expect says which invariant it trusts; an unwrap does not:", &wrong);
}

#[test]
fn every_target_of_the_log_can_be_named_in_a_filter() {
    let lines = sources().iter().flat_map(|source| source.lines_with(&["target: \""])).collect::<Vec<_>>();
    assert!(lines.len() > 10, "{lines:?}");
    let is_known = |line: &String| {
        let target = line.split("target: \"").nth(1).and_then(|rest| rest.split('"').next());
        target.is_some_and(|target| voxgw::config::LOG_MODULES.contains(&target))
    };
    let wrong: Vec<String> = lines.into_iter().filter(|line| !is_known(line)).collect();
    assert_none("targets that LOG_MODULES does not have:", &wrong);
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |source: &&Source| !source.text.starts_with("//!");
    let wrong: Vec<String> = sources().iter().filter(silent).map(|source| format!("src/{}", source.name)).collect();
    assert_none("files without //! at their top:", &wrong);
}

#[test]
fn no_file_grows_without_a_reason() {
    let sources = sources();
    let excused = |name: &str| LONG_FILES.iter().any(|(long, _)| *long == name);
    let wrong: Vec<String> = sources
        .iter()
        .map(|source| (source.name.as_str(), source.text.lines().count()))
        .filter(|(name, lines)| *lines > LINES_MAX && !excused(name))
        .map(|(name, lines)| format!("src/{name} has {lines} lines"))
        .collect();
    assert_none("split these, or write the reason into LONG_FILES:", &wrong);
    for (long, reason) in LONG_FILES {
        assert!(!reason.is_empty() && sources.iter().any(|source| source.name == *long), "src/{long} is gone");
    }
}
