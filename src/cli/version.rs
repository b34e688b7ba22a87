//! What `--version` says of this program.

/// The version, the commit that the sources are of, the features that it was built with, and what for.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit   ",
    env!("GENELIFT_COMMIT"),
    "\nfeatures ",
    env!("GENELIFT_FEATURES"),
    "\ntarget   ",
    env!("GENELIFT_TARGET"),
);
