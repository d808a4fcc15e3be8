//! Two of a kind side by side: records, images, and the same build in another environment.

pub mod diff;
mod records;
mod report;
pub mod twins;
pub mod vary;

pub use records::{
    Comparison, ComparisonVerdict, ImageParts, Item, Stage, compare, compare_images,
};
