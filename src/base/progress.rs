//! What long work tells whoever watches. The library reports; the edge draws.

/// One who watches the work: bars on a terminal, plain lines elsewhere, or nobody.
pub trait Progress: Sync {
    /// A task begins; `total` is in bytes for downloads, absent where no end is known.
    fn begin(&self, task: &str, total: Option<u64>) -> Box<dyn Task>;

    /// One line about something that happened.
    fn note(&self, line: &str);

    /// One line for those who want to know more.
    fn detail(&self, line: &str);
}

/// One task under way. Dropping it without `finish` means that it failed.
pub trait Task: Send {
    /// `by` more units are done.
    fn advance(&self, by: u64);

    /// Nothing is done any more: the task starts again from its beginning.
    fn restart(&self);

    /// What the task does now, such as `configure` or the host it asks.
    fn stage(&self, what: &str);

    /// The task is done; `outcome` says how in a few words, such as `from the store`.
    fn finish(self: Box<Self>, outcome: &str);
}

/// Shows nothing, for tests and for what is not worth a line.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) -> Box<dyn Task> {
        Box::new(Self)
    }

    fn note(&self, _: &str) {}

    fn detail(&self, _: &str) {}
}

impl Task for Silent {
    fn advance(&self, _: u64) {}

    fn restart(&self) {}

    fn stage(&self, _: &str) {}

    fn finish(self: Box<Self>, _: &str) {}
}
