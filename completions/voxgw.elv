
use builtin;
use str;

set edit:completion:arg-completer[voxgw] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'voxgw'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'voxgw'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Run the gateway: answer calls with an agent'
            cand dial 'Call someone: a file, silence, an echo, or an AI caller'
            cand replay 'Run a recording or capture through the same path again, offline'
            cand monitor 'Watch sessions, live or from a file'
            cand calls 'Act on a running gateway: hang up, press keys, hold, transfer, place a call'
            cand devices 'List microphones and loudspeakers, for dial --mic'
            cand recordings 'Work with the recordings of calls'
            cand agents 'List agents, and try one without a telephone'
            cand config 'Look at the configuration'
            cand completions 'Print a completion script'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;serve'= {
            cand --sip 'Listen here: udp:, tcp:, tls:, ws: or wss:, on port 5060 (tls 5061) if none is named; repeatable [default: udp:0.0.0.0:5060 and tcp:0.0.0.0:5060]'
            cand --rtp-ports 'Ports for RTP and RTCP [default: 10000-20000]'
            cand --advertise 'The address that others reach us at, or auto'
            cand --agent 'Agent that answers: scripted, echo, echo:live, gemini, or a profile of the config'
            cand --api 'Local API: unix:PATH, HOST:PORT (with --api-token-file), or off'
            cand --api-token-file 'File with the token that the API wants on TCP'
            cand --web 'Serve browsers here: the softphone, WebSocket and WHIP; off'
            cand --record 'Keep calls: always (journal and sound), journal, or never'
            cand --recordings 'Where the call folders are'
            cand --pcap 'Keep a capture of each call'
            cand --max-calls 'Calls at once'
            cand --drain 'How long calls may go on after SIGTERM, like 30s'
            cand --workers 'Media workers; 0 is one per core'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --agent-frames 'Keep every provider frame in agent.jsonl, for replay --agent recorded'
            cand --check 'Bind, report and exit'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;dial'= {
            cand --play 'Play this file; repeatable, one after another'
            cand --agent 'An AI caller: scripted, gemini, or a profile of the config'
            cand --scenario 'Do the steps of this file, and check what it expects; repeatable, a call each; a folder stands for its .toml files'
            cand --mic 'Talk through a microphone, and hear the call; a device of `voxgw devices`, or the system''s'
            cand --speaker 'With --mic: hear the call from this device'
            cand --record 'Write both sides into this WAV: left what we sent, right what came back'
            cand --journal 'Keep call folders here'
            cand --pcap 'Write a capture of the call'
            cand --dtmf 'Press keys: 1,2,#@3s presses 1, 2 and # three seconds after the answer; repeatable'
            cand --hangup-after 'Hang up after: a time like 5s, silence:2s, or turns:3'
            cand --fail-if 'Exit with 1 if this is so at a call''s end: mos<3.8, lost>1%, gap.p95>1200ms, lint>=error; repeatable'
            cand --junit 'Write the calls and what was checked into this file, as JUnit''s XML'
            cand --delay 'With --play: begin so long after the answer, whatever is heard [default: 500ms, or when the far end has finished speaking]'
            cand --ring 'Ring at most this long'
            cand --max 'Talk at most this long'
            cand --from 'As whom'
            cand --user 'User name for a challenge; the password comes from `VOXGW_PASSWORD` or --password-file'
            cand --password-file 'File with the password, or with a WHIP server''s bearer token'
            cand --proxy 'Send the call through this proxy'
            cand -H 'Extra header; repeatable'
            cand --header 'Extra header; repeatable'
            cand --codec 'Codecs in the order of the offer'
            cand --ptime 'Sound in one packet: 10ms to 60ms'
            cand --srtp 'Encrypt the sound: off, optional (if the far end can), required; keys travel over TLS only'
            cand --sip 'Local SIP address'
            cand --rtp-ports 'Ports for RTP and RTCP [default: 20002-29999]'
            cand --repeat 'Place so many calls'
            cand --concurrency 'So many at once'
            cand --rate 'Begin so many a second: 10/s, 30/m'
            cand -o 'How to print the result'
            cand --output 'How to print the result'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --silence 'Send silence'
            cand --echo 'Send back what is heard'
            cand --headset 'With --mic: a headset, which the microphone does not hear; both may speak at once'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;replay'= {
            cand --agent 'none, echo, echo:live, scripted, gemini, recorded (the folder''s agent.jsonl), or a profile'
            cand --speed 'max, real, or a factor like 2x [default: max for offline agents, real for gemini]'
            cand --codec 'Codec of streams that no SIP describes, and of what a WAV is sent with'
            cand --ssrc 'Only this stream of a capture, like 0x3f21a9c4'
            cand --leg 'Which side of a stereo WAV talks: caller (left), agent (right) or both (mixed)'
            cand --out 'Write report.json into this folder; with an agent also session.jsonl, call.wav and sent.pcap'
            cand --fail-if 'Exit with 1 if this is so: lost>1%, mos<3.8, lint>=error; repeatable'
            cand -o 'How to print the result'
            cand --output 'How to print the result'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;monitor'= {
            cand --filter 'Only these: state:up agent:gemini mos<3.8 p95>1200'
            cand --sort 'Sort by a column: p95:desc'
            cand --pane 'Open this pane: sessions, overview, ladder, media, talk, turns'
            cand --call 'Open this call; with --once and --watch print only this one'
            cand --token-file 'File with the API''s token'
            cand -o 'How to print with --once'
            cand --output 'How to print with --once'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --demo 'Show invented calls; needs no gateway'
            cand --once 'Print once and exit'
            cand --watch 'With -o jsonl: go on printing events'
            cand --ascii 'Plain letters instead of lines and bullets'
            cand --privacy 'Mask numbers and words'
            cand --control 'Allow hanging up'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand ls 'List them, as monitor --once does'
            cand hangup 'End a call'
            cand dtmf 'Press keys towards the far end'
            cand hold 'Hold the far end'
            cand resume 'Take the far end back'
            cand transfer 'Ask the far end to call somebody else, or to take our place in another call'
            cand bridge 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg'
            cand conference 'Put a call into a conference'
            cand recording 'Pause a recording, or let it go on'
            cand place 'Place a call with an agent of the gateway; prints its name'
            cand text 'Send a text (SIP MESSAGE), and say whether it was taken'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;calls;ls'= {
            cand --filter 'Only these: state:up agent:gemini mos<3.8 p95>1200'
            cand --sort 'Sort by a column: p95:desc'
            cand -o 'How to print them'
            cand --output 'How to print them'
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;hangup'= {
            cand --reason 'For its journal'
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;dtmf'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;hold'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;resume'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;transfer'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;bridge'= {
            cand --trunk 'Through this trunk'
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;conference'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;recording'= {
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;place'= {
            cand --agent 'Who talks; else the gateway''s default'
            cand --trunk 'Through this trunk'
            cand --from 'As whom'
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;text'= {
            cand --from 'As whom'
            cand --gateway 'The gateway: unix:PATH or http://HOST:PORT; without it the local one'
            cand --token-file 'File with the API''s token'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;calls;help'= {
            cand ls 'List them, as monitor --once does'
            cand hangup 'End a call'
            cand dtmf 'Press keys towards the far end'
            cand hold 'Hold the far end'
            cand resume 'Take the far end back'
            cand transfer 'Ask the far end to call somebody else, or to take our place in another call'
            cand bridge 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg'
            cand conference 'Put a call into a conference'
            cand recording 'Pause a recording, or let it go on'
            cand place 'Place a call with an agent of the gateway; prints its name'
            cand text 'Send a text (SIP MESSAGE), and say whether it was taken'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;calls;help;ls'= {
        }
        &'voxgw;calls;help;hangup'= {
        }
        &'voxgw;calls;help;dtmf'= {
        }
        &'voxgw;calls;help;hold'= {
        }
        &'voxgw;calls;help;resume'= {
        }
        &'voxgw;calls;help;transfer'= {
        }
        &'voxgw;calls;help;bridge'= {
        }
        &'voxgw;calls;help;conference'= {
        }
        &'voxgw;calls;help;recording'= {
        }
        &'voxgw;calls;help;place'= {
        }
        &'voxgw;calls;help;text'= {
        }
        &'voxgw;calls;help;help'= {
        }
        &'voxgw;devices'= {
            cand -o 'How to print them: text or json'
            cand --output 'How to print them: text or json'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;recordings'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand export 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;recordings;export'= {
            cand --out 'Write this file, or into this folder [default: call.opus in the call folder]'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --force 'Replace files that are there'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;recordings;help'= {
            cand export 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;recordings;help;export'= {
        }
        &'voxgw;recordings;help;help'= {
        }
        &'voxgw;agents'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand ls 'List all agents, and whether they could take a call'
            cand test 'Talk to an agent: how fast it is ready, how fast it answers'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;agents;ls'= {
            cand -o 'How to print the result'
            cand --output 'How to print the result'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;agents;test'= {
            cand --wav 'What the caller says, after the greeting; else two words that are inside the program'
            cand --runs 'So many conversations, one after another'
            cand --delay 'Silence before the sound, for the greeting [default: 4s; 500ms if the agent waits for the caller]'
            cand -o 'How to print the result'
            cand --output 'How to print the result'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;agents;help'= {
            cand ls 'List all agents, and whether they could take a call'
            cand test 'Talk to an agent: how fast it is ready, how fast it answers'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;agents;help;ls'= {
        }
        &'voxgw;agents;help;test'= {
        }
        &'voxgw;agents;help;help'= {
        }
        &'voxgw;config'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand show 'Print every value with its origin, or one key with its meaning'
            cand check 'Check a config file'
            cand route 'Say which routing rule takes a call, and why the others do not'
            cand init 'Write the commented template'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;config;show'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --changed 'Only what is not default'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;config;check'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;config;route'= {
            cand --to 'Called number'
            cand --from 'Calling number'
            cand --source 'Address that the call comes from'
            cand --trunk 'Trunk that the call comes by'
            cand -H 'Header of the INVITE; repeatable'
            cand --header 'Header of the INVITE; repeatable'
            cand --at 'Local time of the call [default: now]'
            cand --registered 'Registered user who calls'
            cand -o 'How to print the result'
            cand --output 'How to print the result'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;config;init'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --print 'Print it instead'
            cand --force 'Replace an existing file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;config;help'= {
            cand show 'Print every value with its origin, or one key with its meaning'
            cand check 'Check a config file'
            cand route 'Say which routing rule takes a call, and why the others do not'
            cand init 'Write the commented template'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;config;help;show'= {
        }
        &'voxgw;config;help;check'= {
        }
        &'voxgw;config;help;route'= {
        }
        &'voxgw;config;help;init'= {
        }
        &'voxgw;config;help;help'= {
        }
        &'voxgw;completions'= {
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;man'= {
            cand --all 'Write all pages into this folder'
            cand -c 'Use this config file, and no other'
            cand --config 'Use this config file, and no other'
            cand --log 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug'
            cand --log-format 'Log as text or json'
            cand --log-file 'Log into this file'
            cand --no-config 'Read no config file'
            cand -q 'Only results and errors; twice: only errors'
            cand --quiet 'Only results and errors; twice: only errors'
            cand -v 'Log more: debug; twice: trace'
            cand --verbose 'Log more: debug; twice: trace'
            cand --no-progress 'Show no progress bars'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'voxgw;help'= {
            cand serve 'Run the gateway: answer calls with an agent'
            cand dial 'Call someone: a file, silence, an echo, or an AI caller'
            cand replay 'Run a recording or capture through the same path again, offline'
            cand monitor 'Watch sessions, live or from a file'
            cand calls 'Act on a running gateway: hang up, press keys, hold, transfer, place a call'
            cand devices 'List microphones and loudspeakers, for dial --mic'
            cand recordings 'Work with the recordings of calls'
            cand agents 'List agents, and try one without a telephone'
            cand config 'Look at the configuration'
            cand completions 'Print a completion script'
            cand man 'Print a manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'voxgw;help;serve'= {
        }
        &'voxgw;help;dial'= {
        }
        &'voxgw;help;replay'= {
        }
        &'voxgw;help;monitor'= {
        }
        &'voxgw;help;calls'= {
            cand ls 'List them, as monitor --once does'
            cand hangup 'End a call'
            cand dtmf 'Press keys towards the far end'
            cand hold 'Hold the far end'
            cand resume 'Take the far end back'
            cand transfer 'Ask the far end to call somebody else, or to take our place in another call'
            cand bridge 'Put an agent''s caller through to a user of ours, or with --trunk to a number; prints the new leg'
            cand conference 'Put a call into a conference'
            cand recording 'Pause a recording, or let it go on'
            cand place 'Place a call with an agent of the gateway; prints its name'
            cand text 'Send a text (SIP MESSAGE), and say whether it was taken'
        }
        &'voxgw;help;calls;ls'= {
        }
        &'voxgw;help;calls;hangup'= {
        }
        &'voxgw;help;calls;dtmf'= {
        }
        &'voxgw;help;calls;hold'= {
        }
        &'voxgw;help;calls;resume'= {
        }
        &'voxgw;help;calls;transfer'= {
        }
        &'voxgw;help;calls;bridge'= {
        }
        &'voxgw;help;calls;conference'= {
        }
        &'voxgw;help;calls;recording'= {
        }
        &'voxgw;help;calls;place'= {
        }
        &'voxgw;help;calls;text'= {
        }
        &'voxgw;help;devices'= {
        }
        &'voxgw;help;recordings'= {
            cand export 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
        }
        &'voxgw;help;recordings;export'= {
        }
        &'voxgw;help;agents'= {
            cand ls 'List all agents, and whether they could take a call'
            cand test 'Talk to an agent: how fast it is ready, how fast it answers'
        }
        &'voxgw;help;agents;ls'= {
        }
        &'voxgw;help;agents;test'= {
        }
        &'voxgw;help;config'= {
            cand show 'Print every value with its origin, or one key with its meaning'
            cand check 'Check a config file'
            cand route 'Say which routing rule takes a call, and why the others do not'
            cand init 'Write the commented template'
        }
        &'voxgw;help;config;show'= {
        }
        &'voxgw;help;config;check'= {
        }
        &'voxgw;help;config;route'= {
        }
        &'voxgw;help;config;init'= {
        }
        &'voxgw;help;completions'= {
        }
        &'voxgw;help;man'= {
        }
        &'voxgw;help;help'= {
        }
    ]
    $completions[$command]
}
