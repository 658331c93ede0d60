"""Opens the softphone in headless Chromium, calls, and says as JSON what the page showed.

    softphone.py URL WAV FOLDER SECONDS [USER TOKEN [TEXT]]

With a text it writes that to the agent halfway. With a user it does not call but waits to be called, answers by the keyboard, and says "registered" when it waits.
The microphone plays WAV once. FOLDER gets heard.wav (8 kHz, what the page's speaker got), desk.png and phone.png.
Runs where Chromium may reach URL. Needs `websockets`.
"""

import array
import asyncio
import base64
import json
import subprocess
import sys
import time
import urllib.request
import wave

import websockets

URL, WAV, FOLDER, SECONDS = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
USER, TOKEN, TEXT = (sys.argv[5:8] + ["", "", ""])[:3]
PORT = 9222
ORIGIN = URL.split("/")[0] + "//" + URL.split("/")[2]
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    f"--use-file-for-fake-audio-capture={WAV}%noloop", "--autoplay-policy=no-user-gesture-required",
    f"--unsafely-treat-insecure-origin-as-secure={ORIGIN}", f"--user-data-dir={FOLDER}/profile",
    f"--remote-debugging-port={PORT}", "--window-size=1200,760", URL,
]
# What the speaker gets, as 16-bit numbers in base64.
LISTEN = """(() => {
  window.heard = [];
  const context = new AudioContext({ sampleRate: 8000 });
  const tap = context.createScriptProcessor(1024, 1, 1);
  tap.onaudioprocess = (event) => window.heard.push(new Float32Array(event.inputBuffer.getChannelData(0)));
  const sound = document.getElementById("sound");
  const connect = () => {
    if (!sound.srcObject) return setTimeout(connect, 20);
    context.createMediaStreamSource(sound.srcObject).connect(tap);
    tap.connect(context.destination);
  };
  connect();
})()"""
TAKE = """(() => {
  const all = window.heard.flatMap((piece) => Array.from(piece, (x) => Math.max(-32768, Math.min(32767, Math.round(x * 32767)))));
  const bytes = new Uint8Array(new Int16Array(all).buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
})()"""
# Where the keyboard is.
FOCUS = "document.activeElement.id || document.activeElement.tagName.toLowerCase() + ' ' + document.activeElement.textContent.trim()"
# What a person works with, as a screen reader calls it: each must have a name.
CONTROLS = {"button", "textbox", "combobox", "checkbox", "DisclosureTriangle", "log", "group", "region", "dialog", "alertdialog"}
SHOWN = """JSON.stringify(Object.fromEntries(
  ["state", "problem", "clock", "q-connection", "q-path", "q-codec", "q-rtt", "q-loss", "q-jitter", "q-mos", "q-gap", "q-agent", "q-call"]
    .map((id) => [id, document.getElementById(id).textContent])
    .concat([["transcript", [...document.querySelectorAll("#talk li")].map((item) => item.textContent)]])))"""


def page_of_browser():
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/json", timeout=2) as answer:
                for page in json.load(answer):
                    if page["type"] == "page":
                        return page["webSocketDebuggerUrl"]
        except OSError:
            pass
        time.sleep(0.25)
    raise SystemExit("Chromium does not answer")


