//! Caller sound on its way out: what waits for the service, the message around it, and the newest question, which is
//! said again if the connection that it went into is lost.
//!
//! Knows no protocol: wires give it the head and the tail of their messages, and say when an answer came.

use super::Encoding;
use std::collections::VecDeque;

/// Caller sound kept while the service is not ready; older sound is dropped.
const PENDING_MAX_MS: usize = 2_000;
/// Of it in one message.
const CHUNK_MS: usize = 100;
/// Of a question so much is kept, the newest: what is asked comes at the end.
const QUESTION_MAX_MS: usize = 15_000;
/// Room for a question grows by so much.
const GROWS_MS: usize = 250;
/// Sound from before our detector noticed that a question began.
const PREFIX_MS: usize = 400;
/// Sound after its end, so that a service notices that as well.
const TAIL_MS: usize = 300;
/// Our detector notices the end of speech later than services do: what came so long before that was the answer.
const NOTICED_WITHIN_MS: usize = 1_000;
/// What nobody has answered for so long was no question.
const FORGOTTEN_MS: usize = 30_000;

/// Whether there is a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Question {
    #[default]
    None,
    /// The caller speaks; so many bytes were sent since something of an answer came last, if it did.
    Begun(Option<usize>),
    /// The caller has spoken, and nothing of an answer has come; so many bytes were sent since.
    Asked(usize),
}

/// Caller sound on its way out.
#[derive(Debug)]
pub(super) struct Uplink {
    pub(super) encoding: Encoding,
    pending: VecDeque<i16>,
    bytes: Vec<u8>,
    question: Question,
    /// Sound of the question as it was sent, and of the moment before it.
    asked: VecDeque<u8>,
    /// So much of it was said again; none if it need not be.
    again: Option<usize>,
}

