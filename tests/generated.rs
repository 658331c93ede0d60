//! What is made from the argument definitions and the table of keys is in the repository as it would be made now.
//!
//! `VOXGW_BLESS=1 cargo test --test generated` writes the files anew.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use clap_complete::Shell;
use program::Home;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it must hold, or writes it.
fn check(path: &Path, wanted: &str) {
    if env::var_os("VOXGW_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    if found == wanted {
        return;
    }
    let line = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    panic!(
        "{} is not what the program makes, from line {} on:\n  file    {:?}\n  program {:?}\nVOXGW_BLESS=1 cargo test --test generated writes it",
        path.display(),
        line + 1,
        found.lines().nth(line),
        wanted.lines().nth(line)
    );
}

/// A folder holds these files and no others: a page of a subcommand that is gone goes too.
fn holds_only(folder: &Path, wanted: &[String]) {
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    let found: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    for surplus in found.difference(&wanted).filter(|_| env::var_os("VOXGW_BLESS").is_some()) {
        fs::remove_file(folder.join(surplus)).unwrap();
    }
    if env::var_os("VOXGW_BLESS").is_none() {
        assert_eq!(found, wanted, "{}", folder.display());
    }
}

#[test]
fn the_manual_pages_are_what_the_program_makes() {
    let pages = voxgw::cli::man_pages();
    assert!(pages.len() >= 7, "{} pages", pages.len());
    for (name, text) in &pages {
        assert!(text.contains(".TH"), "{name} is no manual page");
        check(&root("man").join(name), text);
    }
    holds_only(&root("man"), &pages.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn the_completions_are_what_the_program_makes() {
    let shells = [
        (Shell::Bash, "voxgw.bash"),
        (Shell::Zsh, "_voxgw"),
        (Shell::Fish, "voxgw.fish"),
        (Shell::PowerShell, "_voxgw.ps1"),
        (Shell::Elvish, "voxgw.elv"),
    ];
    for (shell, name) in shells {
        let script = voxgw::cli::completions(shell);
        assert!(script.contains("hangup-after"), "{name} does not know the flags");
        check(&root("completions").join(name), &script);
    }
    holds_only(&root("completions"), &shells.map(|(_, name)| name.to_owned()));
}

#[test]
fn the_config_template_is_what_the_program_makes() {
    check(&root("docs/voxgw.template.toml"), &voxgw::config::template());
}

#[test]
fn every_key_is_explained_in_the_docs() {
    let page = fs::read_to_string(root("docs/CONFIGURATION.md")).unwrap();
    let keys = page.split("\n## Keys\n").nth(1).unwrap();
    let missing: Vec<&str> = voxgw::config::KEYS
        .iter()
        .filter(|key| !key.path.starts_with("agents.") && !key.path.starts_with("routes."))
        .filter(|key| {
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            !keys.contains(&format!("\n| `{}` | {default} | {} |", key.path, key.meaning))
        })
        .map(|key| key.path)
        .collect();
    assert!(missing.is_empty(), "docs/CONFIGURATION.md lacks or misstates {missing:?}");
}

#[test]
fn the_program_prints_and_writes_the_same() {
    let home = Home::new();
    assert_eq!(home.run(&["completions", "zsh"]).exits(0).stdout, voxgw::cli::completions(Shell::Zsh));
    home.run(&["man", "--all", "pages"]).exits(0);
    for (name, text) in voxgw::cli::man_pages() {
        assert_eq!(fs::read_to_string(home.path().join("pages").join(&name)).unwrap(), text, "{name}");
    }
    let dial = home.run(&["man", "dial"]).exits(0);
    assert!(dial.stdout.contains("hangup\\-after"), "{}", dial.stdout);
}
