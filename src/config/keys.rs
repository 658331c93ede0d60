//! The table of keys: path, default, meaning. Unknown-key errors, the template and `config show` come from it.

use std::fmt::Write as _;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path; `agents.*.x` is a field of every agent profile, `routes.*.x` of every rule by its number.
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
    key("gateway.reserved_percent", "10", "Of these, kept for trunks, users and calls of ours, if there are trunks or users: strangers never fill the gateway."),
    key("gateway.drain", "\"30s\"", "How long calls may go on after SIGTERM."),
    key("gateway.workers", "0", "Media workers, one thread each; 0 is one per core."),
    key("gateway.priority", "\"auto\"", "Of the media workers: `auto` asks for real time, then niceness -10; `normal` does not ask."),
    key("sip.listen", "[\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:5060\"]", "Where SIP listens: udp:, tcp:, tls:, ws: or wss:, address, port."),
    key("sip.advertise", "\"auto\"", "The address that others reach us at, for Via, Contact and SDP; auto is the interface's."),
    key("sip.realm", "\"voxgw\"", "Realm of our digest challenges; a user's ha1 is made with it."),
    key("sip.digest", "[\"md5\"]", "Algorithms of our challenges, in order: md5, sha-256. Many telephones give up when offered one that they do not know."),
    key("sip.authenticate", "\"register\"", "Who is challenged: register (REGISTER, and REFER From our users), users (also calls and texts From them), all. Trunks never are."),
    key("sip.session_expires", "\"30m\"", "Session timer that we ask for (RFC 4028); 0s asks for none."),
    key("sip.session_expires_min", "\"90s\"", "Shorter session timers are refused with 422."),
    key("sip.reliable_provisional", "\"required\"", "100rel (RFC 3262): off, required (if the caller requires it), supported."),
    key("sip.headers", "[\"Diversion\", \"History-Info\", \"P-Asserted-Identity\", \"Privacy\", \"User-to-User\", \"Reason\", \"X-*\"]", "Headers of an INVITE that reach journal, API and agent; X-* is all that begin so."),
    key("sip.headers_across", "[\"Diversion\", \"History-Info\", \"User-to-User\", \"X-*\"]", "Headers of an INVITE that go on to the user or trunk that a call is put through to; [] none."),
    key("sip.dns", "[]", "DNS servers that are asked for NAPTR, SRV and addresses, like 192.0.2.53 or 127.0.0.1:5353; empty is the system's."),
    key("sip.keep_alive", "\"90s\"", "How often a connection that a trunk is registered over is pinged (RFC 5626); 0s never."),
    key("sip.ws.origins", "[]", "Web pages that may connect by ws: and wss:, by their Origin, like https://phone.example.org; empty is all."),
    key("sip.tls.certificate", "", "PEM file with the certificate of tls: and wss: addresses, then its chain; read anew when it changes."),
    key("sip.tls.key", "", "PEM file with its key."),
    key("sip.tls.ca", "", "PEM file with the CAs that are trusted; none is the system's, for servers."),
    key("sip.tls.verify_client", "false", "Who connects must show a certificate that sip.tls.ca has signed."),
    key("sip.tls.verify_server", "true", "Check the certificate of whom we connect to."),
    key("sip.tls.client_certificate", "", "PEM file with the certificate that we show where we connect."),
    key("sip.tls.client_key", "", "PEM file with its key."),
    key("sip.limits.allow", "[]", "Only these addresses and networks are heard; empty is everybody."),
    key("sip.limits.deny", "[]", "These addresses and networks are not; they get no answer."),
    key("sip.limits.trusted", "[\"127.0.0.0/8\", \"::1\"]", "No rates and no bans: our own proxies. Trunks always are."),
    key("sip.limits.per_source", "\"20/s\"", "Requests that begin something from one address, in bursts of five times that; 0 is no limit."),
    key("sip.limits.calls_per_source", "50", "Calls at once from one address, or one IPv6 network of 64 bits, that is no trunk, no user with its password and not in trusted; 0 is no limit."),
    key("sip.limits.global", "\"2000/s\"", "The same from all addresses together; 0 is no limit."),
    key("sip.limits.ban_after", "8", "Wrong passwords for one user that ban it at that address, or, for three users or more, the whole address; 0 never."),
    key("sip.limits.ban_for", "\"1m\"", "The first ban; each further one is twice as long, an hour at most."),
    key("sip.limits.connections", "4096", "Connections that others may have with us at once; the last tenth only from trusted addresses and trunks."),
    key("sip.limits.connections_per_source", "50", "Of one address, or of one IPv6 network of 64 bits; trusted addresses and trunks have no limit of their own."),
    key("sip.limits.scanners", "[\"friendly-scanner\", \"sipvicious\", \"sipcli\", \"sip-scan\", \"sundayddr\", \"pplsip\", \"vaxsipuseragent\"]", "Words in User-Agent that get no answer."),
    key("outbound.allow", "[]", "Numbers that may be called, as patterns like +49*; empty is all."),
    key("outbound.transfers", "\"known\"", "Whose REFER sends us to somebody else: off, known (trunks, users with their password, those whom we called), all."),
    key("outbound.calls_per_minute", "0", "Calls of ours that may begin within a minute; 0 is no limit."),
    key("outbound.minutes_per_day", "0", "Minutes that calls of ours may talk within 24 hours, all together; 0 is no limit."),
    key("registrar.expires_default", "\"1h\"", "A binding's life when the telephone does not say."),
    key("registrar.expires_min", "\"60s\"", "Shorter wishes are refused with 423."),
    key("registrar.expires_max", "\"24h\"", "Longer wishes are cut."),
    key("registrar.contacts_max", "10", "Telephones of one user."),
    key("registrar.service_route", "", "Service-Route in the answer to REGISTER, like <sip:proxy.example.org;lr>."),
    key("registrar.file", "\"~/.local/state/voxgw/bindings.json\"", "Where bindings are kept between runs; empty for nowhere."),
    key("users.*.password", "", "Password of the user; ${VAR} and ${file:PATH} keep it out of this file."),
    key("users.*.ha1", "", "Instead of a password: MD5 of user:realm:password."),
    key("users.*.ha1_sha256", "", "Instead of a password: SHA-256 of user:realm:password."),
    key("trunks.*.server", "", "Where the trunk is, like sip:sip.example.org;transport=tcp; a list is tried in order."),
    key("trunks.*.user", "", "Our name there: From of calls, AOR when registering."),
    key("trunks.*.domain", "", "Domain of our name; none is the first server's host."),
    key("trunks.*.login", "", "User name for its challenges; none is user."),
    key("trunks.*.password", "", "Password for its challenges; ${VAR} and ${file:PATH} keep it out of this file."),
    key("trunks.*.register", "", "true: register there and keep it up."),
    key("trunks.*.expires", "", "Asked for when registering; 10m if not given."),
    key("trunks.*.ping", "", "OPTIONS this often; 30s if not given, 0s never."),
    key("trunks.*.srtp", "", "Instead of media.srtp for calls from and to this trunk: off, optional, required."),
    key("trunks.*.codecs", "", "Codecs that calls by it may use, in the order of our offers, instead of media.codecs."),
    key("trunks.*.identity", "", "Who calls through it when a call goes on: trunk (our name there, the default) or caller (the caller's number)."),
    key("media.rtp_ports", "\"10000-20000\"", "Ports for RTP (even) and RTCP (odd)."),
    key("media.codecs", "[\"g722\", \"opus\", \"pcmu\", \"pcma\"]", "Codecs that may be used, in the order of our offers: pcmu, pcma, g722, opus, l16, l16-8k, l16-24k."),
    key("media.ptime", "\"20ms\"", "Sound in one packet when the far end does not say: 10ms to 60ms."),
    key("media.dtmf", "\"auto\"", "Digits: auto (events, else tones), events (else INFO), inband (tones only) or off."),
    key("media.vad", "\"energy\"", "Voice is told from noise by: energy, or neural (better in noise, twice the CPU)."),
    key("media.timeout", "\"30s\"", "A call ends when nothing arrives for so long (not while held); 0s never."),
    key("media.srtp", "\"optional\"", "Encrypted media, keys in SDP: off, optional (if both sides can), required (or no call)."),
    key("media.srtp_suites", "[\"AEAD_AES_256_GCM\", \"AEAD_AES_128_GCM\", \"AES_CM_128_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_32\"]", "Suites that we offer and take, in our order; an answer follows the offer's."),
    key("media.srtp_over_plain", "false", "Send and take SRTP keys over signalling without TLS too, where others can read them."),
    key("media.hold_music", "\"builtin\"", "What those hear whom we hold: builtin (a quiet tune), off (the session is inactive), or a WAV file."),
    key("call.agent", "\"auto\"", "Agent profile that answers; auto is gemini or openai, whose key is there, else scripted."),
    key("call.max_duration", "\"60m\"", "Longest call."),
    key("call.time_zone", "\"local\"", "Clock of the rules' times: local, UTC, +01:00, or a name that the system knows, like Europe/Berlin."),
    key("call.patience", "\"3s\"", "Ring this long at most while the agent connects, then answer."),
    key("call.agent_silence", "\"15s\"", "An answer that a gemini or openai agent owes (the caller has spoken, or a tool has answered; not of models that speak only when they are meant, as gemini-3.8-live does) is missed after this: lint ai-stall; after twice as long the agent counts as failed. 0s never."),
    key("callback.url", "", "Asked about each incoming call for an agent before that is connected: a POST whose answer may change instructions, voice, agent and more."),
    key("callback.secret", "", "Signs what is sent (HMAC-SHA256, X-Voxgw-Signature); ${VAR} and ${file:PATH} keep it out of this file."),
    key("callback.timeout", "\"2s\"", "How long all tries may take together; the caller hears ringing, and call.patience begins after it."),
    key("callback.tries", "2", "Tries; those after the first follow failed connections and 429, 500, 502, 503, 504."),
    key("callback.fallback", "", "Without a good answer: this agent takes the call, or refuse (503); none goes on with the agent as configured."),
    key("recording.mode", "\"always\"", "always: journal and sound; journal: no sound; never."),
    key("recording.pcap", "\"off\"", "call.pcap of each call: off, sip, all (SIP, and RTP as it was on the wire), decrypted (RTP without SRTP)."),
    key("recording.tone_every", "\"0s\"", "A soft beep tells that the call is recorded, at its beginning and this often; 0s never."),
    key("recording.tone_to", "\"both\"", "Who hears it: both, far_end, agent."),
    key("recording.agent_frames", "false", "Keep every provider frame in agent.jsonl."),
    key("recording.refused_per_minute", "10", "Refused calls that leave a short journal, in a minute; 0 none. More are counted only."),
    key("recording.folder", "\"~/.local/state/voxgw/calls\"", "Where the call folders are."),
    key("recording.keep", "\"30d\"", "Call folders older than this are removed."),
    key("recording.max_size", "\"20G\"", "The oldest call folders are removed beyond this."),
    key("api.listen", "\"unix:auto\"", "Local API: unix:PATH (mode 0600), HOST:PORT (needs token_file), or off."),
    key("api.token_file", "", "File with the bearer token that the API wants on TCP."),
    key("web.listen", "\"off\"", "Softphone, WebSocket and WHIP for browsers: ADDRESS:PORT, or off."),
    key("web.tls_cert", "", "PEM file with the certificate of web.listen; none is plain HTTP, which browsers allow on localhost only."),
    key("web.tls_key", "", "PEM file with its key."),
    key("web.join", "\"auto\"", "Who joins without a token: auto (anybody on a loopback address without web.origins, else nobody), token (nobody), anybody."),
    key("web.token_file", "", "File with a bearer token that may join any time."),
    key("web.secret_file", "", "File with the secret of join tokens, 16 characters or more; none is a new secret each run."),
    key("web.origins", "[]", "Other sites whose pages may join, like https://example.org."),
    key("web.address", "\"auto\"", "The address that browsers send media to; auto is the one that they reached us at."),
    key("web.media_port", "0", "One UDP port for the media of all browsers, and the next ones if there are more media workers; 0 is a port of media.rtp_ports for each."),
    key("web.stun", "[]", "STUN servers that browsers are told, like stun:stun.example.org:3478."),
    key("web.turn", "[]", "TURN servers that browsers are told, like turn:turn.example.org:3478?transport=udp."),
    key("web.turn_user", "", "User name at the TURN servers, for all browsers; needs turn_password."),
    key("web.turn_password", "", "Its password; ${VAR} and ${file:PATH} keep it out of this file."),
    key("web.turn_secret", "", "Instead of both: the secret that the TURN servers share with us; each browser gets credentials of its own."),
    key("web.turn_ttl", "\"12h\"", "How long such credentials are good: the longest call."),
    key("web.ice", "\"full\"", "full, or lite for a gateway on a public address: it answers checks and makes none."),
    key("log.level", "\"info\"", "error, warn, info, debug or trace; per module: warn,sip=debug; modules not named keep info."),
    key("log.format", "\"text\"", "text or json."),
    key("log.file", "", "Log into this file instead of stderr."),
    key("agents.*.kind", "", "echo, scripted, gemini, openai, gpt-live, bridge or pipeline."),
    key("agents.*.live", "", "echo: loop at once instead of waiting for the end of speech."),
    key("agents.*.script", "", "scripted: the script file; none is the one inside the binary."),
    key("agents.*.endpoint", "", "gemini, openai, gpt-live: base URL, wss:// or ws://; none is the vendor's. bridge: the bot's whole URL. pipeline: base URL, https:// or http://, of stages that have none of their own."),
    key("agents.*.api_version", "", "gemini: v1beta (default), v1 or v1alpha."),
    key("agents.*.key_file", "", "gemini, openai, gpt-live, bridge, pipeline: file with the key; else GEMINI_API_KEY or GOOGLE_API_KEY, OPENAI_API_KEY (both), VOXGW_BRIDGE_KEY, OPENAI_API_KEY."),
    key("agents.*.model", "", "gemini, openai, gpt-live, pipeline: model name."),
    key("agents.*.voice", "", "gemini, openai, gpt-live, pipeline: voice, like Kore, marin or alloy."),
    key("agents.*.language", "", "gemini, openai, pipeline: language code, like en-US."),
    key("agents.*.instructions", "", "gemini, openai, gpt-live, pipeline: system instruction; {{from}}, {{to}} and {{X-Tenant}} stand for who calls, who is called, a header of the INVITE."),
    key("agents.*.tell_headers", "", "gemini, openai, gpt-live, pipeline: true: a line of the system instruction tells of the INVITE's headers (sip.headers)."),
    key("agents.*.temperature", "", "gemini, pipeline: 0 to 2."),
    key("agents.*.greeting", "", "gemini, openai, gpt-live, pipeline: what to tell the model so that it greets; none waits for the caller."),
    key("agents.*.end_of_speech", "", "gemini, openai, pipeline: silence that ends the caller's turn, like 500ms."),
    key("agents.*.audio", "", "openai: pcmu, pcma or pcm24; if not given, G.711 as the call has it, else pcm24; gpt-live: the same and pcm16. bridge: pcmu (default), pcm8, pcm16 or pcm24. pipeline: pcm8, pcm16 (default) or pcm24, as the caller is written down from."),
    key("agents.*.vad", "", "openai: server_vad (default) or semantic_vad ends the caller's turn. gemini: local: our own detector instead of the service's."),
    key("agents.*.vad_threshold", "", "openai: how loud speech must be for server_vad, 0 to 1."),
    key("agents.*.vad_prefix", "", "openai, pipeline: sound before the onset that is kept (server_vad), like 300ms. gemini: speech that begins a turn; with vad = local as for openai."),
    key("agents.*.eagerness", "", "openai: how soon semantic_vad answers: low, medium, high or auto."),
    key("agents.*.idle", "", "openai: the model speaks up by itself after so much silence, like 8s (server_vad)."),
    key("agents.*.transcription", "", "openai: model that writes down the caller, gpt-transcribe if not given; none does not. gemini: none."),
    key("agents.*.noise_reduction", "", "openai: near_field, far_field or none."),
    key("agents.*.speed", "", "openai, pipeline: how fast it speaks, 0.25 to 1.5."),
    key("agents.*.max_tokens", "", "gemini, openai, gpt-live (its delegate), pipeline: longest answer in tokens."),
    key("agents.*.reasoning", "", "gemini, openai, gpt-live (its delegate), pipeline: effort of models that reason: minimal, low, medium, high."),
    key("agents.*.start_sensitivity", "", "gemini: how easily the service hears speech begin: high or low."),
    key("agents.*.end_sensitivity", "", "gemini: how easily it hears speech end: high or low."),
    key("agents.*.turn_coverage", "", "gemini: what belongs to the caller's turn: activity (speech) or all (silence too)."),
    key("agents.*.thinking_budget", "", "gemini: tokens for thinking (2.5 models); 0 none, -1 as the model likes."),
    key("agents.*.proactive_audio", "", "gemini: true: the model keeps silent when it is not meant (2.5 models; 3.8 always does)."),
    key("agents.*.affective_dialog", "", "gemini: true: it answers in the tone that it hears (2.5 models)."),
    key("agents.*.translate_to", "", "gemini: language that a translating model speaks, like es."),
    key("agents.*.translate_echo", "", "gemini: true: it says again what is in that language already."),
    key("agents.*.compress_at", "", "gemini: tokens beyond which the oldest words are forgotten; none is the service's own."),
    key("agents.*.compress_to", "", "gemini: tokens that are left then."),
    key("agents.*.project", "", "gemini: project of Vertex AI, which is asked instead of the Developer API; the key is then an access token."),
    key("agents.*.location", "", "gemini: location of Vertex AI, us-central1 if not given; global."),
    key("agents.*.delegate", "", "gpt-live: model that works out what the speaking one hands on, and calls the tools; tools need it."),
    key("agents.*.auth", "", "bridge: how the key travels: bearer (default), jwt (signs a token for each connection), or the name of a header."),
    key("agents.*.parameters", "", "bridge: list of NAME=VALUE for the bot, besides call_id, from_number and to_number; {{X-Tenant}} as in instructions."),
    key("agents.*.reconnects", "", "bridge: connections that break or cannot be made are tried again so often; 2 if not given."),
    key("agents.*.stt", "", "pipeline: base URL of what writes down the caller, like http://127.0.0.1:8000/v1; none is endpoint's, else OpenAI's."),
    key("agents.*.stt_key_file", "", "pipeline: file with its key; else VOXGW_STT_KEY. The common key goes only to stages without a base URL of their own."),
    key("agents.*.stt_model", "", "pipeline: its model; gpt-transcribe if not given."),
    key("agents.*.llm", "", "pipeline: base URL of the language model, as stt."),
    key("agents.*.llm_key_file", "", "pipeline: file with its key; else VOXGW_LLM_KEY."),
    key("agents.*.tts", "", "pipeline: base URL of the voice, as stt."),
    key("agents.*.tts_key_file", "", "pipeline: file with its key; else VOXGW_TTS_KEY."),
    key("agents.*.tts_model", "", "pipeline: its model; gpt-4o-mini-tts if not given."),
    key("agents.*.tts_format", "", "pipeline: what it is asked for: wav, or samples without a head: pcm8, pcm16, pcm24 (default)."),
    key("agents.*.stage_timeout", "", "pipeline: a stage that says nothing for so long has failed; 8s if not given."),
    key("agents.*.stt_api", "", "pipeline: openai (default: HTTP, OpenAI's shape) or deepgram (a WebSocket that hears while the caller speaks; stt is then its base URL, the key DEEPGRAM_API_KEY)."),
    key("agents.*.tts_api", "", "pipeline: openai (default) or elevenlabs (a WebSocket; needs voice; the key is ELEVENLABS_API_KEY)."),
    key("agents.*.stt_command", "", "pipeline: instead of stt a program: list of its name and arguments; it reads the caller's sound and prints the words. {{language}}, {{model}}, {{rate}} are filled in."),
    key("agents.*.stt_format", "", "pipeline: what stt_command reads: pcm (default: 16-bit little-endian mono at audio's rate) or wav."),
    key("agents.*.tts_command", "", "pipeline: instead of tts a program: it reads a sentence and writes sound, as tts_format says, or a WAV. {{voice}}, {{language}}, {{speed}}, {{model}} are filled in."),
    key("agents.*.command_ahead", "", "pipeline: true: the next process of stt_command and tts_command is started before it is needed, so that its model is loaded."),
    key("agents.*.barge_in", "", "Who decides that the caller interrupts: provider (pipeline: words that were written down), local (our detector), pause (the same, but the agent pauses at once and goes on if it was a cough) or off."),
    key("agents.*.barge_in_speech", "", "Voice that must last so long to interrupt, with barge_in local (50ms if not given) or pause (400ms)."),
    key("agents.*.barge_in_grace", "", "Nobody interrupts by voice so soon after the agent began to speak, with barge_in local or pause; 0s if not given."),
    key("agents.*.barge_in_keys", "", "true: a key interrupts the agent; false: it does not. If not given: with pipeline and menus it does."),
    key("agents.*.dead_air", "", "When nobody has spoken for so long the caller is asked, and in the end the call ends; 0s never (the default)."),
    key("agents.*.dead_air_prompts", "", "How often the caller is asked; 2 if not given."),
    key("agents.*.dead_air_say", "", "What is played then: builtin:silence (the default), tone:HERTZ:MILLISECONDS, or a WAV file."),
    key("agents.*.dead_air_text", "", "Its words, for the journal."),
    key("agents.*.filler", "", "When an answer is not there for so long, or a tool works, something is played, like 2500ms; again after as long, five times at most; 0s never (the default)."),
    key("agents.*.filler_say", "", "What is played then: builtin:moment (the default: One moment, please.), tone:HERTZ:MILLISECONDS, or a WAV file."),
    key("agents.*.filler_text", "", "Its words, for the journal."),
    key("agents.*.prebuffer", "", "Sound gathered before a turn plays, like 60ms."),
    key("agents.*.codecs", "", "Codecs of its calls, in the order of our offers; of these only what trunk or gateway allow."),
    key("agents.*.early_media", "", "true: callers hear our ring tone (183 with a description) until the call is answered."),
    key("agents.*.speaks_early", "", "true: the agent begins before the answer, which follows when its first turn is over; early_media with its voice."),
    key("agents.*.callback", "", "Asked about its calls instead of callback.url; off asks nobody."),
    key("agents.*.fallback", "", "Agents that take its calls when it cannot be reached, refuses us, or is lost for good, in order; the last may be offline."),
    key("agents.*.tools", "", "gemini, openai, gpt-live, pipeline: what the model may call: names of [tools], and hang_up, transfer, bridge, send_dtmf, hold, resume, send_sms, switch_agent, set_variable."),
    key("agents.*.mcp", "", "gemini, openai, gpt-live, pipeline: servers of [mcp] whose tools the model may call as well."),
    key("tools.*.description", "", "What the tool does and when to call it, for the model."),
    key("tools.*.parameters", "", "JSON Schema of its arguments as text, or ${file:PATH}; none takes no arguments."),
    key("tools.*.url", "", "Where it is, https:// or http://; in path and query {{name}} stands for an argument, {{from}}, {{to}} or a header of the INVITE."),
    key("tools.*.method", "", "GET and DELETE send arguments in the query; POST (the default), PUT and PATCH as a JSON object."),
    key("tools.*.headers", "", "List of NAME: VALUE; ${VAR} and ${file:PATH} keep keys out of this file."),
    key("tools.*.timeout", "", "How long it may take; 10s if not given."),
    key("mcp.*.url", "", "Where a server of the Model Context Protocol takes POSTs (streamable HTTP), https:// or http://."),
    key("mcp.*.headers", "", "List of NAME: VALUE; ${VAR} and ${file:PATH} keep keys out of this file."),
    key("mcp.*.tools", "", "Names of its tools that are offered; all if not given."),
    key("mcp.*.timeout", "", "How long an answer of it may take; 10s if not given."),
    key("http.ca", "", "PEM file with the CAs that tools, mcp and callback are trusted by; none is the system's."),
    key("routes.*.name", "", "Name of the rule, in logs, journals and refusals; each once."),
    key("routes.*.to", "", "Called number: 100, +49*, *00 or /regex/; of a list any, as in every condition."),
    key("routes.*.from", "", "Calling number, in the same words."),
    key("routes.*.source", "", "Address that the call comes from: 192.0.2.1 or 10.0.0.0/8."),
    key("routes.*.header", "", "Header of the INVITE, NAME: PATTERN; values of one name are alternatives, other names are all needed."),
    key("routes.*.time", "", "When, by call.time_zone: Mon-Fri 08:00-18:00; a span over midnight belongs to the day it begins."),
    key("routes.*.trunk", "", "Trunk that the call comes by: a pattern for its name in [trunks]."),
    key("routes.*.registered", "", "true, false, or the user who calls; needs sip.authenticate = users or all."),
    key("routes.*.agent", "", "Target: this agent profile answers."),
    key("routes.*.ivr", "", "Target: this script leads through its menus; short for a scripted agent of that file."),
    key("routes.*.rewrite_to.strip", "", "Characters taken off the front of the called number."),
    key("routes.*.rewrite_to.prefix", "", "What is then put before the called number."),
    key("routes.*.rewrite_from.strip", "", "Characters taken off the front of the calling number."),
    key("routes.*.rewrite_from.prefix", "", "What is then put before the calling number."),
    key("routes.*.refuse", "", "Target: refuse with this status, 300 to 699."),
    key("routes.*.reason", "", "Why it is refused, told to the caller in Warning."),
    key("routes.*.user", "", "Target: a registered user; all of the user's telephones ring, by preference."),
    key("routes.*.trunk_out", "", "Target: leave by this trunk."),
    key("routes.*.ring", "", "For how long a user or trunk_out may ring; 30s if not given."),
    key("routes.*.ringback", "", "true: meanwhile the caller hears a ring tone of ours (183), not the own telephone's."),
    key("routes.*.conference", "", "Target: a conference of this name; all who come hear each other."),
];

