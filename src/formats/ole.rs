//! The chains of sectors of a compound file ([MS-CFB], the container of .xls), looked at before calamine follows them:
//! one that leads back into itself would be read for ever.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Numbers from here on are no sectors: free, end of a chain, sectors of the table itself.
const RESERVED: u32 = 0xFFFF_FFFA;
const HEADER: usize = 512;

struct Sectors {
    file: File,
    size: usize,
    count: usize,
}

impl Sectors {
    /// The numbers in a sector; none past the end of the file.
    fn numbers(&mut self, sector: u32) -> io::Result<Vec<u32>> {
        if sector as usize >= self.count {
            return Ok(Vec::new());
        }
        self.file.seek(SeekFrom::Start((u64::from(sector) + 1) * self.size as u64))?;
        let mut bytes = Vec::with_capacity(self.size);
        (&mut self.file).take(self.size as u64).read_to_end(&mut bytes)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }

    /// The numbers of several sectors, one after another, of as many as the file can have.
    fn joined(&mut self, sectors: impl IntoIterator<Item = u32>) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for sector in sectors.into_iter().take(self.count) {
            numbers.extend(self.numbers(sector)?);
        }
        Ok(numbers)
    }
}

/// Whether a chain of sectors, or of the small sectors, leads back into itself. What is damaged otherwise is left to the reader.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn has_loop(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; HEADER];
    if file.read_exact(&mut header).is_err() {
        return Ok(false);
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let size = if header[30] == 12 { 4096 } else { 512 };
    let mut sectors = Sectors { file, size, count: (length / size as u64) as usize };
    let table = table(&mut sectors, (76..HEADER).step_by(4).map(number).collect(), number(68))?;
    if loops(&table) {
        return Ok(true);
    }
    let small = sectors.joined(chain(&table, number(60)))?;
    Ok(loops(&small))
}

/// The table in which every sector has the one after it, from the list of the table's sectors, which goes on elsewhere.
fn table(sectors: &mut Sectors, mut list: Vec<u32>, mut more: u32) -> io::Result<Vec<u32>> {
    let mut left = sectors.count;
    while more < RESERVED && left > 0 {
        list.extend(sectors.numbers(more)?);
        more = list.pop().unwrap_or(RESERVED);
        left -= 1;
    }
    list.retain(|sector| *sector < RESERVED);
    sectors.joined(list)
}

/// The sectors of a chain.
fn chain(table: &[u32], first: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(first), |sector| table.get(*sector as usize).copied())
        .take_while(|sector| *sector < RESERVED)
}

/// Whether some chain of the table leads back into itself: each is followed until it ends, or meets one that was followed before.
fn loops(table: &[u32]) -> bool {
    let mut followed = vec![0; table.len()];
    (0..table.len()).any(|first| {
        let mut at = first;
        while at < table.len() && followed[at] == 0 {
            followed[at] = first + 1;
            at = table[at] as usize;
        }
        at < table.len() && followed[at] == first + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_that_lead_back_into_themselves_are_seen() {
        let end = 0xFFFF_FFFE;
        assert!(!loops(&[]) && !loops(&[end]) && !loops(&[1, 2, end, 2]) && !loops(&[9, end]));
        assert!(loops(&[0]) && loops(&[1, 0]) && loops(&[end, 2, 3, 1]) && loops(&[3, end, 3, 2]));
    }
}
