//! Damaged HDF5 files: every 64th byte flipped, cut at every block. Each ends in an error or in numbers, without a panic,
//! soon, and without an allocation that a damaged header asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use genelift::Result;
use genelift::formats::{ReadSettings, open};

/// Counts what is allocated, and the most at a time.
struct Counting;
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn data(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let own = data.join("hdf5").join(name);
    if own.exists() { own } else { data.join("formats").join(name) }
}

/// Everything that a file holds: rows, columns, bits of the values.
fn read(path: &Path, layer: &str) -> Result<(Vec<String>, Vec<String>, Vec<u32>)> {
    let layer = Some(layer.to_string()).filter(|layer| !layer.is_empty());
    let mut file = open(path, &ReadSettings { layer, ..ReadSettings::default() })?;
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    while file.blocks.next(&mut ids, &mut values)? {}
    let rows = file.rows.expect("HDF5 holds names").ids;
    Ok((rows, file.columns.ids, values.into_iter().map(f32::to_bits).collect()))
}

/// Reads a damaged file: an error or numbers.
fn attempt(path: &Path, layer: &str, what: &str) -> Option<(Vec<String>, Vec<String>, Vec<u32>)> {
    let (before, started) = (NOW.load(Relaxed), Instant::now());
    MOST.store(before, Relaxed);
    let result = std::panic::catch_unwind(|| read(path, layer)).unwrap_or_else(|_| panic!("{what}: a panic"));
    let (most, took) = (MOST.load(Relaxed).saturating_sub(before), started.elapsed());
    assert!(took < Duration::from_secs(5), "{what}: {took:?}");
    assert!(most < 128 << 20, "{what}: {most} bytes");
    match result {
        Ok(found) => Some(found),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() > 40 && message.contains(&path.display().to_string()), "{what}: {message}");
            None
        }
    }
}

/// Files, layers, and how many flips may change values: none where the chunks are deflated, which ends in a checksum. A flipped
/// byte of a value that is stored as it is (old) or packed by LZF (csc) is another value, and nothing in the file can tell.
const FILES: [(&str, &str, usize); 7] = [
    ("rows.gctx", "", 0),
    ("csr.h5ad", "", 0),
    ("csc.h5ad", "", 4),
    ("old.h5ad", "raw", 20),
    ("columns.gctx", "", 0),
    ("small.loom", "", 0),
    ("10x_v2.h5", "", 0),
];

#[test]
fn damage_ends_in_an_error_or_in_numbers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, layer, most) in FILES {
        let path = dir.path().join(name);
        let good = fs::read(data(name)).expect("there");
        fs::write(&path, &good).expect("written");
        let sound = read(&path, layer).expect(name);
        let (mut refused, mut names, mut numbers) = (0, 0, 0);
        for at in (0..good.len()).step_by(64) {
            let mut bad = good.clone();
            bad[at] ^= [0xff, 0x01, 0x80][at / 64 % 3];
            fs::write(&path, &bad).expect("written");
            match attempt(&path, layer, &format!("{name} {layer}, byte {at}")) {
                None => refused += 1,
                Some(found) if found.2 != sound.2 => numbers += 1,
                Some(found) => names += usize::from(found != sound),
            }
        }
        let tried = good.len().div_ceil(64);
        println!(
            "{name} {layer}: {tried} flips, {refused} refused, {names} other names, {numbers} other numbers"
        );
        assert!(refused > 0 && numbers <= most, "{name} {layer}: {numbers} of {tried} changed numbers");

        for cut in (0..good.len()).step_by(512) {
            fs::write(&path, &good[..cut]).expect("written");
            let error = read(&path, layer).map(|_| ()).expect_err("cut short").to_string();
            let told = cut < 64 || error.contains("cut short");
            assert!(told, "{name} cut at {cut}: {error}");
        }
    }
}
