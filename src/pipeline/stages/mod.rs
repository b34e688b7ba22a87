//! The stages, one a file: what can be said of each (its options), and what it does.

pub mod attribute;
pub mod cluster;
pub mod compare;
mod comparing;
pub mod consensus;
pub mod enrich;
pub mod evaluate;
pub mod explain;
pub mod fit;
pub mod how_many;
pub mod import;
pub mod prepare;
pub mod report;
pub mod reselect;
pub mod select;
pub mod split;
pub mod stability;
pub mod train;
