//! The support library keeps its word: servers start, survive a crash with their data, and never outlive a test.

#[path = "harness/proxy.rs"]
mod proxy;

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use support::redis::{self, FromRedisValue, Value};
use support::{Certificates, Cluster, Program, Running, Server, WallClock};
use support::{eventually, eventually_blocking, namespace, shared_cluster, shared_redis, shared_valkey};

const BOUND: Duration = Duration::from_secs(20);

/// Set for a test that is run once more by itself, in a process that then ends with a server in its hands.
const INNER: &str = "TASK_TEST_INNER";

fn text(value: Value) -> String {
    String::from_redis_value(value).expect("the reply is text")
}

fn version(server: &Server, field: &str) -> String {
    let info = text(server.command(&["INFO", "server"]));
    let line = info.lines().find_map(|line| line.strip_prefix(field)).expect("INFO names its version");
    line.trim_start_matches(':').to_owned()
}

fn refuses_connections(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

#[test]
fn redis_is_the_floor_and_valkey_the_modern_end() {
    let redis = version(shared_redis(), "redis_version");
    assert!(redis.split('.').next().unwrap().parse::<u32>().unwrap() >= 7, "redis-server is {redis}");
    assert!(version(shared_valkey(), "valkey_version").starts_with("9."));
}

#[test]
fn a_server_answers_on_its_port_and_on_its_socket() {
    let server = shared_redis();
    for url in [server.url(), server.unix_url()] {
        let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        let pid: String = redis::cmd("INFO").arg("server").query(&mut connection).unwrap();
        assert!(pid.contains(&format!("process_id:{}\r", server.pid())), "{url} is another server");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "a wall clock is moved by a library that is preloaded")]
fn the_wall_clock_of_a_process_is_moved_while_it_runs_and_no_other() {
    let true_time = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let clock = WallClock::new();
    let servers = [Server::redis(), Server::valkey()].map(|options| options.clock(&clock).start());
    for seconds in [0, 3_600, -3_600, 0] {
        clock.wrong_by(seconds);
        for server in &servers {
            let time: (i64, i64) = FromRedisValue::from_redis_value(server.command(&["TIME"])).unwrap();
            let script = ["EVAL", "return redis.call('TIME')[1]", "0"];
            let in_script = text(server.command(&script)).parse::<i64>().unwrap();
            for seen in [time.0, in_script] {
                assert!((seen - true_time() - seconds).abs() < 60, "{seen}, which is to be wrong by {seconds}");
            }
        }
        let mut date = Program::new("/bin/date").arg("+seconds %s").clock(&clock).start();
        let line = date.wait_for_line("seconds", BOUND);
        let seen = line.trim_start_matches("seconds ").parse::<i64>().unwrap();
        assert!((seen - true_time() - seconds).abs() < 60, "{seen}, which is to be wrong by {seconds}");
    }
}

#[test]
fn a_password_is_asked_for_and_the_url_carries_it() {
    let server = Server::redis().password("open-sesame").start();
    let url = format!("redis://127.0.0.1:{}/", server.port());
    let mut stranger = redis::Client::open(url).unwrap().get_connection().unwrap();
    let refused = redis::cmd("PING").query::<String>(&mut stranger).unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"));
    for url in [server.url(), server.unix_url()] {
        let mut guest = redis::Client::open(url).unwrap().get_connection().unwrap();
        assert_eq!(redis::cmd("PING").query::<String>(&mut guest).unwrap(), "PONG");
    }
}

#[test]
fn a_line_of_configuration_wins_over_the_harness() {
    let server = Server::redis().config("maxmemory 8mb").config("maxmemory-policy noeviction").start();
    let reply: Vec<String> = redis::from_redis_value(server.command(&["CONFIG", "GET", "maxmemory"])).unwrap();
    assert_eq!(reply, ["maxmemory", "8388608"]);
}

#[test]
fn data_survives_kill_9_with_an_append_only_file() {
    for options in [Server::redis(), Server::valkey()] {
        let mut server = options.config("appendonly yes").config("appendfsync always").start();
        let (port, first_pid) = (server.port(), server.pid());
        server.command(&["SET", "kept", "yes"]);
        server.kill9();
        assert!(refuses_connections(port));
        server.restart();
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), first_pid);
        assert_eq!(text(server.command(&["GET", "kept"])), "yes");
    }
}

#[test]
fn an_orderly_stop_leaves_a_server_that_starts_again() {
    let mut server = Server::redis().start();
    server.terminate();
    assert!(server.log().contains("bye bye"), "{}", server.log());
    server.restart();
    assert_eq!(text(server.command(&["PING"])), "PONG");
}

#[test]
fn a_frozen_server_keeps_its_connections_and_answers_later() {
    let mut server = Server::redis().start();
    let mut connection = server.connection().unwrap();
    server.freeze();
    connection.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    connection.send_packed_command(&redis::cmd("PING").get_packed_command()).unwrap();
    assert!(connection.recv_response().unwrap_err().is_timeout());
    server.thaw();
    assert_eq!(text(server.command(&["PING"])), "PONG");
}

