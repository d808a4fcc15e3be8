//! What an exit lets through.

use std::path::PathBuf;
use std::str::FromStr;

use super::Error;
use super::policy::{Rule, parse};

/// Which policy an exit is to have: a name, or a file of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyChoice {
    /// The web alone.
    Web,
    /// Tor's reduced policy.
    Reduced,
    /// Tor's default policy.
    Full,
    /// The reduced policy of 2016.
    Guide2016,
    /// A file of rules.
    File(PathBuf),
}

impl FromStr for PolicyChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "web" => Self::Web,
            "reduced" => Self::Reduced,
            "full" => Self::Full,
            "guide-2016" => Self::Guide2016,
            file => Self::File(file.into()),
        })
    }
}

impl PolicyChoice {
    pub(super) fn read(self) -> Result<ExitPolicy, Error> {
        Ok(match self {
            Self::Web => ExitPolicy::web(),
            Self::Reduced => ExitPolicy::Reduced,
            Self::Full => ExitPolicy::full(),
            Self::Guide2016 => ExitPolicy::guide_2016(),
            Self::File(path) => {
                let text = fs_err::read_to_string(&path).map_err(Error::PolicyRead)?;
                ExitPolicy::from_list(&path.display().to_string(), &text)?
            }
        })
    }
}

/// What an exit lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitPolicy {
    /// Tor's own reduced policy, kept up to date by tor: `ReducedExitPolicy 1`.
    Reduced,
    /// A list, each rule as it is written after `ExitPolicy`, with a comment.
    Rules {
        /// Where the list is from.
        title: String,
        /// The rules; the last one matches everything.
        rules: Vec<(String, Option<String>)>,
    },
}

impl ExitPolicy {
    /// The web alone.
    pub fn web() -> Self {
        let rules = [(80, "HTTP"), (443, "HTTPS")];
        let accept = rules.map(|(port, what)| (format!("accept *:{port}"), Some(what.to_owned())));
        Self::Rules {
            title: "The web and nothing else".to_owned(),
            rules: accept.into_iter().chain([reject_the_rest()]).collect(),
        }
    }

    /// Everything but what is abused most: tor's default policy, written out
    /// (tor's manual, `ExitPolicy`).
    pub fn full() -> Self {
        let rejected = [
            ("25", Some("SMTP: spam")),
            ("119", Some("NNTP: spam")),
            ("135-139", Some("Windows networking")),
            ("445", Some("SMB")),
            ("563", Some("NNTP over TLS: spam")),
            ("1214", Some("Kazaa")),
            ("4661-4666", Some("eDonkey")),
            ("6346-6429", Some("Gnutella")),
            ("6699", Some("Napster")),
            ("6881-6999", Some("BitTorrent")),
        ];
        let rules = rejected
            .map(|(ports, what)| (format!("reject *:{ports}"), what.map(str::to_owned)))
            .into_iter()
            .chain([("accept *:*".to_owned(), None)]);
        Self::Rules {
            title: "All ports but those most abused (tor's default policy)".to_owned(),
            rules: rules.collect(),
        }
    }

    /// The reduced policy as it stood in the guide of 2016.
    pub fn guide_2016() -> Self {
        let rules = GUIDE_2016
            .iter()
            .map(|(ports, what)| (format!("accept *:{ports}"), Some((*what).to_owned())));
        Self::Rules {
            title: "The reduced policy as it stood in 2016".to_owned(),
            rules: rules.chain([reject_the_rest()]).collect(),
        }
    }

    /// Reads a list, a rule a line, with or without `ExitPolicy` before it. `file` is for
    /// errors. It must end in a rule that matches everything: tor's default policy would
    /// follow otherwise, and that opens most ports.
    pub fn from_list(file: &str, text: &str) -> Result<Self, Error> {
        let mut rules = Vec::new();
        let mut ends = false;
        for (number, line) in text.lines().enumerate() {
            let (line, comment) = match line.split_once('#') {
                Some((line, comment)) => (line.trim(), Some(comment.trim().to_owned())),
                None => (line.trim(), None),
            };
            if line.is_empty() {
                continue;
            }
            let value = match line.split_once([' ', '\t']) {
                Some((name, value)) if name.eq_ignore_ascii_case("ExitPolicy") => value.trim(),
                _ => line,
            };
            let parsed = parse(value).map_err(|reason| Error::PolicyFile {
                file: file.to_owned(),
                line: number + 1,
                reason,
            })?;
            ends = parsed.iter().any(Rule::is_last);
            rules.push((
                value.to_owned(),
                comment.filter(|comment| !comment.is_empty()),
            ));
        }
        if !ends {
            return Err(Error::PolicyOpen {
                file: file.to_owned(),
            });
        }
        Ok(Self::Rules {
            title: "A policy of one's own".to_owned(),
            rules,
        })
    }
}

