//! `fsck`: whether the stored jobs are as they must be.

use serde_json::json;

use crate::broker::{Finding, Flaw, Repair, Report};
use crate::client::Client;
use crate::error::Error;
use crate::job::QueueName;

use super::Exit;
use super::args::{FsckOptions, TargetOptions};
use super::output::{print, table};

const HEAD: [&str; 5] = ["HOW MANY", "REPAIRED", "WHERE", "WHAT IS WRONG", "FOR EXAMPLE"];
const NUMBERS: [usize; 2] = [0, 1];
/// Examples that are shown to people.
const EXAMPLES: usize = 3;
/// Most queues that are told to whoever named one that was never used.
const MAX_TOLD: usize = 20;

/// What became of the check of one queue.
enum Outcome {
    Checked(Report),
    /// It is not in the list of queues, and has no keys.
    NotUsed,
    Failed(Error),
}

pub(super) async fn run(target: TargetOptions, options: &FsckOptions) -> Result<(), Exit> {
    let named = options.queues.iter().map(QueueName::new).collect::<Result<Vec<_>, _>>()?;
    let client = target.connect("`fsck`").await?;
    let repair = if options.repair { Repair::Yes } else { Repair::No };
    let used = match client.queues().await {
        Ok(used) => used,
        Err(error @ Error::WrongKind { .. }) if named.is_empty() => return without_list(&error, options.json),
        // It is a finding of each queue that is named.
        Err(Error::WrongKind { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut all = Vec::new();
    for queue in if named.is_empty() { &used } else { &named } {
        let outcome = check(&client, queue, repair, used.contains(queue)).await;
        if !options.json {
            print(&text(queue, &outcome))?;
        }
        let away = matches!(outcome, Outcome::Failed(Error::Unavailable { .. }));
        all.push((queue, outcome));
        if away {
            break;
        }
    }
    if options.json {
        let all: Vec<_> = all.iter().map(|(queue, outcome)| as_json(Some(queue), outcome)).collect();
        print(&format!("{:#}", json!(all)))?;
    } else if all.is_empty() {
        print("no queue has been used yet; name the queue if its list was lost")?;
    }
    match verdict(&all, &used, options.repair) {
        None => Ok(()),
        Some(exit) => Err(exit),
    }
}

async fn check(client: &Client, queue: &QueueName, repair: Repair, listed: bool) -> Outcome {
    match client.fsck(queue, repair).await {
        Ok(report) if !listed && report == Report::default() => Outcome::NotUsed,
        Ok(report) => Outcome::Checked(report),
        Err(error) => Outcome::Failed(error),
    }
}

/// Nobody knows which queues there are: something else is in the place of their list.
fn without_list(error: &Error, json: bool) -> Result<(), Exit> {
    if json {
        let finding = Finding {
            flaw: Flaw::WrongType,
            place: "queues".into(),
            count: 1,
            repaired: 0,
            examples: vec!["queues is not a set".into()],
        };
        let report = Report { findings: vec![finding], ..Report::default() };
        print(&format!("{:#}", json!([as_json(None, &Outcome::Checked(report))])))?;
    }
    Err(Exit::new(
        Exit::FINDINGS,
        format!("the list of queues is not there: {error}; name the queues, and they are checked all the same"),
    ))
}

/// How it ends when not all is well: what failed counts before what is wrong, and that before a name that
/// nobody has used.
fn verdict(all: &[(&QueueName, Outcome)], used: &[QueueName], repaired: bool) -> Option<Exit> {
    let (mut wrong, mut undecided, mut not_used) = (0, 0, None);
    for (queue, outcome) in all {
        match outcome {
            Outcome::Failed(error) => {
                return Some(Exit::new(Exit::code_of(error), format!("{queue} was not checked: {}", fault(error))));
            }
            Outcome::NotUsed => not_used = not_used.or(Some(queue)),
            Outcome::Checked(report) if report.is_sound() => {}
            Outcome::Checked(report) if report.is_repaired() => undecided += 1,
            Outcome::Checked(_) => wrong += 1,
        }
    }
    if wrong + undecided > 0 {
        return Some(Exit::new(Exit::FINDINGS, advice(wrong, undecided, repaired)));
    }
    not_used.map(|queue| {
        let there: Vec<_> = used.iter().take(MAX_TOLD).map(QueueName::as_str).collect();
        let there = if there.is_empty() { "none was".to_owned() } else { format!("used were {}", there.join(", ")) };
        Exit::new(Exit::NOT_FOUND, format!("no queue `{queue}` was used in this namespace; {there}"))
    })
}

fn advice(wrong: usize, undecided: usize, repaired: bool) -> String {
    let queues = |count: usize| if count == 1 { "1 queue".to_owned() } else { format!("{count} queues") };
    match (wrong, repaired) {
        (0, _) => format!("not all was decided in {}; run it again, best when it is quieter", queues(undecided)),
        (_, false) => format!("something is wrong in {}; `fsck --repair` puts right what loses no job", queues(wrong)),
        (_, true) => format!(
            "something is still wrong in {}: it belongs to running jobs, which settle it, or to others",
            queues(wrong)
        ),
    }
}

/// A check changes nothing that can be asked for again by its id.
fn fault(error: &Error) -> String {
    match error {
        Error::Indeterminate { reason } => format!("the answer is not known: {reason}; run it again"),
        error => error.to_string(),
    }
}

/// One line for a queue that is sound, a table for one that is not.
fn text(queue: &QueueName, outcome: &Outcome) -> String {
    let report = match outcome {
        Outcome::Checked(report) => report,
        Outcome::NotUsed => return format!("{queue}: NOT USED (not in the list of queues, and without keys)"),
        Outcome::Failed(error) => return format!("{queue}: NOT CHECKED ({})", fault(error)),
    };
    let looked_at = format!("{} jobs and {} ends", report.jobs, report.ended);
    let verdict = match (report.is_sound(), report.is_repaired()) {
        (true, _) if report.findings.is_empty() => "sound",
        (true, _) => "repaired",
        (false, true) => "NOT DECIDED",
        (false, false) => "NOT SOUND",
    };
    let mut text = format!("{queue}: {verdict} ({looked_at})");
    if !report.findings.is_empty() {
        let rows: Vec<_> = report.findings.iter().map(row).collect();
        for line in table(&HEAD, &rows, &NUMBERS).lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    for undecided in &report.undecided {
        text.push_str("\n  not decided, run it again: ");
        text.push_str(undecided);
    }
    text
}

fn row(finding: &Finding) -> Vec<String> {
    let mut examples = finding.examples.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
    if finding.count > EXAMPLES as u64 {
        examples.push_str(", …");
    }
    let (count, repaired) = (finding.count.to_string(), finding.repaired.to_string());
    vec![count, repaired, finding.place.clone(), finding.flaw.to_string(), examples]
}

fn as_json(queue: Option<&QueueName>, outcome: &Outcome) -> serde_json::Value {
    let nothing = Report::default();
    let report = if let Outcome::Checked(report) = outcome { report } else { &nothing };
    let mut json = json!({
        "queue": queue.map(QueueName::as_str),
        "used": !matches!(outcome, Outcome::NotUsed),
        "sound": matches!(outcome, Outcome::Checked(report) if report.is_sound()),
        "jobs": report.jobs,
        "ended": report.ended,
        "findings": report.findings,
        "undecided": report.undecided,
    });
    if let Outcome::Failed(error) = outcome {
        json["error"] = fault(error).into();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    #[test]
    fn findings_are_told_in_words_with_a_few_examples() {
        let finding = Finding {
            flaw: Flaw::Lost,
            place: "jobs".into(),
            count: 4,
            repaired: 1,
            examples: ["a", "b\x1b[31m", "c", "d"].map(String::from).to_vec(),
        };
        let report = Report { jobs: 9, findings: vec![finding], undecided: vec!["this".into()], ..Report::default() };
        let text = text(&mail(), &Outcome::Checked(report));
        for part in ["mail: NOT SOUND (9 jobs", "HOW MANY", "would never run", "a, b\u{fffd}[31m, c, …", "not decided"]
        {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }

    #[test]
    fn what_is_not_decided_is_told_with_what_to_do() {
        let outcome = Outcome::Checked(Report { undecided: vec!["whether this".into()], ..Report::default() });
        assert!(
            text(&mail(), &outcome).starts_with("mail: NOT DECIDED (0 jobs and 0 ends)\n  not decided, run it again")
        );
        let exit = verdict(&[(&mail(), outcome)], &[mail()], true).unwrap();
        assert_eq!(exit.code, Exit::FINDINGS);
        assert!(exit.message.contains("not all was decided in 1 queue; run it again"), "{}", exit.message);
    }

    #[test]
    fn a_check_that_failed_counts_before_what_others_found() {
        let undecided = Outcome::Checked(Report { undecided: vec!["whether this".into()], ..Report::default() });
        let failed = Outcome::Failed(Error::Indeterminate { reason: "cut".into() });
        let exit = verdict(&[(&mail(), undecided), (&mail(), failed)], &[], false).unwrap();
        assert_eq!(
            (exit.code, &*exit.message),
            (1, "mail was not checked: the answer is not known: cut; run it again")
        );
    }
}
