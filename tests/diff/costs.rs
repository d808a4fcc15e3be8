//! What an image may cost whoever looks at it: a small one never more than seconds and 200 MB,
//! measured in a process that is ended beyond that.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fs_err as fs;
use relaysmith::base::digest::Digest;
use relaysmith::compare::diff::Diff;
use relaysmith::image::read::{Limits, ThirdPartyImage};
use serde_json::{Value, json};

use crate::packed::{Layer, Packed, Tar, descriptor, gzip, program, write_index};

/// What the child process may use: kilobytes of memory that it writes to, seconds of processor.
const MEMORY: u32 = 200_000;
const SECONDS: u32 = 30;

/// The most that a case may take by the clock. A machine may be busy, and the code not optimised.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the child process finds the two images.
const PLACES: [&str; 2] = ["COSTS_A", "COSTS_B"];

/// Not a test: what the child process does.
#[test]
fn child() {
    let places = PLACES.map(|name| std::env::var(name).ok());
    let [Some(a), Some(b)] = places else {
        return;
    };
    let open = |place: &str| ThirdPartyImage::open(place, Limits::default());
    let said = match (open(&a), open(&b)) {
        (Ok(first), Ok(second)) => match Diff::new((&a, &first), (&b, &second)) {
            Ok(diff) => format!("{}{}", diff.text(), diff.html().len()),
            Err(error) => format!("REFUSED {error}"),
        },
        (Err(error), _) | (_, Err(error)) => format!("REFUSED {error}"),
    };
    assert!(
        !said.contains(|c: char| c.is_control() && c != '\n'),
        "{said:?}"
    );
    fs::write(Path::new(&a).with_extension("said"), said).unwrap();
}

/// Two images of a case.
type Pair = [PathBuf; 2];

fn layouts(folder: &Path, make: impl Fn(&Path, u8)) -> Pair {
    [(0, "a"), (1, "b")].map(|(number, name)| {
        let place = folder.join(name);
        fs::create_dir(&place).unwrap();
        make(&place, number);
        place
    })
}

/// Images of one layer, which is not the same in both.
fn layers(folder: &Path, tar: impl Fn(u8) -> Vec<u8>) -> Pair {
    layouts(folder, |place, number| {
        Packed::new(vec![Layer::new("tor", tar(number), 9)]).write(place);
    })
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn add(layout: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let folder = layout.join("blobs/sha256");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(Digest::sha256(bytes).hex()), bytes).unwrap();
    descriptor(media_type, bytes)
}

fn index(manifests: &[Value]) -> Vec<u8> {
    json!({ "schemaVersion": 2, "manifests": manifests })
        .to_string()
        .into_bytes()
}

/// Each list names the next one 300 times.
fn lists(place: &Path, _: u8) {
    let image = Packed::new(vec![Layer::new("tor", Tar::default().finish(), 9)]);
    image.add(place);
    let mut next = image.described();
    for _ in 0..3 {
        next = add(place, INDEX, &index(&vec![next; 300]));
    }
    write_index(place, &[next]);
}

/// One list of many names.
fn names(place: &Path, _: u8) {
    let image = Packed::new(vec![Layer::new("tor", Tar::default().finish(), 9)]);
    image.add(place);
    let named = |number: usize| {
        let mut described = image.described();
        described["annotations"] =
            json!({ "org.opencontainers.image.ref.name": number.to_string() });
        described
    };
    write_index(place, &(0..3000).map(named).collect::<Vec<_>>());
}

fn headers(number: u8) -> Vec<u8> {
    let records: Vec<(String, Vec<u8>)> = (0..40_000)
        .map(|at| (format!("x{number}{at}"), b"v".to_vec()))
        .collect();
    let records: Vec<(&str, &[u8])> = records.iter().map(|(k, v)| (&**k, &**v)).collect();
    Tar::default().pax(&records).file(b"f", 0o644, b"").finish()
}

