// The softphone: microphone and speaker on one side, the gateway's WebSocket (docs/WEBRTC.md) on the other.
"use strict";

const $ = (id) => document.getElementById(id);
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const WORDS = {
  idle: "Ready", asking: "Asking for the microphone", joining: "Joining", offered: "Connecting", ringing: "Ringing",
  up: "In call", held: "On hold", ending: "Ending", ended: "Ended", failed: "Failed",
};
const STATS_EVERY_MS = 1000;

let call = null;
let presence = null;

function show(state) {
  $("state").dataset.state = state;
  $("state").textContent = WORDS[state] ?? state;
  const busy = call !== null;
  $("call").disabled = busy;
  $("hangup").disabled = !busy;
  $("mute").disabled = !busy;
  for (const id of ["text", "send"]) $(id).disabled = !busy || (state !== "up" && state !== "held");
  for (const key of $("pad").children) key.disabled = !busy;
}

function complain(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text;
}

function put(id, text) {
  $(id).textContent = text;
}

// One call: its socket, its connection, its sound.
class Call {
  constructor(wish) {
    Object.assign(this, { wish, socket: null, peer: null, stream: null, id: "", began: 0, timers: [], over: false });
    this.bubbles = new Map();
  }

  async start() {
    show("asking");
    const device = $("microphone").value;
    const clean = $("clean").checked;
    const audio = { echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
    if (device) audio.deviceId = { exact: device };
    if (!navigator.mediaDevices) throw new Error("The browser gives no microphone to a page without https (or localhost).");
    this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    if (this.over) return this.close();
    listDevices();
    show("joining");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.socket.onopen = () => this.say({ type: "join", ...this.wish });
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data)).catch((problem) => this.fail(problem.message));
    this.socket.onclose = () => this.end("The gateway closed the connection.");
    this.meter();
  }

  // The data channel needs no connection of its own; until it is open, and without one, the WebSocket does.
  write(text) {
    const message = { type: "text", text };
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
    else this.say(message);
  }

  say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async hear(message) {
    switch (message.type) {
      case "joined": return this.offer(message.ice_servers, false);
      case "answer":
        this.id = message.call;
        put("q-call", this.id);
        return this.peer.setRemoteDescription({ type: "answer", sdp: message.sdp });
      // Before the call is up an error is its end; in the call it is of something that was asked.
      case "error": return this.began ? complain(`${message.why} (${message.status})`) : this.fail(`${message.why} (${message.status})`);
      case "state":
        if (message.state === "up" && !this.began) this.began = Date.now();
        if (!this.over) show(message.state);
        return undefined;
      case "connection":
        put("q-connection", message.state);
        if (message.remote) put("q-path", `${message.local} ↔ ${message.remote}`);
        return undefined;
      case "agent": return put("q-agent", message.state);
      case "transcript": return this.transcript(message);
      case "turn":
        if (message.gap_ms !== undefined) put("q-gap", `${Math.round(message.gap_ms)} ms`);
        return undefined;
      case "stats":
        this.theirs = message;
        if (message.mos !== undefined) put("q-mos", message.mos.toFixed(1));
        return undefined;
      case "bye": return this.end(message.reason, message.by);
      default: return undefined;
    }
  }

  async offer(servers, restart) {
    if (!this.peer) {
      this.peer = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle" });
      this.channel = this.peer.createDataChannel("events");
      for (const track of this.stream.getTracks()) this.sender = this.peer.addTrack(track, this.stream);
      this.peer.ontrack = (event) => { $("sound").srcObject = event.streams[0] ?? new MediaStream([event.track]); };
      this.peer.onicecandidate = (event) => this.say({ type: "candidate", candidate: event.candidate?.candidate ?? "" });
      this.peer.onconnectionstatechange = () => {
        put("q-connection", this.peer.connectionState);
        // Another network: the same call over new addresses.
        if (this.peer.connectionState === "disconnected" || this.peer.connectionState === "failed") this.restart();
      };
      this.every(STATS_EVERY_MS, () => this.figures());
    }
    await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: restart }));
    this.say({ type: "offer", sdp: this.peer.localDescription.sdp });
  }

  restart() {
    if (!this.over && this.peer.signalingState === "stable") this.offer([], true).catch(() => {});
  }

  press(digit) {
    if (this.sender?.dtmf?.canInsertDTMF) this.sender.dtmf.insertDTMF(this.sender.dtmf.toneBuffer + digit, 160, 70);
    else this.say({ type: "dtmf", digit, ms: 160 });
  }

  mute(muted) {
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !muted;
    this.say({ type: "mute", muted });
  }

  transcript({ who, turn, text }) {
    const name = `${who} ${turn}`;
    let words = this.bubbles.get(name);
    if (!words) {
      const item = document.createElement("li");
      item.className = who;
      const label = document.createElement("b");
      label.textContent = who === "caller" ? "You" : "Agent";
      words = document.createElement("span");
      item.append(label, words);
      $("talk").append(item);
      this.bubbles.set(name, words);
      $("empty").hidden = true;
    }
    words.textContent += text;
    $("talk").scrollTop = $("talk").scrollHeight;
  }

  // What this side measures; the gateway's side comes as `stats`.
  async figures() {
    if (this.began) {
      const seconds = Math.floor((Date.now() - this.began) / 1000);
      const two = (number) => String(number).padStart(2, "0");
      put("clock", `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`);
    }
    const report = await this.peer.getStats();
    let heard = null;
    let rtt = this.theirs?.rtt_ms;
    for (const stat of report.values()) {
      if (stat.type === "inbound-rtp" && stat.kind === "audio") heard = stat;
      if (stat.type === "candidate-pair" && stat.nominated && stat.currentRoundTripTime !== undefined) rtt = stat.currentRoundTripTime * 1000;
    }
    if (rtt !== undefined) put("q-rtt", `${rtt.toFixed(1)} ms`);
    if (!heard) return;
    const total = heard.packetsReceived + Math.max(heard.packetsLost, 0);
    const percent = (share) => `${share.toFixed(1)} %`;
    const loss = total ? percent((Math.max(heard.packetsLost, 0) / total) * 100) : "–";
    put("q-loss", `${loss} / ${this.theirs ? percent(this.theirs.loss_percent) : "–"}`);
    put("q-jitter", `${(heard.jitter * 1000).toFixed(1)} / ${this.theirs ? this.theirs.jitter_ms.toFixed(1) : "–"} ms`);
    const codec = report.get(heard.codecId);
    if (codec) put("q-codec", `${codec.mimeType.replace("audio/", "")} ${codec.clockRate / 1000} kHz`);
  }

  meter() {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    context.createMediaStreamSource(this.stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.every(100, () => {
      analyser.getFloatTimeDomainData(samples);
      const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      $("level").style.transform = `scaleX(${Math.min(1, loudest * 1.4)})`;
    });
    this.context = context;
  }

  every(ms, what) {
    this.timers.push(setInterval(() => Promise.resolve(what()).catch(() => {}), ms));
  }

  fail(why) {
    if (this.over) return;
    complain(why);
    this.finish("failed");
  }

  end(why, by) {
    if (this.over) return;
    this.finish("ended");
    if (by && by !== "caller" && why) complain(why);
  }

  hangUp() {
    this.say({ type: "bye", reason: "hung up" });
    this.end("", "caller");
  }

  finish(state) {
    this.over = true;
    call = null;
    this.close();
    show(state);
    put("q-connection", "closed");
    $("mute").setAttribute("aria-pressed", "false");
    $("mute").textContent = "Mute";
    $("level").style.transform = "";
    $("call").focus();
  }

  close() {
    this.timers.forEach(clearInterval);
    this.context?.close();
    this.peer?.close();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.socket?.close();
  }
}

