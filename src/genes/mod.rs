//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

mod join;
pub mod kind;
mod list;
mod report;
mod ways;

pub use join::{Joined, join};
pub use kind::Kind;
pub use list::{Found, GeneList};
pub use report::{Ambiguous, Finder, Matching, Missing, Report, shorten};
pub use ways::{Side, Way, tell_apart};
