//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

pub(crate) mod bytes;
pub mod composite;
pub mod dates;
mod escapes;
mod headers;
mod join;
pub mod kind;
pub mod known;
pub mod labels;
mod layout;
mod list;
pub mod map;
pub mod reader;
mod report;
mod shown;
pub mod sidecar;
pub mod table;
mod titles;
mod ways;
pub mod writer;

pub(crate) use headers::unique;
pub use join::{Joined, join};
pub use kind::Kind;
pub use labels::Labels;
pub use list::{Found, GeneList};
pub use map::{MapSettings, Multi, ProbeMap};
pub use reader::{Column, Sheet, Untold};
pub use report::{Ambiguous, Finder, Matching, Missing, Report, shorten};
pub use shown::{Names, shown};
pub use sidecar::Checked;
pub use table::Table;
pub use ways::{Side, Way, tell_apart};
