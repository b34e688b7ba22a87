//! The one error type of the library: what went wrong, where, and what to do about it.
//!
//! Every message names the place (file, row, gene or tensor), what was expected, what was found, and
//! the remedy. The command line prints it once and exits with [`Error::exit_code`].

use std::io;
use std::path::{Path, PathBuf};

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings contradict each other or are out of range (a usage error: exit code 2).
    #[error("{0}")]
    Usage(String),

    /// A file or directory that the user gave holds something other than what it should.
    #[error("{}: {message}", path.display())]
    Input {
        /// The offending file.
        path: PathBuf,
        /// Place inside the file, what was expected, what was found, what to do.
        message: String,
    },

    /// The data, although well formed, cannot be used as asked.
    #[error("{0}")]
    Data(String),

    /// An output that is already there.
    #[error("{} already exists; give another name or pass --force to replace it", .0.display())]
    Exists(PathBuf),

    /// The operating system refused a read or a write.
    #[error("{}: {action} failed: {}", path.display(), reason(source))]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What was being done, e.g. `"writing"`.
        action: &'static str,
        /// The system's own error.
        source: io::Error,
    },

    /// No device, a lost device, or not enough device memory.
    #[error("device {device}: {message}")]
    Device {
        /// The adapter's name, or what the user asked for.
        device: String,
        /// What happened and what to do.
        message: String,
    },

    /// Training left the finite numbers.
    #[error(
        "training diverged at step {step} (epoch {epoch}): {tensor} is not finite; lower --learning-rate or check the input's range"
    )]
    Diverged {
        /// Step of the optimizer, from 1.
        step: u64,
        /// Epoch, from 1.
        epoch: u64,
        /// The tensor that holds the first non-finite value.
        tensor: String,
    },

    /// Ranks that do not do the same, or of which one is gone.
    #[error("{0}")]
    Ranks(String),

    /// A signal asked the process to end; what was finished is kept.
    #[error("{message}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
        /// Which signal, and how to go on.
        message: String,
    },
}

/// What the system says, in plain words where it has some; what a library says of its own is left as it is.
fn reason(source: &io::Error) -> String {
    let plain = match source.kind() {
        _ if source.raw_os_error().is_none() => None,
        io::ErrorKind::NotFound => Some("there is no such file or folder"),
        io::ErrorKind::PermissionDenied => Some("permission denied"),
        io::ErrorKind::IsADirectory => Some("it is a folder, not a file"),
        io::ErrorKind::NotADirectory => Some("a part of the path is a file, not a folder"),
        io::ErrorKind::StorageFull => Some("there is no space left on the disk"),
        _ => None,
    };
    plain.map_or_else(|| source.to_string(), str::to_string)
}

impl Error {
    /// An [`Error::Input`] about `path`.
    pub fn input(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Error::Input { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// Wraps an I/O error with the file and the action, for `map_err`.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// An [`Error::Device`].
    pub fn device(device: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Device { device: device.into(), message: message.into() }
    }

    /// The process exit code: 2 for a usage error, 128 and the signal's number after a signal, 1 for every other failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::Interrupted { signal, .. } => 128 + *signal as u8,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_told_in_plain_words() {
        let told = |source: io::Error| Error::io("a.tsv", "reading")(source).to_string();
        let missing = std::fs::read("no/such/file").expect_err("not there");
        assert_eq!(told(missing), "a.tsv: reading failed: there is no such file or folder");
        let own = io::Error::new(io::ErrorKind::NotFound, "the archive has no part xl/workbook.xml");
        assert_eq!(told(own), "a.tsv: reading failed: the archive has no part xl/workbook.xml");
    }
}
