//! How to reach who runs a relay. All of it is published and archived for ever.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// What goes into `ContactInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// A name or pseudonym.
    pub name: Option<ContactName>,
    /// Where mail about the relay is read.
    pub email: Email,
    /// The fingerprint of the OpenPGP key to write to.
    pub pgp: Option<PgpFingerprint>,
    /// A page of who runs it.
    pub url: Option<Url>,
    /// How that page's host vouches for the relay.
    pub proof: Option<Proof>,
    /// How it is written.
    pub form: ContactForm,
}

/// How a host vouches for a relay (CIISS, `proof`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By `https://HOST/.well-known/tor-relay/rsa-fingerprint.txt`, a line for each relay.
    UriRsa,
    /// By a name below it in the DNS.
    DnsRsa,
}

impl Proof {
    /// Its name in the contact.
    pub fn name(self) -> &'static str {
        match self {
            Self::UriRsa => "uri-rsa",
            Self::DnsRsa => "dns-rsa",
        }
    }
}

impl FromStr for Proof {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::UriRsa, Self::DnsRsa]
            .into_iter()
            .find(|proof| proof.name() == text)
            .ok_or_else(|| Error::ContactUrl {
                given: text.to_owned(),
                expected: "uri-rsa or dns-rsa",
            })
    }
}

/// A page of who runs a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl FromStr for Url {
    type Err = Error;

    /// A host alone is taken for `https`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let host = rest.unwrap_or(text).split('/').next().unwrap_or_default();
        let printable = |c: char| c.is_ascii_graphic() && !"\"\\<>#".contains(c);
        let labels = host.split('.');
        let fits = host.contains('.')
            && labels.into_iter().all(|label| !label.is_empty())
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            && text.chars().all(printable);
        if !fits {
            return Err(Error::ContactUrl {
                given: text.to_owned(),
                expected: "a page such as https://example.org",
            });
        }
        Ok(Self(match rest {
            Some(_) => text.to_owned(),
            None => format!("https://{text}"),
        }))
    }
}

/// How a contact is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactForm {
    /// `Name <mail@example.org>`.
    Plain,
    /// `Name <mail AT example DOT org>`: some harvesters do not read it.
    Obfuscated,
    /// The fields that programs read: version 2 of the ContactInfo Information Sharing
    /// Specification (CIISS), <https://nusenu.github.io/ContactInfo-Information-Sharing-Specification/>.
    Ciiss,
}

impl Contact {
    /// The value of `ContactInfo`.
    pub fn value(&self) -> String {
        let Email { local, domain } = &self.email;
        let mut words = Vec::new();
        if let (Some(pgp), false) = (&self.pgp, self.form == ContactForm::Ciiss) {
            words.push(format!("0x{pgp}"));
        }
        if let Some(name) = &self.name {
            words.push(name.0.clone());
        }
        words.push(match self.form {
            ContactForm::Plain => format!("<{local}@{domain}>"),
            ContactForm::Obfuscated => {
                format!("<{local} AT {}>", domain.replace('.', " DOT "))
            }
            ContactForm::Ciiss => format!("email:{local}[]{domain}"),
        });
        if self.form == ContactForm::Ciiss {
            words.extend(self.url.as_ref().map(|url| format!("url:{}", url.0)));
            words.extend(self.proof.map(|proof| format!("proof:{}", proof.name())));
            words.extend(self.pgp.as_ref().map(|pgp| format!("pgp:{pgp}")));
            words.push("ciissversion:2".to_owned());
        }
        words.join(" ")
    }
}

/// A name that fits on the line: no control characters, no angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactName(String);

impl FromStr for ContactName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let unfit = |c: char| c.is_control() || c == '<' || c == '>';
        if text.is_empty() || text.contains(unfit) {
            return Err(Error::ContactName {
                given: text.to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }
}

/// An e-mail address, checked for its form only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    local: String,
    domain: String,
}

impl FromStr for Email {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fit = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],:;@\"\\".contains(c);
        let parts = text.split_once('@').filter(|(local, domain)| {
            let labels = domain.split('.');
            !local.is_empty()
                && text.chars().filter(|&c| c == '@').count() == 1
                && text.chars().all(|c| c == '@' || fit(c))
                && domain.contains('.')
                && labels.into_iter().all(|label| !label.is_empty())
        });
        match parts {
            Some((local, domain)) => Ok(Self {
                local: local.to_owned(),
                domain: domain.to_owned(),
            }),
            None => Err(Error::Email {
                given: text.to_owned(),
            }),
        }
    }
}

/// The fingerprint of an OpenPGP certificate: 40 hexadecimal digits, or 64 since RFC 9580.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgpFingerprint(String);

impl FromStr for PgpFingerprint {
    type Err = Error;

    /// Spaces between the digits and a leading `0x` are taken away.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits: String = text.split_whitespace().collect();
        let digits = digits.strip_prefix("0x").unwrap_or(&digits);
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hexadecimal || !matches!(digits.len(), 40 | 64) {
            return Err(Error::PgpFingerprint {
                given: text.to_owned(),
            });
        }
        Ok(Self(digits.to_ascii_uppercase()))
    }
}

impl fmt::Display for PgpFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PGP: &str = "0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567";

    #[test]
    fn every_form() {
        let mut contact = Contact {
            url: None,
            proof: None,
            name: Some("Ada #1".parse().unwrap()),
            email: "tor@mail.example.org".parse().unwrap(),
            pgp: Some(PGP.parse().unwrap()),
            form: ContactForm::Plain,
        };
        let mut all = Vec::new();
        for form in [
            ContactForm::Plain,
            ContactForm::Obfuscated,
            ContactForm::Ciiss,
        ] {
            contact.form = form;
            all.push(contact.value());
        }
        contact.pgp = None;
        contact.name = None;
        all.push(contact.value());
        contact.url = Some("example.org/relays".parse().unwrap());
        contact.proof = Some(Proof::UriRsa);
        let with = contact.value();
        let fields = "url:https://example.org/relays proof:uri-rsa ciissversion:2";
        assert!(with.ends_with(fields), "{with}");
        for bad in [
            "",
            "example",
            "https://",
            "https://a b.org",
            "https://a..b",
            "http://a.b/#c",
        ] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
        insta::assert_snapshot!(all.join("\n"), @r"
        0x0123456789ABCDEF0123456789ABCDEF01234567 Ada #1 <tor@mail.example.org>
        0x0123456789ABCDEF0123456789ABCDEF01234567 Ada #1 <tor AT mail DOT example DOT org>
        Ada #1 email:tor[]mail.example.org pgp:0123456789ABCDEF0123456789ABCDEF01234567 ciissversion:2
        email:tor[]mail.example.org ciissversion:2
        ");
    }

    #[test]
    fn what_is_no_contact() {
        for bad in [
            "",
            "tor",
            "tor@",
            "@example.org",
            "a@b",
            "a b@example.org",
            "a@b@c.org",
            "<a@example.org>",
            "a@example..org",
            "a@example.org\n",
            "a@.org",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        for bad in ["", "  ", "a\nb", "Ada <a@example.org>"] {
            assert!(bad.parse::<ContactName>().is_err(), "{bad}");
        }
        for bad in ["", "0x", "0123", &PGP.replace('a', "g"), &format!("{PGP}0")] {
            assert!(bad.parse::<PgpFingerprint>().is_err(), "{bad}");
        }
    }
}
