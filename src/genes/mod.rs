//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

mod bytes;
mod headers;
pub mod kind;
mod layout;
pub mod reader;
pub mod sidecar;
pub mod table;
pub mod writer;

pub use kind::Kind;
pub use reader::{Column, Sheet, Untold};
pub use sidecar::Checked;
