# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_voxgw_global_optspecs
    string join \n c/config= no-config q/quiet v/verbose log= log-format= log-file= no-progress h/help V/version
end

function __fish_voxgw_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_voxgw_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_voxgw_using_subcommand
    set -l cmd (__fish_voxgw_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c voxgw -n "__fish_voxgw_needs_command" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_needs_command" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_needs_command" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_needs_command" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_needs_command" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_needs_command" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_needs_command" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_needs_command" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_needs_command" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_needs_command" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "serve" -d 'Run the gateway: answer calls with an agent'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "dial" -d 'Call someone: a file, silence, an echo, or an AI caller'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "replay" -d 'Run a recording or capture through the same path again, offline'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "monitor" -d 'Watch sessions, live or from a file'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "calls" -d 'Act on a running gateway: hang up, press keys, hold, transfer, place a call'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "devices" -d 'List microphones and loudspeakers, for dial --mic'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "recordings" -d 'Work with the recordings of calls'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "agents" -d 'List agents, and try one without a telephone'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "config" -d 'Look at the configuration'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "man" -d 'Print a manual page'
complete -c voxgw -n "__fish_voxgw_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l sip -d 'Listen here: udp:, tcp:, tls:, ws: or wss:, on port 5060 (tls 5061) if none is named; repeatable [default: udp:0.0.0.0:5060 and tcp:0.0.0.0:5060]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l rtp-ports -d 'Ports for RTP and RTCP [default: 10000-20000]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l advertise -d 'The address that others reach us at, or auto' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l agent -d 'Agent that answers: scripted, echo, echo:live, gemini, or a profile of the config' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l api -d 'Local API: unix:PATH, HOST:PORT (with --api-token-file), or off' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l api-token-file -d 'File with the token that the API wants on TCP' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l web -d 'Serve browsers here: the softphone, WebSocket and WHIP; off' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l record -d 'Keep calls: always (journal and sound), journal, or never' -r -f -a "always\t''
journal\t''
never\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l recordings -d 'Where the call folders are' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l pcap -d 'Keep a capture of each call' -r -f -a "off\t''
sip\t''
all\t''
decrypted\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l max-calls -d 'Calls at once' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l drain -d 'How long calls may go on after SIGTERM, like 30s' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l workers -d 'Media workers; 0 is one per core' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l agent-frames -d 'Keep every provider frame in agent.jsonl, for replay --agent recorded'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l check -d 'Bind, report and exit'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand serve" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l play -d 'Play this file; repeatable, one after another' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l agent -d 'An AI caller: scripted, gemini, or a profile of the config' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l scenario -d 'Do the steps of this file, and check what it expects; repeatable, a call each; a folder stands for its .toml files' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l mic -d 'Talk through a microphone, and hear the call; a device of `voxgw devices`, or the system\'s' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l speaker -d 'With --mic: hear the call from this device' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l record -d 'Write both sides into this WAV: left what we sent, right what came back' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l journal -d 'Keep call folders here' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l pcap -d 'Write a capture of the call' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l dtmf -d 'Press keys: 1,2,#@3s presses 1, 2 and # three seconds after the answer; repeatable' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l hangup-after -d 'Hang up after: a time like 5s, silence:2s, or turns:3' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l fail-if -d 'Exit with 1 if this is so at a call\'s end: mos<3.8, lost>1%, gap.p95>1200ms, lint>=error; repeatable' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l junit -d 'Write the calls and what was checked into this file, as JUnit\'s XML' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l delay -d 'With --play: begin so long after the answer, whatever is heard [default: 500ms, or when the far end has finished speaking]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l ring -d 'Ring at most this long' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l max -d 'Talk at most this long' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l from -d 'As whom' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l user -d 'User name for a challenge; the password comes from `VOXGW_PASSWORD` or --password-file' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l password-file -d 'File with the password, or with a WHIP server\'s bearer token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l proxy -d 'Send the call through this proxy' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s H -l header -d 'Extra header; repeatable' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l codec -d 'Codecs in the order of the offer' -r -f -a "pcmu\t''
pcma\t''
g722\t''
opus\t''
l16\t''
l16-8k\t''
l16-24k\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l ptime -d 'Sound in one packet: 10ms to 60ms' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l srtp -d 'Encrypt the sound: off, optional (if the far end can), required; keys travel over TLS only' -r -f -a "off\t''
optional\t''
required\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l sip -d 'Local SIP address' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l rtp-ports -d 'Ports for RTP and RTCP [default: 20002-29999]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l repeat -d 'Place so many calls' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l concurrency -d 'So many at once' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l rate -d 'Begin so many a second: 10/s, 30/m' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s o -l output -d 'How to print the result' -r -f -a "text\t'For people'
json\t'One document at the end'
jsonl\t'One JSON object a line: records as they happen, or one line for each call or file'
csv\t'A table for spreadsheets'"
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l silence -d 'Send silence'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l echo -d 'Send back what is heard'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l headset -d 'With --mic: a headset, which the microphone does not hear; both may speak at once'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand dial" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l agent -d 'none, echo, echo:live, scripted, gemini, recorded (the folder\'s agent.jsonl), or a profile' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l speed -d 'max, real, or a factor like 2x [default: max for offline agents, real for gemini]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l codec -d 'Codec of streams that no SIP describes, and of what a WAV is sent with' -r -f -a "pcmu\t''
pcma\t''
g722\t''
opus\t''
l16\t''
l16-8k\t''
l16-24k\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l ssrc -d 'Only this stream of a capture, like 0x3f21a9c4' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l leg -d 'Which side of a stereo WAV talks: caller (left), agent (right) or both (mixed)' -r -f -a "caller\t''
agent\t''
both\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l out -d 'Write report.json into this folder; with an agent also session.jsonl, call.wav and sent.pcap' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l fail-if -d 'Exit with 1 if this is so: lost>1%, mos<3.8, lint>=error; repeatable' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s o -l output -d 'How to print the result' -r -f -a "text\t'For people'
json\t'One document at the end'
jsonl\t'One JSON object a line: records as they happen, or one line for each call or file'
csv\t'A table for spreadsheets'"
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand replay" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l filter -d 'Only these: state:up agent:gemini mos<3.8 p95>1200' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l sort -d 'Sort by a column: p95:desc' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l pane -d 'Open this pane: sessions, overview, ladder, media, talk, turns' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l call -d 'Open this call; with --once and --watch print only this one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s o -l output -d 'How to print with --once' -r -f -a "text\t'For people'
json\t'One document at the end'
jsonl\t'One JSON object a line: records as they happen, or one line for each call or file'
csv\t'A table for spreadsheets'"
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l demo -d 'Show invented calls; needs no gateway'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l once -d 'Print once and exit'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l watch -d 'With -o jsonl: go on printing events'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l ascii -d 'Plain letters instead of lines and bullets'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l privacy -d 'Mask numbers and words'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l control -d 'Allow hanging up'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand monitor" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "ls" -d 'List them, as monitor --once does'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "hangup" -d 'End a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "dtmf" -d 'Press keys towards the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "hold" -d 'Hold the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "resume" -d 'Take the far end back'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "transfer" -d 'Ask the far end to call somebody else, or to take our place in another call'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "bridge" -d 'Put an agent\'s caller through to a user of ours, or with --trunk to a number; prints the new leg'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "conference" -d 'Put a call into a conference'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "recording" -d 'Pause a recording, or let it go on'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "place" -d 'Place a call with an agent of the gateway; prints its name'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "text" -d 'Send a text (SIP MESSAGE), and say whether it was taken'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and not __fish_seen_subcommand_from ls hangup dtmf hold resume transfer bridge conference recording place text help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l filter -d 'Only these: state:up agent:gemini mos<3.8 p95>1200' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l sort -d 'Sort by a column: p95:desc' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s o -l output -d 'How to print them' -r -f -a "text\t'For people'
json\t'One document at the end'
jsonl\t'One JSON object a line: records as they happen, or one line for each call or file'
csv\t'A table for spreadsheets'"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l reason -d 'For its journal' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hangup" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from dtmf" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from hold" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from resume" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from transfer" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l trunk -d 'Through this trunk' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from bridge" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from conference" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from recording" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l agent -d 'Who talks; else the gateway\'s default' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l trunk -d 'Through this trunk' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l from -d 'As whom' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from place" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l from -d 'As whom' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l gateway -d 'The gateway: unix:PATH or http://HOST:PORT; without it the local one' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l token-file -d 'File with the API\'s token' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from text" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List them, as monitor --once does'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "hangup" -d 'End a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "dtmf" -d 'Press keys towards the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "hold" -d 'Hold the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Take the far end back'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "transfer" -d 'Ask the far end to call somebody else, or to take our place in another call'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "bridge" -d 'Put an agent\'s caller through to a user of ours, or with --trunk to a number; prints the new leg'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "conference" -d 'Put a call into a conference'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "recording" -d 'Pause a recording, or let it go on'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "place" -d 'Place a call with an agent of the gateway; prints its name'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "text" -d 'Send a text (SIP MESSAGE), and say whether it was taken'
complete -c voxgw -n "__fish_voxgw_using_subcommand calls; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s o -l output -d 'How to print them: text or json' -r -f -a "text\t'For people'
json\t'One document at the end'
jsonl\t'One JSON object a line: records as they happen, or one line for each call or file'
csv\t'A table for spreadsheets'"
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand devices" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -f -a "export" -d 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and not __fish_seen_subcommand_from export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l out -d 'Write this file, or into this folder [default: call.opus in the call folder]' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l force -d 'Replace files that are there'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
complete -c voxgw -n "__fish_voxgw_using_subcommand recordings; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -f -a "ls" -d 'List all agents, and whether they could take a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -f -a "test" -d 'Talk to an agent: how fast it is ready, how fast it answers'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and not __fish_seen_subcommand_from ls test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s o -l output -d 'How to print the result' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l wav -d 'What the caller says, after the greeting; else two words that are inside the program' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l runs -d 'So many conversations, one after another' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l delay -d 'Silence before the sound, for the greeting [default: 4s; 500ms if the agent waits for the caller]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s o -l output -d 'How to print the result' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List all agents, and whether they could take a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "test" -d 'Talk to an agent: how fast it is ready, how fast it answers'
complete -c voxgw -n "__fish_voxgw_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -f -a "show" -d 'Print every value with its origin, or one key with its meaning'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -f -a "check" -d 'Check a config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -f -a "route" -d 'Say which routing rule takes a call, and why the others do not'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -f -a "init" -d 'Write the commented template'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and not __fish_seen_subcommand_from show check route init help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l changed -d 'Only what is not default'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l to -d 'Called number' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l from -d 'Calling number' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l source -d 'Address that the call comes from' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l trunk -d 'Trunk that the call comes by' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s H -l header -d 'Header of the INVITE; repeatable' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l at -d 'Local time of the call [default: now]' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l registered -d 'Registered user who calls' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s o -l output -d 'How to print the result' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from route" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l print -d 'Print it instead'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l force -d 'Replace an existing file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from init" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print every value with its origin, or one key with its meaning'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "route" -d 'Say which routing rule takes a call, and why the others do not'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "init" -d 'Write the commented template'
complete -c voxgw -n "__fish_voxgw_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand completions" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l all -d 'Write all pages into this folder' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -s c -l config -d 'Use this config file, and no other' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l log -d 'Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug' -r
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l log-format -d 'Log as text or json' -r -f -a "text\t''
json\t''"
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l log-file -d 'Log into this file' -r -F
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l no-config -d 'Read no config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -s q -l quiet -d 'Only results and errors; twice: only errors'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -s v -l verbose -d 'Log more: debug; twice: trace'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -l no-progress -d 'Show no progress bars'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -s h -l help -d 'Print help'
complete -c voxgw -n "__fish_voxgw_using_subcommand man" -s V -l version -d 'Print version'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "serve" -d 'Run the gateway: answer calls with an agent'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "dial" -d 'Call someone: a file, silence, an echo, or an AI caller'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "replay" -d 'Run a recording or capture through the same path again, offline'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "monitor" -d 'Watch sessions, live or from a file'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "calls" -d 'Act on a running gateway: hang up, press keys, hold, transfer, place a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "devices" -d 'List microphones and loudspeakers, for dial --mic'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "recordings" -d 'Work with the recordings of calls'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "agents" -d 'List agents, and try one without a telephone'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "config" -d 'Look at the configuration'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "completions" -d 'Print a completion script'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "man" -d 'Print a manual page'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and not __fish_seen_subcommand_from serve dial replay monitor calls devices recordings agents config completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "ls" -d 'List them, as monitor --once does'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "hangup" -d 'End a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "dtmf" -d 'Press keys towards the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "hold" -d 'Hold the far end'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "resume" -d 'Take the far end back'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "transfer" -d 'Ask the far end to call somebody else, or to take our place in another call'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "bridge" -d 'Put an agent\'s caller through to a user of ours, or with --trunk to a number; prints the new leg'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "conference" -d 'Put a call into a conference'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "recording" -d 'Pause a recording, or let it go on'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "place" -d 'Place a call with an agent of the gateway; prints its name'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from calls" -f -a "text" -d 'Send a text (SIP MESSAGE), and say whether it was taken'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from recordings" -f -a "export" -d 'Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "ls" -d 'List all agents, and whether they could take a call'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "test" -d 'Talk to an agent: how fast it is ready, how fast it answers'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print every value with its origin, or one key with its meaning'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a config file'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "route" -d 'Say which routing rule takes a call, and why the others do not'
complete -c voxgw -n "__fish_voxgw_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "init" -d 'Write the commented template'
