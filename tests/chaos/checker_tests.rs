//! The checker sees each kind of violation in a history made by hand, and nothing in one that is right.

use support::View;
use task_runtime::JobId;

use crate::checker::{Checker, Violation};
use crate::history::History;
use crate::journal::{Act, Answer, How, Line, Order, What};
use crate::stock::{Fate, Stock};

/// When the stock is taken.
const NOW_US: u64 = 100_000_000;

/// The history of one job, `j`, line by line.
struct Story {
    lines: Vec<Line>,
    order: Order,
    fate: Fate,
}

impl Story {
    fn of(act: Act) -> Story {
        let order = Order {
            queue: "rough".into(),
            act,
            value: true,
            priority: 5,
            delay_ms: 0,
            max_attempts: 3,
            max_crashes: 3,
            pause_ms: 100,
            keep_s: None,
        };
        Story { lines: Vec::new(), order, fate: Fate::Gone }
    }

    /// One that works, and was acknowledged.
    fn enqueued() -> Story {
        Story::of(Act::Works { millis: 1 }).called(1_000, Some(Answer::Ok))
    }

    fn line(mut self, at_us: u64, who: &str, what: What) -> Story {
        self.lines.push(Line { at_us, who: who.into(), what });
        self
    }

    fn called(self, at_us: u64, answer: Option<Answer>) -> Story {
        let order = self.order.clone();
        let story = self.line(at_us, "p0.1", What::Call { id: "j".into(), order });
        match answer {
            Some(answer) => story.line(at_us + 1, "p0.1", What::Told { id: "j".into(), answer }),
            None => story,
        }
    }

    fn run(self, who: &str, attempt: u32, token: u64, (start_us, end_us): (u64, u64), how: How) -> Story {
        self.begun(who, attempt, token, start_us).line(end_us, who, What::End { id: "j".into(), token, how })
    }

    fn begun(self, who: &str, attempt: u32, token: u64, at_us: u64) -> Story {
        self.line(at_us, who, What::Start { id: "j".into(), attempt, token })
    }

    fn gone(self, at_us: u64, process: &str) -> Story {
        self.line(at_us, "chaos", What::Gone { process: process.into(), why: "killed".into() })
    }

    fn frozen(self, from_us: u64, until_us: u64, of: &str) -> Story {
        let fault = |begins| What::Fault { of: of.into(), fault: "stands still".into(), begins };
        self.line(from_us, "chaos", fault(true)).line(until_us, "chaos", fault(false))
    }

    fn told(self, answer: &str) -> Story {
        let cancel = |answer| What::Cancel { id: "j".into(), answer };
        self.line(2_000, "p0.1", cancel(None)).line(2_001, "p0.1", cancel(Some(answer.into())))
    }

    fn completed(self, attempts: u32, token: u64) -> Story {
        self.fate(Fate::Completed { attempts, token: Some(token) })
    }

    fn dead(self, attempts: u32, error: &str) -> Story {
        self.fate(Fate::Dead { attempts, crashes: 0, error: error.into() })
    }

    fn fate(mut self, fate: Fate) -> Story {
        self.fate = fate;
        self
    }

    fn violations(self) -> Vec<Violation> {
        let mut stock = Stock::default();
        if self.fate != Fate::Gone {
            stock.fates.insert("j".into(), self.fate);
        }
        let history = History::of(self.lines);
        Checker { history: &history, stock: &stock, now_us: NOW_US }.violations()
    }

    #[track_caller]
    fn holds(self) {
        assert_eq!(self.violations(), []);
    }

    #[track_caller]
    fn breaks(self, rule: &str) {
        let violations = self.violations();
        let rules: Vec<&str> = violations.iter().map(|violation| violation.rule).collect();
        assert!(rules.contains(&rule), "`{rule}` is not among {violations:#?}");
    }

    #[track_caller]
    fn keeps(self, rule: &str) {
        let violations = self.violations();
        assert!(violations.iter().all(|violation| violation.rule != rule), "{violations:#?}");
    }
}

