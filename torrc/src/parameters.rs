//! What an operator says about a relay, on the command line or in a file.

use std::fmt::Display;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::accounting::{Accounting, Rule, Start};
use super::address::{Address, PublicV6};
use super::bandwidth::{Bandwidth, HIGHEST, Volume, lowest};
use super::contact::{Contact, ContactForm, ContactName, Email, PgpFingerprint, Proof, Url};
use super::control::{Control, SocketPath};
use super::error::key;
use super::exit_policy::PolicyChoice;
use super::family::{Family, FamilyId, Fingerprint};
use super::metrics::{METRICS_PORT, Metrics, MetricsNetwork};
use super::nickname::Nickname;
use super::password::HashedPassword;
use super::relay::{Duty, Limit, Relay};
use super::transport::{Distribution, Transport};
use super::{Error, OR_PORT, Role};

/// The parameters of one relay. Each is named like the option of the command line; in a
/// file the names are the same, without the dashes before them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Parameters {
    /// The name it is listed under.
    #[serde(deserialize_with = "one")]
    pub nickname: Option<Nickname>,
    /// A name or pseudonym to write to.
    #[serde(deserialize_with = "one")]
    pub contact_name: Option<ContactName>,
    /// Where mail about the relay is read.
    #[serde(deserialize_with = "one")]
    pub contact_email: Option<Email>,
    /// The OpenPGP key to write to.
    #[serde(deserialize_with = "one")]
    pub pgp: Option<PgpFingerprint>,
    /// Whether the e-mail address is written so that some harvesters miss it.
    pub obfuscate_email: bool,
    /// Whether the contact is written in the fields that programs read.
    pub ciiss: bool,
    /// A page of who runs it.
    #[serde(deserialize_with = "one")]
    pub url: Option<Url>,
    /// How that page's host vouches for the relay.
    #[serde(deserialize_with = "one")]
    pub proof: Option<Proof>,
    /// Where it is found.
    #[serde(deserialize_with = "one")]
    pub address: Option<Address>,
    /// Where it is found by IPv6.
    #[serde(deserialize_with = "one")]
    pub ipv6: Option<PublicV6>,
    /// The port for all of tor's traffic.
    pub or_port: Option<NonZeroU16>,
    /// How fast it may be on average.
    #[serde(deserialize_with = "one")]
    pub rate: Option<Bandwidth>,
    /// How fast it may be at most.
    #[serde(deserialize_with = "one")]
    pub burst: Option<Bandwidth>,
    /// How much it may carry in a period.
    #[serde(deserialize_with = "one")]
    pub accounting_max: Option<Volume>,
    /// When a period begins.
    #[serde(deserialize_with = "one")]
    pub accounting_start: Option<Start>,
    /// What is counted.
    #[serde(deserialize_with = "one")]
    pub accounting_rule: Option<Rule>,
    /// Where its control socket lies.
    #[serde(deserialize_with = "one")]
    pub control_socket: Option<SocketPath>,
    /// The control port on the container's loopback interface.
    pub control_port: Option<NonZeroU16>,
    /// The control port's password, as `tor --hash-password` prints it.
    #[serde(deserialize_with = "one")]
    pub hashed_control_password: Option<HashedPassword>,
    /// The port for Prometheus in the container.
    pub metrics_port: Option<NonZeroU16>,
    /// The network of containers that Prometheus asks from; without it, the container itself.
    #[serde(deserialize_with = "one")]
    pub metrics: Option<MetricsNetwork>,
    /// Identities of the family's keys.
    #[serde(deserialize_with = "many")]
    pub family_id: Vec<FamilyId>,
    /// Fingerprints of the family's other relays.
    #[serde(deserialize_with = "many")]
    pub my_family: Vec<Fingerprint>,
    /// Whether the master key is kept elsewhere.
    pub offline_master_key: bool,
    /// Whether tor limits its own system calls.
    pub sandbox: bool,
    /// What may leave an exit.
    #[serde(deserialize_with = "one")]
    pub exit_policy: Option<PolicyChoice>,
    /// How a bridge is handed out.
    #[serde(deserialize_with = "one")]
    pub bridge_distribution: Option<Distribution>,
    /// How a bridge hides its traffic.
    #[serde(deserialize_with = "many")]
    pub transport: Vec<Transport>,
    /// The port of obfs4, if the image's own program is to speak it.
    pub obfs4_port: Option<NonZeroU16>,
}