/// The row of a key: `agents.support.voice` is `agents.*.voice`.
#[must_use]
pub fn row(key: &str) -> Option<&'static Key> {
    KEYS.iter().find(|row| row.path == key || is_row(row.path, key))
}

/// Whether `key` is the row `path`, whose `*` stands for one name, of rules for a number.
pub(super) fn is_row(path: &str, key: &str) -> bool {
    let Some((table, field)) = path.split_once(".*.") else { return path == key };
    key.strip_prefix(table)
        .and_then(|rest| rest.strip_prefix('.')?.strip_suffix(field)?.strip_suffix('.'))
        .is_some_and(|name| !name.is_empty() && (table != "routes" || name.parse::<usize>().is_ok()))
}

/// The commented config file: every key with its meaning and default. Lines that start with `#= ` are settings.
#[must_use]
pub fn template() -> String {
    let mut text = String::from(
        "# voxgw.toml: every key with its default. Uncomment what you change.\n\
         # Stronger than this file: flags, then VOXGW__SECTION__KEY in the environment, then .env.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (table, name) = match key.path.split_once("routes.*.") {
            // A new rule for each target, for a rule has one.
            Some((_, name @ ("refuse" | "user" | "trunk_out" | "ivr" | "conference"))) => {
                let _ = write!(text, "\n#= [[routes]]\n#= name = \"{name}\"\n");
                ("routes.*", name)
            }
            Some((_, name)) => ("routes.*", name),
            None => key.path.rsplit_once('.').unwrap_or(("", key.path)),
        };
        if table != section {
            section = table;
            let header =
                if table == "routes.*" { "[[routes]]".into() } else { format!("[{}]", table.replace('*', "support")) };
            let _ = write!(text, "\n#= {header}\n");
        }
        let _ = writeln!(text, "# {}\n#= {name} = {}", key.meaning, sample(key));
    }
    text
}

