"""A bot of pipecat: its FastAPI transport, its detection of the telephony provider and its Twilio serializer, as in its
own examples. In the place of a model it greets with 700 Hz, answers each utterance with 900 Hz, and is interrupted by
pipecat's own interruption when the caller speaks. It is told nothing of voxgw.

usage: pipecat_bot.py PORT
"""

import array
import asyncio
import math
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

RATE = 8000
app = FastAPI()


def say(*words):
    print(*words, flush=True)


def tone(hertz, ms):
    samples = (int(9000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(RATE * ms // 1000))
    return array.array("h", samples).tobytes()


class Talker(FrameProcessor):
    """Speech by energy; answers with tones."""

    def __init__(self):
        super().__init__()
        self.voiced = self.quiet = self.answers = 0
        self.speaking = False

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.hear(frame)
            return
        if isinstance(frame, InputDTMFFrame):
            say("digit", frame.button.value)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            asyncio.get_running_loop().create_task(self.speak(700, 600))

    async def hear(self, frame):
        samples = array.array("h", frame.audio)
        ms = len(samples) * 1000 // frame.sample_rate
        loud = samples and math.sqrt(sum(s * s for s in samples) / len(samples)) > 400
        self.voiced, self.quiet = (self.voiced + ms, 0) if loud else (0, self.quiet + ms)
        if not self.speaking and self.voiced >= 100:
            self.speaking = True
            say("interruption")
            await self.broadcast_interruption()
        elif self.speaking and self.quiet >= 500:
            self.speaking = False
            self.answers += 1
            await self.speak(900 if self.answers == 1 else 1100, 5000 if self.answers == 1 else 800)

    async def speak(self, hertz, ms):
        say("speaks", hertz)
        await self.push_frame(OutputAudioRawFrame(audio=tone(hertz, ms), sample_rate=RATE, num_channels=1))


@app.websocket("/ws")
async def call(websocket: WebSocket):
    await websocket.accept()
    kind, data = await parse_telephony_websocket(websocket)
    say("detected", kind, data["body"].get("from_number"), data["body"].get("tenant"))
    serializer = TwilioFrameSerializer(
        stream_sid=data["stream_id"],
        call_sid=data["call_id"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=serializer
        ),
    )
    pipeline = Pipeline([transport.input(), Talker(), transport.output()])
    task = PipelineTask(pipeline, params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE))

    @transport.event_handler("on_client_disconnected")
    async def gone(transport, client):
        say("disconnected")
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


if __name__ == "__main__":
    say("listening")
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
