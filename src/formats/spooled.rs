//! A copy of an input that can be read in any order: what was packed, or a sheet's rows as text. It has no name that a killed
//! run could leave behind where the system allows it, and readers' messages are about the file that the user gave.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Blocks, MatrixFile, Picking};
use crate::error::{Error, Result};

/// The copy, which goes with this.
pub(super) struct Spooled {
    /// Where readers open it.
    path: PathBuf,
    /// What messages call it.
    shown: PathBuf,
    /// Bytes of it.
    pub bytes: u64,
    _file: Kept,
}

/// What keeps the copy.
enum Kept {
    Unnamed { _file: File },
    Named { _path: tempfile::TempPath },
}

impl Spooled {
    /// Fills a new copy by `fill`; messages are about `shown`.
    ///
    /// # Errors
    /// Those of `fill`, and a full disk with what to do about it.
    pub fn create(
        shown: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<Result<()>>,
    ) -> Result<Spooled> {
        let (file, path, kept) = place().map_err(|e| refused(shown, 0, &e))?;
        let mut out = Counted { file: BufWriter::with_capacity(1 << 18, file), bytes: 0, failed: false };
        let filled = fill(&mut out);
        let filled = filled.and_then(|result| out.flush().map(|()| result));
        let (bytes, failed) = (out.bytes, out.failed);
        match filled {
            Ok(result) => result.map(|()| Spooled { path, shown: shown.to_path_buf(), bytes, _file: kept }),
            Err(e) if failed => Err(refused(shown, bytes, &e)),
            Err(e) => Err(super::compressed::failed(shown, &e)),
        }
    }

    /// A copy of all that `input` yields.
    ///
    /// # Errors
    /// As [`Spooled::create`], and input that does not unpack.
    pub fn copy(shown: &Path, input: &mut dyn io::Read) -> Result<Spooled> {
        Spooled::create(shown, |out| io::copy(input, out).map(|_| Ok(())))
    }

    /// Opens the copy by `read`; it stays as long as the matrix.
    ///
    /// # Errors
    /// Those of `read`, about the user's file.
    pub fn open(self, read: impl FnOnce(&Path) -> Result<MatrixFile>) -> Result<MatrixFile> {
        let mut file = read(&self.path).map_err(|e| self.about(e))?;
        for text in file.warnings.iter_mut().chain(&mut file.notes) {
            *text = self.rename(text);
        }
        let inner = std::mem::replace(&mut file.blocks, Box::new(super::Nothing));
        file.blocks = Box::new(Renamed { inner, spooled: self });
        Ok(file)
    }

    /// The text with the user's file in place of the copy.
    fn rename(&self, text: &str) -> String {
        text.replace(&*self.path.to_string_lossy(), &self.shown.to_string_lossy())
    }

    /// The error with the user's file in place of the copy.
    fn about(&self, error: Error) -> Error {
        let renamed = |path: PathBuf| PathBuf::from(self.rename(&path.to_string_lossy()));
        match error {
            Error::Input { path, message } => {
                Error::Input { path: renamed(path), message: self.rename(&message) }
            }
            Error::Io { path, action, source } => Error::Io { path: renamed(path), action, source },
            Error::Usage(message) => Error::Usage(self.rename(&message)),
            Error::Data(message) => Error::Data(self.rename(&message)),
            other => other,
        }
    }
}

/// A new file, where to open it again, and what keeps it.
fn place() -> io::Result<(File, PathBuf, Kept)> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let file = tempfile::tempfile()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // A path of a descriptor opens its file anew; without /proc a named file has to serve.
        if File::open(&path).is_ok() {
            return Ok((file.try_clone()?, path, Kept::Unnamed { _file: file }));
        }
    }
    let (file, path) = tempfile::Builder::new().prefix("genelift-").tempfile()?.into_parts();
    Ok((file, path.to_path_buf(), Kept::Named { _path: path }))
}

/// Why there is no copy.
fn refused(shown: &Path, written: u64, error: &io::Error) -> Error {
    let (dir, mib) = (std::env::temp_dir(), written.div_ceil(1 << 20));
    let dir = dir.display();
    let message = format!(
        "has to be unpacked into {dir} to be read, which failed after {mib} MiB ({error}); make room there, or name another \
         folder by the variable TMPDIR"
    );
    Error::input(shown, message)
}

/// Counts what is written, and remembers whether it was the disk that failed.
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
    failed: bool,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.failed |= written.is_err();
        self.bytes += *written.as_ref().unwrap_or(&0) as u64;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.failed |= flushed.is_err();
        flushed
    }
}

/// The blocks of a copy, which lives as long as they do.
struct Renamed {
    inner: Box<dyn Blocks>,
    spooled: Spooled,
}

impl Blocks for Renamed {
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        self.inner.next(ids, values).map_err(|e| self.spooled.about(e))
    }

    fn done(&self) -> f64 {
        self.inner.done()
    }

    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        self.inner.pick(rows, columns).map_err(|e| self.spooled.about(e))
    }

    fn row_columns(&mut self) -> Vec<(String, Vec<String>)> {
        self.inner.row_columns()
    }
}
