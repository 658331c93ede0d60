//! UDP ports that many browsers share: one for each media worker, so that no packet crosses a thread.
//!
//! A worker's port has one task that reads it and puts each datagram into the inbox of its session: STUN requests by the
//! name that we gave in our answer (RFC 8445 §7.2.2: USERNAME begins with the receiver's ufrag), answers to our own checks
//! by their transaction, everything else by the address that a session has proved to be its browser's. Knows no ICE:
//! whether a datagram is authentic the session's peer decides, and tells [`Seat::authentic`]. What is nobody's is dropped
//! and counted. One port for all workers would leave it to the kernel whose thread gets a packet: most would cross.
//!
//! `Routes` is pure; [`Mux`] is the shell. Used by `session::web`.

use super::hub::Counters;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    net::{SocketAddr, UdpSocket as StdSocket},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};
use tokio::{net::UdpSocket, sync::Notify};

/// Datagrams that wait for one session: a second of sound; more are dropped.
const WAITING_MAX: usize = 64;
/// Checks of ours whose answers are still awaited, per session: five repetitions to each of a dozen candidates.
const CHECKS_MAX: usize = 64;
/// Addresses of one browser that are remembered: it changes networks, and its old ones die with their consent.
const ADDRESSES_MAX: usize = 8;
/// Names of one session: the answer's, and that of the restart before.
const NAMES_MAX: usize = 2;
/// Longest name that is looked up (RFC 8839 §5.4: 256).
const NAME_BYTES_MAX: usize = 256;
/// Buffers that are kept for the next datagrams.
const SPARE_MAX: usize = 256;

type Transaction = [u8; 12];

/// Names a session on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(u64);

/// Who gets a datagram.
#[derive(Debug, Default)]
struct Routes {
    newest: u64,
    by_name: HashMap<Box<[u8]>, Key>,
    by_address: HashMap<SocketAddr, Key>,
    by_check: HashMap<Transaction, Key>,
    known: HashMap<Key, Known>,
}

#[derive(Debug, Default)]
struct Known {
    inbox: Rc<Inbox>,
    names: VecDeque<Box<[u8]>>,
    addresses: VecDeque<SocketAddr>,
    checks: VecDeque<Transaction>,
}

impl Routes {
    fn sit(&mut self, inbox: Rc<Inbox>) -> Key {
        self.newest += 1;
        let key = Key(self.newest);
        self.known.insert(key, Known { inbox, ..Known::default() });
        key
    }

    fn leave(&mut self, key: Key) {
        let Some(gone) = self.known.remove(&key) else { return };
        for name in &gone.names {
            self.by_name.remove(name);
        }
        for address in &gone.addresses {
            self.by_address.remove(address);
        }
        for check in &gone.checks {
            self.by_check.remove(check);
        }
    }

    /// The session answers to this name from now on.
    fn name(&mut self, key: Key, name: &[u8]) {
        let Some(known) = self.known.get_mut(&key) else { return };
        known.names.push_back(name.into());
        if known.names.len() > NAMES_MAX
            && let Some(old) = known.names.pop_front()
        {
            self.by_name.remove(&old);
        }
        self.by_name.insert(name.into(), key);
    }

    /// The browser of this session has proved to be at this address. Whoever was proved to be there first stays until
    /// its session ends: nobody takes a running call's sound by claiming its address.
    fn authentic(&mut self, key: Key, address: SocketAddr) {
        if self.by_address.contains_key(&address) {
            return;
        }
        let Some(known) = self.known.get_mut(&key) else { return };
        known.addresses.push_back(address);
        if known.addresses.len() > ADDRESSES_MAX
            && let Some(old) = known.addresses.pop_front()
        {
            self.by_address.remove(&old);
        }
        self.by_address.insert(address, key);
    }

    /// A check of ours went out: its answer is this session's.
    fn checks(&mut self, key: Key, check: Transaction) {
        let Some(known) = self.known.get_mut(&key) else { return };
        known.checks.push_back(check);
        if known.checks.len() > CHECKS_MAX
            && let Some(old) = known.checks.pop_front()
        {
            self.by_check.remove(&old);
        }
        self.by_check.insert(check, key);
    }

    /// Whose datagram this is.
    fn whose(&self, from: SocketAddr, bytes: &[u8]) -> Option<&Rc<Inbox>> {
        let key = match stun(bytes) {
            Some(Stun::Named(name)) => self.by_name.get(name),
            Some(Stun::Answer(check)) => self.by_check.get(check),
            Some(Stun::Nameless) | None => self.by_address.get(&from),
        };
        key.and_then(|key| self.known.get(key)).map(|known| &known.inbox)
    }
}

