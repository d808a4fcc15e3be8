//! The ways in which a description of a relay is wrong.

use std::io;

/// Why a relay's parameters, its torrc or its containers cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A role that does not exist.
    #[error("`{given}` is not a role: expected bridge, middle or exit")]
    Role {
        /// As given.
        given: String,
    },
    /// A nickname that tor refuses.
    #[error(
        "nickname `{given}`: expected 1 to {} letters and digits, got {found}",
        .longest
    )]
    Nickname {
        /// As given.
        given: String,
        /// What is wrong in it.
        found: String,
        /// How many there may be.
        longest: usize,
    },
    /// A rate that cannot be read.
    #[error(
        "`{given}` is not a rate: {reason}; write it like 100Mbit, 12.5MB or 10MiB, each per second"
    )]
    Bandwidth {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An amount of data that cannot be read.
    #[error("`{given}` is not an amount of data: {reason}; write it like 500GB, 1TB or 1TiB")]
    Volume {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A start of accounting periods that tor refuses.
    #[error("accounting start `{given}`: {reason}")]
    AccountingStart {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A contact's name that does not fit.
    #[error("contact name `{given}`: expected a name on one line, without `<` and `>`")]
    ContactName {
        /// As given.
        given: String,
    },
    /// What is no e-mail address.
    #[error("`{given}` is not an e-mail address such as tor@example.org")]
    Email {
        /// As given.
        given: String,
    },
    /// What is no page, or no kind of proof.
    #[error("`{given}`: expected {expected}")]
    ContactUrl {
        /// As given.
        given: String,
        /// What was expected.
        expected: &'static str,
    },
    /// What is no OpenPGP fingerprint.
    #[error("`{given}` is not an OpenPGP fingerprint: expected 40 hexadecimal digits")]
    PgpFingerprint {
        /// As given.
        given: String,
    },
    /// What is no public address.
    #[error("address `{given}`: {reason}")]
    Address {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is no private network.
    #[error(
        "`{given}` is not a private IPv4 network such as 10.90.35.0/24, whose address ends in zeros"
    )]
    MetricsNetwork {
        /// As given.
        given: String,
    },
    /// What is no family key's identity.
    #[error("`{given}` is not a family's identity: expected 43 characters of base64, or `*`")]
    FamilyId {
        /// As given.
        given: String,
    },
    /// What is no relay's fingerprint.
    #[error("`{given}` is not a relay's fingerprint: expected 40 hexadecimal digits")]
    Fingerprint {
        /// As given.
        given: String,
    },
    /// A transport that cannot be read.
    #[error("transport `{given}`: {reason}")]
    Transport {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A way to hand out bridges that does not exist.
    #[error(
        "`{given}` is not a way to hand out a bridge: expected any, none, https, email or settings"
    )]
    Distribution {
        /// As given.
        given: String,
    },
    /// A password that cannot be used.
    #[error("the control password cannot be used: {reason}")]
    Password {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A password could not be hashed.
    #[error("hashing the control password: {reason}")]
    Hashing {
        /// What went wrong.
        reason: String,
    },
    /// What `tor --hash-password` does not print.
    #[error("the hashed control password is not `16:` and 58 hexadecimal digits")]
    HashedPassword,
    /// A socket's path that tor or the system refuses.
    #[error(
        "control socket `{given}`: expected an absolute path of at most 100 characters without spaces"
    )]
    ControlSocket {
        /// As given.
        given: String,
    },
    /// A file of exit rules could not be read.
    #[error("reading the exit policy")]
    PolicyRead(#[source] io::Error),
    /// A file of exit rules has a wrong one.
    #[error("{file}:{line}: {reason}")]
    PolicyFile {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong in it.
        reason: String,
    },
    /// A file of exit rules leaves the rest to tor's default policy, which opens most ports.
    #[error("{file}: the policy does not end in `reject *:*` or `accept *:*`")]
    PolicyOpen {
        /// The file.
        file: String,
    },
    /// A file of parameters does not say what it should.
    #[error("{file}:{line}: {reason}")]
    Parameters {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong in it.
        reason: String,
    },
    /// A parameter without which there is no relay.
    #[error("{parameter} is missing: {reason}")]
    Missing {
        /// As in the command line.
        parameter: &'static str,
        /// Why it has to be there.
        reason: &'static str,
    },
    /// A parameter that the role has no use for.
    #[error("{parameter} is not for the role {role}: {reason}")]
    NotForRole {
        /// As in the command line.
        parameter: &'static str,
        /// The role.
        role: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// A parameter that does nothing without another.
    #[error("{parameter} does nothing without {needs}")]
    Needs {
        /// As in the command line.
        parameter: &'static str,
        /// The other.
        needs: &'static str,
    },
    /// Two parameters that exclude each other.
    #[error("{parameter} and {other} exclude each other")]
    Excludes {
        /// As in the command line.
        parameter: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A rate with which tor does not start.
    #[error("{parameter} {given} is {bytes} bytes per second; for the role {role} it is {wanted}")]
    OutOfBounds {
        /// As in the command line.
        parameter: &'static str,
        /// The rate, as people say it.
        given: String,
        /// The rate in bytes per second.
        bytes: u64,
        /// The role.
        role: &'static str,
        /// The bound and its reason.
        wanted: String,
    },
    /// A burst that is lower than the rate.
    #[error("--burst {burst} is lower than --rate {rate}: tor refuses that")]
    BurstBelowRate {
        /// The burst.
        burst: String,
        /// The rate.
        rate: String,
    },
    /// One port for two things.
    #[error("port {port} is given to {first} and to {second}")]
    PortTwice {
        /// The port.
        port: u16,
        /// Who has it.
        first: String,
        /// Who wants it too.
        second: String,
    },
}

impl Error {
    /// What fixes it, where that is more than the message says.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { parameter, .. } => match *parameter {
                "--nickname" => "add --nickname and a name of letters and digits".to_owned(),
                _ => format!(
                    "add {parameter}, or `{}` to the file of --from",
                    key(parameter)
                ),
            },
            Self::PolicyRead(_) => "choose `reduced`, `web`, `full` or `guide-2016`, or write one rule \
                a line, such as `accept *:443`, into a file and name it"
                .to_owned(),
            Self::PolicyOpen { .. } => {
                "add the line `reject *:*`: tor's default policy would follow otherwise, and it \
                 opens most ports"
                    .to_owned()
            }
            Self::FamilyId { .. } => {
                "`cargo xtask family NAME --out family` creates a family key and prints its identity"
                    .to_owned()
            }
            Self::HashedPassword => {
                "give --control-password instead: it asks for the password and hashes it".to_owned()
            }
            Self::PortTwice { .. } => "give one of them another port".to_owned(),
            _ => return None,
        };
        Some(hint)
    }

    /// The parameter it is about, as in the command line.
    pub fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::Missing { parameter, .. }
            | Self::NotForRole { parameter, .. }
            | Self::Needs { parameter, .. }
            | Self::Excludes { parameter, .. }
            | Self::OutOfBounds { parameter, .. } => Some(parameter),
            Self::BurstBelowRate { .. } => Some("--burst"),
            _ => None,
        }
    }
}

/// The key of a parameter in a file of `--from`.
pub(super) fn key(parameter: &str) -> &str {
    parameter.strip_prefix("--").unwrap_or(parameter)
}
