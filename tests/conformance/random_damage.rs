//! Random damage to a queue with jobs in every state: whatever was deleted or added, a repair leaves a
//! sound queue, and loses no envelope.

use std::collections::BTreeMap;

use fastrand::Rng;
use task_runtime::broker::{Finding, Flaw, Repair};

use crate::checking::in_every_state;
use crate::fixture::{Bench, seconds};
use crate::servers::Raw;

/// Queues that are damaged, each in another way.
const ROUNDS: u64 = 12;
/// Most deletions and additions of one round.
const MOST: usize = 8;
/// Ids that are added where they do not belong.
const IDS: [&str; 10] = ["few", "buried", "done", "kept", "dead", "parked", "later", "running", "ready", "stranger"];

pub(crate) async fn whatever_is_damaged_a_repair_leaves_a_sound_queue_and_every_envelope(at: Bench) {
    let start = fastrand::u64(..1 << 32);
    for seed in start..start + ROUNDS {
        at.raw().clear();
        in_every_state(&at).await;
        let mut rng = Rng::with_seed(seed);
        let damages: Vec<String> = (0..rng.usize(1..=MOST)).filter_map(|_| damage(at.raw(), &mut rng)).collect();
        let what = format!("seed {seed}, {damages:?}");
        let before = envelopes(at.raw());

        let report = at.broker.fsck(&at.queue, Repair::Yes).await.unwrap();
        let after = at.broker.fsck(&at.queue, Repair::No).await.unwrap();
        // What runs without its envelope is left to its worker.
        let left_to_workers = |one: &&Finding| one.flaw == Flaw::Dangling && one.place.starts_with("running:");
        let (left, wrong): (Vec<_>, Vec<_>) = after.findings.iter().partition(left_to_workers);
        assert!(wrong.is_empty(), "{what}: {wrong:#?} after {report:#?}");
        if left.is_empty() {
            let fault = at.raw().view().fault();
            assert!(fault.is_none(), "{what}: {fault:?} after {report:#?}");
        }
        let jobs = at.raw().jobs();
        for (id, envelope) in before {
            let now = jobs.get(&id);
            let stays = now == Some(&envelope) || now.is_some_and(|value| value.contains("cancelled"));
            assert!(stays, "{what}: {id} is {now:?} after {report:#?}");
        }
        at.clock.advance(seconds(1));
    }
}

/// Deletes a key or a part of it, or adds an id to it; says what it did.
fn damage(raw: &Raw, rng: &mut Rng) -> Option<String> {
    let keys = raw.keys();
    let key = keys[rng.usize(..keys.len())].clone();
    let id = IDS[rng.usize(..IDS.len())];
    let kind: String = raw.get("TYPE", &key, &[]);
    let adds = rng.bool();
    let (command, rest): (&str, Vec<&str>) = match (&*kind, adds) {
        _ if rng.u8(..3) == 0 => ("DEL", vec![]),
        ("hash", false) => {
            let field: Option<String> = raw.get("HRANDFIELD", &key, &[]);
            raw.on("HDEL", &key, &[&field?]);
            return Some(format!("HDEL {key}"));
        }
        ("hash", true) if key == "state" => ("HSET", vec![id, "{}"]),
        ("hash", true) if key == "marks" => ("HSET", vec![id, "cancelled"]),
        ("set", false) => ("SPOP", vec![]),
        // A cancel that was asked of what waits is carried out when it is claimed.
        ("set", true) if key != "asked" => ("SADD", vec![id]),
        ("zset", false) => ("ZPOPMIN", vec![]),
        ("zset", true) if key == "scheduled" || key == "dead" => ("ZADD", vec!["17000000000000", id]),
        ("list", false) => ("LPOP", vec![]),
        ("list", true) if key.starts_with("ready:") || key == "few" || key == "alone" => ("RPUSH", vec![id]),
        _ => return None,
    };
    raw.on(command, &key, &rest);
    Some(format!("{command} {key} {rest:?}"))
}

/// What is to be kept: every envelope that was not deleted.
fn envelopes(raw: &Raw) -> BTreeMap<String, String> {
    raw.jobs().into_iter().filter(|(_, job)| !job.starts_with('=')).collect()
}
