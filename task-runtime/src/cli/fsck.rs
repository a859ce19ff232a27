//! `fsck`: whether the stored jobs are as they must be.

use serde_json::json;

use crate::broker::{Finding, Repair, Report};
use crate::job::QueueName;

use super::Exit;
use super::args::{FsckOptions, TargetOptions};
use super::output::{print, table};

const HEAD: [&str; 5] = ["HOW MANY", "REPAIRED", "WHERE", "WHAT IS WRONG", "FOR EXAMPLE"];
const NUMBERS: [usize; 2] = [0, 1];
/// Examples that are shown to people.
const EXAMPLES: usize = 3;

pub(super) async fn run(target: TargetOptions, options: &FsckOptions) -> Result<(), Exit> {
    let named = options.queues.iter().map(QueueName::new).collect::<Result<Vec<_>, _>>()?;
    let client = target.connect("`fsck`").await?;
    let queues = if named.is_empty() { client.queues().await? } else { named };
    let repair = if options.repair { Repair::Yes } else { Repair::No };
    let mut reports = Vec::new();
    for queue in queues {
        let report = client.fsck(&queue, repair).await?;
        if !options.json {
            print(&text(&queue, &report))?;
        }
        reports.push((queue, report));
    }
    if options.json {
        let reports: Vec<_> = reports.iter().map(|(queue, report)| as_json(queue, report)).collect();
        print(&format!("{:#}", json!(reports)))?;
    } else if reports.is_empty() {
        print("no queue has been used yet; name the queue if its list was lost")?;
    }
    match reports.iter().filter(|(_, report)| !report.is_sound()).count() {
        0 => Ok(()),
        unsound => Err(Exit::new(Exit::FINDINGS, advice(unsound, options.repair))),
    }
}

fn advice(unsound: usize, repaired: bool) -> String {
    let queues = if unsound == 1 { "1 queue".to_owned() } else { format!("{unsound} queues") };
    match repaired {
        false => format!("something is wrong in {queues}; `fsck --repair` puts right what loses no job"),
        true => {
            format!("something is still wrong in {queues}: it belongs to running jobs, which settle it, or to others")
        }
    }
}

/// One line for a queue that is sound, a table for one that is not.
fn text(queue: &QueueName, report: &Report) -> String {
    let looked_at = format!("{} jobs and {} ends", report.jobs, report.ended);
    let mut text = match (report.findings.is_empty(), report.is_sound()) {
        (true, _) => format!("{queue}: sound ({looked_at})"),
        (false, true) => format!("{queue}: repaired ({looked_at})"),
        (false, false) => format!("{queue}: NOT SOUND ({looked_at})"),
    };
    if !report.findings.is_empty() {
        let rows: Vec<_> = report.findings.iter().map(row).collect();
        for line in table(&HEAD, &rows, &NUMBERS).lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    for undecided in &report.undecided {
        text.push_str("\n  not decided, look again when it is quieter: ");
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

fn as_json(queue: &QueueName, report: &Report) -> serde_json::Value {
    json!({
        "queue": queue.as_str(),
        "sound": report.is_sound(),
        "jobs": report.jobs,
        "ended": report.ended,
        "findings": report.findings,
        "undecided": report.undecided,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Flaw;

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
        let text = text(&QueueName::new("mail").unwrap(), &report);
        for part in ["mail: NOT SOUND (9 jobs", "HOW MANY", "would never run", "a, b\u{fffd}[31m, c, …", "not decided"]
        {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }
}
