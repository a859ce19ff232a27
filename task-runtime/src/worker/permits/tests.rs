//! Which lane may claim how many jobs, without a broker.

use super::*;

fn permits(total: usize, sharing: Sharing, weights: &[u32]) -> Arc<Permits> {
    let lanes = (0..weights.len()).map(|queue| Seat::leads(queue, Inbox::new())).collect();
    Permits::new(total, sharing, false, weights, lanes)
}

/// One queue, and the lane that helps it.
fn with_help(total: usize) -> Arc<Permits> {
    let lanes = vec![Seat::leads(0, Inbox::new()), Seat::helps(0, Inbox::new())];
    Permits::new(total, Sharing::Strict, false, &[1], lanes)
}

fn take(permits: &Arc<Permits>, lane: usize, most: usize) -> Vec<Permit> {
    let mut reserved = permits.none(lane);
    permits.reserve(lane, &mut reserved, most);
    reserved.take(vec![false; reserved.count()].into_iter()).into_iter().flatten().collect()
}

#[test]
fn in_strict_order_a_queue_waits_while_one_before_it_is_hungry() {
    let permits = permits(4, Sharing::Strict, &[1, 1]);
    assert!(!permits.has_room(1));
    assert_eq!(take(&permits, 0, 3).len(), 3);
    permits.set_hungry(0, false);
    assert_eq!(take(&permits, 1, 9).len(), 4);
}

#[test]
fn hungry_queues_share_by_weight_and_a_lone_one_takes_all() {
    let permits = permits(8, Sharing::Weighted, &[3, 1]);
    let first = take(&permits, 0, 128);
    let second = take(&permits, 1, 128);
    assert_eq!((first.len(), second.len()), (6, 2));
    drop((first, second));
    permits.set_hungry(0, false);
    assert_eq!(take(&permits, 1, 128).len(), 8);
}

#[test]
fn with_one_permit_the_weights_hold_over_time() {
    let permits = permits(1, Sharing::Weighted, &[3, 1]);
    let mut runs = [0, 0];
    for _ in 0..400 {
        let lane = usize::from(!permits.has_room(0));
        runs[lane] += take(&permits, lane, 1).len();
    }
    assert!((298..=302).contains(&runs[0]) && runs[0] + runs[1] == 400, "{runs:?}");
}

#[test]
fn a_queue_that_found_no_room_looks_again_when_there_is_some() {
    use futures_util::FutureExt as _;

    let inboxes = [Inbox::new(), Inbox::new()];
    let lanes = inboxes.iter().enumerate().map(|(at, inbox)| Seat::leads(at, Arc::clone(inbox))).collect();
    let permits = Permits::new(1, Sharing::Strict, false, &[1, 1], lanes);
    let running = take(&permits, 0, 1);
    permits.set_hungry(0, false);
    permits.set_hungry(1, false);
    let _ = inboxes[1].rung().now_or_never();
    drop(running);
    assert!(inboxes[1].rung().now_or_never().is_some());
}

#[test]
fn an_exclusive_job_waits_for_an_empty_worker_and_keeps_it_empty() {
    let permits = permits(4, Sharing::Strict, &[1, 1]);
    let running = take(&permits, 0, 1);
    permits.ask_exclusive(1);
    assert!(!permits.has_room(0) && !permits.has_room(1));
    drop(running);
    assert!(!permits.has_room(0));
    let alone = take(&permits, 1, 4);
    assert_eq!(alone.len(), 1);
    assert!(!permits.has_room(0) && !permits.has_room(1));
    drop(alone);
    assert!(permits.has_room(0));
}

#[test]
fn all_lanes_are_idle_only_when_each_looked_after_the_last_end() {
    let permits = permits(2, Sharing::Weighted, &[1, 1]);
    let running = take(&permits, 0, 1);
    let before = permits.moves();
    assert!(!permits.found_nothing(1, before, 0));
    drop(running);
    let after = permits.moves();
    assert!(!permits.found_nothing(0, after, 0));
    assert!(permits.found_nothing(1, after, 0));
}

#[test]
fn who_helps_takes_no_crumbs_and_makes_no_other_queue_wait() {
    let lanes = vec![Seat::leads(0, Inbox::new()), Seat::leads(1, Inbox::new()), Seat::helps(0, Inbox::new())];
    let permits = Permits::new(2 * HELP_FROM, Sharing::Strict, false, &[1, 1], lanes);
    let running = take(&permits, 0, HELP_FROM + 1);
    assert!(!permits.has_room(2));
    drop(running);
    permits.set_hungry(2, true);
    assert_eq!(take(&permits, 2, HELP_FROM).len(), HELP_FROM);
    permits.set_hungry(0, false);
    assert!(permits.has_room(1));
}

#[test]
fn help_that_has_no_room_to_begin_leaves_its_queue_all_there_is() {
    let permits = with_help(2 * HELP_FROM + 10);
    let running = take(&permits, 0, HELP_FROM + 11);
    permits.set_hungry(1, true);
    assert!(!permits.has_room(1));
    assert_eq!(take(&permits, 0, MAX_TURN).len(), HELP_FROM - 1);
    drop(running);
}

#[test]
fn a_turn_that_help_makes_anyway_claims_what_is_left_of_its_half() {
    let permits = with_help(2 * HELP_FROM + 10);
    permits.set_hungry(1, true);
    let _running = take(&permits, 1, HELP_FROM);
    assert!(!permits.has_room(1));
    assert_eq!(take(&permits, 1, MAX_TURN).len(), 5);
    permits.set_hungry(1, false);
    assert_eq!(take(&permits, 1, MAX_TURN).len(), 0);
}

#[test]
fn the_exclusive_one_is_known_beside_what_was_reserved_and_not_used() {
    let permits = permits(6, Sharing::Strict, &[1, 1]);
    let mut reserved = permits.none(1);
    permits.set_hungry(0, false);
    permits.reserve(1, &mut reserved, 5);
    permits.ask_exclusive(1);
    assert!(permits.is_exclusive(1, &reserved));
    let alone = reserved.take([true].into_iter());
    drop(reserved);
    permits.withdraw_exclusive(1);
    assert!(!permits.has_room(0) && !permits.has_room(1));
    drop(alone);
    assert!(permits.has_room(0));
}

#[test]
fn jobs_that_were_claimed_before_do_not_pass_for_the_exclusive_one() {
    let permits = permits(4, Sharing::Strict, &[1, 1]);
    let mut claimed_before = permits.none(0);
    permits.reserve(0, &mut claimed_before, 2);
    permits.ask_exclusive(0);
    let running = claimed_before.take([false, false].into_iter());
    drop(running);
    let alone = take(&permits, 0, 4);
    assert_eq!(alone.len(), 1);
    assert!(!permits.has_room(0) && !permits.has_room(1));
}

#[test]
fn of_jobs_that_were_on_board_of_a_crash_no_more_get_a_permit_than_may_run() {
    let permits = permits(9, Sharing::Strict, &[1]);
    let mut reserved = permits.none(0);
    permits.reserve(0, &mut reserved, 9);
    let given = reserved.take([true, true, false, true, true, false].into_iter());
    assert_eq!(given.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, true, false, true]);
    assert_eq!((permits.few_room(), reserved.count()), (0, 4));
    drop(given);
    assert_eq!(permits.few_room(), 3);
}
