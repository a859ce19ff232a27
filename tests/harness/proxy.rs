//! Each fault of the proxy is seen to act, on the bytes of a connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Fault, Line, On, Proxy, Server, Way, When, eventually_blocking, namespace, shared_redis, shared_valkey};
use task_runtime::Client;
use task_runtime::broker::{Due, NewJob};
use task_runtime::job::{JobId, Namespace, QueueName};

use crate::{BOUND, text};

/// How long nothing comes before a test believes that nothing will.
const SILENCE: Duration = Duration::from_millis(300);

/// A connection that speaks in bytes.
struct Raw(TcpStream);

impl Raw {
    fn to(proxy: &Proxy) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        Raw(stream)
    }

    fn ask(&mut self, words: &[&str]) {
        self.0.write_all(request(words).as_bytes()).unwrap();
    }

    /// Two requests that arrive together.
    fn ask_both(&mut self, one: &[&str], other: &[&str]) {
        self.0.write_all((request(one) + &request(other)).as_bytes()).unwrap();
    }

    /// Reads exactly this.
    #[track_caller]
    fn hears(&mut self, answer: &str) {
        let mut bytes = vec![0; answer.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), answer);
    }

    /// Reads one byte, or says why there is none.
    fn next(&mut self, within: Duration) -> Result<Option<u8>, ErrorKind> {
        self.0.set_read_timeout(Some(within)).unwrap();
        let mut byte = [0];
        let read = self.0.read(&mut byte).map(|count| (count == 1).then_some(byte[0])).map_err(|error| error.kind());
        self.0.set_read_timeout(Some(BOUND)).unwrap();
        read
    }

    #[track_caller]
    fn hears_nothing(&mut self) {
        assert_eq!(self.next(SILENCE), Err(ErrorKind::WouldBlock));
    }

    #[track_caller]
    fn is_reset(&mut self) {
        assert_eq!(self.next(BOUND), Err(ErrorKind::ConnectionReset));
    }
}

fn request(words: &[&str]) -> String {
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    request
}

fn get(key: &str) -> String {
    text(shared_redis().command(&["GET", key]))
}

#[tokio::test]
async fn a_proxy_without_faults_passes_everything_and_knows_our_scripts() {
    for server in [shared_redis(), shared_valkey()] {
        let proxy = Proxy::to(server.port());
        let client = Client::connect_in(&proxy.url(), Namespace::new(namespace()).unwrap()).await.unwrap();
        let (queue, envelope) = (QueueName::new("q").unwrap(), vec![b'x'; 300_000]);
        for id in ["a", "b"] {
            let job = NewJob { id: JobId::new(id).unwrap(), priority: 5, due: Due::Now, envelope: envelope.clone() };
            client.broker().enqueue(&queue, &[job], None).await.unwrap();
        }
        client.counts(&queue).await.unwrap();
        assert!(client.broker().wake(&queue, BOUND).await.unwrap());
        assert_eq!(client.queues().await.unwrap(), [queue]);
        // The first call of a script tells its text, whatever the server has loaded.
        assert_eq!((proxy.seen(On::Script("enqueue")), proxy.seen(On::Script("counts"))), (3 - 1, 1));
        assert_eq!((proxy.seen(On::AnyScript), proxy.seen(On::Command("BLPOP"))), (4, 1));
    }
}

