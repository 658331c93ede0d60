//! `voxgw recordings`: what is done with the recordings of calls that are over.

use super::{
    Printer,
    arguments::{Export, RecordingsCommand},
};
use crate::{
    error::{Error, Kind, Result},
    media::file::{ogg, wav},
};
use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

pub(super) fn run(command: &RecordingsCommand, printer: &Printer) -> Result<u8> {
    match command {
        RecordingsCommand::Export(export) => {
            for call in &export.calls {
                one(call, export, printer)?;
            }
            Ok(0)
        }
    }
}

/// A call folder's `call.wav`, or the file itself, becomes `call.opus` beside it, or what `--out` says.
fn one(call: &Path, export: &Export, printer: &Printer) -> Result<()> {
    let sound = if call.is_dir() { call.join("call.wav") } else { call.to_owned() };
    let bytes = fs::read(&sound).map_err(|source| Error::file("read", &sound, &source))?;
    let wav = wav::read(&bytes).map_err(|problem| {
        Error::usage(format!("{}: {problem}", sound.display())).hint("give a call folder, or a WAV file")
    })?;
    drop(bytes);
    let to = target(call, &sound, export)?;
    if to.exists() && !export.force {
        return Err(Error::usage(format!("{} is there already", to.display())).hint("replace it with --force"));
    }
    let title = title(call, &sound);
    let seconds = wav.channels.first().map_or(0, Vec::len) as u64 / u64::from(wav.rate.0.max(1));
    let bar = printer.bar(seconds, &title);
    // Under another name until it is whole.
    let part = to.with_extension("part");
    let file = File::create(&part).map_err(|source| Error::file("write", &part, &source))?;
    let written = ogg::write(&wav, &title, BufWriter::new(file), || bar.inc(1))
        .and_then(|mut file| file.flush().map_err(|problem| problem.to_string()));
    bar.finish_and_clear();
    if let Err(problem) = written {
        let _ = fs::remove_file(&part);
        return Err(Error::new(Kind::Machine, format!("could not write {}: {problem}", to.display())));
    }
    fs::rename(&part, &to).map_err(|source| Error::file("write", &to, &source))?;
    printer.result(&format!("{}\n", to.display()));
    Ok(())
}

/// `--out` is a file for one call, or a folder.
fn target(call: &Path, sound: &Path, export: &Export) -> Result<PathBuf> {
    let Some(out) = &export.out else { return Ok(sound.with_extension("opus")) };
    if !out.is_dir() {
        if export.calls.len() > 1 {
            let problem = format!("--out {}: several calls need a folder", out.display());
            return Err(Error::usage(problem).hint("make it first"));
        }
        return Ok(out.clone());
    }
    Ok(out.join(format!("{}.opus", title(call, sound))))
}

/// The call folder's name, else the file's.
fn title(call: &Path, sound: &Path) -> String {
    let whole = call.canonicalize().unwrap_or_else(|_| call.to_owned());
    let name = if whole.is_dir() { whole.file_name() } else { sound.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
