//! Stores that a program has at hand, lent to stages under a name. Stages and commands take stores by their paths; where the path
//! is the name of a lent store they are given that one, so what is in memory goes through the same code as what is in a file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Store;

static LENT: Mutex<Vec<Store>> = Mutex::new(Vec::new());

/// A store that is lent as long as this lives. What has been opened by then stays open.
#[derive(Debug)]
#[must_use = "nobody finds the store when this is dropped"]
pub struct Lent(PathBuf);

/// Lends a store under `<name>`, or `<name 2>` and so on where that one is lent already.
pub fn lend(name: &str, store: Store) -> Lent {
    let mut all = all();
    let names = (2..).map(|number| format!("<{name} {number}>"));
    let mut paths = std::iter::once(format!("<{name}>")).chain(names).map(PathBuf::from);
    let path = paths.find(|path| all.iter().all(|store| store.path() != path)).expect("some number is free");
    all.push(store.called(&path));
    Lent(path)
}

impl Lent {
    /// What stages find it by.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        all().retain(|store| store.path() != self.0);
    }
}

/// The store that is lent under this name.
pub(super) fn find(path: &Path) -> Option<Store> {
    all().iter().find(|store| store.path() == path).cloned()
}

/// Whether a store is lent under this name.
pub(super) fn is_lent(path: &Path) -> bool {
    all().iter().any(|store| store.path() == path)
}

fn all() -> std::sync::MutexGuard<'static, Vec<Store>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genes::Table;
    use crate::store::is_store;

    #[test]
    fn a_lent_store_is_found_by_its_name_as_long_as_it_is_lent() {
        let made = |value: f32| {
            let samples = Table::numbered("sample_id", "sample", 1);
            Store::in_memory("mine", vec![value; 2], samples, Table::numbered("gene_id", "gene", 2)).unwrap()
        };
        let (one, other) = (lend("mine", made(1.0)), lend("mine", made(2.0)));
        let paths = [&one, &other].map(|lent| lent.path().to_path_buf());
        assert_eq!(paths, ["<mine>", "<mine 2>"].map(PathBuf::from));
        assert!(is_store(other.path()));
        let value = |lent: &Lent| {
            let mut row = [0.0; 2];
            Store::open(lent.path()).unwrap().read_row(0, &mut row);
            row[1]
        };
        assert_eq!([value(&one), value(&other)], [1.0, 2.0]);
        assert_eq!(Store::open_unchecked(one.path()).unwrap().n_genes(), 2);
        let (path, open) = (one.path().to_path_buf(), Store::open(one.path()).unwrap());
        drop(one);
        assert!(!is_store(&path) && Store::open(&path).is_err());
        assert_eq!((open.n_genes(), value(&other)), (2, 2.0));
    }
}
