//! What would keep calamine from coming back, looked at before it reads an .xls: chains of sectors of the compound file ([MS-CFB]) that
//! lead back into themselves, which it would follow for ever, and sheets ([MS-XLS]) that claim more cells than there can be, for which
//! it would take memory at once.

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

/// What is wrong with a file, of what is looked at here; what is damaged otherwise is left to the reader.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn damage(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; HEADER];
    if file.read_exact(&mut header).is_err() {
        return Ok(None);
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let size = if header[30] == 12 { 4096 } else { 512 };
    let mut sectors = Sectors { file, size, count: (length / size as u64) as usize };
    let table = table(&mut sectors, (76..HEADER).step_by(4).map(number).collect(), number(68))?;
    let small = sectors.joined(chain(&table, number(60)))?;
    if loops(&table) || loops(&small) {
        return Ok(Some("a part of it leads back into itself".into()));
    }
    let book = workbook(&mut sectors, &table, &small, number(48))?;
    Ok(sheets(&book).into_iter().find_map(|at| claim(&book[at..])))
}

/// The bytes of a chain of sectors.
fn bytes(sectors: &mut Sectors, table: &[u32], first: u32) -> io::Result<Vec<u8>> {
    let numbers = sectors.joined(chain(table, first))?;
    Ok(numbers.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// The stream of the workbook, found in the directory; nothing where there is none. One of fewer than 4,096 bytes lies in small sectors
/// of 64 bytes of the root's stream.
fn workbook(sectors: &mut Sectors, table: &[u32], small: &[u32], directory: u32) -> io::Result<Vec<u8>> {
    const CUTOFF: u32 = 4096;
    let entries = bytes(sectors, table, directory)?;
    let number = |entry: &[u8; 128], at: usize| {
        u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
    };
    let entries = entries.as_chunks::<128>().0;
    let named = |name: &str| entries.iter().find(|entry| entry[..64].starts_with(&utf16(name)));
    let Some(entry) = named("Workbook").or_else(|| named("Book")) else { return Ok(Vec::new()) };
    let (first, length) = (number(entry, 116), number(entry, 120));
    if length >= CUTOFF {
        return bytes(sectors, table, first);
    }
    let root = bytes(sectors, table, entries.first().map_or(RESERVED, |root| number(root, 116)))?;
    let parts = chain(small, first).take(CUTOFF as usize / 64);
    let part = |at: u32| root.chunks(64).nth(at as usize).unwrap_or_default().to_vec();
    Ok(parts.flat_map(part).collect())
}

/// A name as the directory has it, with the zero at its end.
fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// The records of a stream from a place on: type and content.
fn records(stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let [a, b, c, d, ..] = *rest else { return None };
        let length = usize::from(u16::from_le_bytes([c, d]));
        let content = rest.get(4..4 + length)?;
        rest = &rest[4 + length..];
        Some((u16::from_le_bytes([a, b]), content))
    })
}

/// Where sheets begin (BoundSheet8, [MS-XLS] 2.4.28).
fn sheets(book: &[u8]) -> Vec<usize> {
    let place = |content: &[u8]| Some(u32::from_le_bytes(*content.first_chunk()?) as usize);
    let told = records(book).take_while(|(kind, _)| *kind != END).filter(|(kind, _)| *kind == 0x0085);
    told.filter_map(|(_, content)| place(content)).filter(|at| *at < book.len()).collect()
}

/// The type of a record that ends a sheet.
const END: u16 = 0x000A;

/// What a sheet claims in its Dimensions ([MS-XLS] 2.4.90), where it is more than an .xls can hold: 65,536 rows of 256 columns.
fn claim(sheet: &[u8]) -> Option<String> {
    let of_sheet = records(sheet).take_while(|(kind, _)| *kind != END);
    of_sheet.filter(|(kind, _)| *kind == 0x0200).find_map(|(_, content)| {
        let two = |at: usize| u32::from(u16::from_le_bytes([content[at], content[at + 1]]));
        let four = |at: usize| two(at) | two(at + 2) << 16;
        let (first, rows, columns) = match content.len() {
            10 => (two(0), two(2), two(6)),
            14 | 16 => (four(0), four(4), two(10)),
            _ => return None,
        };
        let empty = rows == 0 || columns == 0;
        let possible = first < rows && rows <= 1 << 16 && columns <= 1 << 8;
        (!empty && !possible).then(|| format!("a sheet claims rows {first} to {rows} and {columns} columns"))
    })
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
