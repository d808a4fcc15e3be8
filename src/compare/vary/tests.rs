use super::*;

/// What is found of `wanted` if the image differs whenever all of one of `culprits` come
/// together, and podman does not work; and how many builds that took.
fn found(wanted: &[&str], culprits: &[&[&str]]) -> (Result<String, String>, usize) {
    let Wanted(wanted) = wanted.join(",").parse().unwrap();
    let mut builds = 0;
    let findings = judge(
        &wanted,
        |variation| match variation.name {
            "podman" => Err("it is not here".to_owned()),
            _ => Ok(()),
        },
        |round| {
            builds += 1;
            let has = |name: &&str| round.iter().any(|it| it.name == *name);
            let differs = culprits.iter().find(|names| names.iter().all(has));
            Ok(differs.map(|names| format!("by {}", names.join("+"))))
        },
    );
    let lines = findings.map(|findings| {
        let line = |(variation, outcome): &(&Variation, Outcome)| {
            let why = outcome
                .why()
                .map_or(String::new(), |why| format!(": {why}"));
            format!("{} {}{why}", variation.name, outcome.word())
        };
        let lines: Vec<String> = findings.iter().map(line).collect();
        lines.join("; ")
    });
    (lines.map_err(|error| error.to_string()), builds)
}

#[test]
fn the_culprit_is_named() {
    for (wanted, culprits, expected, builds) in [
        (
            &["umask", "home"][..],
            &[][..],
            Ok("home PASS; umask PASS"),
            1,
        ),
        (
            &["home", "umask", "aslr"],
            &[&["umask"][..]],
            Ok("home PASS; umask FAIL: by umask; aslr PASS"),
            5,
        ),
        (
            &["home", "umask"],
            &[&["umask"], &["home"]],
            Ok("home FAIL: by home; umask FAIL: by umask"),
            4,
        ),
        (
            &["home", "umask"],
            &[&["umask", "home"]],
            Ok(
                "home FAIL: not by itself, only together with others: by umask+home; \
                umask FAIL: not by itself, only together with others: by umask+home",
            ),
            4,
        ),
        // What cannot be together is not: one job and many.
        (
            &["many-jobs", "one-job"],
            &[],
            Ok("one-job PASS; many-jobs PASS"),
            2,
        ),
        // Alone it need not be built again; the build without any is made once.
        (
            &["umask", "docker"],
            &[&["umask"], &["docker"]],
            Ok("umask FAIL: by umask; docker FAIL: by docker"),
            3,
        ),
        (
            &["podman", "home"],
            &[],
            Ok("home PASS; podman SKIP: it is not here"),
            1,
        ),
        (
            &["home", "umask"],
            &[&[]],
            Err("without any variation this machine does not build the recorded image: by "),
            2,
        ),
    ] {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found(wanted, culprits), (expected, builds), "{wanted:?}");
    }
}

#[test]
fn names_read_as_they_are_written() {
    let all: Wanted = names().parse().unwrap();
    assert_eq!(Ok(&all), "all".parse().as_ref());
    assert_eq!(all.0.len(), VARIATIONS.len());
    let but: Wanted = "all,-one-job,-podman".parse().unwrap();
    assert_eq!(but.0.len(), VARIATIONS.len() - 2);
    assert!(
        but.0
            .iter()
            .all(|it| !["one-job", "podman"].contains(&it.name))
    );
    for wrong in [
        "moon",
        "",
        "umask,",
        "umask,all",
        "all,",
        "all,home",
        "all,-moon",
        "-home",
        "allx",
    ] {
        let error = wrong.parse::<Wanted>().unwrap_err().to_string();
        assert!(error.contains("path,file-order,user"), "{error}");
    }
}