/// What a STUN message says of whose it is.
#[derive(Debug, PartialEq)]
enum Stun<'b> {
    /// A request for who bears this name.
    Named(&'b [u8]),
    /// The answer to a request with this transaction.
    Answer(&'b Transaction),
    /// An indication.
    Nameless,
}

/// Reads as much of a STUN message (RFC 8489 §5) as it takes to know whose it is; none if it is something else
/// (RFC 7983).
fn stun(bytes: &[u8]) -> Option<Stun<'_>> {
    const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const USERNAME: u16 = 6;
    let (head, mut rest) = bytes.split_first_chunk::<20>()?;
    if head[0] > 3 || head[4..8] != MAGIC {
        return None;
    }
    // The class is spread over two bits of the type.
    if head[0] & 1 != 0 {
        return head.last_chunk::<12>().map(Stun::Answer);
    }
    if head[1] & 0x10 != 0 {
        return Some(Stun::Nameless);
    }
    while let Some((attribute, more)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([attribute[0], attribute[1]]);
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        let value = more.get(..length)?;
        if kind == USERNAME {
            let ours = value.split(|byte| *byte == b':').next().unwrap_or_default();
            return (ours.len() <= NAME_BYTES_MAX).then_some(Stun::Named(ours));
        }
        rest = more.get(length.next_multiple_of(4)..)?;
    }
    Some(Stun::Nameless)
}

/// What waits for one session.
#[derive(Debug, Default)]
struct Inbox {
    waiting: RefCell<VecDeque<(SocketAddr, Vec<u8>)>>,
    came: Notify,
}

/// All shared ports of a worker, by where they are bound. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Mux(Rc<RefCell<HashMap<SocketAddr, Rc<Port>>>>);

/// A port; it stays for as long as its worker.
#[derive(Debug)]
struct Port {
    socket: UdpSocket,
    routes: RefCell<Routes>,
    spare: RefCell<Vec<Vec<u8>>>,
    counters: Arc<Counters>,
}

impl Mux {
    /// A place on the port that is bound at `at`, which is bound now if it was not.
    ///
    /// # Errors
    /// Says why it cannot be bound.
    pub fn sit(&self, at: SocketAddr, counters: &Arc<Counters>) -> Result<Seat, String> {
        let known = self.0.borrow().get(&at).map(Rc::clone);
        let port = match known {
            Some(port) => port,
            None => self.bind(at, counters).map_err(|problem| format!("web.media_port at {at}: {problem}"))?,
        };
        let inbox = Rc::new(Inbox::default());
        let key = port.routes.borrow_mut().sit(Rc::clone(&inbox));
        Ok(Seat { port, key, inbox, newest: Cell::new(None) })
    }

    fn bind(&self, at: SocketAddr, counters: &Arc<Counters>) -> std::io::Result<Rc<Port>> {
        let socket = StdSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        let reference = socket2::SockRef::from(&socket);
        // All calls of a worker arrive here: a burst of all at once must fit. Less is granted where the system says so.
        let _ = reference.set_recv_buffer_size(4 << 20);
        if at.is_ipv4() {
            // Expedited forwarding, as the other media ports.
            let _ = reference.set_tos_v4(0xb8);
        }
        let port = Rc::new(Port {
            socket: UdpSocket::from_std(socket)?,
            routes: RefCell::default(),
            spare: RefCell::default(),
            counters: Arc::clone(counters),
        });
        self.0.borrow_mut().insert(at, Rc::clone(&port));
        tokio::task::spawn_local(read(Rc::clone(&port)));
        Ok(port)
    }
}

async fn read(port: Rc<Port>) {
    let mut buffer = port.buffer();
    loop {
        let Ok((length, from)) = port.socket.recv_from(&mut buffer).await else { continue };
        let inbox = port.routes.borrow().whose(from, &buffer[..length]).map(Rc::clone);
        let Some(inbox) = inbox.filter(|inbox| inbox.waiting.borrow().len() < WAITING_MAX) else {
            port.counters.web_strays.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let mut datagram = std::mem::replace(&mut buffer, port.buffer());
        datagram.truncate(length);
        inbox.waiting.borrow_mut().push_back((from, datagram));
        inbox.came.notify_one();
    }
}

impl Port {
    fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.spare.borrow_mut().pop().unwrap_or_default();
        buffer.resize(2_048, 0);
        buffer
    }
}

/// A session's place on a shared port; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    port: Rc<Port>,
    key: Key,
    inbox: Rc<Inbox>,
    /// The address that was authentic last: mostly the next is the same.
    newest: Cell<Option<SocketAddr>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.port.routes.borrow_mut().leave(self.key);
    }
}