#[test]
fn an_ordinary_life_holds() {
    Story::enqueued().run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7).holds();
    Story::enqueued().told("Cancelled").fate(Fate::Cancelled).holds();
}

#[test]
fn an_acknowledged_job_that_is_gone_is_lost() {
    Story::enqueued().breaks("lost");
    Story::enqueued().run("w0.1", 1, 7, (2_000, 3_000), How::Done).breaks("lost");
    // One that ran is lost whatever its caller was told.
    let doubtful = |story: Story| story.called(1_000, Some(Answer::Unknown { error: "no answer".into() }));
    doubtful(Story::of(Act::Aborts)).begun("w0.1", 1, 7, 2_000).gone(2_001, "w0.1").breaks("lost");
}

#[test]
fn an_end_may_be_forgotten_when_its_time_is_over() {
    let mut story = Story::of(Act::Works { millis: 1 });
    story.order.keep_s = Some(0);
    story.called(1_000, Some(Answer::Ok)).run("w0.1", 1, 7, (2_000, 3_000), How::Done).holds();
    let mut soon = Story::of(Act::Works { millis: 1 });
    soon.order.keep_s = Some(0);
    let at_us = NOW_US - 50_000_000;
    soon.called(at_us, Some(Answer::Ok)).run("w0.1", 1, 7, (at_us + 10, at_us + 20), How::Done).breaks("lost");
}

#[test]
fn what_nobody_was_told_of_is_neither_lost_nor_doubled() {
    let unknown = Answer::Unknown { error: "no answer".into() };
    let doubtful = || Story::of(Act::Works { millis: 1 }).called(1_000, Some(unknown.clone()));
    doubtful().holds();
    doubtful().run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7).holds();
    // A producer that was killed was told nothing.
    Story::of(Act::Works { millis: 1 }).called(1_000, None).holds();
    doubtful().called(1_500, Some(Answer::Ok)).breaks("lost");
}

#[test]
fn a_job_that_has_not_ended_is_stuck() {
    Story::enqueued().fate(Fate::Held).breaks("stuck");
}

#[test]
fn a_refused_job_is_not_there() {
    let refused = || {
        let answer = Answer::Rejected { error: "no".into() };
        Story::of(Act::Works { millis: 1 }).called(1_000, Some(answer))
    };
    refused().holds();
    refused().run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7).breaks("refused");
    refused().called(1_500, None).run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7).holds();
}

#[test]
fn a_job_that_nobody_enqueued_is_unknown() {
    Story::of(Act::Aborts).run("w0.1", 1, 7, (2_000, 3_000), How::Done).breaks("unknown");
    Story::of(Act::Aborts).completed(1, 7).breaks("unknown");
    Story::enqueued().run("w0.1", 1, 7, (500, 3_000), How::Done).completed(1, 7).breaks("unknown");
}

#[test]
fn tokens_are_unique_and_increase() {
    let again = |first: u64, second: u64| {
        let story = Story::enqueued().begun("w0.1", 1, first, 2_000).gone(3_000, "w0.1");
        story.run("w1.1", 1, second, (4_000, 5_000), How::Done).completed(1, second.max(first))
    };
    again(7, 8).holds();
    again(7, 7).breaks("token");
    again(8, 7).breaks("second end");
    // In one process, and between two of which nothing disturbed the one that is late.
    let late = |who: &str| {
        let story = Story::enqueued().run(who, 1, 7, (4_000, 4_500), How::Dropped);
        story.run("w1.1", 1, 8, (3_000, 5_000), How::Done).completed(1, 8)
    };
    late("w1.1").breaks("token");
    late("w0.1").breaks("token");
    late("w0.1").frozen(1_500, 3_500, "w0").holds();
}

#[test]
fn only_the_last_claim_ends_a_job() {
    let twice = || {
        let story = Story::enqueued().frozen(2_100, 4_000, "w0").run("w0.1", 1, 7, (2_000, 4_500), How::Done);
        story.run("w1.1", 1, 8, (3_000, 5_000), How::Done)
    };
    twice().completed(1, 8).holds();
    twice().completed(1, 7).breaks("second end");
    Story::enqueued().completed(1, 7).breaks("second end");
    let never_done = Story::enqueued().run("w0.1", 1, 7, (2_000, 4_500), How::Failed);
    never_done.completed(1, 7).breaks("second end");
    let told = Story::enqueued().run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7);
    told.line(4_000, "p0.1", What::Value { id: "j".into(), token: Some(6) }).breaks("second end");
}

