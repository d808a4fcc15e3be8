//! The settings of a torrc as tor takes them: names made whole, later ones over earlier ones.

use std::sync::Arc;

use super::finding::{Finding, Place, Severity};
use super::include::Placed;
use super::options::{Found, Kind, Known, exact, find};
use super::parse::Change;
use super::value;

/// One value of an option.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Setting {
    /// Where it stands.
    pub(in crate::relay) place: Place,
    /// The option.
    pub(in crate::relay) option: Known,
    /// The value.
    pub(in crate::relay) value: String,
}

/// The settings that count, in their order.
pub(in crate::relay) struct Config {
    /// The torrc itself, for what is about the file as a whole.
    pub(in crate::relay) file: Arc<str>,
    settings: Vec<Setting>,
    findings: Vec<Finding>,
}

/// Options that make tor refuse or warn by being there, and what to write instead; tor skips
/// all that are obsolete.
const INSTEAD: &[(&str, &str)] = &[
    ("ORListenAddress", "write `ORPort address:port`"),
    (
        "DirListenAddress",
        "delete the line: relays have no DirPort any more",
    ),
    ("ControlListenAddress", "write `ControlPort address:port`"),
    ("SocksListenAddress", "write `SocksPort address:port`"),
    ("DNSListenAddress", "write `DNSPort address:port`"),
    ("TransListenAddress", "write `TransPort address:port`"),
    ("NATDListenAddress", "write `NATDPort address:port`"),
    ("Group", "delete the line: tor takes the group of `User`"),
    (
        "HidServAuth",
        "delete the line: onion services of version 2 are gone",
    ),
    ("StrictExitNodes", "write `StrictNodes 1`"),
    ("StrictEntryNodes", "write `StrictNodes 1`"),
];

/// Options that tor calls deprecated (`option_deprecation_notes_`).
const DEPRECATED: &[&str] = &[
    "HTTPProxy",
    "HTTPProxyAuthenticator",
    "ReachableDirAddresses",
    "ClientPreferIPv6DirPort",
];

impl Config {
    /// Takes in `lines`, and finds what is wrong with single ones.
    pub(in crate::relay) fn new(file: &str, lines: Vec<Placed>, findings: Vec<Finding>) -> Self {
        let mut config = Self {
            file: file.into(),
            settings: Vec::new(),
            findings,
        };
        for (place, line) in lines {
            if let Some(option) = config.named(&place, &line.name) {
                config.set(place, option, line.value, line.change);
            }
        }
        config
    }

    /// The option of that name, if it is one that does something.
    fn named(&mut self, place: &Place, name: &str) -> Option<Known> {
        let known = match find(name) {
            Found::Named(known) => known,
            Found::OldName(known) => {
                self.line(
                    Severity::Warning,
                    "old-name",
                    place,
                    known,
                    format!("`{name}` is an old name that will go away"),
                    format!("write `{}`", known.name),
                );
                known
            }
            Found::CutShort(known) => {
                self.line(
                    Severity::Warning,
                    "abbreviation",
                    place,
                    known,
                    format!("`{name}` is the beginning of `{}`: tor warns", known.name),
                    format!("write `{}`", known.name),
                );
                known
            }
            Found::Unknown(near) => {
                let mend = match near {
                    Some(near) => format!("`{}` is near; or delete the line", near.name),
                    None => "delete the line".to_owned(),
                };
                self.findings.push(Finding {
                    file: place.file.to_string(),
                    line: Some(place.line),
                    severity: Severity::Error,
                    rule: "unknown-option",
                    option: Some(name.to_owned()),
                    what: format!("tor has no option `{name}`, and does not start"),
                    mend,
                    manual: near.and_then(|near| near.manual()),
                });
                return None;
            }
        };
        if known.kind == Kind::Obsolete {
            let instead = INSTEAD.iter().find(|(name, _)| *name == known.name);
            let mend = instead.map_or("delete the line", |(_, instead)| instead);
            let what = format!("`{}` is obsolete: tor skips it", known.name);
            self.line(
                Severity::Warning,
                "obsolete-option",
                place,
                known,
                what,
                mend,
            );
            return None;
        }
        if DEPRECATED.contains(&known.name) {
            self.line(
                Severity::Warning,
                "deprecated-option",
                place,
                known,
                format!("`{}` does nothing for a relay and will go away", known.name),
                "delete the line",
            );
        }
        Some(known)
    }