fn many_entries(number: u8) -> Vec<u8> {
    let tar = (0..120_000).fold(Tar::default(), |tar, at| {
        tar.file(format!("{number}{at}").as_bytes(), 0o644, b"")
    });
    tar.finish()
}

fn long_names(_: u8) -> Vec<u8> {
    let name = vec![b'n'; 1 << 20];
    let tar = (0..50).fold(Tar::default(), |tar, _| {
        tar.entry(b"l", b'L', 0, (0, 0), b"", &name)
            .file(b"f", 0o644, b"")
    });
    tar.finish()
}

fn zeros(_: u8) -> Vec<u8> {
    Tar::default()
        .file(b"zeros", 0o644, &vec![0; 300 << 20])
        .finish()
}

/// A program whose sections are all the same four megabytes.
fn overlapping(number: u8) -> Vec<u8> {
    let sections = vec![(".text", &[][..]); 900];
    let mut program = program(&sections);
    let table = usize::try_from(u64::from_le_bytes(program[40..48].try_into().unwrap())).unwrap();
    let at = program.len() as u64;
    for section in 1..=900 {
        let header = table + 64 * section;
        program[header + 24..header + 32].copy_from_slice(&at.to_le_bytes());
        program[header + 32..header + 40].copy_from_slice(&(4_u64 << 20).to_le_bytes());
    }
    program.extend(vec![0; 4 << 20]);
    program.push(number);
    Tar::default().file(b"tor", 0o755, &program).finish()
}

/// Many programs of many sections.
fn programs(number: u8) -> Vec<u8> {
    let content = [number];
    let sections = vec![(".s", &content[..]); 900];
    let program = program(&sections);
    let tar = (0..200).fold(Tar::default(), |tar, at| {
        tar.file(format!("p{at}").as_bytes(), 0o755, &program)
    });
    tar.finish()
}

/// A config whose values stand in something with a long name.
fn documents(place: &Path, number: u8) {
    let mut packed = Packed::new(vec![Layer::new("tor", Tar::default().finish(), 9)]);
    packed.config["x".repeat(400_000)] = json!(vec![number; 200_000]);
    packed.write(place);
}

fn deep(place: &Path, _: u8) {
    fs::write(place.join("index.json"), "[".repeat(1_000_000)).unwrap();
}

/// Docker's list, which names one config many times.
fn one_config(place: &Path, _: u8) {
    let config = format!("{{\"x\": \"{}\"}}", "y".repeat(1_000_000));
    fs::write(place.join("c"), config).unwrap();
    let listed = json!({ "Config": "c", "RepoTags": null, "Layers": [] });
    fs::write(
        place.join("manifest.json"),
        json!(vec![listed; 20_000]).to_string(),
    )
    .unwrap();
}

/// One large layer, 128 times.
fn repeated(place: &Path, _: u8) {
    let tar = Tar::default().file(b"f", 0o644, &vec![0; 30 << 20]);
    repeat(place, tar.finish());
}

/// Another layer of many files in each of the two, 128 times.
fn repeated_files(place: &Path, number: u8) {
    let tar = (0..20_000).fold(Tar::default(), |tar, at| {
        tar.file(format!("{number}{at}").as_bytes(), 0o644, b"")
    });
    repeat(place, tar.finish());
}

/// One layer of many files 128 times, and 128 others.
fn against_others(place: &Path, number: u8) {
    if number == 0 {
        return repeated_files(place, number);
    }
    let other = |at: usize| Tar::default().file(format!("{at}").as_bytes(), 0o644, b"");
    let layers = (0..128).map(|at| Layer::new("tor", other(at).finish(), 9));
    Packed::new(layers.collect()).write(place);
}

fn repeat(place: &Path, tar: Vec<u8>) {
    let mut packed = Packed::new(vec![Layer::new("tor", tar, 9)]);
    let id = packed.config["rootfs"]["diff_ids"][0].clone();
    packed.config["rootfs"]["diff_ids"] = json!(vec![id; 128]);
    packed.config["history"] = json!([]);
    let described = packed.manifest["layers"][0].clone();
    packed.manifest["layers"] = json!(vec![described; 128]);
    packed.write(place);
}

