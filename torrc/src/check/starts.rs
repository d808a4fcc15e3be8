//! What an image brings for a torrc.

/// What the image that a torrc is for can start of transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Starts {
    /// Obfs4, as the image does that is built with it; or it is not known which image it is.
    #[default]
    Obfs4,
    /// Nothing.
    Nothing,
}
