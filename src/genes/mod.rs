//! Gene identity: which gene of one list, store or model is which of another; and the one reader and writer of tables.

mod bytes;
mod headers;
pub mod kind;
pub mod labels;
mod layout;
pub mod map;
pub mod reader;
mod shown;
pub mod sidecar;
pub mod table;
pub mod writer;

pub(crate) use headers::unique;
pub use kind::Kind;
pub use labels::Labels;
pub use map::{MapSettings, Multi, ProbeMap};
pub use reader::{Column, Sheet, Untold};
pub use shown::shown;
pub use sidecar::Checked;
pub use table::Table;