    fn set(&mut self, place: Place, option: Known, value: String, change: Change) {
        let list = option.kind == Kind::List;
        if value.is_empty() {
            if list && change != Change::Clear {
                let what = format!("`{}` has no value: tor skips the line", option.name);
                self.line(
                    Severity::Warning,
                    "empty-value",
                    &place,
                    option,
                    what,
                    "give it a value, or delete the line",
                );
            } else {
                self.settings.retain(|setting| setting.option != option);
            }
            return;
        }
        if let Some(wanted) = value::fault(option.kind, &value) {
            let what = format!("`{value}` is not {wanted}: tor does not start");
            let mend = format!("write {wanted}");
            self.line(Severity::Error, "bad-value", &place, option, what, mend);
        }
        let before = self
            .settings
            .iter()
            .position(|setting| setting.option == option);
        if let (false, Some(before)) = (list, before) {
            let earlier = self.settings.remove(before);
            self.line(
                Severity::Warning,
                "repeated-option",
                &earlier.place,
                option,
                format!(
                    "`{}` is set again on {place}: only the last counts",
                    option.name
                ),
                "delete all but one",
            );
        }
        self.settings.push(Setting {
            place,
            option,
            value,
        });
    }

    /// All values of an option.
    pub(in crate::relay) fn all(&self, name: &str) -> Vec<Setting> {
        let named = |setting: &&Setting| setting.option.name == name;
        self.settings.iter().filter(named).cloned().collect()
    }

    /// All values of a port option: tor keeps a second name for each.
    pub(in crate::relay) fn ports(&self, name: &str) -> Vec<Setting> {
        let second = format!("__{name}");
        let named = |setting: &&Setting| [name, &second].contains(&setting.option.name);
        self.settings.iter().filter(named).cloned().collect()
    }

    /// The value of an option.
    pub(in crate::relay) fn one(&self, name: &str) -> Option<Setting> {
        self.all(name).pop()
    }

    /// The setting of an option that is 1.
    pub(in crate::relay) fn on(&self, name: &str) -> Option<Setting> {
        self.one(name).filter(|setting| setting.value == "1")
    }

    /// The setting of an option that is 0.
    pub(in crate::relay) fn off(&self, name: &str) -> Option<Setting> {
        self.one(name).filter(|setting| setting.value == "0")
    }

    /// The setting of an option that is an amount, and the amount in bytes.
    pub(in crate::relay) fn memory(&self, name: &str) -> Option<(Setting, u64)> {
        let setting = self.one(name)?;
        let bytes = value::memory(&setting.value)?;
        Some((setting, bytes))
    }

    /// Says something about a setting.
    pub(in crate::relay) fn find(
        &mut self,
        severity: Severity,
        rule: &'static str,
        setting: &Setting,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.line(severity, rule, &setting.place, setting.option, what, mend);
    }

    /// Says something about an option that is not set.
    pub(in crate::relay) fn missing(
        &mut self,
        severity: Severity,
        rule: &'static str,
        name: &str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: self.file.to_string(),
            line: None,
            severity,
            rule,
            option: Some(name.to_owned()),
            what: what.into(),
            mend: mend.into(),
            manual: exact(name).and_then(|known| known.manual()),
        });
    }

    fn line(
        &mut self,
        severity: Severity,
        rule: &'static str,
        place: &Place,
        option: Known,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: place.file.to_string(),
            line: Some(place.line),
            severity,
            rule,
            option: Some(option.name.to_owned()),
            what: what.into(),
            mend: mend.into(),
            manual: option.manual(),
        });
    }

    /// All that was found.
    pub(in crate::relay) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