/// A value for the template.
fn sample(key: &Key) -> &'static str {
    match key.path {
        "agents.*.kind" => "\"gemini\"",
        "agents.*.live"
        | "agents.*.tell_headers"
        | "agents.*.early_media"
        | "agents.*.speaks_early"
        | "agents.*.command_ahead"
        | "agents.*.barge_in_keys"
        | "routes.*.registered"
        | "trunks.*.register"
        | "routes.*.ringback" => "false",
        "users.*.password" => "\"wonderland\"",
        "trunks.*.server" => "\"sip:sip.example.org\"",
        "trunks.*.srtp" => "\"required\"",
        "trunks.*.expires" => "\"10m\"",
        "trunks.*.ping" | "routes.*.ring" => "\"30s\"",
        "trunks.*.identity" => "\"trunk\"",
        "trunks.*.codecs" => "[\"pcma\", \"pcmu\"]",
        "agents.*.stt" | "agents.*.llm" | "agents.*.tts" => "\"http://127.0.0.1:8000/v1\"",
        "agents.*.tts_format" => "\"pcm24\"",
        "agents.*.stage_timeout" => "\"8s\"",
        "agents.*.stt_command" => "[\"/opt/ear/bin/ear\", \"--language\", \"{{language}}\"]",
        "agents.*.stt_api" | "agents.*.tts_api" => "\"openai\"",
        "agents.*.stt_format" => "\"pcm\"",
        "agents.*.tts_command" => "[\"espeak-ng\", \"--stdin\", \"--stdout\"]",
        "agents.*.callback" => "\"off\"",
        "agents.*.temperature" => "0.8",
        "agents.*.api_version" => "\"v1beta\"",
        "agents.*.model" => "\"gemini-3.8-live\"",
        "agents.*.end_of_speech" => "\"500ms\"",
        "agents.*.barge_in" => "\"provider\"",
        "agents.*.barge_in_speech" => "\"400ms\"",
        "agents.*.barge_in_grace" | "agents.*.dead_air" => "\"0s\"",
        "agents.*.dead_air_prompts" => "2",
        "agents.*.dead_air_say" => "\"builtin:silence\"",
        "agents.*.dead_air_text" => "\"Are you still there?\"",
        "agents.*.filler" => "\"2500ms\"",
        "agents.*.filler_say" => "\"builtin:moment\"",
        "agents.*.filler_text" => "\"One moment, please.\"",
        "tools.*.description" => "\"Says how far an order is.\"",
        "tools.*.url" => "\"https://shop.example.com/orders/{{number}}\"",
        "tools.*.method" => "\"POST\"",
        "tools.*.timeout" | "mcp.*.timeout" => "\"10s\"",
        "mcp.*.url" => "\"https://tools.example.com/mcp\"",
        "mcp.*.headers" | "mcp.*.tools" | "agents.*.mcp" | "agents.*.tools" | "agents.*.fallback"
        | "tools.*.headers" => "[]",
        "agents.*.prebuffer" => "\"0ms\"",
        "agents.*.codecs" => "[\"g722\", \"opus\", \"pcma\", \"pcmu\"]",
        "routes.*.name" => "\"support by day\"",
        "routes.*.to" => "[\"100\", \"+49*\"]",
        "routes.*.from" | "routes.*.trunk" => "\"*\"",
        "routes.*.source" => "[\"127.0.0.1\", \"10.0.0.0/8\"]",
        "routes.*.header" => "[\"X-Tenant: acme*\"]",
        "routes.*.time" => "[\"Mon-Fri 08:00-18:00\", \"Sat 09:00-12:00\"]",
        "routes.*.agent" => "\"support\"",
        "routes.*.rewrite_to.strip" | "routes.*.rewrite_from.strip" => "0",
        "routes.*.refuse" => "403",
        "routes.*.reason" => "\"closed\"",
        "routes.*.ivr" => "\"scenarios/switchboard.toml\"",
        "routes.*.user" => "\"alice\"",
        "routes.*.trunk_out" => "\"carrier\"",
        "routes.*.conference" => "\"team\"",
        _ if key.default.is_empty() => "\"\"",
        _ => key.default,
    }
}
