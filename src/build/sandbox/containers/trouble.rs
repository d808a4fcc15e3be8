//! What the programs say that make containers when they do not work, and what to do about it.

use std::io;

use super::Program;
use crate::build::sandbox::Error;

impl Program {
    /// Finds out whether it works.
    ///
    /// # Errors
    /// [`Error::NoEngine`] in its own words, and what to do about them.
    pub fn probe(self) -> Result<(), Error> {
        let question = match self {
            Self::Docker => ["version", "--format", "{{.Server.Version}}"],
            Self::Podman => ["info", "--format", "{{.Version.Version}}"],
        };
        let output = self.command().args(question).output();
        let output = output.map_err(|error| self.absent(&error))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(self.failed(&output.stderr)),
        }
    }

    /// It could not be started at all.
    pub(super) fn absent(self, error: &io::Error) -> Error {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => format!("install {self}, or choose another `--engine`"),
            _ => format!("see whether `{self} info` works"),
        };
        Error::NoEngine {
            program: self,
            reason: error.to_string(),
            hint,
        }
    }

    /// It ended with an error, having said `stderr`.
    pub(super) fn failed(self, stderr: &[u8]) -> Error {
        let said = String::from_utf8_lossy(stderr).trim().to_owned();
        Error::NoEngine {
            program: self,
            hint: self.what_to_do(&said),
            reason: match said.is_empty() {
                true => "it says nothing".to_owned(),
                false => said,
            },
        }
    }

    fn what_to_do(self, said: &str) -> String {
        let any = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
        if any(&["permission denied while trying to connect", "dial unix"])
            && any(&["permission denied"])
        {
            "let this user talk to the daemon: `sudo usermod --append --groups docker $USER`, then \
             log in again (members of that group are as good as root)"
                .to_owned()
        } else if any(&["no space left on device", "disk quota exceeded"]) {
            format!("free some space: `{self} system df` shows what uses it")
        } else if any(&[
            "Cannot connect to the Docker daemon",
            "error during connect",
        ]) {
            "start the daemon with `sudo systemctl start docker`, or set DOCKER_HOST to a running one"
                .to_owned()
        } else if any(&["rlimit", "RLIMIT_NOFILE", "setrlimit"]) {
            "raise this user's limit of open files (`ulimit -Hn`), or choose another `--engine`"
                .to_owned()
        } else {
            format!("see whether `{self} info` and `{self} run --rm` work")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_comes_with_what_to_do() {
        for (said, expected) in [
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                "systemctl start docker",
            ),
            (
                "error during connect: Get \"http://build.example:2375/v1.24/version\": dial tcp: lookup build.example: no such host",
                "DOCKER_HOST",
            ),
            (
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
                "usermod",
            ),
            (
                "Got permission denied: dial unix /var/run/docker.sock: connect: permission denied",
                "usermod",
            ),
            (
                "ApplyLayer exit status 1: write /lib/x: no space left on device",
                "docker system df",
            ),
            (
                "Error: OCI runtime error: runc: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
                "ulimit -Hn",
            ),
            ("", "docker info"),
        ] {
            let error = Program::Docker.failed(said.as_bytes());
            assert!(error.hint().unwrap().contains(expected), "{said}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Program::Podman.absent(&io::Error::from(io::ErrorKind::NotFound));
        let hint = error.hint().unwrap();
        assert!(hint.contains("install podman"), "{hint}");
    }
}
