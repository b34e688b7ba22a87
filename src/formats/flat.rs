//! Tables of a [flatbuffer](https://flatbuffers.dev/internals/), read in place. Nothing outside the bytes is touched: what a
//! damaged offset leads to is absent.

/// One table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flat<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The little-endian number at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    number(bytes, at).map(|b| u32::from_le_bytes(b) as usize)
}

impl<'a> Flat<'a> {
    /// The root table.
    pub fn root(bytes: &'a [u8]) -> Option<Flat<'a>> {
        Some(Flat { bytes, at: word(bytes, 0)? })
    }

    /// Where the field of this number lies; `None` where it is left at its default.
    fn field(&self, field: usize) -> Option<usize> {
        let back = i32::from_le_bytes(number(self.bytes, self.at)?);
        let fields = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let short = |at: usize| number(self.bytes, at).map(|b| usize::from(u16::from_le_bytes(b)));
        let slot = 4 + 2 * field;
        if slot + 2 > short(fields)? {
            return None;
        }
        short(fields.checked_add(slot)?).filter(|offset| *offset > 0).map(|offset| self.at + offset)
    }

    /// A field of one byte; zero by default.
    pub fn byte(&self, field: usize) -> u8 {
        self.field(field).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    /// A field of two bytes; zero by default.
    pub fn i16(&self, field: usize) -> i16 {
        self.field(field).and_then(|at| number(self.bytes, at)).map_or(0, i16::from_le_bytes)
    }

    /// A field of four bytes; zero by default.
    pub fn i32(&self, field: usize) -> i32 {
        self.field(field).and_then(|at| number(self.bytes, at)).map_or(0, i32::from_le_bytes)
    }

    /// A field of eight bytes; zero by default.
    pub fn i64(&self, field: usize) -> i64 {
        self.field(field).and_then(|at| number(self.bytes, at)).map_or(0, i64::from_le_bytes)
    }

    /// Where a table, text or vector lies.
    fn beyond(&self, field: usize) -> Option<usize> {
        let at = self.field(field)?;
        at.checked_add(word(self.bytes, at)?)
    }

    /// A table in a field.
    pub fn table(&self, field: usize) -> Option<Flat<'a>> {
        Some(Flat { bytes: self.bytes, at: self.beyond(field)? })
    }

    /// The items of a vector of structs of `size` bytes; none by default.
    pub fn structs(&self, field: usize, size: usize) -> std::slice::ChunksExact<'a, u8> {
        let items = || {
            let at = self.beyond(field)?;
            let start = at.checked_add(4)?;
            self.bytes.get(start..start.checked_add(word(self.bytes, at)?.checked_mul(size)?)?)
        };
        items().unwrap_or(&[]).chunks_exact(size)
    }

    /// The tables of a vector; none by default.
    pub fn tables(&self, field: usize) -> Vec<Flat<'a>> {
        let start = self.beyond(field).map_or(0, |at| at + 4);
        let items = self.structs(field, 4).enumerate();
        items
            .filter_map(|(i, _)| {
                Some(Flat { bytes: self.bytes, at: start + 4 * i + word(self.bytes, start + 4 * i)? })
            })
            .collect()
    }

    /// A text; empty by default.
    pub fn text(&self, field: usize) -> String {
        let bytes: Vec<u8> = self.structs(field, 1).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