#[test]
fn a_line_may_be_late_or_slow() {
    let proxy = Proxy::to(shared_redis().port());
    let mut raw = Raw::to(&proxy);
    for way in [Way::Requests, Way::Replies] {
        proxy.set(way, Line::Delay { least: Duration::from_millis(100), most: Duration::from_millis(200) });
        let start = Instant::now();
        for _ in 0..3 {
            raw.ask(&["PING"]);
        }
        raw.hears("+PONG\r\n+PONG\r\n+PONG\r\n");
        // What goes together is late together.
        assert!((100..4_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        proxy.heal();
    }
    proxy.set(Way::Replies, Line::Throttle { bytes_per_second: 10_000 });
    let start = Instant::now();
    raw.ask(&["ECHO", &"x".repeat(3_000)]);
    raw.hears(&format!("$3000\r\n{}\r\n", "x".repeat(3_000)));
    assert!((250..20_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[test]
fn a_held_line_delivers_when_it_is_released() {
    let proxy = Proxy::to(shared_redis().port());
    let (mut raw, key) = (Raw::to(&proxy), namespace());
    proxy.set(Way::Requests, Line::Hold);
    raw.ask(&["SET", &key, "1"]);
    raw.hears_nothing();
    assert_eq!(text(shared_redis().command(&["EXISTS", &key])), "0");
    proxy.set(Way::Requests, Line::Pass);
    raw.hears("+OK\r\n");
    proxy.set(Way::Replies, Line::Hold);
    raw.ask(&["SET", &key, "2"]);
    raw.hears_nothing();
    assert_eq!(get(&key), "2");
    proxy.set(Way::Replies, Line::Pass);
    raw.hears("+OK\r\n");
}

#[test]
fn what_vanishes_never_comes_and_takes_its_connection_along() {
    let proxy = Proxy::to(shared_redis().port());
    let (mut raw, key) = (Raw::to(&proxy), namespace());
    proxy.set(Way::Replies, Line::Vanish);
    raw.ask(&["SET", &key, "1"]);
    raw.hears_nothing();
    assert_eq!(get(&key), "1");
    proxy.heal();
    raw.ask(&["PING"]);
    raw.hears_nothing();
    let mut other = Raw::to(&proxy);
    other.ask(&["PING"]);
    other.hears("+PONG\r\n");
}

#[test]
fn a_refused_request_never_arrives_and_a_cut_one_does() {
    let proxy = Proxy::to(shared_redis().port());
    let key = namespace();
    let refuse = proxy.inject(On::Command("SET"), When::Nth(1), Fault::Refuse);
    let cut = proxy.inject(On::Command("SET"), When::Nth(2), Fault::Cut);
    for exists in ["0", "1"] {
        let mut raw = Raw::to(&proxy);
        raw.ask(&["SET", &key, "1"]);
        raw.is_reset();
        assert_eq!(text(shared_redis().command(&["EXISTS", &key])), exists);
    }
    refuse.wait(1, BOUND);
    cut.wait(1, BOUND);
    let mut raw = Raw::to(&proxy);
    raw.ask(&["SET", &key, "1"]);
    raw.hears("+OK\r\n");
    assert_eq!((refuse.hits(), cut.hits(), proxy.seen(On::Command("SET"))), (1, 1, 3));
}

#[test]
fn an_answer_in_the_servers_place_keeps_the_order() {
    let proxy = Proxy::to(shared_redis().port());
    proxy.set(Way::Replies, Line::delay(Duration::from_millis(50)));
    let every = proxy.inject(On::Command("PING"), When::Every(2), Fault::Answer("-LOADING Redis is loading".into()));
    let mut raw = Raw::to(&proxy);
    for word in ["a", "b"] {
        raw.ask(&["ECHO", word]);
        raw.ask(&["PING"]);
    }
    raw.hears("$1\r\na\r\n+PONG\r\n$1\r\nb\r\n-LOADING Redis is loading\r\n");
    every.lift();
    raw.ask(&["PING"]);
    raw.ask(&["PING"]);
    raw.hears("+PONG\r\n+PONG\r\n");
    assert_eq!(every.hits(), 1);
}

#[test]
fn a_late_request_arrives_after_its_client_has_gone_and_come_again() {
    let proxy = Proxy::to(shared_redis().port());
    let key = namespace();
    proxy.inject(On::Command("SET"), When::Nth(1), Fault::Late(Duration::from_millis(400)));
    let mut raw = Raw::to(&proxy);
    raw.ask(&["SET", &key, "late"]);
    drop(raw);
    let mut again = Raw::to(&proxy);
    again.ask(&["SET", &key, "again"]);
    again.hears("+OK\r\n");
    assert_eq!(get(&key), "again");
    eventually_blocking("the late request is carried out", BOUND, || (get(&key) == "late").then_some(()));
    drop(again);
    eventually_blocking("no connection is left", BOUND, || (proxy.open() == 0).then_some(()));
}

#[test]
fn an_answer_may_be_lost_doubled_swapped_cut_short_or_the_last() {
    let proxy = Proxy::to(shared_redis().port());
    let fault = |number, fault| proxy.inject(On::Command("ECHO"), When::Nth(number), fault);
    let mut raw = Raw::to(&proxy);
    let _lost = fault(1, Fault::DropReply);
    raw.ask(&["ECHO", "1"]);
    raw.ask(&["ECHO", "2"]);
    raw.hears("$1\r\n2\r\n");
    let _doubled = fault(1, Fault::Duplicate);
    raw.ask(&["ECHO", "3"]);
    raw.hears("$1\r\n3\r\n$1\r\n3\r\n");
    let _swapped = fault(1, Fault::Swap);
    raw.ask_both(&["ECHO", "a"], &["ECHO", "b"]);
    raw.hears("$1\r\nb\r\n$1\r\na\r\n");
    let _alone = fault(1, Fault::Swap);
    raw.ask(&["ECHO", "c"]);
    raw.hears("$1\r\nc\r\n");
    let _extra = fault(1, Fault::Extra("-LOADING wait".into()));
    raw.ask(&["ECHO", "d"]);
    raw.hears("-LOADING wait\r\n$1\r\nd\r\n");
    let _last = fault(1, Fault::HalfClose);
    raw.ask(&["ECHO", "4"]);
    raw.hears("$1\r\n4\r\n");
    assert_eq!(raw.next(BOUND), Ok(None));
    // The other direction is still open: its end, too, is passed on.
    assert_eq!(proxy.open(), 1);
    drop(raw);
    let _short = fault(1, Fault::Truncate(5));
    let mut raw = Raw::to(&proxy);
    raw.ask(&["ECHO", "5"]);
    raw.hears("$1\r\n5");
    assert_eq!(raw.next(BOUND), Ok(None));
    let _mute = fault(1, Fault::Mute);
    let mut raw = Raw::to(&proxy);
    raw.ask(&["ECHO", "6"]);
    raw.ask(&["PING"]);
    raw.hears_nothing();
}

#[test]
fn corruption_leaves_the_payload_alone_and_follows_the_seed() {
    let heard = |seed| {
        let proxy = Proxy::seeded(shared_redis().port(), seed);
        proxy.inject(On::Any, When::Always, Fault::Corrupt);
        let mut heard = Vec::new();
        for _ in 0..10 {
            let mut raw = Raw::to(&proxy);
            raw.ask(&["ECHO", "payload"]);
            let mut bytes = vec![0; "$7\r\npayload\r\n".len()];
            raw.0.read_exact(&mut bytes).unwrap();
            assert!(bytes.ends_with(b"\r\npayload\r\n") && !bytes.starts_with(b"$7"), "{}", bytes.escape_ascii());
            heard.push(bytes);
        }
        heard
    };
    assert_eq!(heard(7), heard(7));
    assert_ne!(heard(7), heard(8));
}

#[test]
fn connections_can_be_reset_and_sent_elsewhere() {
    let (first, second) = (Server::redis().start(), Server::redis().start());
    let proxy = Proxy::to(first.port());
    let mut raw = Raw::to(&proxy);
    raw.ask(&["PING"]);
    raw.hears("+PONG\r\n");
    second.command(&["SET", "here", "yes"]);
    proxy.retarget(second.port());
    raw.ask(&["EXISTS", "here"]);
    raw.hears(":0\r\n");
    proxy.reset_all();
    raw.is_reset();
    let mut raw = Raw::to(&proxy);
    raw.ask(&["EXISTS", "here"]);
    raw.hears(":1\r\n");
    proxy.retarget(1);
    Raw::to(&proxy).is_reset();
    assert_eq!(proxy.accepted(), 3);
}

#[test]
fn a_proxy_leaves_no_connection_behind() {
    let proxy = Proxy::to(shared_redis().port());
    let mut clients: Vec<_> = (0..20).map(|_| Raw::to(&proxy)).collect();
    for raw in &mut clients {
        raw.ask(&["BLPOP", "nothing", "0"]);
    }
    eventually_blocking("all are open", BOUND, || (proxy.open() == 20).then_some(()));
    drop(clients.split_off(10));
    eventually_blocking("those that went are closed", BOUND, || (proxy.open() == 10).then_some(()));
    drop(proxy);
    for mut raw in clients {
        assert!(matches!(raw.next(BOUND), Ok(None) | Err(ErrorKind::ConnectionReset)));
    }
}