/// A compressed file of what is compressed again inside.
fn nested(folder: &Path) -> Pair {
    let list = r#"[{"Config": "c", "RepoTags": null, "Layers": ["layer"]}]"#;
    let id = Digest::sha256(b"");
    let config = json!({ "rootfs": { "type": "layers", "diff_ids": [id] } }).to_string();
    let inner = gzip(&vec![0; 300 << 20], 9);
    let tar = Tar::default()
        .file(b"layer", 0o644, &inner)
        .file(b"manifest.json", 0o644, list.as_bytes())
        .file(b"c", 0o644, config.as_bytes())
        .file(b"zeros", 0o644, &vec![0; 50 << 20])
        .finish();
    ["a.tar.gz", "b.tar.gz"].map(|name| {
        let place = folder.join(name);
        fs::write(&place, gzip(&tar, 9)).unwrap();
        place
    })
}

/// Looks at two images in a process of its own, and returns what it said.
fn looked_at([a, b]: &Pair) -> String {
    let limits =
        format!("ulimit -d {MEMORY}; ulimit -t {SECONDS}; exec \"$0\" --exact costs::child");
    let begun = Instant::now();
    let output = Command::new("sh")
        .args(["-c", &limits])
        .arg(std::env::current_exe().unwrap())
        .env(PLACES[0], a)
        .env(PLACES[1], b)
        .output()
        .unwrap();
    let took = begun.elapsed();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || took > PATIENCE {
        return format!("{} after {took:?}: {errors}", output.status);
    }
    fs::read_to_string(a.with_extension("said")).unwrap()
}

// Guards: I2.
#[test]
fn a_small_image_never_costs_much() {
    type Make = fn(&Path) -> Pair;
    let cases: [(&str, Make, &str); 16] = [
        (
            "lists that name one list many times",
            |f| layouts(f, lists),
            "manifest             same",
        ),
        (
            "many names of one image",
            |f| layouts(f, names),
            "manifest             same",
        ),
        (
            "many records of one header",
            |f| layers(f, headers),
            "entries and records of extended headers",
        ),
        (
            "many entries",
            |f| layers(f, many_entries),
            "entries and records of extended headers",
        ),
        ("long names", |f| layers(f, long_names), "bytes of names"),
        ("a bomb", |f| layers(f, zeros), "too large"),
        ("a bomb in a bomb", nested, "`layer` in"),
        (
            "sections that overlap",
            |f| layers(f, overlapping),
            "they overlap",
        ),
        (
            "programs of many sections",
            |f| layers(f, programs),
            "layer tor            different (200 of 200 entries)",
        ),
        (
            "a config of long places",
            |f| layouts(f, documents),
            "(the rest)",
        ),
        ("deep JSON", |f| layouts(f, deep), "is wrong"),
        (
            "one config in a long list",
            |f| layouts(f, one_config),
            "lists too much",
        ),
        ("one layer 128 times", |f| layouts(f, repeated), "layer 128"),
        (
            "one layer of many files 128 times",
            |f| layouts(f, repeated_files),
            "layer layer 128      different (40000 of 40000 entries)",
        ),
        (
            "one layer of many files against others",
            |f| layouts(f, against_others),
            "with it there are more than",
        ),
        (
            "many files that differ",
            |f| layers(f, differing),
            "more that differ, which are not described",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, make, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let said = looked_at(&make(folder.path()));
        if !said.contains(expected) {
            wrong.push(format!("{name}: {said:.300}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differing(number: u8) -> Vec<u8> {
    let tar = (0..15_000).fold(Tar::default(), |tar, at| {
        tar.file(format!("{at}").as_bytes(), 0o644, &[number])
    });
    tar.finish()
}
