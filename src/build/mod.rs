//! From verified sources to outputs: the plan and its keys, what carries it out, where a step
//! runs, and what it leaves.

pub mod collect;
pub mod go;
pub mod outputs;
mod parallel;
pub mod plan;
pub mod recipe;
pub mod sandbox;
pub mod schedule;
pub mod timings;
