//! Which engine runs the steps, and how it is found.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::containers::{Containers, Program};
use super::namespaces::Namespaces;
use super::root::Userland;
use super::{Error, Sandbox};

/// What runs build commands apart from everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// The first of the others that works here.
    #[default]
    Auto,
    /// The kernel's own namespaces; needs nothing else.
    Namespaces,
    /// Containers, by that program.
    Container(Program),
}

/// An engine that works here, and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The engine; not [`Engine::Auto`].
    pub engine: Engine,
    /// Whose programs the build uses in it.
    pub userland: Userland,
    /// One line for people; none if they chose themselves.
    pub why: Option<String>,
}

/// A text that names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an engine: expected `auto`, `namespaces`, `docker` or `podman`")]
pub struct ParseEngineError {
    /// The text as it was given.
    pub text: String,
}

impl Engine {
    /// Every engine.
    const ALL: [Self; 4] = [
        Self::Auto,
        Self::Namespaces,
        Self::Container(Program::Docker),
        Self::Container(Program::Podman),
    ];

    /// Whose programs a build in this engine uses when nobody says: the host's own are not in
    /// a container.
    pub fn userland(self) -> Userland {
        match self {
            Self::Auto | Self::Namespaces => Userland::Host,
            Self::Container(_) => Userland::Alpine { version: None },
        }
    }

    /// Finds out whether it works here, or for [`Engine::Auto`] which one does, before
    /// anything is downloaded. `userland` is what was asked for, if anything was.
    ///
    /// # Errors
    /// What the engine said, or the kernel; and the host's userland in a container.
    pub fn choose(self, userland: Option<Userland>) -> Result<Choice, Error> {
        let (engine, why) = match self {
            Self::Namespaces => (Namespaces::probe().map(|()| self)?, None),
            Self::Container(program) => (program.probe().map(|()| self)?, None),
            Self::Auto => first(|engine| match engine {
                Self::Container(program) => program.probe(),
                _ => Namespaces::probe(),
            })?,
        };
        let userland = userland.unwrap_or_else(|| engine.userland());
        match (engine, &userland) {
            (Self::Container(program), Userland::Host) => Err(Error::HostInContainer { program }),
            _ => Ok(Choice {
                engine,
                userland,
                why,
            }),
        }
    }

    /// Starts it; `folder` receives its files.
    ///
    /// # Errors
    /// When `folder` cannot be written.
    pub fn start(self, folder: &Path) -> Result<Box<dyn Sandbox>, Error> {
        Ok(match self {
            Self::Auto | Self::Namespaces => Box::new(Namespaces::new(folder)?),
            Self::Container(program) => Box::new(Containers::new(program, folder)?),
        })
    }
}

/// The first engine that passes `probe`, and why it is that one. If none does, what the
/// kernel says is the error, for that is the easiest to fix.
fn first(probe: impl Fn(Engine) -> Result<(), Error>) -> Result<(Engine, Option<String>), Error> {
    let namespaces = match probe(Engine::Namespaces) {
        Ok(()) => {
            let why = "engine: namespaces, which this kernel allows".to_owned();
            return Ok((Engine::Namespaces, Some(why)));
        }
        Err(error) => error,
    };
    for program in [Program::Docker, Program::Podman] {
        let engine = Engine::Container(program);
        if probe(engine).is_ok() {
            let why = format!("engine: {program}, because {namespaces}");
            return Ok((engine, Some(why)));
        }
    }
    Err(namespaces)
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Namespaces => f.pad("namespaces"),
            Self::Container(program) => program.fmt(f),
        }
    }
}

impl FromStr for Engine {
    type Err = ParseEngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.to_string() == text)
            .ok_or_else(|| ParseEngineError {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen where only `works` does.
    fn chosen(works: &[Engine]) -> Result<(Engine, Option<String>), Error> {
        first(|engine| match works.contains(&engine) {
            true => Ok(()),
            false => Err(Error::NoNamespaces {
                reason: "Operation not permitted".to_owned(),
                hint: String::new(),
            }),
        })
    }

    #[test]
    fn the_first_that_works_is_chosen_and_the_reason_told() {
        let (docker, podman) = (
            Engine::Container(Program::Docker),
            Engine::Container(Program::Podman),
        );
        for (works, engine, why) in [
            (
                &[Engine::Namespaces, docker, podman][..],
                Engine::Namespaces,
                "engine: namespaces, which this kernel allows",
            ),
            (
                &[docker, podman],
                docker,
                "engine: docker, because the sandbox cannot be made: Operation not permitted",
            ),
            (
                &[podman],
                podman,
                "engine: podman, because the sandbox cannot be made: Operation not permitted",
            ),
        ] {
            assert_eq!(chosen(works).unwrap(), (engine, Some(why.to_owned())));
        }
        assert!(matches!(chosen(&[]), Err(Error::NoNamespaces { .. })));
    }

    #[test]
    fn an_engine_reads_as_it_is_written() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        assert!("lxc".parse::<Engine>().is_err());
    }
}
