//! What was measured several times.

use std::fmt;

/// Values of one kind. Shown as their median, with the least and the most in brackets.
#[derive(Debug, Default)]
pub struct Measured(pub Vec<f64>);

impl Measured {
    /// The middle one; of an even number of values the greater of the two.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        let ends = sorted.first().zip(sorted.last());
        let (least, most) = ends.unwrap_or((&f64::NAN, &f64::NAN));
        let text = format!("{:.2} ({least:.2} to {most:.2})", self.median());
        f.pad(&text)
    }
}
