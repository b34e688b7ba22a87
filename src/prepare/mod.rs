//! Store → store.

pub mod split;
