//! The torrc of one relay: commented, and no longer than it has to be.

use std::fmt::Write as _;
use std::num::NonZeroU16;

use super::accounting::{Accounting, Rule, lasts, span, steady};
use super::address::{Address, PublicV6};
use super::contact::Contact;
use super::control::Control;
use super::exit_policy::ExitPolicy;
use super::family::Family;
use super::metrics::Metrics;
use super::nickname::Nickname;
use super::transport::{Distribution, Transport};
use super::{Bandwidth, DATA_DIRECTORY, Role, notice};

/// All there is to say about a relay. [`super::Parameters::relay`] makes it, and checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The name it is listed under.
    pub nickname: Nickname,
    /// Whom to write to.
    pub contact: Contact,
    /// Where it is found; tor finds out if not given.
    pub address: Option<Address>,
    /// Its IPv6 address, if it is to be found there too.
    pub ipv6: Option<PublicV6>,
    /// The port for all of tor's traffic.
    pub or_port: NonZeroU16,
    /// How much it may carry at a time.
    pub limit: Option<Limit>,
    /// How much it may carry in a period.
    pub accounting: Option<Accounting>,
    /// How it is controlled.
    pub control: Control,
    /// What answers Prometheus.
    pub metrics: Option<Metrics>,
    /// Whether its master key is kept elsewhere.
    pub offline_master_key: bool,
    /// Whether tor limits its own system calls; tor must be built with libseccomp for it.
    pub sandbox: bool,
    /// What it does in the network.
    pub duty: Duty,
}

/// How fast a relay may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// On average, in each direction.
    pub rate: Bandwidth,
    /// At most; tor takes the rate if not given.
    pub burst: Option<Bandwidth>,
}

/// A role, with what only that role has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// A bridge.
    Bridge {
        /// How it is handed out.
        distribution: Distribution,
        /// How it hides its traffic.
        transports: Vec<Transport>,
    },
    /// A middle relay.
    Middle {
        /// Whose it is.
        family: Family,
    },
    /// An exit.
    Exit {
        /// Whose it is.
        family: Family,
        /// What may leave.
        policy: ExitPolicy,
    },
}

impl Relay {
    /// Its role.
    pub fn role(&self) -> Role {
        match self.duty {
            Duty::Bridge { .. } => Role::Bridge,
            Duty::Middle { .. } => Role::Middle,
            Duty::Exit { .. } => Role::Exit,
        }
    }

    /// The port of the transport at `index`: its own, or counted from the ORPort.
    pub(super) fn transport_port(&self, transports: &[Transport], index: usize) -> u16 {
        let own = transports[index].port.map(NonZeroU16::get);
        own.unwrap_or_else(|| self.or_port.get().saturating_add(index as u16 + 1))
    }

    /// The torrc.
    pub fn torrc(&self) -> String {
        let mut text = Text::default();
        self.identity(&mut text);
        self.reach(&mut text);
        self.limits(&mut text);
        match &self.duty {
            Duty::Bridge {
                distribution,
                transports,
            } => self.bridge(&mut text, *distribution, transports),
            Duty::Middle { family } => {
                no_exit(&mut text);
                write_family(&mut text, family);
            }
            Duty::Exit { family, policy } => {
                self.exit(&mut text, policy);
                write_family(&mut text, family);
            }
        }
        self.upkeep(&mut text);
        text.0
    }

    /// The page that says what an exit is, as HTML; absent for other roles.
    pub fn notice(&self) -> Option<String> {
        (self.role() == Role::Exit)
            .then(|| notice::page(self.nickname.as_str(), &self.contact.value()))
    }

    fn identity(&self, text: &mut Text) {
        let (kind, public) = match self.role() {
            Role::Bridge => ("a bridge", "Name and contact"),
            Role::Middle => ("a middle relay", "Name, contact and address"),
            Role::Exit => ("an exit relay", "Name, contact and address"),
        };
        text.comment(&format!(
            "The torrc of {kind}, written by relaysmith. tor(1) explains every option."
        ));
        text.comment(&format!("{public} are published and archived for ever."));
        text.set("Nickname", self.nickname.as_str());
        text.set("ContactInfo", quoted(&self.contact.value()));
        if let Some(address) = &self.address {
            text.set("Address", address);
        }
    }

    fn reach(&self, text: &mut Text) {
        let port = self.or_port;
        text.section("All of tor's traffic. Publish the port under the same number.");
        text.set("ORPort", format!("{port} IPv4Only"));
        if let Some(address) = &self.ipv6 {
            text.comment(
                "IPv6: the first line is what the network is told; the second is where tor",
            );
            text.comment("listens, since a container does not have the host's address.");
            text.set("ORPort", format!("[{address}]:{port} NoListen"));
            text.set("ORPort", format!("[::]:{port} NoAdvertise"));
        }
        text.comment("A relay needs no port for tor's own users.");
        text.set("SocksPort", 0);
    }

    fn limits(&self, text: &mut Text) {
        if let Some(Limit { rate, burst }) = self.limit {
            let burst_said = burst.map(|burst| format!(", {burst} at most"));
            text.section(&format!(
                "{rate} in each direction{}. Tor's units are powers of two.",
                burst_said.unwrap_or_default()
            ));
            text.set("RelayBandwidthRate", rate.for_tor());
            if let Some(burst) = burst {
                text.set("RelayBandwidthBurst", burst.for_tor());
            }
        }
        if let Some(Accounting { max, start, rule }) = &self.accounting {
            let period = start.unwrap_or_default().period();
            let each_way = rule.unwrap_or(Rule::Max).each_way(max.bytes());
            text.section(&format!(
                "{max} a {} {}, then the relay sleeps until the next.",
                period.name(),
                rule.unwrap_or(Rule::Max).said()
            ));
            if let Some(Limit { rate, .. }) = self.limit
                && lasts(each_way, rate) < period.seconds()
            {
                text.comment(&format!(
                    "At the full rate it lasts {}; {} would last the {}.",
                    span(lasts(each_way, rate)),
                    steady(each_way, period),
                    period.name()
                ));
            }
            text.set("AccountingMax", max.for_tor());
            if let Some(rule) = rule {
                text.set("AccountingRule", rule.name());
            }
            if let Some(start) = start {
                text.comment("In the container's time, which is UTC.");
                text.set("AccountingStart", start);
            }
        }
    }

