#!/usr/bin/env python3
"""Attaches to a running call of voxgw and says back what the caller says, half a second later.

    pip install websockets
    python3 examples/attach.py http://127.0.0.1:8080 TOKEN_FILE c-1a2b3c4d

The first is where the API listens (`serve --api HOST:PORT --api-token-file FILE`), the last a call that is up
(`voxgw calls`). With TOKEN_FILE a token for this one call is asked for; the WebSocket is opened with that.
"""

import json
import pathlib
import sys
import urllib.request

from websockets.sync.client import connect


def main(api, token_file, call):
    headers = {"Authorization": "Bearer " + pathlib.Path(token_file).read_text().strip()}
    request = urllib.request.Request(f"{api}/v1/sessions/{call}/stream", data=b"{}", headers=headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        told = json.load(answer)
    url = api.replace("http", "ws", 1) + told["path"]
    with connect(url, additional_headers={"Authorization": "Bearer " + told["token"]}) as stream:
        waiting = []
        for text in stream:
            message = json.loads(text)
            event = message["event"]
            if event == "start":
                print("attached to", message["start"]["customParameters"]["from_number"], flush=True)
            elif event == "media":
                waiting.append(message["media"]["payload"])
                if len(waiting) > 25:
                    media = {"event": "media", "streamSid": message["streamSid"], "media": {"payload": waiting.pop(0)}}
                    stream.send(json.dumps(media))
            elif event == "dtmf":
                print("key", message["dtmf"]["digit"], flush=True)
            elif event == "stop":
                print("the call is over", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
