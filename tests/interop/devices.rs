//! A sound device that nobody can touch: PulseAudio's null sinks behind ALSA. What is played into the one that is the
//! microphone comes back from the gateway's echo to the loudspeaker. Needs a binary with the feature `devices`
//! (`VOXGW_DEVICES_BIN`, or the one that is tested).

use crate::{
    audio::{read_wav_at, tone_share_at, write_wav},
    gateway::Gateway,
    process::{Running, voxgw},
};
use std::{env, f64::consts::TAU, fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

const HZ: f64 = 713.0;

fn with_devices() -> Command {
    env::var_os("VOXGW_DEVICES_BIN").map_or_else(voxgw, Command::new)
}

/// A PulseAudio of its own with two null sinks, as ALSA's default device.
struct Desk {
    folder: TempDir,
    _server: Running,
}

impl Desk {
    fn start() -> Self {
        let folder = TempDir::with_prefix("voxgw-devices-").expect("a temporary folder");
        let place = folder.path();
        let socket = place.join("socket");
        let server = format!("unix:{}", socket.display());
        let alsa = format!(
            "pcm.!default {{\n type asym\n playback.pcm {{ type pulse server \"{server}\" device \"speaker\" }}\n \
             capture.pcm {{ type pulse server \"{server}\" device \"mic.monitor\" }}\n \
             hint {{ show on description \"Desk\" }}\n}}\n"
        );
        fs::write(place.join("asound.conf"), alsa).expect("the configuration can be written");
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]);
        command.args(["--realtime=no", "--high-priority=no"]);
        command.args(["-L", "module-null-sink sink_name=mic rate=48000"]);
        command.args(["-L", "module-null-sink sink_name=speaker rate=48000"]);
        command.args(["-L", &format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display())]);
        Self::at_home(&mut command, place);
        let running = Running::start("pulseaudio", &mut command, place);
        for _ in 0..100 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(socket.exists(), "pulseaudio does not listen\n{}", running.report());
        Self { folder, _server: running }
    }

    /// Nothing of the user's own settings.
    fn at_home(command: &mut Command, place: &Path) {
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"] {
            command.env(name, place);
        }
        command.env("PULSE_SERVER", format!("unix:{}", place.join("socket").display()));
        command.env("ALSA_CONFIG_PATH", place.join("asound.conf"));
    }

    fn run(&self, name: &str, mut command: Command) -> Running {
        Self::at_home(&mut command, self.folder.path());
        Running::start(name, &mut command, self.folder.path())
    }
}

#[test]
#[ignore = "needs pulseaudio and a build with devices"]
fn what_the_microphone_says_comes_back_to_the_loudspeaker() {
    let desk = Desk::start();
    let mut list = with_devices();
    list.arg("devices");
    let mut list = desk.run("devices", list);
    let listed = list.wait(Duration::from_secs(10));
    if list.stderr().contains("this build has no sound devices") {
        return println!("skipped: a build without devices; see VOXGW_DEVICES_BIN");
    }
    assert!(listed.success() && list.stdout().contains("microphone, speaker"), "{}", list.report());

    let said: Vec<f32> = (0..30 * 48_000).map(|n| (0.3 * (TAU * HZ * f64::from(n) / 48_000.0).sin()) as f32).collect();
    write_wav(&desk.folder.path().join("said.wav"), 48_000, &said);
    let mut play = Command::new("paplay");
    play.args(["--device=mic", "said.wav"]);
    let mut record = Command::new("parec");
    record.args([
        "--device=speaker.monitor",
        "--channels=1",
        "--rate=48000",
        "--format=s16le",
        "--file-format=wav",
        "heard.wav",
    ]);
    let mut gateway = Gateway::start("echo:live");
    let (_playing, mut recording) = (desk.run("paplay", play), desk.run("parec", record));
    let mut dial = with_devices();
    dial.args(["dial", &format!("sip:echo@127.0.0.1:{}", gateway.sip), "--no-config", "--mic", "--headset"]);
    dial.args(["--hangup-after", "8s", "-o", "json"]);
    let mut dial = desk.run("dial", dial);
    let ended = dial.wait(Duration::from_secs(30));
    assert_eq!(ended.code(), Some(0), "{}", dial.report());
    recording.terminate();
    recording.wait(Duration::from_secs(5));
    let call = gateway.only_call();
    gateway.stop();

    let (caller, agent) = call.voices();
    let (rate, heard) = read_wav_at(&desk.folder.path().join("heard.wav"));
    for (what, rate, sound) in [("caller", 8_000, &caller), ("agent", 8_000, &agent), ("loudspeaker", rate, &heard[0])]
    {
        // Whole quarters of a second that hold the tone and little else.
        let pieces = sound.chunks_exact(rate as usize / 4);
        let toned = pieces.filter(|piece| tone_share_at(piece, rate, HZ) > 0.9).count();
        assert!(
            toned >= 16,
            "{what}: {toned} quarters of a second with the tone, of {}",
            sound.len() * 4 / rate as usize
        );
    }
}
