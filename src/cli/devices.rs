//! `voxgw devices`, and microphone and loudspeaker of `dial --mic`: in builds with the feature `devices`. Others need no
//! system library, and say how to get one with it.

#[cfg(feature = "devices")]
mod conversion;
#[cfg(feature = "devices")]
mod sound;

use super::{
    Printer,
    arguments::{Dial, Format},
};
#[cfg(feature = "devices")]
use crate::agent::seat::HandsetPlan;
use crate::{
    agent::{local::handset::Meters, seat::Plan},
    error::{Error, Result},
};
use std::sync::Arc;
#[cfg(feature = "devices")]
use std::sync::Mutex;

/// Devices that are in use; letting go of it closes them.
pub(super) struct Open {
    pub(super) plan: Plan,
    pub(super) meters: Arc<Meters>,
    #[cfg(feature = "devices")]
    _streams: sound::Streams,
}

#[cfg(not(feature = "devices"))]
fn missing(what: &str) -> Error {
    Error::usage(format!("{what}: this build has no sound devices")).hint(
        "build one that has: cargo install --path . --features devices (on Debian it needs libasound2-dev); \
         or use --play FILE, --echo, --silence or --agent NAME",
    )
}

/// Lists the devices.
///
/// # Errors
/// The build has none; the system's sound cannot be asked.
#[cfg(not(feature = "devices"))]
pub(super) fn list(_output: Format, _printer: &Printer) -> Result<u8> {
    Err(missing("devices"))
}

/// Lists the devices.
///
/// # Errors
/// The system's sound cannot be asked.
#[cfg(feature = "devices")]
pub(super) fn list(output: Format, printer: &Printer) -> Result<u8> {
    let devices = sound::list()?;
    if output != Format::Text {
        printer.result(&serde_json::json!({"schema": "voxgw.devices/1", "devices": devices}).to_string());
        return Ok(0);
    }
    if devices.is_empty() {
        printer.note("no sound devices");
    }
    for device in devices {
        let can = match (device.microphone, device.speaker) {
            (true, true) => "microphone, speaker",
            (true, false) => "microphone",
            _ => "speaker",
        };
        printer.result(&format!("{}\n    {can}; {}\n", device.id, device.name));
    }
    Ok(0)
}

/// Opens what `dial --mic` needs; none if a file, an agent or nobody speaks.
///
/// # Errors
/// The build has no devices, or they cannot be opened.
pub(super) fn open(arguments: &Dial) -> Result<Option<Open>> {
    let Some(mic) = &arguments.mic else { return Ok(None) };
    if arguments.repeat > 1 {
        return Err(Error::usage("--mic: one person, one call").hint("leave --repeat out"));
    }
    opened(mic, arguments.speaker.as_deref().unwrap_or_default(), arguments.headset).map(Some)
}

#[cfg(not(feature = "devices"))]
fn opened(_mic: &str, _speaker: &str, _headset: bool) -> Result<Open> {
    Err(missing("--mic"))
}

#[cfg(feature = "devices")]
fn opened(mic: &str, speaker: &str, headset: bool) -> Result<Open> {
    let (ends, streams) = sound::open(mic, speaker)?;
    let meters = Arc::new(Meters::default());
    let ends = Arc::new(Mutex::new(Some(ends)));
    let plan = Plan::handset(HandsetPlan { ends, meters: Arc::clone(&meters), headset });
    Ok(Open { plan, meters, _streams: streams })
}

/// Microphone and loudspeaker as bars, for the line below the call.
pub(super) fn meters(meters: &Meters) -> String {
    let bar = |level: i32| {
        // A mark each 6 dB from −60 dBFS on.
        let marks = usize::try_from((level + 60).clamp(0, 60) / 6).unwrap_or(0);
        format!("{}{}", "|".repeat(marks), ".".repeat(10 - marks))
    };
    let (spoken, played, guarded) = meters.read();
    format!("mic [{}]{}  speaker [{}]", bar(spoken), if guarded { " guarded" } else { "" }, bar(played))
}
