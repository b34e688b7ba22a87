//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

pub mod composite;
pub mod kind;
pub mod known;

pub use kind::Kind;
