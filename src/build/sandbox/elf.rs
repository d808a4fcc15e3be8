//! What a built program promises, read from its ELF file (System V ABI, generic part).

use object::elf::{self, FileHeader64, ProgramHeader64};
use object::endian::LittleEndian;
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _};

use crate::base::target::Target;

/// A promise that a program does not keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is no ELF file of 64 bits, or a table in it points outside.
    #[error("it is not a readable 64-bit ELF file: {problem}")]
    Unreadable {
        /// What is wrong.
        problem: String,
    },
    /// It is for another processor.
    #[error("it is for the machine {got}, not {expected} (`e_machine`)")]
    Machine {
        /// The number of the target's processor.
        expected: u16,
        /// The number it has.
        got: u16,
    },
    /// It is not loaded at a random address.
    #[error("it is not position-independent (`ET_DYN` and `DF_1_PIE`)")]
    NotPie,
    /// Another program must load it.
    #[error("it is not static: it requires the loader `{path}` (`PT_INTERP`)")]
    Loader {
        /// The loader.
        path: String,
    },
    /// It needs a shared library.
    #[error("it is not static: it requires the library `{name}` (`DT_NEEDED`)")]
    Library {
        /// The library.
        name: String,
    },
    /// It says where libraries are to be looked for.
    #[error("it has the search path `{path}` (`DT_RPATH` or `DT_RUNPATH`)")]
    SearchPath {
        /// The search path.
        path: String,
    },
    /// Memory that can be written and executed.
    #[error("its segment at {address:#x} is writable and executable")]
    WritableCode {
        /// Where it is loaded.
        address: u64,
    },
    /// The stack can be executed, or nothing says that it cannot.
    #[error("its stack is executable (`PT_GNU_STACK`)")]
    ExecutableStack,
    /// What only the start-up code writes stays writable.
    #[error("its relocated data stays writable (`PT_GNU_RELRO`)")]
    NoRelro,
    /// Some of it must stay writable, to be bound later.
    #[error("it binds functions late (`DF_BIND_NOW` or `DF_1_NOW`)")]
    BindsLate,
    /// Symbols or debugging data are left.
    #[error("it is not stripped: it has the section `{name}`")]
    NotStripped {
        /// The section.
        name: String,
    },
}

/// What a program is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// C, and linked by lld.
    C,
    /// Go, and linked by its own linker. That makes a program position-independent only together
    /// with a loader of C's, which no image here has; and what is not, needs no relocation.
    Go,
}

/// All promises that the program in the file `bytes` breaks: it should be a static, stripped
/// program for `target`, with no memory both writable and executable, and no search path; one
/// in C also position-independent, with full RELRO.
pub fn check(bytes: &[u8], language: Language, target: Target) -> Vec<Broken> {
    Program::read(bytes)
        .and_then(|program| program.broken(language, target))
        .unwrap_or_else(|error| {
            let problem = error.to_string();
            vec![Broken::Unreadable { problem }]
        })
}

type Header = FileHeader64<LittleEndian>;

/// The tables of a file. Both targets are little-endian.
struct Program<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    segments: &'a [ProgramHeader64<LittleEndian>],
    /// Tags and values of the dynamic section.
    dynamic: Vec<(u64, u64)>,
}

impl<'a> Program<'a> {
    fn read(bytes: &'a [u8]) -> object::read::Result<Self> {
        let header = Header::parse(bytes)?;
        // Fails for the other order of bytes.
        header.endian()?;
        let segments = header.program_headers(LittleEndian, bytes)?;
        let mut dynamic = Vec::new();
        for segment in segments {
            let entries = segment.dynamic(LittleEndian, bytes)?.unwrap_or_default();
            let entries = entries.iter().map(|entry| {
                let tag = entry.d_tag(LittleEndian);
                (tag, entry.d_val(LittleEndian))
            });
            dynamic.extend(entries.take_while(|&(tag, _)| tag != u64::from(elf::DT_NULL)));
        }
        Ok(Self {
            bytes,
            header,
            segments,
            dynamic,
        })
    }