impl Parameters {
    /// Reads a file of parameters (TOML). `file` is its name, for errors.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            Error::Parameters {
                file: file.to_owned(),
                line: line_of(text, start),
                reason: error.message().lines().collect::<Vec<_>>().join("; "),
            }
        })
    }

    /// These, and where these say nothing, `others`. Lists are not merged.
    pub fn over(self, others: Self) -> Self {
        Self {
            nickname: self.nickname.or(others.nickname),
            contact_name: self.contact_name.or(others.contact_name),
            contact_email: self.contact_email.or(others.contact_email),
            pgp: self.pgp.or(others.pgp),
            obfuscate_email: self.obfuscate_email || others.obfuscate_email,
            ciiss: self.ciiss || others.ciiss,
            url: self.url.or(others.url),
            proof: self.proof.or(others.proof),
            address: self.address.or(others.address),
            ipv6: self.ipv6.or(others.ipv6),
            or_port: self.or_port.or(others.or_port),
            rate: self.rate.or(others.rate),
            burst: self.burst.or(others.burst),
            accounting_max: self.accounting_max.or(others.accounting_max),
            accounting_start: self.accounting_start.or(others.accounting_start),
            accounting_rule: self.accounting_rule.or(others.accounting_rule),
            control_socket: self.control_socket.or(others.control_socket),
            control_port: self.control_port.or(others.control_port),
            hashed_control_password: self
                .hashed_control_password
                .or(others.hashed_control_password),
            metrics_port: self.metrics_port.or(others.metrics_port),
            metrics: self.metrics.or(others.metrics),
            family_id: list_or(self.family_id, others.family_id),
            my_family: list_or(self.my_family, others.my_family),
            offline_master_key: self.offline_master_key || others.offline_master_key,
            sandbox: self.sandbox || others.sandbox,
            exit_policy: self.exit_policy.or(others.exit_policy),
            bridge_distribution: self.bridge_distribution.or(others.bridge_distribution),
            transport: list_or(self.transport, others.transport),
            obfs4_port: self.obfs4_port.or(others.obfs4_port),
        }
    }

    /// The relay of that role that they describe. Reads the file of exit rules, if one is
    /// named.
    pub fn relay(self, role: Role) -> Result<Relay, Error> {
        self.suits(role)?;
        let limit = self.limit(role)?;
        let nickname = self.nickname.ok_or(Error::Missing {
            parameter: "--nickname",
            reason: "the relay is listed under it",
        })?;
        let email = self.contact_email.ok_or(Error::Missing {
            parameter: "--contact-email",
            reason: "tor warns that relays nobody can be asked about may be rejected",
        })?;
        for (parameter, given, needs, there) in [
            ("--url", self.url.is_some(), "--ciiss", self.ciiss),
            ("--proof", self.proof.is_some(), "--url", self.url.is_some()),
            (
                "--accounting-rule",
                self.accounting_rule.is_some(),
                "--accounting-max",
                self.accounting_max.is_some(),
            ),
        ] {
            if given && !there {
                return Err(Error::Needs { parameter, needs });
            }
        }
        let form = match (self.ciiss, self.obfuscate_email) {
            (true, _) => ContactForm::Ciiss,
            (false, true) => ContactForm::Obfuscated,
            (false, false) => ContactForm::Plain,
        };
        let accounting = match (self.accounting_max, self.accounting_start) {
            (Some(max), start) => Some(Accounting {
                max,
                start,
                rule: self.accounting_rule,
            }),
            (None, Some(_)) => {
                return Err(Error::Needs {
                    parameter: "--accounting-start",
                    needs: "--accounting-max",
                });
            }
            (None, None) => None,
        };
        if self.hashed_control_password.is_some() && self.control_port.is_none() {
            return Err(Error::Needs {
                parameter: "--control-password",
                needs: "--control-port",
            });
        }
        let family = Family {
            ids: self.family_id,
            relays: self.my_family,
        };
        let duty = match role {
            Role::Bridge => Duty::Bridge {
                distribution: self.bridge_distribution.unwrap_or(Distribution::Any),
                transports: self
                    .transport
                    .into_iter()
                    .chain(self.obfs4_port.map(Transport::obfs4))
                    .collect(),
            },
            Role::Middle => Duty::Middle { family },
            Role::Exit => Duty::Exit {
                family,
                policy: self.exit_policy.unwrap_or(PolicyChoice::Reduced).read()?,
            },
        };
        let metrics = (self.metrics_port.is_some() || self.metrics.is_some()).then(|| Metrics {
            port: self.metrics_port.unwrap_or(METRICS_PORT),
            network: self.metrics,
        });
        let relay = Relay {
            nickname,
            contact: Contact {
                name: self.contact_name,
                email,
                pgp: self.pgp,
                url: self.url,
                proof: self.proof,
                form,
            },
            address: self.address,
            ipv6: self.ipv6,
            or_port: self.or_port.unwrap_or(OR_PORT),
            limit,
            accounting,
            control: Control {
                socket: self.control_socket.unwrap_or_default(),
                port: self.control_port,
                password: self.hashed_control_password,
            },
            metrics,
            offline_master_key: self.offline_master_key,
            sandbox: self.sandbox,
            duty,
        };
        distinct_ports(&relay)?;
        Ok(relay)
    }

    fn suits(&self, role: Role) -> Result<(), Error> {
        let family = "it would tell censors where the bridge is";
        let bridge_only = "only bridges are hidden and handed out";
        let misplaced = [
            (
                "--family-id",
                role == Role::Bridge && !self.family_id.is_empty(),
                family,
            ),
            (
                "--my-family",
                role == Role::Bridge && !self.my_family.is_empty(),
                family,
            ),
            (
                "--exit-policy",
                role != Role::Exit && self.exit_policy.is_some(),
                "nothing leaves the network here",
            ),
            (
                "--bridge-distribution",
                role != Role::Bridge && self.bridge_distribution.is_some(),
                bridge_only,
            ),
            (
                "--transport",
                role != Role::Bridge && !self.transport.is_empty(),
                bridge_only,
            ),
            (
                "--obfs4-port",
                role != Role::Bridge && self.obfs4_port.is_some(),
                bridge_only,
            ),
        ];
        if let Some((parameter, _, reason)) = misplaced.into_iter().find(|&(_, wrong, _)| wrong) {
            return Err(Error::NotForRole {
                parameter,
                role: role.name(),
                reason,
            });
        }
        // Tor refuses it: the sandbox cannot start programs.
        let transports = [
            ("--transport", !self.transport.is_empty()),
            ("--obfs4-port", self.obfs4_port.is_some()),
        ];
        if let (true, Some((other, _))) = (self.sandbox, transports.iter().find(|(_, on)| *on)) {
            return Err(Error::Excludes {
                parameter: "--sandbox",
                other,
            });
        }
        Ok(())
    }

    fn limit(&self, role: Role) -> Result<Option<Limit>, Error> {
        for (parameter, given) in [("--rate", self.rate), ("--burst", self.burst)] {
            let Some(given) = given else { continue };
            let bounds = |wanted: String| Error::OutOfBounds {
                parameter,
                given: given.to_string(),
                bytes: given.bytes(),
                role: role.name(),
                wanted,
            };
            let least = lowest(role);
            if given.bytes() < least {
                return Err(bounds(format!(
                    "at least {} ({least} bytes per second): tor does not start with less",
                    Bandwidth::from_bytes(least)
                )));
            }
            if given.bytes() > HIGHEST {
                return Err(bounds(format!(
                    "at most {}; leave it out to set no limit",
                    Bandwidth::from_bytes(HIGHEST)
                )));
            }
        }
        match (self.rate, self.burst) {
            (Some(rate), Some(burst)) if burst < rate => Err(Error::BurstBelowRate {
                burst: burst.to_string(),
                rate: rate.to_string(),
            }),
            (Some(rate), burst) => Ok(Some(Limit { rate, burst })),
            (None, Some(_)) => Err(Error::Needs {
                parameter: "--burst",
                needs: "--rate",
            }),
            (None, None) => Ok(None),
        }
    }
}