async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  for (const [id, kind] of [["microphone", "audioinput"], ["speaker", "audiooutput"]]) {
    const select = $(id);
    const chosen = select.value;
    select.replaceChildren(new Option("Default", ""));
    for (const device of devices.filter((one) => one.kind === kind && one.deviceId)) {
      select.append(new Option(device.label || kind, device.deviceId));
    }
    select.value = chosen;
  }
  $("speaker").disabled = !("setSinkId" in HTMLMediaElement.prototype);
}

// Somebody to be called: a socket that stays, and what rings on it.
class Presence {
  constructor(user, password, token) {
    Object.assign(this, { user, password, token, rings: new Map(), over: false });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.socket.onopen = () => this.say({ type: "register", user, password, token });
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onclose = () => this.end("The gateway is gone: nobody can call this page.");
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  hear(message) {
    switch (message.type) {
      case "registered":
        this.user = message.user;
        return put("presence", `Whoever calls ${message.user} rings here.`);
      case "incoming":
        // One call at a time: who comes second hears that we are busy.
        if (call || this.rings.size) return this.say({ type: "decline", ring: message.ring });
        this.rings.set(message.ring, message);
        return this.ring(message);
      case "cancelled":
        if (this.rings.delete(message.ring)) this.quiet(`Missed: ${this.caller} (${message.reason})`);
        return undefined;
      case "error": return this.end(`${message.why} (${message.status})`);
      default: return undefined;
    }
  }

  ring({ from, name }) {
    this.caller = name && name !== from ? `${name} (${from})` : from;
    put("incoming-from", this.caller);
    document.title = `${this.caller} calls`;
    $("incoming").showModal();
    $("answer").focus();
    this.tone();
  }

  // Two short rings every three seconds, for as long as it rings.
  tone() {
    const context = new AudioContext();
    this.context = context;
    const gain = context.createGain();
    gain.gain.value = 0;
    gain.connect(context.destination);
    for (const hz of [440, 480]) {
      const tone = context.createOscillator();
      tone.frequency.value = hz;
      tone.connect(gain);
      tone.start();
    }
    for (let second = 0; second < 120; second += 3) {
      for (const [at, loud] of [[0, 0.08], [0.4, 0], [0.6, 0.08], [1, 0]]) gain.gain.setValueAtTime(loud, context.currentTime + second + at);
    }
  }

  quiet(text) {
    this.context?.close();
    this.context = null;
    document.title = "voxgw phone";
    if ($("incoming").open) $("incoming").close();
    if (text) complain(text);
  }

  answer() {
    const [ring] = this.rings.keys();
    if (ring === undefined) return;
    this.rings.clear();
    this.quiet("");
    begin({ ring, name: this.user });
  }

  decline() {
    for (const ring of this.rings.keys()) this.say({ type: "decline", ring });
    this.rings.clear();
    this.quiet("");
  }

  end(why) {
    if (this.over) return;
    this.over = true;
    this.rings.clear();
    this.quiet("");
    this.socket.close();
    presence = null;
    put("presence", why);
    $("register").setAttribute("aria-pressed", "false");
    $("register").textContent = "Let me be called";
  }
}

// As whom a call goes out: the user that the page is, a token, or nobody in particular.
function wish() {
  const to = $("to").value.trim();
  if (presence?.password) return { to, user: presence.user, password: presence.password };
  return { to, name: $("name").value.trim(), token: $("token").value.trim() };
}

function begin(wanted) {
  complain("");
  $("talk").replaceChildren();
  $("empty").hidden = false;
  put("clock", "00:00");
  const mine = new Call(wanted);
  call = mine;
  mine.start().catch((problem) => mine.fail(problem.name === "NotAllowedError" ? "The microphone is not allowed." : problem.message));
}

for (const key of KEYS) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = key;
  button.setAttribute("aria-label", { "*": "star", "#": "hash" }[key] ?? key);
  button.addEventListener("click", () => call?.press(key));
  $("pad").append(button);
}
$("dial").addEventListener("submit", (event) => { event.preventDefault(); if (!call) begin(wish()); });
$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  if (presence) return presence.end("Nobody can call this page.");
  put("presence", "Asking the gateway");
  $("register").setAttribute("aria-pressed", "true");
  $("register").textContent = "Do not let me be called";
  presence = new Presence($("user").value.trim(), $("password").value, $("password").value ? "" : $("token").value.trim());
});
$("answer").addEventListener("click", () => presence?.answer());
$("decline").addEventListener("click", () => presence?.decline());
// Escape.
$("incoming").addEventListener("cancel", (event) => { event.preventDefault(); presence?.decline(); });
$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!call || !text) return;
  complain("");
  call.write(text);
  $("text").value = "";
});
$("hangup").addEventListener("click", () => call?.hangUp());
$("mute").addEventListener("click", () => {
  const muted = $("mute").getAttribute("aria-pressed") !== "true";
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").textContent = muted ? "Unmute" : "Mute";
  call?.mute(muted);
});
$("speaker").addEventListener("change", () => $("sound").setSinkId?.($("speaker").value));
document.addEventListener("keydown", (event) => {
  if (!call || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (KEYS.includes(event.key) && !event.repeat) call.press(event.key);
});
window.addEventListener("pagehide", () => { call?.hangUp(); presence?.end(""); });
navigator.mediaDevices?.addEventListener?.("devicechange", listDevices);
const wanted = new URLSearchParams(location.search);
for (const name of ["to", "name", "user"]) if (wanted.has(name)) $(name).value = wanted.get(name);
// A token in the fragment never reaches a server or its log.
if (location.hash.startsWith("#token=")) {
  $("token").value = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname + location.search);
}
listDevices();
show("idle");
