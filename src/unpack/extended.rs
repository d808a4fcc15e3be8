//! Extended headers of tar: what they say of the entry after them (POSIX.1-2017 `pax`,
//! "pax Extended Header"; GNU tar's long names).

use super::error::Rule;

/// What the extended headers since the last entry state.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Extended {
    /// The name of the first of these headers themselves.
    pub(super) header: Option<Vec<u8>>,
    /// The entry's name.
    pub(super) name: Option<Vec<u8>>,
    /// A link's target.
    pub(super) target: Option<Vec<u8>>,
    /// The entry's size in bytes.
    pub(super) size: Option<u64>,
}

impl Extended {
    /// Takes in a `pax` header. Times, owners and attributes are left aside.
    pub(super) fn pax(&mut self, contents: &[u8]) -> Result<(), Rule> {
        for record in records(contents) {
            let (key, value) = record?;
            match key {
                b"path" => once(&mut self.name, "name", value.to_vec())?,
                b"linkpath" => once(&mut self.target, "target", value.to_vec())?,
                b"size" => once(&mut self.size, "size", decimal(value)?)?,
                _ if is_sparse(key) => return Err(Rule::Sparse),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes in GNU tar's header for a long name.
    pub(super) fn long_name(&mut self, contents: &[u8]) -> Result<(), Rule> {
        once(&mut self.name, "name", without_nul(contents).to_vec())
    }

    /// Takes in GNU tar's header for a long link target.
    pub(super) fn long_link(&mut self, contents: &[u8]) -> Result<(), Rule> {
        once(&mut self.target, "target", without_nul(contents).to_vec())
    }
}

/// Judges a global `pax` header: git notes its commit in one. What would hold for every
/// entry after it is refused, the rest says nothing that is used here.
pub(super) fn judge_global(contents: &[u8]) -> Result<(), Rule> {
    for record in records(contents) {
        let (key, _) = record?;
        if matches!(key, b"path" | b"linkpath" | b"size") || is_sparse(key) {
            let key = key.escape_ascii().to_string();
            return Err(Rule::GlobalOverride { key });
        }
    }
    Ok(())
}

/// The records of a `pax` header: `<length> <key>=<value>\n`, the length counting all.
fn records(mut contents: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), Rule>> {
    std::iter::from_fn(move || {
        if contents.is_empty() {
            return None;
        }
        let Some((key, value, rest)) = record(contents) else {
            contents = &[];
            return Some(Err(Rule::ExtendedHeader));
        };
        contents = rest;
        Some(Ok((key, value)))
    })
}

/// The first record, as key and value, and what follows it.
fn record(contents: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = contents.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&contents[..space]).ok()?).ok()?;
    let (record, rest) = contents.split_at_checked(length)?;
    let pair = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], rest))
}

fn decimal(digits: &[u8]) -> Result<u64, Rule> {
    let number = str::from_utf8(digits).ok();
    number
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| number.parse().ok())
        .ok_or(Rule::ExtendedHeader)
}

/// The keys by which GNU tar and star mark a file with holes.
fn is_sparse(key: &[u8]) -> bool {
    key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize"
}

/// GNU tar ends the name with a NUL; one elsewhere is left for the name to be refused.
fn without_nul(contents: &[u8]) -> &[u8] {
    contents.strip_suffix(b"\0").unwrap_or(contents)
}

fn once<T>(place: &mut Option<T>, field: &'static str, value: T) -> Result<(), Rule> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Rule::StatedTwice { field }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records() {
        let mut extended = Extended::default();
        extended
            .pax(b"12 path=a/b\n11 size=12\n14 linkpath=c\n20 mtime=1.5=\n=1 \n\n")
            .unwrap_err();
        let mut extended = Extended::default();
        extended
            .pax(b"12 path=a/b\n11 size=12\n14 linkpath=c\n18 comment=x\n=y \n\n")
            .unwrap();
        assert_eq!(extended.name.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(extended.target.as_deref(), Some(&b"c"[..]));
        assert_eq!(extended.size, Some(12));
    }

    #[test]
    fn broken_pax_records() {
        for wrong in [
            &b"\n"[..],
            b"x",
            b"12path=a/b\n",
            b"11 path=a/b\n",
            b"13 path=a/b\n",
            b"12 path=a/bx",
            b"+12 path=a/b\n",
            b" path=a/b\n",
            b"0 path=a/b\n",
            b"1 ",
            b"2 \n",
            b"99999999999999999999 path=a\n",
            b"10 pathab\n",
            b"11 size=1x\n",
            b"11 size=-1\n",
            b"11 size=+1\n",
            b"8 size=\n",
            b"12 path=a/b\n\0\0\0",
        ] {
            let taken = Extended::default().pax(wrong);
            assert_eq!(taken, Err(Rule::ExtendedHeader), "{}", wrong.escape_ascii());
        }
    }
}