#[test]
fn attempts_follow_each_other_up_to_their_limit() {
    let fails = |times: u32| Story::of(Act::Fails { times }).called(1_000, Some(Answer::Ok));
    let once = || fails(1).run("w0.1", 1, 7, (2_000, 3_000), How::Failed);
    once().run("w0.1", 2, 8, (200_000, 300_000), How::Done).completed(2, 8).holds();
    once().run("w0.1", 3, 8, (200_000, 300_000), How::Done).completed(3, 8).breaks("attempts");
    fails(1).run("w0.1", 1, 7, (2_000, 3_000), How::Done).completed(1, 7).breaks("attempts");
    let backwards = once().run("w0.1", 2, 8, (200_000, 300_000), How::Done);
    backwards.run("w0.1", 1, 9, (400_000, 500_000), How::Done).completed(1, 9).breaks("attempts");
    let three = || {
        let story = fails(5).run("w0.1", 1, 7, (2_000, 3_000), How::Failed);
        let story = story.run("w0.1", 2, 8, (200_000, 300_000), How::Failed);
        story.run("w0.1", 3, 9, (500_000, 600_000), How::Failed)
    };
    three().dead(3, "fails on purpose").holds();
    three().dead(4, "fails on purpose").breaks("attempts");
    three().run("w0.1", 4, 10, (900_000, 950_000), How::Failed).dead(4, "fails on purpose").breaks("attempts");
    // Who fails less often than that is not to die.
    once().dead(1, "fails on purpose").breaks("attempts");
    Story::enqueued().dead(1, "crashed its worker: 3 workers vanished").breaks("attempts");
}

#[test]
fn a_job_that_ends_its_process_is_dead_after_so_many_and_says_why() {
    let crashed = |times: u64| {
        let mut story = Story::of(Act::Aborts).called(1_000, Some(Answer::Ok));
        for at in 0..times {
            let (who, at_us) = (format!("w0.{}", at + 1), 2_000 + 1_000 * at);
            story = story.begun(&who, 1, at + 7, at_us).gone(at_us + 10, &who);
        }
        story
    };
    crashed(3).dead(0, "crashed its worker: 3 workers vanished while it ran").holds();
    crashed(4).dead(0, "crashed its worker: 4 workers vanished while it ran").breaks("crashes");
    crashed(3).dead(0, "another reason").breaks("crashes");
    crashed(3).breaks("crashes");
}

#[test]
fn nothing_begins_before_it_is_due() {
    let delayed = |start_us: u64| {
        let mut story = Story::of(Act::Works { millis: 1 });
        story.order.delay_ms = 50;
        let story = story.called(1_000, Some(Answer::Ok));
        story.run("w0.1", 1, 7, (start_us, start_us + 10), How::Done).completed(1, 7)
    };
    delayed(51_000).holds();
    delayed(40_000).breaks("due");
    let retried = |start_us: u64| {
        let story = Story::of(Act::Panics { times: 1 }).called(1_000, Some(Answer::Ok));
        let story = story.run("w0.1", 1, 7, (2_000, 3_000), How::Panicked);
        story.run("w0.1", 2, 8, (start_us, start_us + 10), How::Done).completed(2, 8)
    };
    retried(103_000).holds();
    retried(90_000).breaks("due");
}

#[test]
fn an_acknowledged_cancel_is_kept_and_nothing_else_cancels() {
    let ran =
        |answer: &str| Story::enqueued().told(answer).run("w0.1", 1, 7, (3_000, 4_000), How::Done).completed(1, 7);
    ran("Asked").holds();
    ran("Cancelled").breaks("cancel");
    Story::enqueued().fate(Fate::Cancelled).breaks("cancel");
}

