//! The table of keys: path, default, meaning. Unknown-key errors, the template and `config show` come from it.

use std::fmt::Write as _;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path; `agents.*.x` is a field of every agent profile.
    pub path: &'static str,
    /// Default as TOML text; empty for none.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

const fn key(path: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { path, default, meaning }
}

/// All keys, in the order of the template.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key("gateway.name", "\"voxgw\"", "Name of this gateway in journals."),
    key("gateway.max_calls", "500", "Calls at once; more are refused with 503."),
    key("gateway.drain", "\"30s\"", "How long calls may go on after SIGTERM."),
    key("gateway.workers", "0", "Media workers, one thread each; 0 is one per core."),
    key("sip.listen", "[\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:5060\"]", "Where SIP listens: udp: or tcp:, address, port."),
    key("sip.advertise", "\"auto\"", "The address that others reach us at, for Via, Contact and SDP; auto is the interface's."),
    key("media.rtp_ports", "\"10000-20000\"", "Ports for RTP (even) and RTCP (odd)."),
    key("media.codecs", "[\"pcmu\", \"pcma\"]", "Codecs in order of preference."),
    key("media.ptime", "\"20ms\"", "Sound in one packet when the far end does not say: 10ms to 60ms."),
    key("media.timeout", "\"30s\"", "A call ends when nothing arrives for so long (not while held); 0s never."),
    key("call.agent", "\"auto\"", "Agent profile that answers; auto is gemini with a key, else scripted."),
    key("call.max_duration", "\"60m\"", "Longest call."),
    key("call.patience", "\"3s\"", "Ring this long at most while the agent connects, then answer."),
    key("recording.mode", "\"always\"", "always: journal and sound; journal: no sound; never."),
    key("recording.pcap", "\"off\"", "call.pcap of each call: off, sip or all."),
    key("recording.agent_frames", "false", "Keep every provider frame in agent.jsonl."),
    key("recording.folder", "\"~/.local/state/voxgw/calls\"", "Where the call folders are."),
    key("recording.keep", "\"30d\"", "Call folders older than this are removed."),
    key("recording.max_size", "\"20G\"", "The oldest call folders are removed beyond this."),
    key("api.listen", "\"unix:auto\"", "Local API: unix:PATH (mode 0600), HOST:PORT (needs token_file), or off."),
    key("api.token_file", "", "File with the bearer token that the API wants on TCP."),
    key("log.level", "\"info\"", "error, warn, info, debug or trace; per module: warn,sip=debug; modules not named keep info."),
    key("log.format", "\"text\"", "text or json."),
    key("log.file", "", "Log into this file instead of stderr."),
    key("agents.*.kind", "", "echo, scripted or gemini."),
    key("agents.*.live", "", "echo: loop at once instead of waiting for the end of speech."),
    key("agents.*.script", "", "scripted: the script file; none is the one inside the binary."),
    key("agents.*.endpoint", "", "gemini: base URL, wss:// or ws://; none is the vendor's."),
    key("agents.*.api_version", "", "gemini: v1beta (default), v1 or v1alpha."),
    key("agents.*.key_file", "", "gemini: file with the key; else GEMINI_API_KEY or GOOGLE_API_KEY."),
    key("agents.*.model", "", "gemini: model name."),
    key("agents.*.voice", "", "gemini: prebuilt voice, like Kore."),
    key("agents.*.language", "", "gemini: language code, like en-US."),
    key("agents.*.instructions", "", "gemini: system instruction."),
    key("agents.*.temperature", "", "gemini: 0 to 2."),
    key("agents.*.greeting", "", "gemini: what to tell the model so that it greets; none waits for the caller."),
    key("agents.*.end_of_speech", "", "gemini: silence that ends the caller's turn, like 500ms."),
    key("agents.*.barge_in", "", "Who decides that the caller interrupts: provider, local or off."),
    key("agents.*.prebuffer", "", "Sound gathered before a turn plays, like 60ms."),
];

/// The commented config file: every key with its meaning and default. Lines that start with `#= ` are settings.
#[must_use]
pub fn template() -> String {
    let mut text = String::from(
        "# voxgw.toml: every key with its default. Uncomment what you change.\n\
         # Stronger than this file: flags, then VOXGW__SECTION__KEY in the environment, then .env.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if table != section {
            section = table;
            let _ = write!(text, "\n#= [{}]\n", table.replace('*', "support"));
        }
        let sample = match key.path {
            "agents.*.kind" => "\"gemini\"",
            "agents.*.live" => "false",
            "agents.*.temperature" => "0.8",
            "agents.*.api_version" => "\"v1beta\"",
            "agents.*.model" => "\"gemini-3.8-live\"",
            "agents.*.end_of_speech" => "\"500ms\"",
            "agents.*.barge_in" => "\"provider\"",
            "agents.*.prebuffer" => "\"0ms\"",
            _ if key.default.is_empty() => "\"\"",
            _ => key.default,
        };
        let _ = writeln!(text, "# {}\n#= {name} = {sample}", key.meaning);
    }
    text
}
