//! Platforms that come to us: tokens of the API, and calls whose agent's chair a WebSocket takes. The binary, over real
//! sockets.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/program.rs"]
mod program;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use program::{Gateway, Home, LIMIT, Running, finished_journals, read_wav, until};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket, client::IntoClientRequest as _, http::HeaderValue, stream::MaybeTlsStream,
};
use voxgw::{agent::wire::Encoding, media::dsp::tone, unit::SampleRate};

type Bot = WebSocket<MaybeTlsStream<TcpStream>>;

/// A gateway with the API on TCP, and a call to it that is up and plays 320 Hz.
struct Scene {
    home: Home,
    gateway: Gateway,
    call: String,
    dial: Option<Running>,
}

impl Scene {
    fn new(seconds: usize) -> Self {
        let home = Home::new();
        home.file("token", "a-token-for-tests\n");
        let mut voice = Vec::new();
        tone::sine(320.0, 9_000.0, SampleRate::HZ_8000, 0, seconds * 8_000, &mut voice);
        program::write_wav(&home.path().join("voice.wav"), 8_000, 1, &voice);
        let gateway = home.serve("echo:live", &["--api", "127.0.0.1:0", "--api-token-file", "token"]);
        let dial =
            home.start_dial(&gateway.target(), &["--play", "voice.wav", "--codec", "pcmu", "--record", "dialled.wav"]);
        let mut scene = Self { home, gateway, call: String::new(), dial: Some(dial) };
        assert!(
            until(LIMIT, || {
                let all = scene.ask("GET /v1/sessions", "").1;
                let up = all["sessions"].as_array().unwrap().iter().find(|session| session["state"] == "up").cloned();
                scene.call = up.map_or_else(String::new, |up| up["header"]["call"].as_str().unwrap().to_owned());
                !scene.call.is_empty()
            }),
            "no call is up"
        );
        scene
    }

    fn place(&self) -> &str {
        self.gateway.api.strip_prefix("http://").unwrap()
    }

    fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.place()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        let head = "Host: voxgw\r\nAuthorization: Bearer a-token-for-tests\r\nConnection: close";
        write!(stream, "{line} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default())
    }

    fn token(&self, wish: &Value) -> String {
        let (status, told) = self.ask(&format!("POST /v1/sessions/{}/stream", self.call), &wish.to_string());
        assert_eq!((status, told["path"].as_str()), (201, Some("/v1/stream")), "{told}");
        told["token"].as_str().unwrap().to_owned()
    }

