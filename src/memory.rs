//! Memory is asked for before it is taken: what is needed is added up, compared with what there is, and refused with both
//! numbers and what to change. The system itself would grant more than it has, and end the process when it is touched.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Where the system does not say how much memory is free.
const ASSUMED: u64 = 4 << 30;

/// What `--memory` allows in all, 0 for as much as there is.
static ALLOWED: AtomicU64 = AtomicU64::new(0);

/// Bounds what this process takes, as `--memory` says.
pub fn allow(bytes: u64) {
    ALLOWED.store(bytes, Ordering::Relaxed);
}

/// What `--device-memory` allows, 0 for as much as a GPU gives.
static ON_DEVICE: AtomicU64 = AtomicU64::new(0);

/// Bounds what this process takes of a GPU, as `--device-memory` says.
pub fn allow_on_device(bytes: u64) {
    ON_DEVICE.store(bytes, Ordering::Relaxed);
}

/// The bound of [`allow_on_device`], if there is one.
pub fn on_device() -> Option<u64> {
    Some(ON_DEVICE.load(Ordering::Relaxed)).filter(|most| *most > 0)
}

/// Bytes that can be taken: the least of what the system has without swapping (Linux's MemAvailable), what the control groups
/// leave, and what `--memory` leaves.
pub fn available() -> u64 {
    let known = [system(), group(), allowed()];
    known.into_iter().flatten().min().unwrap_or(ASSUMED)
}

fn system() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What the control group leaves, of version 2 or 1, and every group that it is in. File pages count against a group too, but
/// give way; anonymous ones do not.
fn group() -> Option<u64> {
    let number = |path: String| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let held = |path: String, key: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key))?.trim().parse::<u64>().ok()
    };
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut left = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kind), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, limit, key) = match kind {
            "" => ("/sys/fs/cgroup", "memory.max", "anon "),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "total_rss "),
            _ => continue,
        };
        // In a container the group is often seen as the root.
        for place in std::path::Path::new(path).ancestors() {
            let place = format!("{root}{}", place.display());
            let most = number(format!("{place}/{limit}"));
            let held = held(format!("{place}/memory.stat"), key);
            left.extend(most.zip(held).map(|(most, held)| most.saturating_sub(held)));
        }
    }
    left.into_iter().min()
}

fn allowed() -> Option<u64> {
    let most = Some(ALLOWED.load(Ordering::Relaxed)).filter(|most| *most > 0)?;
    Some(most.saturating_sub(resident().unwrap_or(0)))
}

/// Anonymous memory that this process has now: mapped files give way.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What some work is going to take, item by item.
#[derive(Debug, Clone, Default)]
pub struct Need {
    items: Vec<(String, u64)>,
}

impl Need {
    /// Nothing.
    pub fn new() -> Need {
        Need::default()
    }

    /// With so many values of so many bytes for `what`, a product of numbers that may not fit in 64 bits.
    #[must_use]
    pub fn with(mut self, what: impl Into<String>, factors: &[usize]) -> Need {
        let bytes = factors.iter().fold(1u64, |product, factor| product.saturating_mul(*factor as u64));
        self.items.push((what.into(), bytes));
        self
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.items.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// Refuses what there is not enough memory for.
    ///
    /// # Errors
    /// [`Error::Data`]: how much `work` needs and what most of it is for, how much there is, and `instead`, what to change.
    pub fn check(&self, work: &str, instead: &str) -> Result<()> {
        self.fits(available(), work, instead)
    }

    fn fits(&self, available: u64, work: &str, instead: &str) -> Result<()> {
        let Some((what, most)) = self.items.iter().max_by_key(|item| item.1) else { return Ok(()) };
        if self.bytes() <= available {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{work} needs {} of memory ({what}: {}), and {} can be taken; {instead}",
            bytes(self.bytes()),
            bytes(*most),
            bytes(available)
        )))
    }
}

/// Bytes for a reader: `1.5 GB`.
pub fn bytes(n: u64) -> String {
    if n == u64::MAX {
        return "more than can be counted".into();
    }
    for (unit, size) in [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if n as f64 >= size {
            return format!("{:.1} {unit}", n as f64 / size);
        }
    }
    format!("{n} bytes")
}

/// Reads a size such as `8G`, `1.5GiB`, `512 MB`, or a number of MiB.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> std::result::Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let wrong = || format!("{text:?} is not a size such as 8G, 1.5GiB or 512 (MiB)");
    let number: f64 = text[..end].parse().map_err(|_| wrong())?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let size = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" if unit.is_empty() => f64::from(1 << 20),
        "k" => f64::from(1 << 10),
        "m" => f64::from(1 << 20),
        "g" => f64::from(1 << 30),
        "t" => 1024.0 * f64::from(1 << 30),
        _ => return Err(wrong()),
    };
    let bytes = number * size;
    if bytes < f64::from(1 << 20) {
        return Err(format!("{text:?} is less than a MiB"));
    }
    if bytes < 2f64.powi(63) { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let need = Need::new().with("weights", &[1000, 1000, 4]).with("moments", &[2, 1000, 1000, 4]);
        need.fits(12_000_000, "training", "use less").expect("fits");
        let message = need.fits(11_999_999, "training", "lower --hidden").expect_err("too much").to_string();
        assert_eq!(
            message,
            "training needs 12.0 MB of memory (moments: 8.0 MB), and 12.0 MB can be taken; lower --hidden"
        );
        let message = Need::new()
            .with("x", &[usize::MAX, 8])
            .fits(1, "this", "stop")
            .expect_err("too much")
            .to_string();
        assert!(message.contains("more than can be counted"), "{message}");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("512", 512 << 20), ("8G", 8 << 30), ("1.5GiB", 3 << 29), ("512 MB", 512 << 20), ("1t", 1 << 40)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1G", "0", "1K", "8X", "1e400G", "many", "b", "1.2.3G"] {
            parse(text).expect_err(text);
        }
    }

    #[test]
    fn something_can_be_taken() {
        assert!(available() > 0);
    }
}
