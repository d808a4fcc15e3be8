//! The real thing: upstream's own tarball and signatures, and the keys of this repository.

use std::io::Write;
use std::path::{Path, PathBuf};

use relaysmith::base::cache::Cache;
use relaysmith::base::progress::Silent;
use relaysmith::fetch::Options;
use relaysmith::pins::Manifest;
use relaysmith::update::look;
use relaysmith::verify::TrustPolicy;

use crate::material::year;
use crate::site::{Answer, PATIENCE, Site, serve};

const VERSION: &str = "0.4.9.11";

/// Past the test runner, which swallows what a passing test prints.
fn skipped(why: &str) {
    let line = format!("SKIPPED the_real_tor: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A project that is this one, but for a tor that is one release older: 0.4.9.10.
fn older(project: &Path) -> PathBuf {
    let copy = |from: &Path, to: &Path| {
        fs_err::create_dir_all(to).unwrap();
        for entry in fs_err::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs_err::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&repository.join("keys"), &project.join("keys"));
    fs_err::create_dir(project.join("keys/evidence")).unwrap();
    let text = fs_err::read_to_string(repository.join("sources.toml")).unwrap();
    let manifest = Manifest::load(&repository.join("sources.toml")).unwrap();
    let digest = manifest.get("tor", Some(VERSION)).unwrap().digest.hex();
    let newer = text
        .find("# Pinned from the signed checksum alone: the tarball")
        .unwrap();
    let next = newer + text[newer..].find("\n\n").unwrap() + 2;
    let text = format!("{}{}", &text[..newer], &text[next..])
        .replace(VERSION, "0.4.9.10")
        .replace(&digest, &"0".repeat(64))
        .replace("\ndefault = true\nfile = \"tor-", "\nfile = \"tor-");
    let path = project.join("sources.toml");
    fs_err::write(&path, text).unwrap();
    path
}

#[test]
fn the_real_tor() {
    let Some(folder) = std::env::var_os("RELAYSMITH_TARBALLS").map(PathBuf::from) else {
        skipped("RELAYSMITH_TARBALLS names no folder with the pinned sources");
        return;
    };
    let name = format!("tor-{VERSION}.tar.gz");
    let Ok(tarball) = fs_err::read(folder.join(&name)) else {
        skipped(&format!("{name} is not in it"));
        return;
    };
    let evidence = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/evidence");
    let mut site = Site::from([(format!("/{name}"), Answer::Whole(tarball))]);
    let mut page = format!("<a href=\"{name}\">{name}</a>\n");
    for ending in [".sha256sum", ".sha256sum.asc"] {
        let name = format!("{name}{ending}");
        page += &format!("<a href=\"{name}\">{name}</a>\n");
        let bytes = fs_err::read(evidence.join(&name)).unwrap();
        site.insert(format!("/{name}"), Answer::Whole(bytes));
    }
    site.insert("/".to_owned(), Answer::Whole(page.into_bytes()));

    let temp = tempfile::tempdir().unwrap();
    let path = older(temp.path());
    let options = Options {
        patience: PATIENCE,
        ..Options::new(Cache::open(Some(&temp.path().join("cache"))).unwrap())
    };
    let server = serve(&site);
    let folder = server.url.parse().unwrap();
    let newer = look(temp.path(), &folder, &options, &Silent)
        .unwrap()
        .newer
        .unwrap();
    insta::assert_debug_snapshot!(newer.changes, @r#"
    [
        Changes {
            version: Version(
                [
                    0,
                    4,
                    9,
                    11,
                ],
            ),
            date: "2026-06-25",
            security: true,
            vulnerabilities: {
                "TROVE-2026-026",
            },
            summary: "Security release follows in quick succession after the previous one due to additional high-priority security issues including one concerning onion services (#41297). We strongly recommend upgrading as soon as possible.",
        },
    ]
    "#);
    assert_eq!(newer.pin(temp.path()).unwrap().len(), 3);
    let pinned = Manifest::load(&path).unwrap().get("tor", None).unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources.toml");
    let known = Manifest::load(&repository)
        .unwrap()
        .get("tor", Some(VERSION))
        .unwrap();
    assert_eq!((pinned.digest, pinned.size), (known.digest, known.size));
    assert_eq!(
        (&pinned.origins, &pinned.signature),
        (&known.origins, &known.signature)
    );
}

#[test]
fn what_our_copies_say() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys");
    let policy = TrustPolicy::load_at(&keys, year(2027)).unwrap();
    let rows: Vec<String> = policy
        .pinned()
        .iter()
        .map(|one| {
            let signing = one.statement.signing.iter();
            let signing: Vec<String> = signing
                .map(|(key, validity)| format!("\n  {key}: {validity}"))
                .collect();
            format!("{}: {}{}", one.id, one.statement.validity, signing.concat())
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    boszormenyi: no expiry
      7D887DC8BA7BBBA7B835E3BADCE310E7864CC8BF: no expiry
    brown: no expiry
      ADE668AA675718B59FE29FEA24D68B725D5487D0: expires on 2028-08-28
    copa: missing; `cargo xtask keys refresh` fetches it
    custura: expired on 2024-09-08
      3045714BCFCD98B94C06F824D0051169612E7B2A: expired on 2024-09-08
    debian-bookworm: expires on 2031-01-19
      4CB50190207B4758A3F73A796ED0E7B82643E131: expires on 2031-01-19
    debian-trixie: expires on 2035-03-28
      B8E5F13176D2A7A75220028078DBA3BC47EF2265: expires on 2035-03-28
    dickey: expires on 2029-04-02
    faeroy: expired on 2024-12-02
      514102454D0A87DB0767A1EBBE6A0531C18A9179: no expiry
    google: no expiry
      0E225917414670F4442C250DFD533C07C264648F: expires on 2028-01-07
    goulet: expired on 2016-05-09
    johnson: no expiry
      2AE224F5C424990AE5206C85888404C187F30690: no expiry
    juga: missing; `cargo xtask keys refresh` fetches it
    kitt: expires on 2027-03-13
      9CF557FE13CB90CA2AEF1D2080D302F5886D839C: expires on 2027-03-13
    mathewson: expired on 2025-10-04
      7A02B3521DC75C542BA015456AFEE6D49E92B601: expired on 2025-10-04
    mathewson-2004: no expiry
      EF00F3691387FCC58CD68E13910397D88D29319A: no expiry
    muehlenhoff: no expiry
    musl: no expiry
    openssl: expired on 2026-09-08
    openssl-2026: expires on 2031-05-26
      C46ED3F2CBEFDA1FDAADA44264ED7B1DCCE71CB2: expires on 2027-05-26
    patra: no expiry
    pentchev: no expiry
    quathamer: no expiry
    tyni: expired on 2025-12-20
      EE66FD977E0DB1FEE57179F78AFEB3640EB139B2: expired on 2025-12-20
    wouters: expired on 2026-07-02
    ");
}