#[test]
fn tls_listens_beside_the_plain_port() {
    for certificates in [Certificates::valid(), Certificates::expired(), Certificates::for_host("elsewhere.example")] {
        assert!(certificates.ca().starts_with("-----BEGIN CERTIFICATE-----"));
        let server = Server::redis().tls(certificates).start();
        assert!(!refuses_connections(server.tls_port()));
        assert!(server.tls_url().starts_with("rediss://127.0.0.1:"));
        assert_eq!(text(server.command(&["PING"])), "PONG");
    }
}

#[test]
#[should_panic(expected = "ended while starting; its log:")]
fn a_mistake_in_the_configuration_is_told_at_once() {
    Server::redis().config("dir /does/not/exist").start();
}

#[test]
fn a_cluster_has_all_slots_on_every_node() {
    let cluster = shared_cluster();
    assert_eq!(cluster.seeds().len(), 3);
    for node in cluster.nodes() {
        assert!(text(node.command(&["CLUSTER", "INFO"])).contains("cluster_state:ok"));
    }
}

#[test]
fn a_cluster_notices_a_dead_master() {
    let mut cluster = Cluster::valkey(3);
    cluster.nodes_mut()[2].kill9();
    eventually_blocking("the cluster is down", BOUND, || {
        let info = text(cluster.nodes()[0].command(&["CLUSTER", "INFO"]));
        info.contains("cluster_state:fail").then_some(())
    });
}

#[test]
fn a_namespace_is_never_given_twice() {
    let names: std::collections::BTreeSet<String> = (0..100).map(|_| namespace()).collect();
    assert_eq!(names.len(), 100);
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    assert!(names.iter().all(|name| name.chars().all(allowed)));
}

#[tokio::test]
async fn waiting_ends_with_the_value() {
    let mut asked = 0;
    let value = eventually("the third answer comes", BOUND, async || {
        asked += 1;
        (asked == 3).then_some("here")
    });
    assert_eq!(value.await, "here");
}

#[tokio::test]
#[should_panic(expected = "did not come true within 10ms: pigs fly")]
async fn waiting_ends_with_a_message() {
    eventually("pigs fly", Duration::from_millis(10), async || None::<()>).await;
}

#[test]
fn a_program_is_read_line_by_line_and_ends_by_signal() {
    let mut program = Program::new("/bin/sh").args(["-c", "echo one; echo two >&2; read forever </dev/zero"]).start();
    program.wait_for_line("one", BOUND);
    // The streams come in no order.
    eventually_blocking("both lines are there", BOUND, || (program.lines().len() == 2).then_some(()));
    program.signal(libc::SIGTERM);
    let status = program.wait(BOUND);
    assert!(!status.success());
    assert_eq!(program.lines().len(), 2);
}

#[test]
#[should_panic(expected = "before it ended; it printed:\n  only this")]
fn a_line_that_never_comes_shows_what_came() {
    Program::new("/bin/sh").args(["-c", "echo only this"]).start().wait_for_line("something else", BOUND);
}

#[test]
fn a_server_ends_when_its_test_process_is_killed() {
    if env::var_os(INNER).is_some() {
        let server = Server::redis().start();
        announce(&server);
        std::thread::park();
    }
    let mut process = run_again("a_server_ends_when_its_test_process_is_killed");
    let port = announced(&mut process, "port ").parse().unwrap();
    let folder = announced(&mut process, "folder ");
    assert!(!refuses_connections(port));
    process.kill9();
    eventually_blocking("the server is gone", BOUND, || refuses_connections(port).then_some(()));
    // A process that is killed cannot tidy up.
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_shared_server_and_its_folder_end_when_the_test_process_exits() {
    if env::var_os(INNER).is_some() {
        announce(shared_redis());
        return;
    }
    let mut process = run_again("a_shared_server_and_its_folder_end_when_the_test_process_exits");
    let port = announced(&mut process, "port ").parse().unwrap();
    let folder = announced(&mut process, "folder ");
    assert!(process.wait(BOUND).success());
    assert!(refuses_connections(port));
    assert!(!Path::new(&folder).exists(), "{folder} is left behind");
}

/// Runs one test of this binary in a process of its own, with [`INNER`] set.
fn run_again(test: &str) -> Running {
    let this = env::current_exe().unwrap();
    Program::new(this).args([test, "--exact", "--nocapture"]).env(INNER, "1").start()
}

fn announce(server: &Server) {
    println!("\nserver port {}\nserver folder {}", server.port(), server.folder().display());
}

fn announced(process: &mut Running, what: &str) -> String {
    let line = process.wait_for_line(&format!("server {what}"), BOUND);
    line.rsplit(' ').next().unwrap().to_owned()
}
