//! What a zip archive is: NumPy's arrays, a spreadsheet, one packed file, or something that is not read.

use std::path::Path;

use super::unread;
use super::zip::{Member, Zip};
use crate::error::{Error, Result};

/// What is in an archive that is read.
pub(super) enum Content {
    /// Read by this format.
    Format(&'static str),
    /// One file, which counts as if it were not packed.
    One(Member),
}

/// Looks at the list of members.
///
/// # Errors
/// [`Error::Input`] saying what it is and how to bring it in.
pub(super) fn content(path: &Path, zip: &Zip) -> Result<Content> {
    let names: Vec<&str> = zip.members.iter().map(|member| member.name.as_str()).collect();
    let any = |test: &dyn Fn(&str) -> bool| names.iter().any(|name| test(name));
    let refuse = |message: String| Err(Error::input(path, message));
    if any(&|n| n.starts_with("xl/")) || any(&|n| n == "content.xml") && any(&|n| n == "mimetype") {
        return Ok(Content::Format("xlsx"));
    }
    if any(&|n| n == "word/document.xml" || n == "ppt/presentation.xml") {
        return refuse("is a text or slides of Office, not a table; save the table as .xlsx or .csv".into());
    }
    if any(&|n| n == "Index/Document.iwa") {
        return refuse("is a spreadsheet of Apple Numbers; export it as .xlsx or .csv".into());
    }
    if any(&|n| {
        [".zgroup", ".zarray", ".zattrs", "zarr.json"].iter().any(|end| n.rsplit('/').next() == Some(end))
    }) {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        return refuse(format!(
            "is a Zarr store in a zip, which is not read; {}",
            unread::ZARR.replace("FILE", &file)
        ));
    }
    if any(&|n| n.ends_with("data.pkl")) {
        return refuse(
            "is a file of PyTorch; in Python: numpy.save(\"matrix.npy\", torch.load(…).numpy())".into(),
        );
    }
    if any(&|n| n.ends_with(".npy")) {
        return Ok(Content::Format("npz"));
    }
    // What macOS adds to an archive is no file of it.
    let real = |m: &&Member| {
        !m.name.ends_with('/') && !m.name.starts_with("__MACOSX/") && !m.name.ends_with(".DS_Store")
    };
    let files: Vec<&Member> = zip.members.iter().filter(real).collect();
    match files.as_slice() {
        [] => refuse("is a zip archive without a file".into()),
        [one] => Ok(Content::One((*one).clone())),
        several => {
            let first: Vec<&str> = several.iter().take(3).map(|m| m.name.as_str()).collect();
            let (n, first) = (several.len(), first.join(", "));
            refuse(format!(
                "is a zip archive of {n} files ({first}, …); unzip it and import the matrix in it"
            ))
        }
    }
}
