//! `verify --quorum`: how many of the pinned attesters say the same as the record.

use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::compare::Comparison;
use relaysmith::publish::attest::{Attestation, Quorum, Says, Statement};
use relaysmith::record::Record;
use relaysmith::verify::Verdict;
use serde_json::{Value, json};

use crate::attest::attesters;
use crate::build_image::Build;
use crate::options::repository;
use crate::ui::Ui;

/// Reads what was stated, prints it, and fails unless `needed` people agree.
pub(crate) fn run(needed: u16, build: &Build, ui: &Ui) -> Result<ExitCode> {
    build.one_target()?;
    let request = build.request();
    let manifest = build.sources.manifest()?;
    let tor = &manifest.get("tor", request.tor_version)?.version;
    let absent = || {
        format!(
            "there is no {}",
            Record::path(tor, request.target).display()
        )
    };
    let record = Record::load(repository(), tor, request.target)?.with_context(absent)?;
    let expected = Statement::recorded(&record, request.variant).with_context(absent)?;
    let quorum = Quorum::read(repository(), &attesters()?, &expected)?;
    let result = quorum.require(needed.into());
    if ui.wants_json() {
        ui.json(&json!({
            "release": expected.release(),
            "image": expected.image(),
            "needed": needed,
            "agree": quorum.agree(),
            "reached": result.is_ok(),
            "attestations": quorum.attestations().iter().map(described).collect::<Vec<_>>(),
        }))?;
    } else {
        let rows: Vec<_> = quorum.attestations().iter().flat_map(rows).collect();
        if !rows.is_empty() {
            ui.table(["signed by", "key", "made", "status", "says"], &rows)?;
        }
        for (attestation, comparison) in disagreeing(&quorum) {
            let who: Vec<&str> = attestation.signers().collect();
            let who = who.join(", ");
            ui.data(&format!("\n{who} ({})", attestation.path.display()))?;
            ui.data(comparison.text("the record", &who).trim_end())?;
        }
    }
    let agree = result?;
    ui.say(&format!(
        "{} of {needed} attesters agree with the record of {}: {}",
        agree.len(),
        expected.release(),
        agree.join(", ")
    ));
    Ok(ExitCode::SUCCESS)
}

/// Those who do not say quite the same, and how it differs.
fn disagreeing(quorum: &Quorum) -> impl Iterator<Item = (&Attestation, &Comparison)> {
    quorum
        .attestations()
        .iter()
        .filter_map(|it| match &it.says {
            Says::Stated(comparison) if comparison.differences().next().is_some() => {
                Some((it, comparison))
            }
            _ => None,
        })
}

/// A line for each signature, or for a statement that has none.
fn rows(attestation: &Attestation) -> Vec<[String; 5]> {
    let says = says(&attestation.says);
    let nobody = |status: String| vec![["-", "-", "-", &status, &says].map(str::to_owned)];
    match &attestation.verdict {
        None => nobody(format!("{}: not signed", attestation.path.display())),
        Some(Err(error)) => nobody(error.to_string()),
        Some(Ok(verdict)) => {
            let rows = verdict.rows().into_iter();
            rows.map(|[by, key, made, status]| [by, key, made, status, says.clone()])
                .collect()
        }
    }
}

fn says(says: &Says) -> String {
    match says {
        Says::Nothing => "-".to_owned(),
        Says::Unreadable(error) => format!("unreadable: {error}"),
        Says::OtherRelease(release) => format!("something about {release}"),
        Says::FromCache => "built from a cache, so it does not count".to_owned(),
        Says::Stated(comparison) => match comparison.differences().next() {
            None => "the same".to_owned(),
            Some(first) if says.agrees() => format!("the same, from another {}", first.subject()),
            Some(first) => format!("another {}", first.subject()),
        },
    }
}

fn described(attestation: &Attestation) -> Value {
    let (verdict, error) = match &attestation.verdict {
        None => (None, None),
        Some(Ok(verdict)) => (Some(verdict as &Verdict), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    let comparison = match &attestation.says {
        Says::Stated(comparison) => Some(comparison),
        _ => None,
    };
    json!({
        "path": attestation.path,
        "verdict": verdict,
        "error": error,
        "agrees": attestation.says.agrees(),
        "says": says(&attestation.says),
        "comparison": comparison,
    })
}
