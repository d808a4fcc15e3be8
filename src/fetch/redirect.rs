//! Which redirects are followed.

use reqwest::Url;

/// A redirect that is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectRefused {
    #[error("redirected from https to http")]
    Downgrade,
    #[error("redirected in a circle")]
    Loop,
    #[error("redirected more than {MOST_REDIRECTS} times")]
    TooMany,
    #[error("{}", elsewhere(.0))]
    Scheme(String),
}

/// That a redirect leads to what no server can redirect to.
pub(super) fn elsewhere(scheme: &str) -> String {
    let scheme = shown::shown_up_to(20, scheme.as_bytes());
    format!("redirected to a `{scheme}:` address, and only http and https are followed")
}

const MOST_REDIRECTS: usize = 10;

/// Whether `next` may be asked after `previous`. What began with https stays there.
pub(super) fn may_follow(previous: &[Url], next: &Url) -> Result<(), RedirectRefused> {
    match next.scheme() {
        "https" => {}
        "http" if previous.iter().all(|url| url.scheme() == "http") => {}
        "http" => return Err(RedirectRefused::Downgrade),
        other => return Err(RedirectRefused::Scheme(other.to_owned())),
    }
    if previous.contains(next) {
        return Err(RedirectRefused::Loop);
    }
    if previous.len() > MOST_REDIRECTS {
        return Err(RedirectRefused::TooMany);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn redirects() {
        use RedirectRefused::{Downgrade, Loop, Scheme};
        for (previous, next, expected) in [
            (&["https://a/"][..], "https://b/", Ok(())),
            (&["http://a/"], "http://b/", Ok(())),
            (&["http://a/"], "https://b/", Ok(())),
            (&["https://a/"], "http://a/", Err(Downgrade)),
            (&["http://a/", "https://b/"], "http://c/", Err(Downgrade)),
            (&["https://a/", "https://b/"], "https://a/", Err(Loop)),
            (&["https://a/"], "https://a/", Err(Loop)),
            (
                &["https://a/"],
                "file:///etc/passwd",
                Err(Scheme("file".into())),
            ),
            (&["https://a/"], "ftp://a/", Err(Scheme("ftp".into()))),
        ] {
            let previous: Vec<Url> = previous.iter().map(|text| url(text)).collect();
            assert_eq!(may_follow(&previous, &url(next)), expected, "{next}");
        }
        let many: Vec<Url> = (0..11).map(|n| url(&format!("https://a/{n}"))).collect();
        assert_eq!(may_follow(&many[..10], &url("https://b/")), Ok(()));
        assert_eq!(
            may_follow(&many, &url("https://b/")),
            Err(RedirectRefused::TooMany)
        );
    }
}
