//! `voxgw config`: what is set, where from, what may be, and which rule takes a call.

use super::{Global, Printer, arguments::ConfigCommand, layers, route};
use crate::{
    config::{Config, KEYS, Layers, Origin, Value, is_secret, row, template},
    error::{Error, Result, nearest},
};
use std::{fmt::Write as _, path::Path};

pub(super) fn run(global: &Global, command: &ConfigCommand, printer: &Printer) -> Result<u8> {
    match command {
        ConfigCommand::Show { key: Some(key), .. } => show_one(&layers(global)?, key, printer),
        ConfigCommand::Show { key: None, changed } => {
            show(&layers(global)?, *changed, printer);
            Ok(0)
        }
        ConfigCommand::Check { file } => check(global, file.as_deref(), printer),
        ConfigCommand::Route(question) => route::run(&Config::from_layers(&layers(global)?)?, question, printer),
        ConfigCommand::Init { print: true, .. } => {
            printer.result(&template());
            Ok(0)
        }
        ConfigCommand::Init { force, .. } => init(*force, printer),
    }
}

fn show(layers: &Layers, changed: bool, printer: &Printer) {
    let mut text = String::new();
    for (key, value, origin) in layers.iter().filter(|(_, _, origin)| !changed || **origin != Origin::Default) {
        let _ = writeln!(text, "{key:<26} {:<34} {origin}", shown(key, value));
    }
    printer.result(&text);
}

/// A value, unless it is a secret.
fn shown(key: &str, value: &Value) -> String {
    if is_secret(key) { "(secret)".to_owned() } else { value.to_string() }
}

fn show_one(layers: &Layers, key: &str, printer: &Printer) -> Result<u8> {
    let Some(row) = row(key) else {
        let error = Error::usage(format!("there is no key {key}"));
        return Err(match nearest(key, KEYS.iter().map(|row| row.path)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("voxgw config show lists all keys"),
        });
    };
    let now = layers
        .value(key)
        .map_or_else(|| "not set".to_owned(), |(value, origin)| format!("{}   ({origin})", shown(key, value)));
    let default = if row.default.is_empty() { "none" } else { row.default };
    printer.result(&format!("{key}\n  {}\n  now      {now}\n  default  {default}\n", row.meaning));
    Ok(0)
}

fn check(global: &Global, file: Option<&Path>, printer: &Printer) -> Result<u8> {
    let layers = match file {
        None => layers(global)?,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Error::file("read", path, &source))?;
            let mut layers = Layers::defaults();
            layers.add_file_text(&text, path)?;
            layers
        }
    };
    let config = Config::from_layers(&layers)?;
    if config.agent != "auto" {
        config.profile(&config.agent)?;
    }
    for warning in config.warnings() {
        printer.note(&format!("warning: {warning}"));
    }
    printer.result("ok");
    Ok(0)
}

fn init(force: bool, printer: &Printer) -> Result<u8> {
    let path = Path::new("voxgw.toml");
    if path.exists() && !force {
        return Err(Error::usage("voxgw.toml is already here").hint("--force replaces it, --print prints the template"));
    }
    std::fs::write(path, template()).map_err(|source| Error::file("write", path, &source))?;
    printer.result("wrote voxgw.toml: every key with its default, all commented out");
    Ok(0)
}
