//! `genelift` finds the genes that say most about all the others.
//!
//! One folder is one stage of the flow, and imports run one way down it:
//!
//! ```text
//! matrix file → formats → store → prepare → (tiles) → device ← nn → attribution → select
//!                                                  evaluate
//! ```

pub mod attribution;
pub mod cli;
pub mod device;
pub mod error;
pub mod evaluate;
pub mod formats;
pub mod nn;
pub mod prepare;
pub mod progress;
pub mod select;
pub mod store;

pub use error::{Error, Result};
