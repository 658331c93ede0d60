"""A WHIP server (RFC 9725) with aiortc: says "ready", takes calls, and sends back what it hears.

    whip_server.py ADDRESS PORT

POST /whip/NAME answers an offer, DELETE of the Location ends it; who has no `Authorization: Bearer secret` gets 401.
"""

import asyncio
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiortc import RTCPeerConnection, RTCSessionDescription

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
peers = {}


async def answer(offer):
    peer = RTCPeerConnection()
    peer.on("track", lambda track: peer.addTrack(track))
    await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    name = str(len(peers) + 1)
    peers[name] = peer
    return name, peer.localDescription.sdp


def wait(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers["Authorization"] != "Bearer secret":
            return self.reply(401, [("Content-Type", "text/plain")], b"who are you?\n")
        if self.headers["Content-Type"] != "application/sdp":
            return self.reply(415)
        name, sdp = wait(answer(offer))
        # A relative Location, as the RFC allows.
        headers = [("Content-Type", "application/sdp"), ("Location", f"../sessions/{name}"), ("ETag", '"x"')]
        self.reply(201, headers, sdp.encode())

    def do_DELETE(self):
        peer = peers.pop(self.path.rsplit("/", 1)[-1], None)
        if peer is None:
            return self.reply(404)
        wait(peer.close())
        print("deleted", file=sys.stderr, flush=True)
        self.reply(200)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("ready", file=sys.stderr, flush=True)
server.serve_forever()