    fn broken(&self, language: Language, target: Target) -> object::read::Result<Vec<Broken>> {
        let mut broken = Vec::new();
        let expected = match target {
            Target::X86_64 => elf::EM_X86_64,
            Target::Aarch64 => elf::EM_AARCH64,
            Target::Riscv64 => elf::EM_RISCV,
        };
        let got = self.header.e_machine(LittleEndian);
        if got != expected {
            broken.push(Broken::Machine { expected, got });
        }
        let relocated = language == Language::C;
        let flags_1 = self.flags(elf::DT_FLAGS_1);
        let dynamic_type = self.header.e_type(LittleEndian) == elf::ET_DYN;
        if relocated && (!dynamic_type || flags_1 & elf::DF_1_PIE == 0) {
            broken.push(Broken::NotPie);
        }
        self.linking(&mut broken)?;
        self.memory(&mut broken);
        if relocated {
            self.relocations(flags_1, &mut broken);
        }
        let sections = self.header.sections(LittleEndian, self.bytes)?;
        for section in sections.iter() {
            let name = sections.section_name(LittleEndian, section)?;
            let name = String::from_utf8_lossy(name).into_owned();
            if section.sh_type(LittleEndian) == elf::SHT_SYMTAB || name.starts_with(".debug_") {
                broken.push(Broken::NotStripped { name });
            }
        }
        Ok(broken)
    }

    fn linking(&self, broken: &mut Vec<Broken>) -> object::read::Result<()> {
        for segment in self.segments {
            if let Some(path) = segment.interpreter(LittleEndian, self.bytes)? {
                let path = String::from_utf8_lossy(path).into_owned();
                broken.push(Broken::Loader { path });
            }
        }
        for offset in self.values(elf::DT_NEEDED) {
            let name = self.string(offset);
            broken.push(Broken::Library { name });
        }
        for tag in [elf::DT_RPATH, elf::DT_RUNPATH] {
            for offset in self.values(tag) {
                let path = self.string(offset);
                broken.push(Broken::SearchPath { path });
            }
        }
        Ok(())
    }

    fn memory(&self, broken: &mut Vec<Broken>) {
        let both = elf::PF_W | elf::PF_X;
        for segment in self.segments_of(elf::PT_LOAD) {
            if segment.p_flags(LittleEndian) & both == both {
                let address = segment.p_vaddr(LittleEndian);
                broken.push(Broken::WritableCode { address });
            }
        }
        // Without the header, Linux makes the stack executable on some processors.
        let mut stacks = self.segments_of(elf::PT_GNU_STACK);
        if stacks
            .next()
            .is_none_or(|stack| stack.p_flags(LittleEndian) & elf::PF_X != 0)
        {
            broken.push(Broken::ExecutableStack);
        }
    }

    fn relocations(&self, flags_1: u32, broken: &mut Vec<Broken>) {
        if self.segments_of(elf::PT_GNU_RELRO).next().is_none() {
            broken.push(Broken::NoRelro);
        }
        let now = flags_1 & elf::DF_1_NOW | self.flags(elf::DT_FLAGS) & elf::DF_BIND_NOW;
        if now == 0 && self.values(elf::DT_BIND_NOW).next().is_none() {
            broken.push(Broken::BindsLate);
        }
    }

    fn segments_of(&self, kind: u32) -> impl Iterator<Item = &ProgramHeader64<LittleEndian>> {
        self.segments
            .iter()
            .filter(move |segment| segment.p_type(LittleEndian) == kind)
    }

    fn values(&self, tag: u32) -> impl Iterator<Item = u64> {
        self.dynamic
            .iter()
            .filter(move |entry| entry.0 == u64::from(tag))
            .map(|entry| entry.1)
    }

    /// The flags are in the low half.
    fn flags(&self, tag: u32) -> u32 {
        self.values(tag).fold(0, |all, value| all | value as u32)
    }

    /// A string of the dynamic section; one that points nowhere is shown as its offset.
    fn string(&self, offset: u64) -> String {
        let table = self.values(elf::DT_STRTAB).next().unwrap_or(0);
        let address = table.saturating_add(offset);
        self.segments_of(elf::PT_LOAD)
            .find_map(|segment| {
                let start = segment.p_vaddr(LittleEndian);
                let data = segment.data(LittleEndian, self.bytes).ok()?;
                let skipped = usize::try_from(address.checked_sub(start)?).ok()?;
                let text = data.get(skipped..)?.split(|&byte| byte == 0).next()?;
                Some(String::from_utf8_lossy(text).into_owned())
            })
            .unwrap_or_else(|| format!("string at {offset}"))
    }
}

#[cfg(test)]
mod tests;
