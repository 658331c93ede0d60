//! How urgent media threads are to the kernel. Under load by other programs an ordinary thread may run seconds late,
//! which callers hear; a real-time one runs within a millisecond. Asked for once per thread, by `worker`; what was
//! obtained is said in the log, because it explains choppy sound better than any statistic.

use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue,
    ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

/// Above what runs without asking, below what kernels and audio servers use for themselves.
const REAL_TIME: u8 = 10;
/// Of 0 to 100, half being the usual; this is niceness −10.
const FAVOURED: u8 = 75;
/// Niceness 0, or −1: the crate rounds.
const USUAL: u8 = 50;

/// What a thread was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// Round-robin real time: before all ordinary threads.
    RealTime,
    /// Niceness −10: a larger share of a busy processor.
    Favoured,
    /// Like everything else.
    Ordinary,
}

impl Granted {
    /// In a word, as the log has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RealTime => "real time",
            Self::Favoured => "nice -10",
            Self::Ordinary => "ordinary",
        }
    }
}

/// Makes the calling thread as urgent as the system permits.
#[must_use]
pub fn raise() -> Granted {
    let thread = thread_native_id();
    let Ok(level) = ThreadPriorityValue::try_from(REAL_TIME) else { return Granted::Ordinary };
    let real_time = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    if set_thread_priority_and_policy(thread, ThreadPriority::Crossplatform(level), real_time).is_ok() {
        return Granted::RealTime;
    }
    let Ok(level) = ThreadPriorityValue::try_from(FAVOURED) else { return Granted::Ordinary };
    let ordinary = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    match set_thread_priority_and_policy(thread, ThreadPriority::Crossplatform(level), ordinary) {
        Ok(()) => Granted::Favoured,
        Err(_) => Granted::Ordinary,
    }
}

/// Makes the calling thread an ordinary one again: what it starts is no medium.
pub fn lower() {
    let ordinary = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    if let Ok(level) = ThreadPriorityValue::try_from(USUAL) {
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(level), ordinary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_priority::{thread_schedule_policy, unix::get_thread_priority};

    #[test]
    fn what_is_said_to_be_granted_is_what_the_kernel_says() {
        std::thread::spawn(|| {
            let granted = raise();
            let policy = thread_schedule_policy().unwrap();
            let real_time = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
            assert_eq!(granted == Granted::RealTime, policy == real_time, "{granted:?} {policy:?}");
            assert!(get_thread_priority(thread_native_id()).is_ok());
            lower();
            assert_eq!(
                thread_schedule_policy().unwrap(),
                ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other)
            );
            // The fields of /proc/…/stat behind the name: the 16th is the niceness.
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let nice = stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().to_owned();
            assert!(["-1", "0"].contains(&nice.as_str()), "{nice}");
        })
        .join()
        .unwrap();
    }
}