impl Uplink {
    pub(super) const fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            pending: VecDeque::new(),
            bytes: Vec::new(),
            question: Question::None,
            asked: VecDeque::new(),
            again: None,
        }
    }

    pub(super) fn wait(&mut self, samples: &[i16]) {
        self.pending.extend(samples);
        // A question is kept whole while there is nobody to hear it.
        let asking = self.question != Question::None;
        self.keep(if asking { QUESTION_MAX_MS } else { PENDING_MAX_MS });
    }

    /// Only so much of what waits, the newest.
    pub(super) fn keep(&mut self, ms: usize) {
        let most = self.encoding.rate().0 as usize * ms / 1_000;
        let surplus = self.pending.len().saturating_sub(most);
        self.pending.drain(..surplus);
    }

    /// The caller began to speak, or has ceased, as our own detector says.
    pub(super) fn speech(&mut self, speaks: bool) {
        let noticed = self.size_of(NOTICED_WITHIN_MS);
        let was_answered = matches!(self.question, Question::Begun(Some(since)) if since < noticed);
        self.question = match (speaks, self.question) {
            (true, _) => Question::Begun(None),
            (false, Question::Begun(_)) => Question::Asked(0),
            (false, other) => other,
        };
        if !speaks && was_answered {
            self.answered();
        }
    }

    /// Something of an answer came: the question was heard.
    pub(super) fn answered(&mut self) {
        match &mut self.question {
            Question::None => {}
            // Who speaks on asks anew: what comes answers something before.
            Question::Begun(since) => *since = Some(0),
            Question::Asked(_) => {
                (self.question, self.again) = (Question::None, None);
                self.asked = VecDeque::new();
            }
        }
    }

    /// The connection is lost, and the next one knows nothing of a question: it is said again, before what waits.
    /// False if there is none.
    pub(super) fn ask_again(&mut self) -> bool {
        if self.question == Question::None || self.asked.is_empty() {
            return false;
        }
        self.again = Some(0);
        true
    }

    /// The next message of what waited, the question first.
    pub(super) fn waited(&mut self, head: &str, tail: &str) -> Option<String> {
        if let Some(from) = self.again {
            let to = self.asked.len().min(from + self.size_of(CHUNK_MS));
            self.again = (to < self.asked.len()).then_some(to);
            self.bytes.clear();
            self.bytes.extend(self.asked.range(from..to));
            return Some(self.wrapped(head, tail));
        }
        self.next_pending().map(|chunk| self.message(head, &chunk, tail))
    }

    /// The next piece of what waited, without the question.
    pub(super) fn next_pending(&mut self) -> Option<Vec<i16>> {
        let most = self.encoding.rate().0 as usize * CHUNK_MS / 1_000;
        (!self.pending.is_empty()).then(|| self.pending.drain(..self.pending.len().min(most)).collect())
    }

    /// A question waits to be said again.
    pub(super) const fn is_asking_again(&self) -> bool {
        self.again.is_some()
    }

    /// `head`, the sound in base64, `tail`.
    pub(super) fn message(&mut self, head: &str, samples: &[i16], tail: &str) -> String {
        self.bytes.clear();
        self.encoding.encode(samples, &mut self.bytes);
        self.note();
        self.wrapped(head, tail)
    }

    fn wrapped(&self, head: &str, tail: &str) -> String {
        let mut message = String::with_capacity(head.len() + self.bytes.len() * 4 / 3 + 4 + tail.len());
        message.push_str(head);
        base64_simd::STANDARD.encode_append(&self.bytes, &mut message);
        message.push_str(tail);
        message
    }

    /// What is sent now may be part of a question.
    fn note(&mut self) {
        let most = match &mut self.question {
            Question::None => PREFIX_MS,
            Question::Begun(since) => {
                if let Some(since) = since {
                    *since += self.bytes.len();
                }
                QUESTION_MAX_MS
            }
            Question::Asked(since) => {
                *since += self.bytes.len();
                let since = *since;
                if since > self.size_of(FORGOTTEN_MS) {
                    return self.answered();
                }
                if since > self.size_of(TAIL_MS) {
                    return;
                }
                QUESTION_MAX_MS
            }
        };
        let needed = self.asked.len() + self.bytes.len();
        if needed > self.asked.capacity() {
            // Doubling would hold up to twice a question, in each call.
            self.asked.reserve_exact(self.bytes.len().max(self.size_of(GROWS_MS)));
        }
        self.asked.extend(&self.bytes);
        let surplus = self.asked.len().saturating_sub(self.size_of(most));
        self.asked.drain(..surplus);
    }

    /// Bytes of so much sound; whole samples.
    fn size_of(&self, ms: usize) -> usize {
        let samples = self.encoding.rate().0 as usize * ms / 1_000;
        samples * if matches!(self.encoding, Encoding::Pcm(_)) { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of µ-law in a message.
    fn said(message: &str) -> Vec<u8> {
        super::super::decode_base64(message).unwrap()
    }

    fn all(uplink: &mut Uplink) -> usize {
        std::iter::from_fn(|| uplink.waited("", "")).map(|message| said(&message).len()).sum()
    }

    #[test]
    fn a_question_is_said_again_until_something_of_an_answer_came() {
        let mut uplink = Uplink::new(Encoding::Pcmu);
        let send = |uplink: &mut Uplink, ms: usize| (0..ms / 20).for_each(|_| drop(uplink.message("", &[0; 160], "")));
        send(&mut uplink, 5_000);
        assert!(!uplink.ask_again(), "nobody has asked anything");
        uplink.speech(true);
        send(&mut uplink, 1_000);
        uplink.speech(false);
        send(&mut uplink, 3_000);
        assert!(uplink.ask_again());
        uplink.wait(&[0; 800]);
        assert_eq!(all(&mut uplink), (400 + 1_000 + 300 + 100) * 8, "from before it to behind it, then what waited");
        assert!(uplink.ask_again() && all(&mut uplink) > 0, "the second connection is lost as well");
        uplink.answered();
        assert!(!uplink.ask_again());
        // A service that answers before our own detector notices the end.
        uplink.speech(true);
        send(&mut uplink, 1_000);
        uplink.answered();
        send(&mut uplink, 400);
        uplink.speech(false);
        assert!(!uplink.ask_again());
        // The end of an answer that was spoken over answers nothing.
        uplink.speech(true);
        uplink.answered();
        send(&mut uplink, 1_500);
        uplink.speech(false);
        assert!(uplink.ask_again());
    }

    #[test]
    fn what_is_kept_of_a_question_is_bounded_in_length_and_time() {
        let mut uplink = Uplink::new(Encoding::Pcm(crate::unit::SampleRate::HZ_16000));
        uplink.speech(true);
        (0..2_000).for_each(|_| drop(uplink.message("", &[0; 320], "")));
        assert!(uplink.ask_again());
        uplink.answered();
        assert_eq!(all(&mut uplink), QUESTION_MAX_MS * 32, "answers while the caller speaks are to something before");
        uplink.speech(false);
        (0..1_600).for_each(|_| drop(uplink.message("", &[0; 320], "")));
        assert!(!uplink.ask_again(), "half a minute later nobody waits for an answer");
    }

    #[test]
    fn words_said_while_there_is_no_connection_wait_longer_than_silence() {
        let mut uplink = Uplink::new(Encoding::Pcmu);
        (0..500).for_each(|_| uplink.wait(&[0; 160]));
        assert_eq!(all(&mut uplink), PENDING_MAX_MS * 8);
        uplink.speech(true);
        (0..500).for_each(|_| uplink.wait(&[0; 160]));
        assert_eq!(all(&mut uplink), 10_000 * 8);
    }
}
