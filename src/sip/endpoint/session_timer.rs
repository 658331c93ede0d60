//! Session timers (RFC 4028), both roles, refreshed with UPDATE or re-INVITE.
//!
//! A session that nobody refreshes any more ends with BYE, so a call never outlives a far end that died silently.

use super::{
    Ended, EndedBy, Endpoint, Headers, Instant, LegId, Method, Request, Response,
    leg::{Leg, Stage},
    reliable::names_option,
};
use std::time::Duration;

/// What we ask for and agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerSettings {
    /// The interval that we ask for; zero asks for none (but still agrees to the far end's).
    pub expires: Duration,
    /// Shorter intervals are refused with 422. At least 90 s (§5).
    pub min: Duration,
}

impl Default for TimerSettings {
    fn default() -> Self {
        Self { expires: Duration::from_mins(30), min: Duration::from_secs(90) }
    }
}

/// A session's agreed timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionTimer {
    pub(super) interval: Duration,
    /// We refresh.
    pub(super) ours: bool,
    /// When to refresh (half the interval), or to end the call: a third of it before its end, 32 s at most (§10).
    pub(super) at: Instant,
}

impl SessionTimer {
    fn new(now: Instant, interval: Duration, ours: bool) -> Self {
        let at = if ours { now + interval / 2 } else { now + interval - (interval / 3).min(Duration::from_secs(32)) };
        Self { interval, ours, at }
    }
}