fn reject_the_rest() -> (String, Option<String>) {
    ("reject *:*".to_owned(), None)
}

/// The ports of the guide's exit, and what it says they are for.
const GUIDE_2016: &[(&str, &str)] = &[
    ("20-23", "FTP, SSH, telnet"),
    ("43", "WHOIS"),
    ("53", "DNS"),
    ("79-81", "finger, HTTP"),
    ("88", "kerberos"),
    ("110", "POP3"),
    ("143", "IMAP"),
    ("194", "IRC"),
    ("220", "IMAP3"),
    ("389", "LDAP"),
    ("443", "HTTPS"),
    ("464", "kpasswd"),
    ("465", "mail submission over TLS"),
    ("531", "IRC/AIM"),
    ("543-544", "Kerberos"),
    ("554", "RTSP"),
    ("563", "NNTP over SSL"),
    ("587", "mail submission"),
    ("636", "LDAP over SSL"),
    ("706", "SILC"),
    ("749", "kerberos"),
    ("873", "rsync"),
    ("902-904", "VMware"),
    ("981", "Remote HTTPS management for firewall"),
    (
        "989-995",
        "FTP over SSL, Netnews Administration System, telnets, IMAP over SSL, ircs, POP3 over SSL",
    ),
    ("1194", "OpenVPN"),
    ("1220", "QT Server Admin"),
    ("1293", "PKT-KRB-IPSec"),
    ("1500", "VLSI License Manager"),
    ("1533", "Sametime"),
    ("1677", "GroupWise"),
    ("1723", "PPTP"),
    ("1755", "RTSP"),
    ("1863", "MSNP"),
    ("2082", "Infowave Mobility Server"),
    ("2083", "Secure Radius Service (radsec)"),
    ("2086-2087", "GNUnet, ELI"),
    ("2095-2096", "NBX"),
    ("2102-2104", "Zephyr"),
    ("3128", "SQUID"),
    ("3389", "MS WBT"),
    ("3690", "SVN"),
    ("4321", "RWHOIS"),
    ("4643", "Virtuozzo"),
    ("5050", "MMCC"),
    ("5190", "ICQ"),
    ("5222-5223", "XMPP, XMPP over SSL"),
    ("5228", "Android Market"),
    ("5900", "VNC"),
    ("6660-6669", "IRC"),
    ("6679", "IRC SSL"),
    ("6697", "IRC SSL"),
    ("8000", "iRDMI"),
    ("8008", "HTTP alternate"),
    ("8074", "Gadu-Gadu"),
    ("8080", "HTTP Proxies"),
    ("8082", "HTTPS Electrum Bitcoin port"),
    ("8087-8088", "Simplify Media SPP Protocol, Radan HTTP"),
    ("8332-8333", "Bitcoin"),
    ("8443", "PCsync HTTPS"),
    ("8888", "HTTP Proxies, NewsEDGE"),
    ("9418", "git"),
    ("9999", "distinct"),
    ("10000", "Network Data Management Protocol"),
    ("11371", "OpenPGP hkp (http keyserver protocol)"),
    ("19294", "Google Voice TCP"),
    ("19638", "Ensim control panel"),
    ("50002", "Electrum Bitcoin SSL"),
    ("64738", "Mumble"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::accepts_port;

    #[test]
    fn every_list_is_well_formed_and_closed() {
        for policy in [
            ExitPolicy::web(),
            ExitPolicy::full(),
            ExitPolicy::guide_2016(),
        ] {
            let ExitPolicy::Rules { title, rules } = policy else {
                panic!("a list")
            };
            let parsed: Vec<Rule> = rules
                .iter()
                .flat_map(|(rule, _)| parse(rule).unwrap())
                .collect();
            assert!(parsed.last().unwrap().is_last(), "{title}");
            assert_eq!(accepts_port(&parsed, 443), Some(true), "{title}");
            assert_eq!(accepts_port(&parsed, 25), Some(false), "{title}");
        }
    }

    #[test]
    fn a_list_of_ones_own() {
        let text = "# mine\nExitPolicy accept *:443 # HTTPS\n\naccept *:80\nreject *:*\n";
        let ExitPolicy::Rules { rules, .. } = ExitPolicy::from_list("mine", text).unwrap() else {
            panic!("a list")
        };
        assert_eq!(rules[0], ("accept *:443".into(), Some("HTTPS".into())));
        assert_eq!(rules.len(), 3);
        let failed = |text| ExitPolicy::from_list("mine", text).unwrap_err();
        insta::assert_snapshot!(
            failed("reject *:25\naccept example.org:80\n"),
            @"mine:2: `example.org` is not an address"
        );
        insta::assert_snapshot!(
            failed("accept *:80\n"),
            @"mine: the policy does not end in `reject *:*` or `accept *:*`"
        );
    }
}
