//! The settings of a torrc as tor takes them: names made whole, later ones over earlier ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::finding::{Edit, Excerpt, Finding, Fix, Place, Severity};
use super::include::Expanded;
use super::kind::Kind;
use super::options::{Found, Known, exact, find};
use super::parse::Change;
use super::value;
use crate::Fingerprint;

/// One value of an option.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Where it stands.
    pub(crate) place: Place,
    /// The option.
    pub(crate) option: Known,
    /// The value.
    pub(crate) value: String,
}

/// The settings that count, in their order.
pub(crate) struct Config {
    /// The torrc itself, for what is about the file as a whole.
    pub(crate) file: Arc<str>,
    settings: Vec<Setting>,
    /// Where the settings of each option stand among them: rules ask once for each line.
    places: HashMap<&'static str, Vec<usize>>,
    findings: Vec<Finding>,
    /// The worst of what was found and is not told.
    left_out: Option<Severity>,
    /// The lines of each file that was read.
    texts: BTreeMap<String, Vec<String>>,
    /// The options that are set by a line that cannot be read.
    broken: HashSet<&'static str>,
    /// Whether a file that the torrc includes is not there to be read.
    incomplete: bool,
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

/// The most findings that are told, but for those of files that are included.
const MOST_FINDINGS: usize = 1000;

/// The settings while they are read. What a later line takes away leaves its place empty, so that
/// it costs no search.
#[derive(Default)]
struct Draft {
    settings: Vec<Option<Setting>>,
    /// Where those of an option are.
    places: HashMap<&'static str, Vec<usize>>,
}

impl Draft {
    fn add(&mut self, setting: Setting) {
        let places = self.places.entry(setting.option.name).or_default();
        places.push(self.settings.len());
        self.settings.push(Some(setting));
    }

    /// Takes away all of an option, and returns the last.
    fn clear(&mut self, option: Known) -> Option<Setting> {
        let places = self.places.remove(option.name).unwrap_or_default();
        let taken = places.into_iter().map(|at| self.settings[at].take());
        taken.last().flatten()
    }
}

impl Config {
    /// Takes in `lines`, and finds what is wrong with single ones.
    pub(super) fn new(file: &str, read: Expanded) -> Self {
        let mut config = Self {
            file: file.into(),
            settings: Vec::new(),
            places: HashMap::new(),
            findings: read.findings,
            left_out: None,
            texts: read.texts,
            broken: read.broken.into_iter().collect(),
            incomplete: read.incomplete,
        };
        let mut draft = Draft::default();
        for (place, line) in read.lines {
            if config.findings.len() >= MOST_FINDINGS {
                config.left_out = Some(Severity::Error);
                break;
            }
            if let Some(option) = config.named(&place, &line.name, &line.value) {
                config.set(&mut draft, place, option, line.value, line.change);
            }
        }
        config.settings = draft.settings.into_iter().flatten().collect();
        for (at, setting) in config.settings.iter().enumerate() {
            let places = config.places.entry(setting.option.name).or_default();
            places.push(at);
        }
        config.keep_what_is_set();
        config
    }

    /// What is set by a name that tor does not know is not missing. But a name that is near is not
    /// what is meant for sure where that option is set already.
    fn keep_what_is_set(&mut self) {
        let mut meant: HashSet<&'static str> = HashSet::new();
        for finding in &mut self.findings {
            if let ("unknown-option", Some(Edit::Replace(line))) = (finding.rule, &finding.edit)
                && let Some(option) = line.split(' ').next().and_then(exact)
            {
                self.broken.insert(option.name);
                let again = self.places.contains_key(option.name) || !meant.insert(option.name);
                if option.kind == Kind::List || !again {
                    continue;
                }
                finding.edit = None;
                finding.fix = format!("delete the line: `{}` is set on another one", option.name);
            }
        }
    }

    /// Keeps what was found, unless there is so much already that nobody reads it.
    fn keep(&mut self, finding: Finding) {
        match self.findings.len() < MOST_FINDINGS {
            true => self.findings.push(finding),
            false => self.left_out = self.left_out.max(Some(finding.severity)),
        }
    }

