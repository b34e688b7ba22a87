//! Mapped files that are cut short while they are read. The system then raises SIGBUS where the lost part is touched; for a map
//! that is registered here the process ends with a message and exit code 1, for anything else as it would have ended.

use std::fs::File;
use std::path::Path;

use super::{damaged, npy};
use crate::error::{Error, Result};

/// The array of a `.npy` file of a store.
pub(super) struct Mapped {
    map: memmap2::Mmap,
    #[expect(dead_code, reason = "known as mapped as long as it lives")]
    registered: Registered,
}

impl Mapped {
    /// Maps `name` in the store at `path`, which holds an array of this type and shape.
    ///
    /// # Errors
    /// [`Error::Input`] where it does not; [`Error::Io`].
    pub fn open(path: &Path, name: &str, descr: &str, shape: &[usize]) -> Result<Mapped> {
        let file = path.join(name);
        let mut array = File::open(&file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => damaged(path, name, "is missing".into()),
            _ => Error::io(&file, "opening")(error),
        })?;
        let header = npy::parse(&mut array).map_err(|e| damaged(path, name, e))?;
        if header.descr != descr || header.fortran || header.shape != shape {
            return Err(damaged(path, name, format!("header {header:?} contradicts store.json")));
        }
        let found = array.metadata().map_err(Error::io(&file, "reading"))?.len();
        let size = descr[2..].parse::<usize>().expect("as NumPy names types");
        let values = shape.iter().try_fold(size, |bytes, length| bytes.checked_mul(*length));
        let expected = values.and_then(|n| n.checked_add(header.offset));
        if expected.map(|n| n as u64) != Some(found) {
            let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
            let shape = format!("{} {descr}", lengths.join(" × "));
            return Err(damaged(path, name, format!("{found} bytes do not hold {shape}")));
        }
        if header.offset != npy::WRITTEN {
            return Err(damaged(path, name, format!("its header takes {} bytes", header.offset)));
        }
        // SAFETY: the map is read-only and every element type is valid for any bits. What the type system
        // cannot promise is that nobody changes the file while it is mapped: no part of this program writes to a
        // finished store, and replacing one renames a new directory into place, which leaves the mapped file
        // alive until it is unmapped. Where somebody else does, a registered map ends a command whose file was cut short
        // (SIGBUS), and `watch` refuses what was made from one that was written to.
        let map = unsafe { memmap2::Mmap::map(&array) }.map_err(Error::io(&file, "mapping"))?;
        let registered = Registered::new(&map, &file);
        Ok(Mapped { map, registered })
    }

    /// The array's elements.
    pub fn bytes(&self) -> &[u8] {
        &self.map[npy::WRITTEN..]
    }
}

/// A registered map, as long as this lives.
#[derive(Debug)]
pub(super) struct Registered(#[cfg_attr(not(unix), allow(dead_code))] Option<usize>);

#[cfg(unix)]
mod unix {
    use std::sync::Once;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    /// Maps that can be registered at a time; more are read without a message in such a case.
    const MOST: usize = 1024;

    /// A map: where it begins and ends, and what is said of it. A slot whose message is null is free or being filled.
    struct Slot {
        taken: AtomicUsize,
        start: AtomicUsize,
        end: AtomicUsize,
        /// Never freed once it is shown: a handler may be reading it.
        message: AtomicPtr<u8>,
        length: AtomicUsize,
    }

    static SLOTS: [Slot; MOST] = [const {
        Slot {
            taken: AtomicUsize::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            message: AtomicPtr::new(std::ptr::null_mut()),
            length: AtomicUsize::new(0),
        }
    }; MOST];

    pub fn register(map: &[u8], message: String) -> Option<usize> {
        static ONCE: Once = Once::new();
        ONCE.call_once(install);
        let free =
            |slot: &Slot| slot.taken.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let number = SLOTS.iter().position(free)?;
        let (slot, text) = (&SLOTS[number], message.into_bytes().leak());
        slot.start.store(map.as_ptr() as usize, Ordering::Relaxed);
        slot.end.store(map.as_ptr() as usize + map.len(), Ordering::Relaxed);
        slot.length.store(text.len(), Ordering::Relaxed);
        slot.message.store(text.as_mut_ptr(), Ordering::Release);
        Some(number)
    }

    pub fn forget(number: usize) {
        let slot = &SLOTS[number];
        slot.message.store(std::ptr::null_mut(), Ordering::Release);
        slot.taken.store(0, Ordering::Release);
    }

    /// What was done on SIGBUS before: nearly always the runtime's own look for an overflown stack.
    static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(std::ptr::null_mut());

    fn install() {
        // SAFETY: zeros are a value of the structure; the handler is a function that lives as long as the program and does
        // only what may be done in one.
        unsafe {
            let mut before = Box::new(std::mem::zeroed::<libc::sigaction>());
            libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut *before);
            BEFORE.store(Box::into_raw(before), Ordering::Release);
            let mut action = std::mem::zeroed::<libc::sigaction>();
            action.sa_sigaction = on_bus as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    }

    /// Loads of atomics, `write`, `_exit`, `sigaction`, `signal` and `raise`: all may be called in a handler.
    extern "C" fn on_bus(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system hands a valid description of the signal. The messages are never freed, and their lengths were
        // stored before them.
        unsafe {
            let address = (*info).si_addr() as usize;
            for slot in &SLOTS {
                let message = slot.message.load(Ordering::Acquire);
                let inside = slot.start.load(Ordering::Relaxed)..slot.end.load(Ordering::Relaxed);
                if !message.is_null() && inside.contains(&address) {
                    libc::write(2, message.cast(), slot.length.load(Ordering::Relaxed));
                    libc::_exit(1);
                }
            }
            // Not ours. A fault comes again when this returns, and goes where it went before; a signal that somebody sent
            // ends the process.
            let before = BEFORE.load(Ordering::Acquire);
            if (*info).si_code <= 0 {
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
                libc::raise(libc::SIGBUS);
            } else if !before.is_null() {
                libc::sigaction(libc::SIGBUS, before, std::ptr::null_mut());
            }
        }
    }
}

impl Registered {
    /// Registers a map of the file `path`.
    pub fn new(map: &[u8], path: &Path) -> Registered {
        #[cfg(unix)]
        {
            let path = path.display().to_string();
            let message = format!(
                "\nerror: {}: was cut short while it was read; make or copy the store anew, and do this again\n",
                crate::visible::line(&path)
            );
            Registered(unix::register(map, message))
        }
        #[cfg(not(unix))]
        {
            let _ = (map, path);
            Registered(None)
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(number) = self.0 {
            unix::forget(number);
        }
    }
}