fn list_or<T>(mine: Vec<T>, others: Vec<T>) -> Vec<T> {
    if mine.is_empty() { others } else { mine }
}

/// One port for two things is a container that does not start.
fn distinct_ports(relay: &Relay) -> Result<(), Error> {
    let mut ports = vec![("the ORPort".to_owned(), relay.or_port.get())];
    if let Duty::Bridge { transports, .. } = &relay.duty {
        for (index, transport) in transports.iter().enumerate() {
            let port = relay.transport_port(transports, index);
            ports.push((format!("the transport {}", transport.name), port));
        }
        for (index, transport) in transports.iter().enumerate() {
            if transports[..index]
                .iter()
                .any(|other| other.name == transport.name)
            {
                return Err(Error::Transport {
                    given: transport.name.clone(),
                    reason: "it is given twice; tor ignores the second".to_owned(),
                });
            }
        }
    }
    let inner = [
        ("--control-port", relay.control.port),
        ("--metrics-port", relay.metrics.map(|metrics| metrics.port)),
    ];
    ports.extend(
        inner
            .into_iter()
            .filter_map(|(name, port)| Some((name.to_owned(), port?.get()))),
    );
    for (index, (second, port)) in ports.iter().enumerate() {
        if let Some((first, _)) = ports[..index].iter().find(|(_, other)| other == port) {
            return Err(Error::PortTwice {
                port: *port,
                first: first.clone(),
                second: second.clone(),
            });
        }
    }
    Ok(())
}

/// The line on which the key of `parameter` stands in a file of parameters, from 1.
pub fn line_of_parameter(text: &str, parameter: &str) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let mut keys = table.get_ref().keys();
    let found = keys.find(|name| name.get_ref() == key(parameter))?;
    Some(line_of(text, found.span().start))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1
}

/// A string that is read like the command line's.
fn one<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr,
    T::Err: Display,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A list of such strings.
fn many<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr,
    T::Err: Display,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parsed = texts.iter().map(|text| text.parse());
    parsed
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
