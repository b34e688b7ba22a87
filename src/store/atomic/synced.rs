//! Outputs reach the disk before they get their names. The kernel is asked: in a thread in which it refuses to sync, whatever
//! is written must fail, and must fail before the name is given.

use std::io::Write;
use std::path::Path;

use super::{Kind, Place, exchange, sync_folders, write_file, write_folder, write_path, write_text};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::store::{Origin, StoreWriter};

/// Runs `work` in a thread in which the kernel answers every sync with EIO; threads that it starts are under the same rule.
fn without_sync<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            refuse_to_sync();
            work()
        });
        thread.join().expect("the thread ends well")
    })
}

/// A seccomp filter of this thread.
fn refuse_to_sync() {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (fsync, fdatasync) = (libc::SYS_fsync as u32, libc::SYS_fdatasync as u32);
    let mut program = [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // the call's number
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, fsync),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, fdatasync),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EIO as u32),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program and its description outlive the calls, which keep copies.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    assert!(set, "the kernel takes no filter: {}", std::io::Error::last_os_error());
}

/// The kernel refuses at the first sync, which must be that of the content (`writing`): a folder's (`syncing`) comes after.
fn refused(what: &str, path: &Path, at: &str, result: Result<()>) {
    let found = matches!(&result, Err(Error::Io { action, .. }) if *action == at);
    assert!(found, "{what} is not synced: {result:?}");
    assert!(!path.exists(), "{what} had its name before it was synced");
}

#[test]
fn files_and_stores_are_synced_before_they_get_their_names() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| dir.path().join(name);
    without_sync(|| {
        assert!(std::fs::File::create(at("any")).expect("made").sync_all().is_err(), "the filter works");
        let put = |out: &mut dyn Write| out.write_all(b"x").map_err(Error::io("x", "writing"));
        refused("a file", &at("file"), "writing", write_file(&at("file"), false, put));
        refused("a text", &at("text"), "writing", write_text(&at("text"), "x"));
        let write = |path: &Path| std::fs::write(path, "x").map_err(Error::io(path, "writing"));
        refused("a path", &at("path"), "writing", write_path(&at("path"), false, write));
        refused("a folder", &at("folder"), "syncing", write_folder(&at("folder"), false, &["x"], |_| Ok(())));
        let mut writer = StoreWriter::create(&at("x.gex"), 1, Element::F32, false).expect("a place");
        writer.push_rows(&[1.0, 2.0]).expect("room");
        let tables = (Table::numbered("gene_id", "g", 1), Table::numbered("sample_id", "s", 2));
        let store = writer.finish(tables.0, tables.1, Origin::default());
        refused("a store", &at("x.gex"), "writing", store.map(drop));
        assert!(Table::numbered("gene_id", "g", 1).write_tsv(&at("t")).is_err(), "a table is not synced");
    });
}

#[test]
fn names_are_synced_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir_all(dir.path().join("a/b")).expect("made");
    let place = Place::new(&dir.path().join("out"), Kind::File, false).expect("free");
    let made = place.temporary();
    std::fs::write(made.path(), "x").expect("written");
    without_sync(|| {
        assert!(exchange::sync_folder(dir.path()).is_err(), "a folder is not synced");
        assert!(sync_folders(&dir.path().join("a")).is_err(), "folders are not synced");
        assert!(place.put(&made).is_err(), "the name that was given is not synced");
    });
}
