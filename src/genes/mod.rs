//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

mod bytes;
pub mod composite;
mod headers;
mod join;
pub mod kind;
pub mod known;
mod layout;
mod list;
pub mod reader;
mod report;
pub mod sidecar;
pub mod table;
mod ways;
pub mod writer;

pub use join::{Joined, join};
pub use kind::Kind;
pub use list::{Found, GeneList};
pub use reader::{Column, Sheet, Untold};
pub use report::{Ambiguous, Finder, Matching, Missing, Report, shorten};
pub use sidecar::Checked;
pub use ways::{Side, Way, tell_apart};
