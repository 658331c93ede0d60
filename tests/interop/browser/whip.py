"""Calls over WHIP with aiortc and says as JSON what came of it.

    whip.py URL WAV FOLDER SECONDS

Sends WAV (8 kHz), writes what it hears into FOLDER/heard.wav.
"""

import asyncio
import json
import sys
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRecorder

URL, WAV, FOLDER, SECONDS = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])


def request(method, url, body=None, headers=None):
    call = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(call, timeout=20) as answer:
        return answer.status, answer.headers, answer.read().decode()


async def main():
    peer = RTCPeerConnection()
    peer.addTrack(MediaPlayer(WAV).audio)
    events = []
    channel = peer.createDataChannel("events")
    channel.on("message", lambda text: events.append(json.loads(text)["type"]))
    recorder = MediaRecorder(f"{FOLDER}/heard.wav")
    peer.on("track", lambda track: recorder.addTrack(track))
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp.encode()
    status, headers, answer = await asyncio.to_thread(request, "POST", URL, offer, {"Content-Type": "application/sdp"})
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await recorder.start()
    await asyncio.sleep(SECONDS)
    state = peer.connectionState
    origin = "/".join(URL.split("/")[:3])
    ended, _, _ = await asyncio.to_thread(request, "DELETE", origin + headers["Location"])
    await recorder.stop()
    await peer.close()
    print(json.dumps({"status": status, "state": state, "ended": ended, "events": sorted(set(events))}))


asyncio.run(main())