#[test]
fn an_attempt_begins_again_for_a_reason_only() {
    let again = |story: Story, how: How| {
        let story = story.run("w0.1", 1, 7, (2_000, 3_000), how);
        story.run("w1.1", 1, 8, (4_000, 5_000), How::Done).completed(1, 8)
    };
    again(Story::enqueued(), How::Dropped).holds();
    again(Story::enqueued().gone(3_500, "w0.1"), How::Done).holds();
    again(Story::enqueued().frozen(2_500, 3_500, "w0"), How::Done).holds();
    again(Story::enqueued().frozen(2_500, 3_500, "w1"), How::Done).breaks("again");
    again(Story::enqueued().frozen(2_500, 3_500, "server"), How::Done).breaks("again");
    again(Story::enqueued(), How::Done).breaks("again");
}

#[test]
fn no_process_runs_more_jobs_at_a_time_than_it_has_places() {
    let beside = |who: &str, number: u64, at_us: u64, story: Story| {
        story.line(at_us, who, What::Start { id: format!("beside {number}"), attempt: 1, token: number })
    };
    // `w3` has one.
    for how in [How::Done, How::Dropped, How::Panicked] {
        let ended = || Story::enqueued().run("w3.1", 1, 7, (2_000, 3_000), how);
        beside("w3.1", 1, 3_000, ended()).keeps("places");
        beside("w3.1", 1, 2_999, ended()).breaks("places");
        beside("w3.2", 1, 2_999, ended()).keeps("places");
    }
    beside("w3.1", 1, 9_000, Story::enqueued().begun("w3.1", 1, 7, 2_000)).breaks("places");
    // `w2` has four.
    let many = |most: u64| (1..=most).fold(Story::enqueued(), |story, number| beside("w2.1", number, 2_000, story));
    many(4).keeps("places");
    many(5).breaks("places");
}

#[test]
fn an_outage_after_which_jobs_wait_is_seen() {
    let run = |start_us: u64| Story::enqueued().run("w0.1", 1, 7, (start_us, start_us + 1_000), How::Done);
    let (over, late) = (20_000_000, 30_000_000);
    run(late + 1).frozen(10_000_000, over, "server").breaks("resumption");
    run(late).frozen(10_000_000, over, "server").keeps("resumption");
    // Another one begins before it had to be consumed again.
    let twice = run(late + 1).frozen(10_000_000, over, "server").frozen(late - 1, late, "server");
    twice.keeps("resumption");
    // Of a worker.
    run(late + 1).frozen(10_000_000, over, "w0").keeps("resumption");
}

#[test]
fn a_story_is_told_with_what_befell_its_processes() {
    let story = Story::enqueued().run("w0.1", 1, 7, (2_000, 3_000), How::Done).gone(2_500, "w0.1").gone(2_600, "w1.1");
    let told = History::of(story.lines).tell("j");
    assert!(told.contains("Start") && told.contains("process: \"w0.1\"") && !told.contains("w1.1"), "{told}");
}

#[test]
fn what_is_left_on_the_server_is_seen() {
    let faults = |change: fn(&mut View, JobId)| {
        let (mut view, mut stock) = (View::default(), Stock::default());
        change(&mut view, JobId::new("j").expect("the id is valid"));
        stock.add("mail", &view);
        stock.faults
    };
    assert!(faults(|_, _| {}).is_empty());
    // Ended twice: the index says so more often than it counts.
    let twice = faults(|view, id| {
        view.finished.insert(id.clone(), "{}".into());
        view.done.insert(id, 1);
        view.meta.insert("done".into(), "2 1".into());
    });
    assert!(twice.concat().contains("the number in `done` is wrong"), "{twice:?}");
    for change in [
        |view: &mut View, id| _ = view.marks.insert(id, "cancelled".into()),
        |view: &mut View, id| _ = view.asked.insert(id),
        |view: &mut View, _| _ = view.workers.insert("somebody".into(), 0),
        |view: &mut View, id| _ = view.states.insert(id, "{}".into()),
        |view: &mut View, id| _ = view.jobs.insert(id, "an envelope that no list holds".into()),
    ] {
        assert!(!faults(change).is_empty());
    }
}