impl Seat {
    /// We answered so: the browser's checks name us as the description does.
    pub fn answered(&self, answer: &str) {
        if let Some(name) = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")) {
            self.port.routes.borrow_mut().name(self.key, name.trim().as_bytes());
        }
    }

    /// What came from there was the browser's.
    pub fn authentic(&self, from: SocketAddr) {
        if self.newest.replace(Some(from)) != Some(from) {
            self.port.routes.borrow_mut().authentic(self.key, from);
        }
    }

    /// Sends a datagram; false if it could not be sent at once.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        if let (Some(Stun::Named(_)), Some(check)) = (stun(bytes), bytes.get(8..20).and_then(|id| id.try_into().ok())) {
            self.port.routes.borrow_mut().checks(self.key, check);
        }
        self.port.socket.try_send_to(bytes, to).is_ok()
    }

    /// What has come, if anything has.
    #[must_use]
    pub fn take(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.inbox.waiting.borrow_mut().pop_front()
    }

    /// A datagram that was handled: its place is used again.
    pub fn give_back(&self, buffer: Vec<u8>) {
        let mut spare = self.port.spare.borrow_mut();
        if spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
    }
}

/// The next datagram of this seat; waits for ever where there is none.
pub async fn arrive(seat: Option<&Seat>) -> (SocketAddr, Vec<u8>) {
    let Some(seat) = seat else { return std::future::pending().await };
    loop {
        if let Some(datagram) = seat.take() {
            return datagram;
        }
        seat.inbox.came.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A binding request for `name`, with an attribute before it whose length is odd.
    fn request(name: &str, id: u8) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([id; 12]);
        bytes.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        let user = format!("{name}:theirs");
        bytes.extend([0, 6]);
        bytes.extend(u16::try_from(user.len()).unwrap().to_be_bytes());
        bytes.extend(user.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let length = u16::try_from(bytes.len() - 20).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn answer(id: u8) -> Vec<u8> {
        let mut bytes = vec![1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([id; 12]);
        bytes
    }

    fn is_for(routes: &Routes, from: &str, bytes: &[u8], inbox: &Rc<Inbox>) -> bool {
        routes.whose(address(from), bytes).is_some_and(|found| Rc::ptr_eq(found, inbox))
    }

    #[test]
    fn checks_go_by_name_answers_by_transaction_and_the_rest_by_proved_addresses() {
        let mut routes = Routes::default();
        let (one, other) = (Rc::new(Inbox::default()), Rc::new(Inbox::default()));
        let (first, second) = (routes.sit(Rc::clone(&one)), routes.sit(Rc::clone(&other)));
        routes.name(first, b"abcd");
        routes.name(second, b"efgh");
        assert!(is_for(&routes, "192.0.2.1:1", &request("abcd", 1), &one));
        assert!(is_for(&routes, "192.0.2.1:1", &request("efgh", 1), &other), "whatever the address");
        assert!(routes.whose(address("192.0.2.1:1"), &request("none", 1)).is_none());
        assert!(routes.whose(address("192.0.2.1:1"), &[22; 60]).is_none(), "nobody has proved to be there");
        routes.authentic(first, address("192.0.2.1:1"));
        assert!(is_for(&routes, "192.0.2.1:1", &[22; 60], &one) && is_for(&routes, "192.0.2.1:1", &[0x80; 60], &one));
        routes.authentic(second, address("192.0.2.1:1"));
        assert!(is_for(&routes, "192.0.2.1:1", &[0x80; 60], &one), "who was first stays");
        assert!(routes.whose(address("192.0.2.2:1"), &answer(7)).is_none());
        routes.checks(second, [7; 12]);
        assert!(is_for(&routes, "192.0.2.2:1", &answer(7), &other));
        routes.leave(first);
        assert!(routes.whose(address("192.0.2.1:1"), &[0x80; 60]).is_none());
        routes.authentic(second, address("192.0.2.1:1"));
        assert!(is_for(&routes, "192.0.2.1:1", &[0x80; 60], &other), "free again");
    }

    #[test]
    fn nothing_grows_without_bound_and_nothing_is_left() {
        let mut routes = Routes::default();
        let key = routes.sit(Rc::default());
        for n in 0..200_u8 {
            routes.name(key, &[n; 4]);
            routes.checks(key, [n; 12]);
            routes.authentic(key, SocketAddr::from(([192, 0, 2, n], 9)));
        }
        assert_eq!((routes.by_name.len(), routes.by_check.len(), routes.by_address.len()), (2, 64, 8));
        assert!(routes.by_name.contains_key(&[199; 4][..]) && routes.by_check.contains_key(&[199; 12]));
        routes.leave(key);
        assert!(routes.by_name.is_empty() && routes.by_check.is_empty() && routes.by_address.is_empty());
        assert!(routes.known.is_empty());
    }

    #[test]
    fn bytes_of_any_kind_are_read() {
        let good = request("abcd", 3);
        assert_eq!(stun(&good), Some(Stun::Named(b"abcd")));
        for length in 0..good.len() {
            let _ = stun(&good[..length]);
        }
        for at in 0..good.len() {
            let mut broken = good.clone();
            broken[at] ^= 0xff;
            let _ = stun(&broken);
        }
        assert_eq!(stun(&[0x80; 40]), None);
        assert_eq!(stun(&request(&"x".repeat(NAME_BYTES_MAX + 1).replace('x', "é"), 1)), None);
    }
}