    /// Connects with a token: the bot, or the status and the words that refuse it.
    fn attach(&self, token: &str) -> Result<Bot, (u16, String)> {
        let mut request = format!("ws://{}/v1/stream", self.place()).into_client_request().unwrap();
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert("authorization", bearer);
        match tungstenite::connect(request) {
            Ok((bot, _)) => {
                if let MaybeTlsStream::Plain(stream) = bot.get_ref() {
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                }
                Ok(bot)
            }
            Err(tungstenite::Error::Http(answer)) => {
                let words = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
                Err((answer.status().as_u16(), words))
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn next(bot: &mut Bot) -> Value {
    loop {
        match bot.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Plays a tone and waits until it was sent to the caller; gives the caller's sound meanwhile.
fn plays(bot: &mut Bot, stream: &str, hz: f64, ms: usize) -> Vec<i16> {
    let (mut samples, mut bytes) = (Vec::new(), Vec::new());
    tone::sine(hz, 9_000.0, SampleRate::HZ_8000, 0, ms * 8, &mut samples);
    Encoding::Pcmu.encode(&samples, &mut bytes);
    let media = json!({"event": "media", "streamSid": stream, "media": {"payload": BASE64_STANDARD.encode(bytes)}});
    let mark = json!({"event": "mark", "streamSid": stream, "mark": {"name": "said"}});
    for message in [media, mark] {
        bot.send(Message::text(message.to_string())).unwrap();
    }
    let mut heard = Vec::new();
    loop {
        let message = next(bot);
        match message["event"].as_str().unwrap() {
            "media" => {
                let bytes = BASE64_STANDARD.decode(message["media"]["payload"].as_str().unwrap()).unwrap();
                assert_eq!(bytes.len(), 160, "20 ms");
                heard.extend(Encoding::Pcmu.decode(&bytes));
            }
            "mark" => return heard,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_platform_takes_the_chair_and_whoever_sat_there_comes_back_when_it_is_lost() {
    let mut scene = Scene::new(14);
    let mut bot = scene.attach(&scene.token(&json!({"parameters": {"tenant": "7"}}))).unwrap();
    assert_eq!(next(&mut bot), json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
    let start = next(&mut bot);
    let told = &start["start"];
    assert_eq!((&start["event"], &told["customParameters"]["tenant"]), (&json!("start"), &json!("7")));
    assert_eq!(told["customParameters"]["call_id"], scene.call.as_str());
    let stream = start["streamSid"].as_str().unwrap().to_owned();
    let mut heard = plays(&mut bot, &stream, 1_300.0, 1_500);
    // The caller lets it finish before speaking.
    while !heard.chunks(800).any(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9) {
        assert!(heard.len() < 80_000, "it does not hear the caller");
        let media = next(&mut bot);
        let bytes = BASE64_STANDARD.decode(media["media"]["payload"].as_str().unwrap()).unwrap();
        heard.extend(Encoding::Pcmu.decode(&bytes));
    }
    // It is lost; the second one ends the call in good order.
    drop(bot);
    assert!(
        until(LIMIT, || {
            let session = scene.ask(&format!("GET /v1/sessions/{}", scene.call), "").1;
            session.to_string().contains("\"agent\":\"echo:live\"")
        }),
        "{}",
        scene.ask(&format!("GET /v1/sessions/{}", scene.call), "").1
    );
    let mut bot = scene.attach(&scene.token(&json!({"audio": "pcm16"}))).unwrap();
    next(&mut bot);
    let start = next(&mut bot);
    let format = json!({"encoding": "audio/l16", "sampleRate": 16_000, "channels": 1});
    assert_eq!(start["start"]["mediaFormat"], format);
    bot.close(None).unwrap();
    while bot.read().is_ok() {}
    scene.dial.take().unwrap().wait().exits(0);
    let journal = &finished_journals(&scene.gateway.recordings, 1)[0];
    assert_eq!(journal.summary()["reason"], "the bot closed the stream");
    let agents: Vec<&Value> = journal.of_kind("agent");
    assert!(agents.iter().any(|change| change["state"] == "failed"), "{agents:?}");
    let channels = read_wav(&scene.home.path().join("dialled.wav"));
    assert!(channels[1].chunks(800).any(|chunk| tone::share_at(1_300.0, SampleRate::HZ_8000, chunk) > 0.9));
}

#[test]
fn tokens_that_are_wrong_used_or_too_old_open_nothing() {
    let scene = Scene::new(8);
    let refused = |token: &str, word: &str| {
        let (status, words) = scene.attach(token).expect_err("refused");
        assert!(status == 401 && words.contains(word), "{status} {words}");
    };
    refused("", "no token");
    refused("a-token-for-tests", "no token");
    let (status, join) = scene.ask("POST /v1/join-tokens", "{\"name\":\"anna\"}");
    assert_eq!(status, 201);
    refused(join["token"].as_str().unwrap(), "not signed");
    let short = scene.token(&json!({"valid_s": 1}));
    std::thread::sleep(Duration::from_millis(2_100));
    refused(&short, "expired");
    let token = scene.token(&json!({}));
    let mut bot = scene.attach(&token).unwrap();
    next(&mut bot);
    refused(&token, "used");
    let mint = |call: &str, wish: &str| scene.ask(&format!("POST /v1/sessions/{call}/stream"), wish).0;
    assert_eq!((mint("c-00000001", ""), mint("nobody", "")), (404, 404));
    for wish in ["{\"audio\":\"mp3\"}", "{\"valid_s\":0}", "{\"valid\":5}"] {
        assert_eq!(mint(&scene.call, wish), 400, "{wish}");
    }
    // The call ends: its token is worth nothing, and the log has none of them.
    let late = scene.token(&json!({}));
    assert_eq!(scene.ask(&format!("POST /v1/sessions/{}/hangup", scene.call), "").0, 202);
    assert!(until(LIMIT, || scene.attach(&late).is_err_and(|(status, _)| status == 409 || status == 404)));
    let Scene { gateway, .. } = scene;
    let done = gateway.stop().exits(0);
    assert!(!done.stderr.contains(&token) && !done.stderr.contains(&late), "{}", done.stderr);
}

#[test]
#[ignore = "needs a Python with websockets, scripts/interop"]
fn the_example_in_python_attaches_and_says_back_what_the_caller_says() {
    let python = std::env::var("VOXGW_PYTHON").expect("VOXGW_PYTHON names a Python with websockets");
    let mut scene = Scene::new(6);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/attach.py");
    let token = scene.home.path().join("token");
    let mut bot = std::process::Command::new(python)
        .args([script, &scene.gateway.api, token.to_str().unwrap(), &scene.call])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    scene.dial.take().unwrap().wait().exits(0);
    let mut said = String::new();
    bot.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(
        bot.wait().unwrap().success() && said.contains("attached to") && said.contains("the call is over"),
        "{said}"
    );
    let channels = read_wav(&scene.home.path().join("dialled.wav"));
    let echoed = channels[1].chunks(800).filter(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9);
    assert!(echoed.count() > 10, "more than a second of it came back");
}
