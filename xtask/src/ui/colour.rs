//! Words in colour: the only escape sequences that are written.

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// A failure.
    Red,
    /// A warning.
    Yellow,
    /// All is well.
    Green,
    /// A note.
    Cyan,
}

/// A part of some lines, in its colour if it has one.
pub(crate) type Piece = (Option<Colour>, String);

/// `text` without anything that steers a terminal, in `colour` if it has one.
pub(super) fn painted(colour: Option<Colour>, text: &str) -> String {
    let text = shown::lines(text);
    let code = match colour {
        None => return text,
        Some(Colour::Red) => 31,
        Some(Colour::Yellow) => 33,
        Some(Colour::Green) => 32,
        Some(Colour::Cyan) => 36,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Guards: S1.
    #[test]
    fn no_escapes_but_those_of_a_colour() {
        let evil = "error\x1b[2J";
        assert_eq!(painted(None, evil), "error\\u{1b}[2J");
        let red = painted(Some(Colour::Red), evil);
        assert_eq!(red, "\x1b[1;31merror\\u{1b}[2J\x1b[0m");
    }
}
