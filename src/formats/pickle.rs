//! Texts and whole numbers in an array of Python objects, as `np.savez(x, genes=frame.columns)` writes it: a
//! [pickle](https://github.com/python/cpython/blob/main/Lib/pickletools.py) of protocol 2 to 5. Nothing of it is run: it is
//! walked through for the list of the array's items, and anything that is no plain value is only known to be there.

/// A value on the stack.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Mark,
    Other,
}

/// The items of the array, where all are texts or whole numbers.
pub(super) fn texts(pickle: &[u8]) -> Option<Vec<String>> {
    let mut machine = Machine { bytes: pickle, stack: Vec::new(), memo: Vec::new(), items: None };
    while machine.step()? {}
    machine.items
}

struct Machine<'a> {
    bytes: &'a [u8],
    stack: Vec<Value>,
    /// What was put aside, by number; `None` for what is no text.
    memo: Vec<Option<String>>,
    items: Option<Vec<String>>,
}

/// More than so many numbered values are no memo.
const MOST_MEMOS: usize = 1 << 24;

impl Machine<'_> {
    fn take(&mut self, n: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(n)?;
        self.bytes = rest;
        Some(taken)
    }

    /// A little-endian number of `n` bytes.
    fn number(&mut self, n: usize) -> Option<usize> {
        let word = self
            .take(n)?
            .iter()
            .rev()
            .try_fold(0u64, |word, b| (word >> 56 == 0).then_some(word << 8 | u64::from(*b)))?;
        usize::try_from(word).ok()
    }

    /// A text whose length is a number of `n` bytes.
    fn text(&mut self, n: usize) -> Option<()> {
        let length = self.number(n)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Text(text))
    }

    fn skip(&mut self, n: usize) -> Option<()> {
        self.take(n).map(|_| ())
    }

    fn push(&mut self, value: Value) -> Option<()> {
        self.stack.push(value);
        Some(())
    }

    /// Replaces the last `n` values.
    fn fold(&mut self, n: usize, value: Value) -> Option<()> {
        self.stack.truncate(self.stack.len().checked_sub(n)?);
        self.push(value)
    }

    /// The values since the last mark.
    fn marked(&mut self) -> Option<Vec<Value>> {
        let at = self.stack.iter().rposition(|value| matches!(value, Value::Mark))?;
        let values = self.stack.split_off(at + 1);
        self.stack.pop();
        Some(values)
    }

    fn memoize(&mut self, at: usize) -> Option<()> {
        let value = match self.stack.last()? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        if at > MOST_MEMOS {
            return None;
        }
        if at >= self.memo.len() {
            self.memo.resize(at + 1, None);
        }
        self.memo[at] = value;
        Some(())
    }

    fn recall(&mut self, at: usize) -> Option<()> {
        let value = self.memo.get(at)?.clone().map_or(Value::Other, Value::Text);
        self.push(value)
    }

    fn extend(&mut self, more: Vec<Value>) -> Option<()> {
        match self.stack.last_mut()? {
            Value::List(list) => list.extend(more),
            _ => return None,
        }
        Some(())
    }

    fn tuple(&mut self, n: usize) -> Option<()> {
        let values = self.stack.split_off(self.stack.len().checked_sub(n)?);
        self.push(Value::Tuple(values))
    }

    /// The array's state: version, shape, type, order, items.
    fn build(&mut self) -> Option<()> {
        if let Value::Tuple(state) = self.stack.pop()?
            && let (5, Some(Value::List(items))) = (state.len(), state.into_iter().last())
        {
            self.items = items.into_iter().map(plain).collect();
        }
        Some(())
    }

    /// Two lines of text.
    fn global(&mut self) -> Option<()> {
        for _ in 0..2 {
            let end = memchr::memchr(b'\n', self.bytes)?;
            self.skip(end + 1)?;
        }
        self.push(Value::Other)
    }

    /// One instruction; false at the end, `None` where it is not known.
    fn step(&mut self) -> Option<bool> {
        let code = *self.take(1)?.first()?;
        match code {
            b'.' => return Some(false),
            0x80 => self.skip(1),
            0x95 => self.skip(8),
            b'c' => self.global(),
            0x93 => self.fold(2, Value::Other),
            0x8c | b'U' | b'C' => self.text(1),
            b'X' | b'T' | b'B' => self.text(4),
            0x8d => self.text(8),
            b'K' => self.integer(1),
            b'M' => self.integer(2),
            b'J' => self.integer(4),
            0x8a => self.integer_of_length(),
            b'G' => self.skip(8).and_then(|()| self.push(Value::Other)),
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'(' => self.push(Value::Mark),
            b't' => self.marked().and_then(|values| self.push(Value::Tuple(values))),
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(code - 0x84)),
            b']' => self.push(Value::List(Vec::new())),
            b'a' => self.stack.pop().and_then(|value| self.extend(vec![value])),
            b'e' => self.marked().and_then(|values| self.extend(values)),
            b'R' | 0x81 => self.fold(2, Value::Other),
            b'b' => self.build(),
            0x94 => self.memoize(self.memo.len()),
            b'q' => self.number(1).and_then(|at| self.memoize(at)),
            b'r' => self.number(4).and_then(|at| self.memoize(at)),
            b'h' => self.number(1).and_then(|at| self.recall(at)),
            b'j' => self.number(4).and_then(|at| self.recall(at)),
            b'0' => self.stack.pop().map(|_| ()),
            _ => None,
        }?;
        Some(true)
    }

    /// A whole number of `n` bytes; only four bytes have a sign.
    fn integer(&mut self, n: usize) -> Option<()> {
        let word = self.number(n)?;
        let value = if n == 4 { i64::from(word as u32 as i32) } else { word as i64 };
        self.push(Value::Text(value.to_string()))
    }

    fn integer_of_length(&mut self) -> Option<()> {
        let n = self.number(1)?;
        let bytes = self.take(n)?;
        let negative = bytes.last().is_some_and(|b| *b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.push(Value::Text(i64::from_le_bytes(wide).to_string()))
    }
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pickle.dumps(np.array(["TP53", "MYC", 7157], dtype=object), protocol)`.
    const FOUR: &[u8] = b"\x80\x04\x95\x70\x00\x00\x00\x00\x00\x00\x00\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x03\x85\x94h\x03\x8c\x05dtype\x94\x93\x94\x8c\x02O8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t\x94b\x89]\x94(\x8c\x04TP53\x94\x8c\x03MYC\x94M\xf5\x1bet\x94b.";

    #[test]
    fn texts_of_an_object_array_are_found() {
        assert_eq!(texts(FOUR).expect("found"), ["TP53", "MYC", "7157"]);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_array() {
        for cut in 0..FOUR.len() {
            assert_eq!(texts(&FOUR[..cut]), None);
        }
        for at in 0..FOUR.len() {
            for byte in [0, b'(', b'e', b'r', 0x8d, 0xff] {
                let mut changed = FOUR.to_vec();
                changed[at] = byte;
                let _ = texts(&changed); // no panic
            }
        }
    }
}