    /// The option of that name, if it is one that does something.
    fn named(&mut self, place: &Place, name: &str, value: &str) -> Option<Known> {
        let known = match find(name) {
            Found::Named(known) => known,
            Found::OldName(known) => {
                self.line(
                    Severity::Warning,
                    "old-name",
                    place,
                    known,
                    format!("`{name}` is an old name that will go away"),
                    config_name(known, value),
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
                    config_name(known, value),
                );
                known
            }
            Found::Unknown(near) => {
                let (fix, edit) = unknown(name, value, near).parts();
                // A mark that cannot be seen is named.
                let shown = name.trim_start_matches('\u{feff}');
                self.keep(Finding {
                    file: place.file.to_string(),
                    line: Some(place.line),
                    severity: Severity::Error,
                    rule: "unknown-option",
                    option: Some(name.to_owned()),
                    what: match shown == name {
                        true => format!("tor has no option `{name}`, and does not start"),
                        false => format!(
                            "the file begins with a byte order mark, which tor takes for a part of `{shown}`: it does not start"
                        ),
                    },
                    fix,
                    edit,
                    excerpt: None,
                    manual: near.and_then(|near| near.manual()),
                });
                return None;
            }
        };
        if known.kind == Kind::Obsolete {
            let instead = INSTEAD.iter().find(|(name, _)| *name == known.name);
            let fix = instead.map_or("delete the line", |(_, instead)| instead);
            let what = format!("`{}` is obsolete: tor skips it", known.name);
            self.line(
                Severity::Warning,
                "obsolete-option",
                place,
                known,
                what,
                fix,
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

    fn set(
        &mut self,
        draft: &mut Draft,
        place: Place,
        option: Known,
        mut value: String,
        change: Change,
    ) {
        let list = option.kind == Kind::List;
        let number = matches!(
            option.kind,
            Kind::Integer | Kind::Positive | Kind::Memory | Kind::Interval | Kind::Milliseconds
        );
        if value.is_empty() && number && change != Change::Clear {
            let what = format!("`{}` has no value: tor takes it for 0", option.name);
            let fix = "give it a value, or delete the line";
            self.line(Severity::Warning, "empty-value", &place, option, what, fix);
            value = "0".to_owned();
        }
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
                draft.clear(option);
            }
            return;
        }
        if let Some(wanted) = value::fault(option.kind, &value) {
            let what = format!("`{value}` is not {wanted}: tor does not start");
            let fix = match value::meant(option.kind, &value) {
                Some(meant) => Fix::write(format!("{} {meant}", option.name)),
                None => format!("write {wanted}").into(),
            };
            self.line(Severity::Error, "bad-value", &place, option, what, fix);
        }
        let before = match list {
            true => None,
            false => draft.clear(option),
        };
        if let Some(earlier) = before {
            self.line(
                Severity::Warning,
                "repeated-option",
                &earlier.place,
                option,
                format!(
                    "`{}` is set again on {place}: only the last counts",
                    option.name
                ),
                Fix::delete("delete all but one"),
            );
        }
        draft.add(Setting {
            place,
            option,
            value,
        });
    }

    /// All values of an option.
    pub(crate) fn all(&self, name: &str) -> Vec<Setting> {
        self.at(&[name])
    }

    /// All values of the options of these names, in the order of the torrc.
    fn at(&self, names: &[&str]) -> Vec<Setting> {
        let places = names.iter().filter_map(|name| self.places.get(name));
        let mut places: Vec<usize> = places.flatten().copied().collect();
        places.sort_unstable();
        (places.into_iter())
            .map(|at| self.settings[at].clone())
            .collect()
    }

    /// All values of a port option: tor keeps a second name for each.
    pub(crate) fn ports(&self, name: &str) -> Vec<Setting> {
        self.at(&[name, &format!("__{name}")])
    }

    /// The value of an option.
    pub(crate) fn one(&self, name: &str) -> Option<Setting> {
        self.all(name).pop()
    }

    /// The setting of an option that is 1.
    pub(crate) fn on(&self, name: &str) -> Option<Setting> {
        self.one(name).filter(|setting| setting.value == "1")
    }

    /// The setting of an option that is 0.
    pub(crate) fn off(&self, name: &str) -> Option<Setting> {
        self.one(name).filter(|setting| setting.value == "0")
    }

    /// The setting of an option that is an amount, and the amount in bytes.
    pub(crate) fn memory(&self, name: &str) -> Option<(Setting, u64)> {
        let setting = self.one(name)?;
        let bytes = value::memory(&setting.value)?;
        Some((setting, bytes))
    }

    /// Says something about a setting.
    pub(crate) fn find(
        &mut self,
        severity: Severity,
        rule: &'static str,
        setting: &Setting,
        what: impl Into<String>,
        fix: impl Into<Fix>,
    ) {
        self.line(severity, rule, &setting.place, setting.option, what, fix);
    }

    /// Whether a line that cannot be read sets the option, or may do so.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        self.incomplete || self.broken.contains(&name)
    }

