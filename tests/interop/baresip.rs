//! Calls with baresip, a telephone with its own SIP, RTP, RTCP and jitter buffer.

use crate::{
    audio::{self, Law, assert_heard, assert_tone, padded, tone, voice},
    gateway::{Dial, Gateway},
    process::{Running, free_ports, own, text_of, wait_for_udp},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{fs, path::PathBuf, process::Command, time::Duration};
use tempfile::TempDir;

/// A tone of which lost packets cannot hide in whole periods.
const TONE: f64 = 1_013.0;
/// RTP ports for one telephone.
const RTP_PORTS: u16 = 20;
/// Silence behind what it says: it hangs up where its file ends.
const SILENCE_SECONDS: u32 = 20;

/// A baresip without screen and sound card.
pub struct Baresip {
    running: Running,
    folder: TempDir,
    /// Its SIP port.
    pub sip: u16,
}

impl Baresip {
    /// One that says something to a port and hangs up by itself after some seconds.
    pub fn calling(port: u16, said: &[f32], codec: impl Into<PhoneCodec>, seconds: u32) -> Self {
        let target = format!("d sip:echo@127.0.0.1:{port}");
        Self::start(said, codec, None, &Account::default(), &["-e", &target, "-t", &seconds.to_string()])
    }

    /// One that registers as a user, answers at once and says something.
    pub fn registered(port: u16, user: &str, password: &str, said: &[f32], law: Law) -> Self {
        let account = Account {
            address: format!("{user}@127.0.0.1:{port}"),
            registration: format!("60;auth_user={user};auth_pass={password}"),
            answer: ";answermode=auto",
            ..Account::default()
        };
        Self::start(said, law, None, &account, &["-t", "60"])
    }

    /// One that registers as a user, then calls the gateway, and hangs up by itself after some seconds.
    pub fn registered_calling(port: u16, user: &str, password: &str, said: &[f32], law: Law, seconds: u32) -> Self {
        let account = Account {
            address: format!("{user}@127.0.0.1:{port}"),
            registration: format!("60;auth_user={user};auth_pass={password}"),
            ..Account::default()
        };
        let target = format!("d sip:echo@127.0.0.1:{port}");
        Self::start(said, law, None, &account, &["-e", &target, "-t", &seconds.to_string()])
    }

    /// One that lives in another network namespace, registers there as a user, and answers at once, or calls `calls`
    /// and hangs up after these seconds.
    pub fn elsewhere(
        namespace: &str,
        (place, user, password): (&str, &str, &str),
        calls: &str,
        said: &[f32],
        seconds: u32,
    ) -> Self {
        let account = Account {
            address: format!("{user}@{place}"),
            registration: format!("60;auth_user={user};auth_pass={password}"),
            answer: if calls.is_empty() { ";answermode=auto" } else { "" },
            namespace: namespace.to_owned(),
            ..Account::default()
        };
        let (target, seconds) = (format!("d sip:{calls}@{place}"), seconds.to_string());
        let calling = ["-e", &target, "-t", &seconds];
        Self::start(said, Law::Mu, None, &account, if calls.is_empty() { &calling[2..] } else { &calling })
    }

    /// The same over TLS.
    fn calling_over_tls(papers: &Papers, port: u16, said: &[f32], law: Law, seconds: u32) -> Self {
        let target = format!("d sip:echo@127.0.0.1:{port};transport=tls");
        Self::start(said, law, Some(papers), &Account::default(), &["-e", &target, "-t", &seconds.to_string()])
    }

    /// One that calls over TLS and encrypts its sound as its account says.
    pub fn calling_encrypted(
        papers: &Papers,
        port: u16,
        said: &[f32],
        law: Law,
        encryption: &'static str,
        seconds: u32,
    ) -> Self {
        let target = format!("d sip:echo@127.0.0.1:{port};transport=tls");
        let account = Account { encryption, ..Account::default() };
        Self::start(said, law, Some(papers), &account, &["-e", &target, "-t", &seconds.to_string()])
    }

    /// One that answers at once over TLS and encrypts its sound as its account says.
    pub fn answering_encrypted(papers: &Papers, said: &[f32], law: Law, encryption: &'static str) -> Self {
        let account = Account { encryption, ..Account::answering() };
        let mut phone = Self::start(said, law, Some(papers), &account, &["-t", "60"]);
        wait_for_udp(phone.sip, &mut phone.running);
        phone
    }

    /// One that answers at once and says something, over TLS on the port after its own.
    fn answering_over_tls(papers: &Papers, said: &[f32], law: Law) -> Self {
        let mut phone = Self::start(said, law, Some(papers), &Account::answering(), &["-t", "60"]);
        wait_for_udp(phone.sip, &mut phone.running);
        phone
    }

    /// One that answers at once and says something.
    pub fn answering(said: &[f32], codec: impl Into<PhoneCodec>) -> Self {
        let mut phone = Self::start(said, codec, None, &Account::answering(), &["-t", "60"]);
        wait_for_udp(phone.sip, &mut phone.running);
        phone
    }

    fn start(
        said: &[f32],
        codec: impl Into<PhoneCodec>,
        papers: Option<&Papers>,
        account: &Account,
        flags: &[&str],
    ) -> Self {
        let codec = codec.into();
        let folder = TempDir::with_prefix("voxgw-baresip-").expect("a temporary folder");
        let (sip, rtp) = (free_ports(2), free_ports(RTP_PORTS));
        let place = folder.path().display().to_string();
        let address =
            if account.address.is_empty() { format!("baresip@127.0.0.1:{sip}") } else { account.address.clone() };
        let registration = if account.registration.is_empty() { "0" } else { &account.registration };
        let tls = papers.map_or_else(String::new, |papers| {
            let papers = papers.folder.path().display();
            format!("sip_certificate {papers}/phone.pem\nsip_cafile {papers}/ca.pem")
        });
        for name in ["config", "accounts"] {
            let text = text_of(&own("baresip").join(name))
                .replace("@SIP@", &sip.to_string())
                .replace("@RTP@", &format!("{rtp}-{}", rtp + RTP_PORTS - 1))
                .replace("@DIR@", &place)
                .replace("@TLS@", &tls)
                .replace("@TRANSPORT@", if papers.is_some() { "tls" } else { "udp" })
                .replace("@CODEC@", &codec.name)
                .replace("@RATE@", &codec.rate.to_string())
                .replace("@ADDRESS@", &address)
                .replace("@REGISTRATION@", registration)
                .replace("@ANSWER@", account.answer)
                .replace("@MEDIAENC@", account.encryption);
            fs::write(folder.path().join(name), text).expect("a setting can be written");
        }
        fs::write(folder.path().join("contacts"), "").expect("a setting can be written");
        let mut said = said.to_vec();
        said.resize(said.len() + (SILENCE_SECONDS * codec.rate) as usize, 0.0);
        audio::write_wav(&folder.path().join("said.wav"), codec.rate, &said);
        let mut command = Command::new(if account.namespace.is_empty() { "baresip" } else { "ip" });
        if !account.namespace.is_empty() {
            command.args(["netns", "exec", &account.namespace, "baresip"]);
        }
        command.args(["-4", "-f", &place]).args(flags);
        let running = Running::start("baresip", &mut command, folder.path());
        Self { running, folder, sip }
    }

    /// Waits until it has hung up and ended.
    pub fn wait(&mut self, limit: Duration) {
        let status = self.running.wait(limit);
        assert!(status.success(), "baresip ended with {status}\n{}", self.report());
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) {
        self.running.terminate();
        self.wait(Duration::from_secs(10));
    }

    /// What it heard.
    pub fn heard(&self) -> Vec<f32> {
        audio::read_wav(&self.dump()).swap_remove(0)
    }

    /// The file that it wrote what it heard into.
    pub fn dump(&self) -> PathBuf {
        fs::read_dir(self.folder.path())
            .expect("its folder")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .unwrap_or_else(|| panic!("baresip heard nothing\n{}", self.report()))
    }

    pub fn report(&self) -> String {
        self.running.report()
    }
}

/// The one codec of a telephone.
pub struct PhoneCodec {
    /// As baresip calls it: name, rate, channels.
    pub name: String,
    /// Rate of its microphone and speaker.
    pub rate: u32,
}

impl From<Law> for PhoneCodec {
    fn from(law: Law) -> Self {
        Self { name: format!("{}/8000/1", law.name().to_lowercase()), rate: audio::RATE }
    }
}

/// Who a telephone is.
#[derive(Default)]
struct Account {
    /// Its address of record; none is its own address, for calls without a registrar.
    address: String,
    /// Seconds between registrations and the credentials; none is no registration.
    registration: String,
    /// `;answermode=auto`, or nothing.
    answer: &'static str,
    /// `;mediaenc=srtp`, `;mediaenc=srtp-mand`, or nothing.
    encryption: &'static str,
    /// The network namespace that it lives in; none is ours.
    namespace: String,
}

impl Account {
    fn answering() -> Self {
        Self { answer: ";answermode=auto", ..Self::default() }
    }
}

/// Certificates for both sides, and the gateway's config with its own.
pub struct Papers {
    folder: TempDir,
}

impl Papers {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("voxgw-papers-").expect("a temporary folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With one name for all, OpenSSL takes what the CA signed for signed by itself.
        params.distinguished_name.push(rcgen::DnType::CommonName, "CA of these tests");
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a CA").pem();
        let issuer = Issuer::new(params, key);
        let write =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a certificate is written");
        write("ca.pem", &ca);
        for name in ["gateway", "phone"] {
            let key = KeyPair::generate().expect("a key");
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let signed =
                CertificateParams::new(names).and_then(|params| params.signed_by(&key, &issuer)).expect("signed");
            write(&format!("{name}.crt"), &signed.pem());
            write(&format!("{name}.key"), &key.serialize_pem());
            write(&format!("{name}.pem"), &(signed.pem() + &key.serialize_pem()));
        }
        let place = folder.path().display();
        write(
            "voxgw.toml",
            &format!(
                "[sip.tls]\ncertificate = '{place}/gateway.crt'\nkey = '{place}/gateway.key'\nca = '{place}/ca.pem'\n"
            ),
        );
        Self { folder }
    }

    /// More for the gateway's config.
    pub fn say(&self, text: &str) {
        let config = fs::read_to_string(self.config()).expect("the config");
        fs::write(self.config(), format!("{config}{text}\n")).expect("the config can be written");
    }

    /// The CA that signed all of them.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("voxgw.toml")
    }
}