/// Headers of an answer.
type Fields = Vec<(&'static str, String)>;

/// `1800;refresher=uas` → seconds and who.
fn session_expires(headers: &Headers) -> Option<(Duration, Option<String>)> {
    let value = headers.first("Session-Expires")?;
    let (seconds, params) = value.split_once(';').unwrap_or((value, ""));
    let params = crate::sip::uri::parse_params(params);
    let refresher = crate::sip::uri::find_param(&params, "refresher").map(str::to_ascii_lowercase);
    Some((Duration::from_secs(seconds.trim().parse().ok()?), refresher))
}

fn min_se(headers: &Headers) -> Option<Duration> {
    let value = headers.first("Min-SE")?;
    value.split(';').next()?.trim().parse().ok().map(Duration::from_secs)
}

impl Endpoint {
    /// Judges the timer that a request (INVITE, re-INVITE, UPDATE) asks for. Gives the headers of its 200.
    ///
    /// # Errors
    /// The interval is too short: 422 with our `Min-SE`.
    pub(super) fn agree_on_timer(
        &mut self,
        now: Instant,
        id: LegId,
        request: &Request,
    ) -> Result<Fields, (u16, Fields)> {
        let settings = self.settings.timers;
        let supported =
            names_option(&request.headers, "Supported", "timer") || names_option(&request.headers, "Require", "timer");
        let asked = session_expires(&request.headers);
        if let Some((interval, _)) = asked
            && interval < settings.min
            && supported
        {
            return Err((422, vec![("Min-SE", settings.min.as_secs().to_string())]));
        }
        let Some(leg) = self.legs.get_mut(&id) else { return Ok(Vec::new()) };
        let interval = match asked {
            Some((interval, _)) => interval.max(settings.min),
            None if supported && !settings.expires.is_zero() => {
                settings.expires.max(min_se(&request.headers).unwrap_or_default())
            }
            None => {
                leg.timer = None;
                return Ok(Vec::new());
            }
        };
        // §9, table 2: without support the burden is ours; else the caller's wish, else the caller's burden.
        let theirs = supported && asked.and_then(|(_, refresher)| refresher).as_deref() != Some("uas");
        leg.timer = Some(SessionTimer::new(now, interval, !theirs));
        self.arm_leg(id);
        let refresher = if theirs { "uac" } else { "uas" };
        let mut headers = vec![("Session-Expires", format!("{};refresher={refresher}", interval.as_secs()))];
        if supported {
            headers.push(("Require", "timer".to_owned()));
        }
        Ok(headers)
    }

    /// The headers of an INVITE of ours.
    pub(super) fn timer_wish(&self, leg: &Leg) -> Vec<(&'static str, String)> {
        let settings = self.settings.timers;
        if settings.expires.is_zero() {
            return Vec::new();
        }
        let interval = settings.expires.max(leg.min_se);
        vec![
            ("Session-Expires", interval.as_secs().to_string()),
            ("Min-SE", settings.min.max(leg.min_se).as_secs().to_string()),
        ]
    }

    /// Reads what a 2xx to our INVITE, re-INVITE or UPDATE agreed to.
    pub(super) fn timer_agreed(&mut self, now: Instant, id: LegId, response: &Response) {
        let agreed = session_expires(&response.headers);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.timer = agreed.map(|(interval, refresher)| {
            SessionTimer::new(now, interval.max(Duration::from_secs(90)), refresher.as_deref() != Some("uas"))
        });
        self.arm_leg(id);
    }

    /// 422 to our INVITE: the interval to ask for next; none if there is no sense in it.
    pub(super) fn longer_interval(leg: &mut Leg, response: &Response) -> Option<()> {
        // Once: whoever wants more each time wants no call.
        let can = leg.stage == Stage::Early && leg.min_se.is_zero();
        let wanted = min_se(&response.headers).filter(|wanted| can && *wanted > leg.min_se)?;
        leg.min_se = wanted;
        Some(())
    }

    /// The timer of a leg is due: refresh, or end.
    pub(super) fn session_timer_due(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(timer) = leg.timer.filter(|timer| now >= timer.at) else { return };
        if !timer.ours {
            leg.timer = None;
            self.hang_up(now, id, Some("SIP;cause=408;text=\"session not refreshed\""));
            let reason = format!("the far end did not refresh the session within {} s", timer.interval.as_secs());
            self.end(now, id, Ended { by: EndedBy::Network, status: None, reason, answered_by_peer: false });
            return;
        }
        // If this refresh gets no answer, the transaction's own end will tell.
        leg.timer = Some(SessionTimer { at: now + timer.interval / 2, ..timer });
        if leg.takes_update {
            self.send_refresh(now, id, timer.interval);
        } else {
            self.send_reinvite(now, id, None);
        }
        self.arm_leg(id);
    }

    /// UPDATE without a description (§7.4).
    fn send_refresh(&mut self, now: Instant, id: LegId, interval: Duration) {
        let Some((mut update, path)) = self.request_within(id, Method::Update) else { return };
        let contact = self.contact(path, &update.uri);
        update.headers.push("Contact", contact);
        update.headers.push("Supported", "timer");
        update.headers.push("Session-Expires", format!("{};refresher=uac", interval.as_secs()));
        let key = self.send_request(now, update, path);
        self.clients.insert(key, id);
    }

    /// Our UPDATE was answered.
    pub(super) fn refresh_answered(&mut self, now: Instant, id: LegId, response: &Response) {
        match response.status {
            200..=299 => self.timer_agreed(now, id, response),
            // §10, RFC 5057: the dialog is gone at the other side.
            408 | 481 => {
                self.hang_up(now, id, Some("SIP;cause=481;text=\"the session is gone\""));
            }
            // They do not take UPDATE after all.
            405 | 501 => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.takes_update = false;
                }
                self.send_reinvite(now, id, None);
            }
            422 => {
                let wanted = min_se(&response.headers);
                if let Some(timer) = self.legs.get_mut(&id).and_then(|leg| leg.timer.as_mut()) {
                    timer.interval = timer.interval.max(wanted.unwrap_or_default());
                }
                self.refresh_again_soon(now, id);
            }
            _ => self.refresh_again_soon(now, id),
        }
    }

    /// A refresh was refused for now: the next one does not wait until the far end has given up.
    pub(super) fn refresh_again_soon(&mut self, now: Instant, id: LegId) {
        if let Some(timer) = self.legs.get_mut(&id).and_then(|leg| leg.timer.as_mut()).filter(|timer| timer.ours) {
            timer.at = now + Duration::from_secs(5);
        }
        self.arm_leg(id);
    }

    /// Remembers from any message of the far end whether it takes UPDATE and REFER.
    pub(super) fn note_allowed(&mut self, id: LegId, headers: &Headers) {
        if headers.first("Allow").is_none() {
            return;
        }
        let [update, refer, info] = ["UPDATE", "REFER", "INFO"].map(|method| names_option(headers, "Allow", method));
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.takes_info = info;
            leg.takes_update = update;
            leg.takes_refer = refer;
        }
    }
}
