//! What must hold of names in keys and of answers, whatever bytes they are.

use super::fsck::answer;
use super::keys::{Keys, queues};
use super::reply;
use crate::connection::Malformed;
use crate::error::Error;
use crate::job::{JobId, MAX_NAME_BYTES, Namespace, QueueName, TaskName};

/// A name that is accepted stays inside its key; one that is not is refused in words that steer no
/// terminal.
pub(crate) fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (queue, namespace) = (QueueName::new(&text), Namespace::new(&text));
    assert_eq!(queue.is_ok(), namespace.is_ok());
    refused_safely(&TaskName::new(&text).map(|name| name.to_string()));
    refused_safely(&JobId::new(&text).map(|id| id.to_string()));
    refused_safely(&queue.as_ref().map(ToString::to_string));
    let (Ok(queue), Ok(namespace)) = (queue, namespace) else { return };
    assert_eq!(queue.as_str(), text);
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
    let keys = Keys::new(&namespace, &queue);
    for key in [keys.key("jobs"), keys.endings()] {
        assert_eq!(key.split_once('}').map(|(tag, _)| tag), Some(&*format!("{{{namespace}:{queue}")));
        assert_eq!(key.matches(['{', '}']).count(), 2, "{key}");
    }
    assert_eq!(queues(&namespace).1, format!("{{{namespace}}}:queues"));
}

fn refused_safely(name: &Result<String, impl std::borrow::Borrow<Error>>) {
    match name {
        Ok(name) => {
            assert!((1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()))
        }
        Err(error) => {
            let text = error.borrow().to_string();
            assert!(!text.contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)), "{text:?}");
        }
    }
}

/// Whatever a script answers is read, or refused in words that name the script: nothing may end a worker.
pub(crate) fn replies(data: &[u8]) {
    let Ok(answer) = redis::parse_redis_value(data) else { return };
    let told = |script: &str, read: Result<String, Malformed>| {
        if let Err(Malformed(reason)) = read {
            assert!(reason.starts_with(&format!("`{script}` answered")) && reason.len() < 300, "{script}: {reason}");
        }
    };
    let value = || answer.clone();
    told("enqueue", reply::enqueued(value(), &[2, 0, 1, 3]).map(shown));
    told("adopt", reply::claims("adopt", value()).map(shown));
    told("turn", reply::turn(value()).map(shown));
    told("heartbeat", reply::heartbeat(value()).map(shown));
    told("workers", reply::leases(value()).map(shown));
    told("condemn", reply::condemned(value()).map(shown));
    told("status", reply::status(value()).map(shown));
    told("cancel", reply::cancelled(value()).map(shown));
    told("BLPOP", reply::popped("{app:mail}:wake", value()).map(shown));
    told("INFO", reply::storage(value()).map(shown));
    told("sweep", reply::number("sweep", value()).map(shown));
    told("queues", reply::queues(value()).map(shown));
    told("watch", reply::watched(value()).map(shown));
    told("counts", reply::counts(value(), 1).map(shown));
    told("fsck/ends", answer::page("fsck/ends", value()).map(shown));
    told("fsck/list", answer::list_page(value()).map(shown));
    told("fsck/twice", answer::twice(value()).map(shown));
    told("fsck/jobs", answer::jobs_page(value()).map(shown));
    told("fsck/names", answer::names(value()).map(shown));
    told("fsck/worker", answer::worker(value()).map(shown));
    told("fsck/lost", answer::lost(value()).map(shown));
    told("fsck/count", answer::count(value()).map(shown));
    told("fsck/unmark", answer::ids("fsck/unmark", value()).map(shown));
}

fn shown(read: impl std::fmt::Debug) -> String {
    format!("{read:?}")
}