    /// Says something about an option that is not set, if that is known.
    pub(crate) fn missing(
        &mut self,
        severity: Severity,
        rule: &'static str,
        name: &str,
        what: impl Into<String>,
        fix: impl Into<Fix>,
    ) {
        if self.is_unknown(name) {
            return;
        }
        let (fix, edit) = fix.into().parts();
        self.keep(Finding {
            file: self.file.to_string(),
            line: None,
            severity,
            rule,
            option: Some(name.to_owned()),
            what: what.into(),
            fix,
            edit,
            excerpt: None,
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
        fix: impl Into<Fix>,
    ) {
        let (fix, edit) = fix.into().parts();
        self.keep(Finding {
            file: place.file.to_string(),
            line: Some(place.line),
            severity,
            rule,
            option: Some(option.name.to_owned()),
            what: what.into(),
            fix,
            edit,
            excerpt: None,
            manual: option.manual(),
        });
    }

    /// Every setting that counts.
    pub(crate) fn every(&self) -> Vec<Setting> {
        self.settings.clone()
    }

    /// The line at `place`, as it is written.
    pub(crate) fn text_of(&self, place: &Place) -> Option<&str> {
        let lines = self.texts.get(&*place.file)?;
        lines.get(place.line.checked_sub(1)?).map(String::as_str)
    }

    /// All that was found, each with its line.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        let texts = self.texts;
        let mut findings = self.findings;
        if let Some(severity) = self.left_out {
            findings.push(Finding {
                file: self.file.to_string(),
                line: None,
                severity,
                rule: "too-many-findings",
                option: None,
                what: format!(
                    "there are more than {MOST_FINDINGS} findings: the rest are not shown"
                ),
                fix: "fix these first, and check again".to_owned(),
                edit: None,
                excerpt: None,
                manual: None,
            });
        }
        for finding in &mut findings {
            let lines = texts.get(&finding.file);
            let line = finding
                .line
                .and_then(|line| lines?.get(line.checked_sub(1)?));
            finding.excerpt = line.map(|line| Excerpt::of(line, &finding.what));
        }
        findings
    }
}

/// The option under the name it has today.
fn config_name(known: Known, value: &str) -> Fix {
    Fix::write(format!("{} {value}", known.name).trim_end()).said(format!("write `{}`", known.name))
}

/// What is meant by a name that tor does not know.
fn unknown(name: &str, value: &str, near: Option<Known>) -> Fix {
    let plain = name.trim_start_matches('\u{feff}');
    if plain != name {
        let line = format!("{plain} {value}");
        return Fix::write(line.trim_end())
            .said("save the file as UTF-8 without a byte order mark");
    }
    // `Nickname=foo`, `Nickname: foo` and the two with blanks around.
    if let Some((first, rest)) = name.split_once(['=', ':']) {
        let value = format!("{rest} {value}");
        let value = value.trim().trim_start_matches(['=', ':']).trim_start();
        if let Found::Named(known) | Found::OldName(known) = find(first) {
            return Fix::write(format!("{} {value}", known.name).trim_end());
        }
    }
    // A blank that is none to tor stands between the two.
    if let Some((first, rest)) = name.split_once(|c: char| c.is_whitespace())
        && let Found::Named(known) | Found::OldName(known) = find(first)
    {
        let line = format!("{} {rest} {value}", known.name);
        return Fix::write(line.trim_end())
            .said(format!("write `{}` with a plain blank", line.trim_end()));
    }
    if name.parse::<Fingerprint>().is_ok() {
        return "put it on the line of `MyFamily`, with a comma between two".into();
    }
    match near {
        Some(near) => Fix::write(format!("{} {value}", near.name).trim_end())
            .said(format!("`{}` is near; or delete the line", near.name)),
        None => "delete the line".into(),
    }
}
