//! Completion scripts and manual pages, made from the argument definitions.

use super::{Printer, arguments::Arguments};
use crate::error::{Error, Result, nearest};
use clap::CommandFactory as _;
use std::path::Path;

/// The completion script of a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "voxgw", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// All manual pages: file name and text.
#[must_use]
pub fn man_pages() -> Vec<(String, String)> {
    let mut root = Arguments::command();
    root.build();
    let mut pages = vec![("voxgw.1".to_owned(), page(&root, "voxgw"))];
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("voxgw-{}", command.get_name());
        pages.push((format!("{name}.1"), page(command, &name)));
    }
    pages
}

fn page(command: &clap::Command, name: &str) -> String {
    let mut text = Vec::new();
    let named: &'static str = String::leak(name.to_owned());
    let _ = clap_mangen::Man::new(command.clone().name(named)).date("").render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn man(command: Option<&str>, all: Option<&Path>, printer: &Printer) -> Result<u8> {
    let pages = man_pages();
    if let Some(folder) = all {
        std::fs::create_dir_all(folder).map_err(|source| Error::file("make", folder, &source))?;
        for (name, text) in &pages {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|source| Error::file("write", &path, &source))?;
        }
        printer.note(&format!("wrote {} pages into {}", pages.len(), folder.display()));
        return Ok(0);
    }
    let name = command.map_or_else(|| "voxgw.1".to_owned(), |command| format!("voxgw-{command}.1"));
    if let Some((_, text)) = pages.iter().find(|(known, _)| *known == name) {
        printer.result(text);
        Ok(0)
    } else {
        let wrong = command.unwrap_or_default();
        let error = Error::usage(format!("there is no subcommand {wrong}"));
        let names = pages.iter().filter_map(|(name, _)| name.strip_prefix("voxgw-")?.strip_suffix(".1"));
        Err(match nearest(wrong, names) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("voxgw --help lists them"),
        })
    }
}
