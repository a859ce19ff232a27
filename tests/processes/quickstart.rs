//! The quick start over a real folder gives what `find`, `wc` and `sha256sum` give.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{Program, Running, Server};

/// Some thousand files are read in each run.
const BOUND: Duration = Duration::from_secs(120);
/// The fewest files that are worth the name of a real folder.
const MANY: usize = 2_000;

/// The sources of the crates that this workspace depends on: every machine that built it has them.
fn real_folder() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.expect("cargo has a home").join("registry/src").canonicalize().expect("the crates' sources are there")
}

/// What a shell command prints.
fn shell(script: &str, folder: &Path) -> String {
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(folder).env("LC_ALL", "C.UTF-8").output();
    let output = output.expect("there is a shell");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Lines, words, bytes and files, by the system's own tools.
fn totals(folder: &Path) -> [usize; 4] {
    let sums = shell(
        r#"find "$1" -type f -exec wc {} + | awk '$4 != "total" || NF > 4 { l += $1; w += $2; b += $3; n += 1 } END { print l, w, b, n }'"#,
        folder,
    );
    let sums: Vec<usize> = sums.split_whitespace().map(|sum| sum.parse().unwrap()).collect();
    sums.try_into().unwrap()
}

fn assert_right(mut quickstart: Running, folder: &Path) {
    let status = quickstart.wait(BOUND);
    let lines = quickstart.lines();
    assert!(status.success(), "{}", lines.join("\n"));
    let [l, w, b, n] = totals(folder);
    assert!(n >= MANY, "{n} files are few");
    let total = format!("{l:>10} {w:>10} {b:>12}  in {n} files; 0 failed");
    assert!(lines.contains(&total), "{total:?} is not in:\n{}", lines.join("\n"));
    let hash = |line: &&String| line.split_whitespace().nth(3).is_some_and(|word| word.len() == 64);
    let largest: Vec<_> = lines.iter().filter(hash).collect();
    assert_eq!(largest.len(), 10);
    for line in largest {
        let mut words = line.split_whitespace().skip(3);
        let (sum, file) = (words.next().unwrap(), words.collect::<Vec<_>>().join(" "));
        assert!(shell(r#"sha256sum "$1""#, Path::new(&file)).starts_with(sum), "{line}");
    }
}

fn quickstart(arguments: &[&str]) -> Program {
    Program::example("quickstart").args(arguments)
}

#[test]
fn in_one_process() {
    let folder = real_folder();
    assert_right(quickstart(&[folder.to_str().unwrap()]).start(), &folder);
}

#[test]
fn on_redis_with_two_worker_processes() {
    let (server, folder) = (Server::redis().start(), real_folder());
    let start = |arguments: &[&str]| quickstart(arguments).env("REDIS_URL", server.url()).start();
    let workers = [start(&["--role", "worker"]), start(&["--role", "worker"])];
    assert_right(start(&["--role", "producer", folder.to_str().unwrap()]), &folder);
    for mut worker in workers {
        worker.signal(libc::SIGTERM);
        assert!(worker.wait(BOUND).success(), "{}", worker.lines().join("\n"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nothing_else_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a file"), "one two\n").unwrap();
    // A name that is no text cannot travel as an argument, and so cannot be read.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "three").unwrap();
        let (code, text) = crate::ended(quickstart(&[folder.path().to_str().unwrap()]).start());
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("1          2            8  in 1 files; 1 failed"), "{text}");
        assert!(text.contains("failed: ") && text.contains("No such file"), "{text}");
    }
    let (code, text) = crate::ended(quickstart(&["/no/such/folder"]).start());
    assert!(code != 0 && text.contains("there is no folder /no/such/folder"), "{text}");
    let (code, text) = crate::ended(quickstart(&["--role", "worker"]).start());
    assert!(code != 0 && text.contains("--role needs REDIS_URL"), "{text}");
}