/// baresip calls the echo; gives what it heard and both channels of the gateway's recording.
fn echo_call(said: &[f32], law: Law) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let mut gateway = Gateway::start("echo:live");
    let mut phone = Baresip::calling(gateway.sip, said, law, 9);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    call.assert_ended_well(law.name());
    gateway.stop();
    let (caller, agent) = call.voices();
    (phone.heard(), caller, agent)
}

#[test]
#[ignore = "needs baresip"]
fn a_voice_of_baresip_is_recorded_and_comes_back_in_pcmu() {
    let said = voice(5, 10);
    let (heard, caller, agent) = echo_call(&said, Law::Mu);
    assert_heard("caller in call.wav", &said, &caller);
    assert_heard("agent in call.wav", &said, &agent);
    assert_heard("sound at baresip", &said, &heard);
}

#[test]
#[ignore = "needs baresip"]
fn a_tone_of_baresip_is_recorded_and_comes_back_in_pcma() {
    let (heard, caller, _) = echo_call(&tone(TONE, 5), Law::A);
    assert_tone("caller in call.wav", &caller, TONE, 5.0);
    assert_tone("sound at baresip", &heard, TONE, 5.0);
}

/// dial and baresip talk at the same time, each hears the other.
fn dialled_call(law: Law) {
    let (here, there) = (voice(5, 11), voice(5, 12));
    let mut phone = Baresip::answering(&there, law);
    let flags = ["--delay", "500ms", "--hangup-after", "silence:2s", "--max", "20s"];
    let mut dial = Dial::start(phone.sip, &padded(&here, 1), &flags);
    dial.assert_ends_with(0, Duration::from_secs(30));
    phone.stop();
    let (sent, received) = dial.voices();
    assert_heard("what dial sent", &here, &sent);
    assert_heard("what dial heard", &there, &received);
    assert_heard("sound at baresip", &here, &phone.heard());
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_in_pcmu() {
    dialled_call(Law::Mu);
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_in_pcma() {
    dialled_call(Law::A);
}

#[test]
#[ignore = "needs baresip"]
fn a_voice_of_baresip_comes_back_over_tls() {
    let (papers, said, port) = (Papers::new(), voice(5, 13), free_ports(2));
    let mut gateway = Gateway::start_secure("echo:live", &papers.config(), port);
    let mut phone = Baresip::calling_over_tls(&papers, port, &said, Law::A, 9);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    call.assert_ended_well(Law::A.name());
    gateway.stop();
    assert!(call.of_kind("sip").all(|sip| sip["transport"] == "tls"), "all of it went over TLS");
    assert_heard("sound at baresip", &said, &phone.heard());
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_over_tls() {
    let (papers, here, there) = (Papers::new(), voice(5, 14), voice(5, 15));
    let mut phone = Baresip::answering_over_tls(&papers, &there, Law::Mu);
    let flags = ["--hangup-after", "silence:2s", "--max", "20s"];
    let mut dial = Dial::start_secure(phone.sip + 1, &padded(&here, 1), &papers.config(), &flags);
    dial.assert_ends_with(0, Duration::from_secs(30));
    phone.stop();
    let (sent, received) = dial.voices();
    assert_heard("what dial sent", &here, &sent);
    assert_heard("what dial heard", &there, &received);
    assert_heard("sound at baresip", &here, &phone.heard());
}
