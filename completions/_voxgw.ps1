
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'voxgw' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'voxgw'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'voxgw' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the gateway: answer calls with an agent')
            [CompletionResult]::new('dial', 'dial', [CompletionResultType]::ParameterValue, 'Call someone: a file, silence, an echo, or an AI caller')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a recording or capture through the same path again, offline')
            [CompletionResult]::new('monitor', 'monitor', [CompletionResultType]::ParameterValue, 'Watch sessions, live or from a file')
            [CompletionResult]::new('calls', 'calls', [CompletionResultType]::ParameterValue, 'Act on a running gateway: hang up, press keys, hold, transfer, place a call')
            [CompletionResult]::new('devices', 'devices', [CompletionResultType]::ParameterValue, 'List microphones and loudspeakers, for dial --mic')
            [CompletionResult]::new('recordings', 'recordings', [CompletionResultType]::ParameterValue, 'Work with the recordings of calls')
            [CompletionResult]::new('agents', 'agents', [CompletionResultType]::ParameterValue, 'List agents, and try one without a telephone')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Look at the configuration')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;serve' {
            [CompletionResult]::new('--sip', '--sip', [CompletionResultType]::ParameterName, 'Listen here: udp:, tcp:, tls:, ws: or wss:, on port 5060 (tls 5061) if none is named; repeatable [default: udp:0.0.0.0:5060 and tcp:0.0.0.0:5060]')
            [CompletionResult]::new('--rtp-ports', '--rtp-ports', [CompletionResultType]::ParameterName, 'Ports for RTP and RTCP [default: 10000-20000]')
            [CompletionResult]::new('--advertise', '--advertise', [CompletionResultType]::ParameterName, 'The address that others reach us at, or auto')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'Agent that answers: scripted, echo, echo:live, gemini, or a profile of the config')
            [CompletionResult]::new('--api', '--api', [CompletionResultType]::ParameterName, 'Local API: unix:PATH, HOST:PORT (with --api-token-file), or off')
            [CompletionResult]::new('--api-token-file', '--api-token-file', [CompletionResultType]::ParameterName, 'File with the token that the API wants on TCP')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Serve browsers here: the softphone, WebSocket and WHIP; off')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Keep calls: always (journal and sound), journal, or never')
            [CompletionResult]::new('--recordings', '--recordings', [CompletionResultType]::ParameterName, 'Where the call folders are')
            [CompletionResult]::new('--pcap', '--pcap', [CompletionResultType]::ParameterName, 'Keep a capture of each call')
            [CompletionResult]::new('--max-calls', '--max-calls', [CompletionResultType]::ParameterName, 'Calls at once')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'How long calls may go on after SIGTERM, like 30s')
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'Media workers; 0 is one per core')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--agent-frames', '--agent-frames', [CompletionResultType]::ParameterName, 'Keep every provider frame in agent.jsonl, for replay --agent recorded')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Bind, report and exit')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;dial' {
            [CompletionResult]::new('--play', '--play', [CompletionResultType]::ParameterName, 'Play this file; repeatable, one after another')
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'An AI caller: scripted, gemini, or a profile of the config')
            [CompletionResult]::new('--scenario', '--scenario', [CompletionResultType]::ParameterName, 'Do the steps of this file, and check what it expects; repeatable, a call each; a folder stands for its .toml files')
            [CompletionResult]::new('--mic', '--mic', [CompletionResultType]::ParameterName, 'Talk through a microphone, and hear the call; a device of `voxgw devices`, or the system''s')
            [CompletionResult]::new('--speaker', '--speaker', [CompletionResultType]::ParameterName, 'With --mic: hear the call from this device')
            [CompletionResult]::new('--record', '--record', [CompletionResultType]::ParameterName, 'Write both sides into this WAV: left what we sent, right what came back')
            [CompletionResult]::new('--journal', '--journal', [CompletionResultType]::ParameterName, 'Keep call folders here')
            [CompletionResult]::new('--pcap', '--pcap', [CompletionResultType]::ParameterName, 'Write a capture of the call')
            [CompletionResult]::new('--dtmf', '--dtmf', [CompletionResultType]::ParameterName, 'Press keys: 1,2,#@3s presses 1, 2 and # three seconds after the answer; repeatable')
            [CompletionResult]::new('--hangup-after', '--hangup-after', [CompletionResultType]::ParameterName, 'Hang up after: a time like 5s, silence:2s, or turns:3')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'Exit with 1 if this is so at a call''s end: mos<3.8, lost>1%, gap.p95>1200ms, lint>=error; repeatable')
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write the calls and what was checked into this file, as JUnit''s XML')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'With --play: begin so long after the answer, whatever is heard [default: 500ms, or when the far end has finished speaking]')
            [CompletionResult]::new('--ring', '--ring', [CompletionResultType]::ParameterName, 'Ring at most this long')
            [CompletionResult]::new('--max', '--max', [CompletionResultType]::ParameterName, 'Talk at most this long')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'As whom')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'User name for a challenge; the password comes from `VOXGW_PASSWORD` or --password-file')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'File with the password, or with a WHIP server''s bearer token')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'Send the call through this proxy')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Extra header; repeatable')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Extra header; repeatable')
            [CompletionResult]::new('--codec', '--codec', [CompletionResultType]::ParameterName, 'Codecs in the order of the offer')
            [CompletionResult]::new('--ptime', '--ptime', [CompletionResultType]::ParameterName, 'Sound in one packet: 10ms to 60ms')
            [CompletionResult]::new('--srtp', '--srtp', [CompletionResultType]::ParameterName, 'Encrypt the sound: off, optional (if the far end can), required; keys travel over TLS only')
            [CompletionResult]::new('--sip', '--sip', [CompletionResultType]::ParameterName, 'Local SIP address')
            [CompletionResult]::new('--rtp-ports', '--rtp-ports', [CompletionResultType]::ParameterName, 'Ports for RTP and RTCP [default: 20002-29999]')
            [CompletionResult]::new('--repeat', '--repeat', [CompletionResultType]::ParameterName, 'Place so many calls')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'So many at once')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Begin so many a second: 10/s, 30/m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--silence', '--silence', [CompletionResultType]::ParameterName, 'Send silence')
            [CompletionResult]::new('--echo', '--echo', [CompletionResultType]::ParameterName, 'Send back what is heard')
            [CompletionResult]::new('--headset', '--headset', [CompletionResultType]::ParameterName, 'With --mic: a headset, which the microphone does not hear; both may speak at once')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;replay' {
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'none, echo, echo:live, scripted, gemini, recorded (the folder''s agent.jsonl), or a profile')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'max, real, or a factor like 2x [default: max for offline agents, real for gemini]')
            [CompletionResult]::new('--codec', '--codec', [CompletionResultType]::ParameterName, 'Codec of streams that no SIP describes, and of what a WAV is sent with')
            [CompletionResult]::new('--ssrc', '--ssrc', [CompletionResultType]::ParameterName, 'Only this stream of a capture, like 0x3f21a9c4')
            [CompletionResult]::new('--leg', '--leg', [CompletionResultType]::ParameterName, 'Which side of a stereo WAV talks: caller (left), agent (right) or both (mixed)')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write report.json into this folder; with an agent also session.jsonl, call.wav and sent.pcap')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'Exit with 1 if this is so: lost>1%, mos<3.8, lint>=error; repeatable')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;monitor' {
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only these: state:up agent:gemini mos<3.8 p95>1200')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by a column: p95:desc')
            [CompletionResult]::new('--pane', '--pane', [CompletionResultType]::ParameterName, 'Open this pane: sessions, overview, ladder, media, talk, turns')
            [CompletionResult]::new('--call', '--call', [CompletionResultType]::ParameterName, 'Open this call; with --once and --watch print only this one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print with --once')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print with --once')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Show invented calls; needs no gateway')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Print once and exit')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'With -o jsonl: go on printing events')
            [CompletionResult]::new('--ascii', '--ascii', [CompletionResultType]::ParameterName, 'Plain letters instead of lines and bullets')
            [CompletionResult]::new('--privacy', '--privacy', [CompletionResultType]::ParameterName, 'Mask numbers and words')
            [CompletionResult]::new('--control', '--control', [CompletionResultType]::ParameterName, 'Allow hanging up')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List them, as monitor --once does')
            [CompletionResult]::new('hangup', 'hangup', [CompletionResultType]::ParameterValue, 'End a call')
            [CompletionResult]::new('dtmf', 'dtmf', [CompletionResultType]::ParameterValue, 'Press keys towards the far end')
            [CompletionResult]::new('hold', 'hold', [CompletionResultType]::ParameterValue, 'Hold the far end')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Take the far end back')
            [CompletionResult]::new('transfer', 'transfer', [CompletionResultType]::ParameterValue, 'Ask the far end to call somebody else, or to take our place in another call')
            [CompletionResult]::new('bridge', 'bridge', [CompletionResultType]::ParameterValue, 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg')
            [CompletionResult]::new('conference', 'conference', [CompletionResultType]::ParameterValue, 'Put a call into a conference')
            [CompletionResult]::new('recording', 'recording', [CompletionResultType]::ParameterValue, 'Pause a recording, or let it go on')
            [CompletionResult]::new('place', 'place', [CompletionResultType]::ParameterValue, 'Place a call with an agent of the gateway; prints its name')
            [CompletionResult]::new('text', 'text', [CompletionResultType]::ParameterValue, 'Send a text (SIP MESSAGE), and say whether it was taken')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;calls;ls' {
            [CompletionResult]::new('--filter', '--filter', [CompletionResultType]::ParameterName, 'Only these: state:up agent:gemini mos<3.8 p95>1200')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Sort by a column: p95:desc')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print them')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print them')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;hangup' {
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'For its journal')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;dtmf' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;hold' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;resume' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;transfer' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;bridge' {
            [CompletionResult]::new('--trunk', '--trunk', [CompletionResultType]::ParameterName, 'Through this trunk')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;conference' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;recording' {
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;place' {
            [CompletionResult]::new('--agent', '--agent', [CompletionResultType]::ParameterName, 'Who talks; else the gateway''s default')
            [CompletionResult]::new('--trunk', '--trunk', [CompletionResultType]::ParameterName, 'Through this trunk')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'As whom')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;text' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'As whom')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'The gateway: unix:PATH or http://HOST:PORT; without it the local one')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'File with the API''s token')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;calls;help' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List them, as monitor --once does')
            [CompletionResult]::new('hangup', 'hangup', [CompletionResultType]::ParameterValue, 'End a call')
            [CompletionResult]::new('dtmf', 'dtmf', [CompletionResultType]::ParameterValue, 'Press keys towards the far end')
            [CompletionResult]::new('hold', 'hold', [CompletionResultType]::ParameterValue, 'Hold the far end')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Take the far end back')
            [CompletionResult]::new('transfer', 'transfer', [CompletionResultType]::ParameterValue, 'Ask the far end to call somebody else, or to take our place in another call')
            [CompletionResult]::new('bridge', 'bridge', [CompletionResultType]::ParameterValue, 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg')
            [CompletionResult]::new('conference', 'conference', [CompletionResultType]::ParameterValue, 'Put a call into a conference')
            [CompletionResult]::new('recording', 'recording', [CompletionResultType]::ParameterValue, 'Pause a recording, or let it go on')
            [CompletionResult]::new('place', 'place', [CompletionResultType]::ParameterValue, 'Place a call with an agent of the gateway; prints its name')
            [CompletionResult]::new('text', 'text', [CompletionResultType]::ParameterValue, 'Send a text (SIP MESSAGE), and say whether it was taken')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;calls;help;ls' {
            break
        }
        'voxgw;calls;help;hangup' {
            break
        }
        'voxgw;calls;help;dtmf' {
            break
        }
        'voxgw;calls;help;hold' {
            break
        }
        'voxgw;calls;help;resume' {
            break
        }
        'voxgw;calls;help;transfer' {
            break
        }
        'voxgw;calls;help;bridge' {
            break
        }
        'voxgw;calls;help;conference' {
            break
        }
        'voxgw;calls;help;recording' {
            break
        }
        'voxgw;calls;help;place' {
            break
        }
        'voxgw;calls;help;text' {
            break
        }
        'voxgw;calls;help;help' {
            break
        }
        'voxgw;devices' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print them: text or json')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print them: text or json')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;recordings' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;recordings;export' {
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write this file, or into this folder [default: call.opus in the call folder]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace files that are there')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;recordings;help' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;recordings;help;export' {
            break
        }
        'voxgw;recordings;help;help' {
            break
        }
        'voxgw;agents' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List all agents, and whether they could take a call')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Talk to an agent: how fast it is ready, how fast it answers')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;agents;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;agents;test' {
            [CompletionResult]::new('--wav', '--wav', [CompletionResultType]::ParameterName, 'What the caller says, after the greeting; else two words that are inside the program')
            [CompletionResult]::new('--runs', '--runs', [CompletionResultType]::ParameterName, 'So many conversations, one after another')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'Silence before the sound, for the greeting [default: 4s; 500ms if the agent waits for the caller]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;agents;help' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List all agents, and whether they could take a call')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Talk to an agent: how fast it is ready, how fast it answers')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;agents;help;ls' {
            break
        }
        'voxgw;agents;help;test' {
            break
        }
        'voxgw;agents;help;help' {
            break
        }
        'voxgw;config' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print every value with its origin, or one key with its meaning')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a config file')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Say which routing rule takes a call, and why the others do not')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write the commented template')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;config;show' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--changed', '--changed', [CompletionResultType]::ParameterName, 'Only what is not default')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;config;check' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;config;route' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Called number')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Calling number')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Address that the call comes from')
            [CompletionResult]::new('--trunk', '--trunk', [CompletionResultType]::ParameterName, 'Trunk that the call comes by')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Header of the INVITE; repeatable')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Header of the INVITE; repeatable')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'Local time of the call [default: now]')
            [CompletionResult]::new('--registered', '--registered', [CompletionResultType]::ParameterName, 'Registered user who calls')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the result')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;config;init' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--print', '--print', [CompletionResultType]::ParameterName, 'Print it instead')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace an existing file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;config;help' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print every value with its origin, or one key with its meaning')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a config file')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Say which routing rule takes a call, and why the others do not')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write the commented template')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;config;help;show' {
            break
        }
        'voxgw;config;help;check' {
            break
        }
        'voxgw;config;help;route' {
            break
        }
        'voxgw;config;help;init' {
            break
        }
        'voxgw;config;help;help' {
            break
        }
        'voxgw;completions' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;man' {
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Write all pages into this folder')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Use this config file, and no other')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log as text or json')
            [CompletionResult]::new('--log-file', '--log-file', [CompletionResultType]::ParameterName, 'Log into this file')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Read no config file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Only results and errors; twice: only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more: debug; twice: trace')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Show no progress bars')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'voxgw;help' {
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Run the gateway: answer calls with an agent')
            [CompletionResult]::new('dial', 'dial', [CompletionResultType]::ParameterValue, 'Call someone: a file, silence, an echo, or an AI caller')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a recording or capture through the same path again, offline')
            [CompletionResult]::new('monitor', 'monitor', [CompletionResultType]::ParameterValue, 'Watch sessions, live or from a file')
            [CompletionResult]::new('calls', 'calls', [CompletionResultType]::ParameterValue, 'Act on a running gateway: hang up, press keys, hold, transfer, place a call')
            [CompletionResult]::new('devices', 'devices', [CompletionResultType]::ParameterValue, 'List microphones and loudspeakers, for dial --mic')
            [CompletionResult]::new('recordings', 'recordings', [CompletionResultType]::ParameterValue, 'Work with the recordings of calls')
            [CompletionResult]::new('agents', 'agents', [CompletionResultType]::ParameterValue, 'List agents, and try one without a telephone')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Look at the configuration')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'voxgw;help;serve' {
            break
        }
        'voxgw;help;dial' {
            break
        }
        'voxgw;help;replay' {
            break
        }
        'voxgw;help;monitor' {
            break
        }
        'voxgw;help;calls' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List them, as monitor --once does')
            [CompletionResult]::new('hangup', 'hangup', [CompletionResultType]::ParameterValue, 'End a call')
            [CompletionResult]::new('dtmf', 'dtmf', [CompletionResultType]::ParameterValue, 'Press keys towards the far end')
            [CompletionResult]::new('hold', 'hold', [CompletionResultType]::ParameterValue, 'Hold the far end')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Take the far end back')
            [CompletionResult]::new('transfer', 'transfer', [CompletionResultType]::ParameterValue, 'Ask the far end to call somebody else, or to take our place in another call')
            [CompletionResult]::new('bridge', 'bridge', [CompletionResultType]::ParameterValue, 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg')
            [CompletionResult]::new('conference', 'conference', [CompletionResultType]::ParameterValue, 'Put a call into a conference')
            [CompletionResult]::new('recording', 'recording', [CompletionResultType]::ParameterValue, 'Pause a recording, or let it go on')
            [CompletionResult]::new('place', 'place', [CompletionResultType]::ParameterValue, 'Place a call with an agent of the gateway; prints its name')
            [CompletionResult]::new('text', 'text', [CompletionResultType]::ParameterValue, 'Send a text (SIP MESSAGE), and say whether it was taken')
            break
        }
        'voxgw;help;calls;ls' {
            break
        }
        'voxgw;help;calls;hangup' {
            break
        }
        'voxgw;help;calls;dtmf' {
            break
        }
        'voxgw;help;calls;hold' {
            break
        }
        'voxgw;help;calls;resume' {
            break
        }
        'voxgw;help;calls;transfer' {
            break
        }
        'voxgw;help;calls;bridge' {
            break
        }
        'voxgw;help;calls;conference' {
            break
        }
        'voxgw;help;calls;recording' {
            break
        }
        'voxgw;help;calls;place' {
            break
        }
        'voxgw;help;calls;text' {
            break
        }
        'voxgw;help;devices' {
            break
        }
        'voxgw;help;recordings' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail')
            break
        }
        'voxgw;help;recordings;export' {
            break
        }
        'voxgw;help;agents' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List all agents, and whether they could take a call')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Talk to an agent: how fast it is ready, how fast it answers')
            break
        }
        'voxgw;help;agents;ls' {
            break
        }
        'voxgw;help;agents;test' {
            break
        }
        'voxgw;help;config' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Print every value with its origin, or one key with its meaning')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check a config file')
            [CompletionResult]::new('route', 'route', [CompletionResultType]::ParameterValue, 'Say which routing rule takes a call, and why the others do not')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write the commented template')
            break
        }
        'voxgw;help;config;show' {
            break
        }
        'voxgw;help;config;check' {
            break
        }
        'voxgw;help;config;route' {
            break
        }
        'voxgw;help;config;init' {
            break
        }
        'voxgw;help;completions' {
            break
        }
        'voxgw;help;man' {
            break
        }
        'voxgw;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