    fn bridge(&self, text: &mut Text, distribution: Distribution, transports: &[Transport]) {
        text.section("A bridge: not in the public list of relays.");
        text.set("BridgeRelay", 1);
        text.comment("How it is handed out: any, none, https, email or settings.");
        text.set("BridgeDistribution", distribution);
        no_exit(text);
        if transports.is_empty() {
            return;
        }
        text.section("Hides what the traffic is. Publish each port under the same number.");
        let host = if self.ipv6.is_some() {
            "[::]"
        } else {
            "0.0.0.0"
        };
        for (index, Transport { name, binary, .. }) in transports.iter().enumerate() {
            let port = self.transport_port(transports, index);
            text.set("ServerTransportPlugin", format!("{name} exec {binary}"));
            text.set("ServerTransportListenAddr", format!("{name} {host}:{port}"));
        }
        text.comment("Lets the transports tell tor how many use them.");
        text.set("ExtORPort", "auto");
    }

    fn exit(&self, text: &mut Text, policy: &ExitPolicy) {
        text.section("An exit: what leaves it seems to come from its address.");
        text.set("ExitRelay", 1);
        if self.ipv6.is_some() {
            text.set("IPv6Exit", 1);
        }
        match policy {
            ExitPolicy::Reduced => {
                text.comment(
                    "Tor's own list of ports: most services, but not mail or file sharing.",
                );
                text.set("ReducedExitPolicy", 1);
            }
            ExitPolicy::Rules { title, rules } => {
                text.comment(&format!("{title}."));
                for (rule, comment) in rules {
                    match comment {
                        Some(comment) => text.set("ExitPolicy", format!("{rule:<18} # {comment}")),
                        None => text.set("ExitPolicy", rule),
                    }
                }
            }
        }
        text.comment(
            "A page that says what this is belongs on port 80 of the address. Serve it with",
        );
        text.comment(
            "any web server: DirPortFrontPage needs a DirPort, which relays no longer have.",
        );
    }

    fn upkeep(&self, text: &mut Text) {
        text.section("Keys and state, in the volume: the relay is its keys, keep them.");
        text.set("DataDirectory", DATA_DIRECTORY);
        if self.offline_master_key {
            text.comment(
                "The master key is elsewhere. Renew the signing key in time: tor --keygen",
            );
            text.set("OfflineMasterKey", 1);
        }
        if self.sandbox {
            text.comment("Tor limits its own system calls.");
            text.set("Sandbox", 1);
        }
        let Control {
            socket,
            port,
            password,
        } = &self.control;
        text.section("For the health check and arm, inside the container. Never publish it.");
        text.set("ControlSocket", socket);
        if let Some(port) = port {
            text.set("ControlPort", format!("127.0.0.1:{port}"));
        }
        text.set("CookieAuthentication", 1);
        if let Some(password) = password {
            text.set("HashedControlPassword", password);
        }
        match self.metrics {
            Some(Metrics {
                port,
                network: Some(network),
            }) => {
                text.section(
                    "For a Prometheus in the network of containers that `compose --monitoring` writes,",
                );
                text.comment("and nobody else. Never publish the port: it harms users.");
                text.set("MetricsPort", format!("0.0.0.0:{port}"));
                text.set("MetricsPortPolicy", format!("accept {network}"));
            }
            Some(Metrics {
                port,
                network: None,
            }) => {
                text.section(
                    "For Prometheus, inside the container. Never publish it: it harms users.",
                );
                text.set("MetricsPort", format!("127.0.0.1:{port}"));
                text.set("MetricsPortPolicy", "accept 127.0.0.1");
            }
            None => {}
        }
    }
}

fn no_exit(text: &mut Text) {
    text.section("No traffic leaves the network here.");
    text.set("ExitRelay", 0);
    text.set("ExitPolicy", "reject *:*");
}

fn write_family(text: &mut Text, family: &Family) {
    if family.ids.is_empty() && family.relays.is_empty() {
        return;
    }
    text.section("Relays of the same people: no circuit passes two of them.");
    if !family.ids.is_empty() {
        text.comment("The family's key belongs into the relay's keys directory.");
    }
    for id in &family.ids {
        text.set("FamilyId", id);
    }
    for relay in &family.relays {
        text.set("MyFamily", relay);
    }
}

/// The text in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    fn section(&mut self, comment: &str) {
        self.0.push('\n');
        self.comment(comment);
    }

    fn comment(&mut self, comment: &str) {
        self.line(format_args!("# {comment}"));
    }

    fn set(&mut self, option: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{option} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// `value` as tor reads it back: as it is, or in quotes where something in it would end it,
/// continue it or begin a comment.
pub(super) fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value.trim() == value
        && !value.starts_with('"')
        && !value.ends_with('\\')
        && !value.contains(|c: char| c == '#' || c.is_control());
    if plain {
        return value.to_owned();
    }
    let mut quoted = String::from('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..=' ' if character != ' ' => {
                quoted.push_str(&format!("\\x{:02x}", character as u32));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
