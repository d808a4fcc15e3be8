use super::*;

/// A program of headers only, all of which a test may change.
struct Fake {
    kind: u16,
    machine: u16,
    /// Types and flags. A load segment covers the whole file.
    segments: Vec<(u32, u32)>,
    dynamic: Vec<(u32, u64)>,
    sections: Vec<(&'static str, u32)>,
}

type Change = fn(&mut Fake);

/// The strings that names in the file are offsets into, the dynamic section's first.
const STRINGS: &[u8] = b"\0libz.so.1\0/opt/lib\0/lib/ld-musl.so.1\0\0\0";
const LIBZ: u64 = 1;
const OPT: u64 = 11;
const LOADER: u64 = 20;

impl Fake {
    /// Keeps every promise.
    fn good() -> Self {
        let (r, w, x) = (elf::PF_R, elf::PF_W, elf::PF_X);
        Self {
            kind: elf::ET_DYN,
            machine: elf::EM_X86_64,
            segments: vec![
                (elf::PT_LOAD, r | x),
                (elf::PT_LOAD, r | w),
                (elf::PT_DYNAMIC, r | w),
                (elf::PT_GNU_RELRO, r),
                (elf::PT_GNU_STACK, r | w),
            ],
            dynamic: vec![
                (elf::DT_FLAGS, elf::DF_BIND_NOW.into()),
                (elf::DT_FLAGS_1, (elf::DF_1_NOW | elf::DF_1_PIE).into()),
                (elf::DT_STRTAB, 0),
            ],
            sections: vec![(".text", elf::SHT_PROGBITS), (".dynsym", elf::SHT_DYNSYM)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let strings = 64 + 56 * self.segments.len() as u64;
        let dynamic = strings + STRINGS.len() as u64;
        let dynamic_size = 16 * (self.dynamic.len() as u64 + 1);
        let mut names = vec![0];
        let mut offsets = Vec::new();
        for (name, _) in &self.sections {
            offsets.push(names.len() as u32);
            names.extend([name.as_bytes(), b"\0"].concat());
        }
        // Tables stand at multiples of 8.
        names.resize(names.len().next_multiple_of(8), 0);
        let names_at = dynamic + dynamic_size;
        let sections_at = names_at + names.len() as u64;
        let end = sections_at + 64 * (self.sections.len() as u64 + 2);

        let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let put = |out: &mut Vec<u8>, width: usize, value: u64| {
            out.extend(&value.to_le_bytes()[..width]);
        };
        put(&mut out, 2, self.kind.into());
        put(&mut out, 2, self.machine.into());
        put(&mut out, 4, 1);
        for offset in [0, 64, sections_at] {
            put(&mut out, 8, offset);
        }
        put(&mut out, 4, 0);
        let count = self.sections.len() as u64 + 2;
        for value in [64, 56, self.segments.len() as u64, 64, count, 1] {
            put(&mut out, 2, value);
        }
        for &(kind, flags) in &self.segments {
            let (offset, size) = match kind {
                elf::PT_DYNAMIC => (dynamic, dynamic_size),
                elf::PT_INTERP => (strings + LOADER, 18),
                elf::PT_LOAD => (0, end),
                _ => (0, 0),
            };
            put(&mut out, 4, kind.into());
            put(&mut out, 4, flags.into());
            for value in [offset, offset, offset, size, size, 1] {
                put(&mut out, 8, value);
            }
        }
        out.extend(STRINGS);
        for &(tag, value) in self.dynamic.iter().chain([&(elf::DT_NULL, 0)]) {
            put(&mut out, 8, tag.into());
            put(
                &mut out,
                8,
                if tag == elf::DT_STRTAB {
                    strings
                } else {
                    value
                },
            );
        }
        out.extend(&names);
        let mut section = |name: u32, kind: u32, offset: u64, size: u64| {
            put(&mut out, 4, name.into());
            put(&mut out, 4, kind.into());
            for value in [0, 0, offset, size, 0, 0, 0] {
                put(&mut out, 8, value);
            }
        };
        section(0, elf::SHT_NULL, 0, 0);
        section(0, elf::SHT_STRTAB, names_at, names.len() as u64);
        for ((_, kind), offset) in self.sections.iter().zip(offsets) {
            section(offset, *kind, 0, 0);
        }
        out
    }
}

fn said(fake: &Fake) -> Vec<String> {
    let broken = check(&fake.bytes(), Language::C, Target::X86_64);
    broken.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_program_breaks_nothing() {
    assert_eq!(said(&Fake::good()), [""; 0]);
    let mut arm = Fake::good();
    arm.machine = elf::EM_AARCH64;
    assert_eq!(check(&arm.bytes(), Language::C, Target::Aarch64), []);
    // Either flag, or the older tag, is enough.
    for dynamic in [
        (elf::DT_FLAGS, u64::from(elf::DF_BIND_NOW)),
        (elf::DT_FLAGS_1, elf::DF_1_NOW.into()),
        (elf::DT_BIND_NOW, 0),
    ] {
        let mut fake = Fake::good();
        fake.dynamic = vec![(elf::DT_FLAGS_1, elf::DF_1_PIE.into()), dynamic];
        assert_eq!(said(&fake), [""; 0]);
    }
}

/// Go's linker relocates nothing when a program starts; all else must hold as well.
#[test]
fn a_program_in_go_has_a_fixed_place() {
    let mut fake = Fake::good();
    fake.kind = elf::ET_EXEC;
    fake.dynamic = Vec::new();
    fake.segments
        .retain(|segment| segment.0 != elf::PT_GNU_RELRO);
    let bytes = fake.bytes();
    assert_eq!(check(&bytes, Language::Go, Target::X86_64), []);
    assert_eq!(check(&bytes, Language::C, Target::X86_64).len(), 3);
    fake.segments
        .retain(|segment| segment.0 != elf::PT_GNU_STACK);
    let broken = check(&fake.bytes(), Language::Go, Target::X86_64);
    assert_eq!(broken, [Broken::ExecutableStack]);
}

#[test]
fn each_broken_promise_is_named() {
    let pie: u64 = elf::DF_1_PIE.into();
    let now: u64 = elf::DF_1_NOW.into();
    let flags = elf::PF_R | elf::PF_W | elf::PF_X;
    let cases: [(Change, &str); 14] = [
        (
            |fake| fake.machine = elf::EM_AARCH64,
            "it is for the machine 183, not 62 (`e_machine`)",
        ),
        (
            |fake| fake.kind = elf::ET_EXEC,
            "it is not position-independent (`ET_DYN` and `DF_1_PIE`)",
        ),
        (
            |fake| fake.dynamic[1].1 &= !u64::from(elf::DF_1_PIE),
            "it is not position-independent (`ET_DYN` and `DF_1_PIE`)",
        ),
        (
            |fake| fake.segments.push((elf::PT_INTERP, 4)),
            "it is not static: it requires the loader `/lib/ld-musl.so.1` (`PT_INTERP`)",
        ),
        (
            |fake| fake.dynamic.push((elf::DT_NEEDED, LIBZ)),
            "it is not static: it requires the library `libz.so.1` (`DT_NEEDED`)",
        ),
        (
            |fake| fake.dynamic.push((elf::DT_NEEDED, 1 << 40)),
            "it is not static: it requires the library `string at 1099511627776` (`DT_NEEDED`)",
        ),
        (
            |fake| fake.dynamic.push((elf::DT_RPATH, OPT)),
            "it has the search path `/opt/lib` (`DT_RPATH` or `DT_RUNPATH`)",
        ),
        (
            |fake| fake.dynamic.push((elf::DT_RUNPATH, OPT)),
            "it has the search path `/opt/lib` (`DT_RPATH` or `DT_RUNPATH`)",
        ),
        (
            |fake| fake.segments[0].1 |= elf::PF_W,
            "its segment at 0x0 is writable and executable",
        ),
        (
            |fake| fake.segments[4].1 |= elf::PF_X,
            "its stack is executable (`PT_GNU_STACK`)",
        ),
        (
            |fake| fake.segments.truncate(4),
            "its stack is executable (`PT_GNU_STACK`)",
        ),
        (
            |fake| fake.segments[3].0 = elf::PT_NULL,
            "its relocated data stays writable (`PT_GNU_RELRO`)",
        ),
        (
            |fake| fake.sections.push((".symtab", elf::SHT_SYMTAB)),
            "it is not stripped: it has the section `.symtab`",
        ),
        (
            |fake| fake.sections.push((".debug_info", elf::SHT_PROGBITS)),
            "it is not stripped: it has the section `.debug_info`",
        ),
    ];
    for (change, message) in cases {
        let mut fake = Fake::good();
        change(&mut fake);
        assert_eq!(said(&fake), [message]);
    }
    let mut late = Fake::good();
    late.dynamic = vec![(elf::DT_FLAGS_1, pie)];
    assert_eq!(
        said(&late),
        ["it binds functions late (`DF_BIND_NOW` or `DF_1_NOW`)"]
    );

    // All, not the first.
    let mut fake = Fake::good();
    fake.kind = elf::ET_EXEC;
    fake.segments = vec![(elf::PT_LOAD, flags), (elf::PT_DYNAMIC, 4)];
    fake.dynamic = vec![(elf::DT_FLAGS_1, now)];
    assert_eq!(said(&fake).len(), 4);
}

#[test]
fn what_is_no_program_is_unreadable() {
    let good = Fake::good().bytes();
    let mut narrow = good.clone();
    narrow[4] = 1;
    let mut big_endian = good.clone();
    big_endian[5] = 2;
    for bytes in [
        &b""[..],
        b"#!/bin/sh\n",
        &good[..63],
        &good[..good.len() - 1],
        &narrow,
        &big_endian,
    ] {
        let broken = check(bytes, Language::C, Target::X86_64);
        assert!(
            matches!(broken[..], [Broken::Unreadable { .. }]),
            "{broken:?}"
        );
    }
}
