//! Child processes that end with the test process, however it ends.

use std::collections::BTreeMap;
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use std::{fs, io, thread};

use crate::eventually_blocking;

/// How long a child may take to end after SIGKILL or a polite signal.
const END_BOUND: Duration = Duration::from_secs(20);

/// A child process: killed on drop, on exit of the test process, and, on Linux, when the test process is killed.
#[derive(Debug)]
pub(crate) struct Lifeline {
    child: Child,
}

impl Lifeline {
    /// Starts `command`. `folder` is removed when the test process exits without dropping this value.
    pub(crate) fn start(mut command: Command, folder: Option<&Path>) -> io::Result<Lifeline> {
        die_with_parent(&mut command);
        let child = spawn(command)?;
        children().insert(child.id(), folder.map(Path::to_path_buf));
        static AT_EXIT: Once = Once::new();
        AT_EXIT.call_once(|| {
            // SAFETY: `end_all` is an `extern "C"` function that lives as long as the process.
            unsafe { libc::atexit(end_all) };
        });
        Ok(Lifeline { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if the child has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child was started by this process and not yet reaped")
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid fits its own type");
        // SAFETY: kill has no memory effects; the pid is ours because the child is not reaped while `self` lives.
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0, "signal {signal} to process {pid}: {}", io::Error::last_os_error());
    }

    /// Stops the child with SIGSTOP and returns when it stands still.
    pub(crate) fn freeze(&self) {
        self.signal(libc::SIGSTOP);
        let pid = libc::pid_t::try_from(self.child.id()).expect("a pid fits its own type");
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer. WUNTRACED reports the stop and reaps nothing.
        let reported = unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED) };
        assert!(reported == pid && libc::WIFSTOPPED(status), "process {pid} did not stop, its status is {status}");
    }

    pub(crate) fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Waits until the child has ended by itself or by a signal sent before.
    pub(crate) fn wait(&mut self, what: &str, bound: Duration) -> ExitStatus {
        eventually_blocking(what, bound, || self.ended())
    }

    /// Sends `signal` and waits for the end.
    pub(crate) fn end(&mut self, signal: i32) -> ExitStatus {
        if let Some(status) = self.ended() {
            return status;
        }
        self.signal(signal);
        let pid = self.pid();
        self.wait(&format!("process {pid} ends after signal {signal}"), END_BOUND)
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        // Not `end`, because a panic while dropping would abort the test process.
        let _ = self.child.kill();
        let _ = self.child.wait();
        children().remove(&self.child.id());
    }
}

/// The children that are alive, by pid, with the folder each leaves behind.
fn children() -> MutexGuard<'static, BTreeMap<u32, Option<PathBuf>>> {
    static CHILDREN: Mutex<BTreeMap<u32, Option<PathBuf>>> = Mutex::new(BTreeMap::new());
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Statics such as the shared servers are never dropped, so the exit of the process ends them here.
extern "C" fn end_all() {
    for (pid, folder) in std::mem::take(&mut *children()) {
        let Ok(pid) = libc::pid_t::try_from(pid) else { continue };
        // SAFETY: the pid is a child that was not reaped; waitpid accepts a null status.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
        if let Some(folder) = folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Spawns from one thread that lives as long as the process: Linux sends the parent-death signal when the *thread*
/// that spawned the child ends, and a test's thread ends with the test while a shared server must go on.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::SyncSender<io::Result<Child>>);
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, reply) in inbox {
                    let _ = reply.send(command.spawn());
                }
            })
            .expect("a test process can start a thread");
        orders
    });
    let (reply, answer) = mpsc::sync_channel(1);
    orders.send((command, reply)).expect("the spawner lives as long as its sender, which is static");
    answer.recv().expect("the spawner answers every order")
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: prctl and getppid are async-signal-safe and touch no memory of ours.
        let (result, now) = unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), libc::getppid()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended between fork and prctl; then the signal never comes.
        if u32::try_from(now) != Ok(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: `prepare` only makes async-signal-safe calls and does not allocate.
    unsafe { command.pre_exec(prepare) };
}

/// Other systems have no parent-death signal: there the children end with the test process's orderly exit.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