async def drive():
    async with websockets.connect(page_of_browser(), max_size=None) as socket:
        number, complaints = 0, []

        async def command(method, **params):
            nonlocal number
            number += 1
            await socket.send(json.dumps({"id": number, "method": method, "params": params}))
            while True:
                message = json.loads(await socket.recv())
                if message.get("id") == number:
                    return message.get("result", message)
                if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                    # LISTEN's own way of tapping sound is old.
                    if message["params"].get("entry", {}).get("source") != "deprecation":
                        complaints.append(json.dumps(message["params"])[:400])

        async def run(text):
            result = await command("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
            return result.get("result", {}).get("value")

        async def picture(name, width, height, scale):
            await command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600)
            await asyncio.sleep(0.4)
            shot = await command("Page.captureScreenshot", format="png")
            with open(f"{FOLDER}/{name}.png", "wb") as file:
                file.write(base64.b64decode(shot["data"]))

        await command("Runtime.enable")
        await command("Log.enable")
        for _ in range(40):
            if await run("document.getElementById('call') !== null && document.readyState === 'complete'"):
                break
            await asyncio.sleep(0.25)
        await run("document.getElementById('clean').checked = false")
        await run(LISTEN)
        async def press(key, code, text=""):
            for kind in ("keyDown", "keyUp"):
                await command("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text, windowsVirtualKeyCode=code)

        async def tree():
            nodes = (await command("Accessibility.getFullAXTree"))["nodes"]
            value = lambda node, what: node.get(what, {}).get("value", "")
            return [(value(node, "role"), value(node, "name")) for node in nodes if not node.get("ignored")]

        # By the keyboard alone: from the top of the page to everything that can be worked with.
        await run("for (const details of document.querySelectorAll('details')) details.open = true")
        focus = []
        await run("document.body.focus()")
        for _ in range(24):
            await press("Tab", 9)
            focus.append(await run(FOCUS))
        told = await tree()
        unnamed = [role for role, name in told if role in CONTROLS and not name]
        await run("for (const details of document.querySelectorAll('details')) details.open = false; document.activeElement.blur()")
        ring = None
        if USER:
            await run(f"document.getElementById('user').value = {json.dumps(USER)}")
            await run(f"document.getElementById('token').value = {json.dumps(TOKEN)}")
            await run("document.getElementById('register').click()")
            async def until(condition):
                for _ in range(200):
                    if await run(condition):
                        return
                    await asyncio.sleep(0.1)
                raise SystemExit(f"not in 20 s: {condition}; " + str(await run("document.body.innerText")))
            await until("document.getElementById('presence').textContent.startsWith('Whoever')")
            print("registered", file=sys.stderr, flush=True)
            await until("document.getElementById('incoming').open")
            ring = await run("document.getElementById('incoming-from').textContent + ' / ' + document.activeElement.id")
            await picture("incoming", 390, 844, 2)
            await press("Enter", 13, "\r")
        else:
            await run("document.getElementById('call').click()")
        begun = time.monotonic()
        up_after, wrote = None, not TEXT
        while time.monotonic() - begun < SECONDS:
            await asyncio.sleep(0.1)
            if not wrote and time.monotonic() - begun > SECONDS / 2:
                wrote = True
                await run("document.getElementById('text').focus()")
                await command("Input.insertText", text=TEXT)
                await press("Enter", 13, "\r")
            if up_after is None and await run("document.getElementById('q-connection').textContent === 'connected'"):
                up_after = time.monotonic() - begun
        shown = json.loads(await run(SHOWN))
        await run("document.querySelectorAll('#pad button')[4].click()")
        await asyncio.sleep(0.5)
        await picture("desk", 1200, 760, 1)
        await picture("phone", 390, 844, 2)
        # Nothing may need a sideways scroll on a telephone.
        narrow = await run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        samples = base64.b64decode(await run(TAKE))
        await run("document.getElementById('hangup').click()")
        await asyncio.sleep(0.5)
        after = await run("document.getElementById('state').textContent")
        await command("Browser.close")
    with wave.open(f"{FOLDER}/heard.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples)
    print(json.dumps({
        "shown": shown, "after": after, "up_after_s": up_after, "fits_a_phone": narrow, "complaints": complaints,
        "ring": ring, "focus": focus, "unnamed": unnamed, "roles": sorted({role for role, _ in told}), "heard_samples": len(array.array("h", samples)),
    }))


browser = subprocess.Popen(["chromium", *FLAGS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    asyncio.run(asyncio.wait_for(drive(), SECONDS + 60))
finally:
    browser.terminate()
    try:
        browser.wait(10)
    except subprocess.TimeoutExpired:
        browser.kill()
