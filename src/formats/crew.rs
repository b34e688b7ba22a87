//! Blocks of lines whose numbers several threads read at once, each thread a block, handed out in the order in which they came.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::fields::{Layout, RowError, Words};
use crate::device::cpu::vectorized;
use crate::error::{Error, Result};

/// Lines of a text and what is to be read of them; then what they held.
pub(super) struct Block {
    /// The text that the lines are in.
    pub text: Vec<u8>,
    /// Where the lines are.
    pub lines: Vec<Range<usize>>,
    /// Which row of its block in the file each line is, where some were passed over.
    pub places: Option<Vec<usize>>,
    /// Rows and lines of the file before these.
    pub before: (usize, usize),
    /// The numbers of all lines, those of a broken one aside.
    pub values: Vec<f32>,
    /// The words of each line.
    pub words: Vec<std::result::Result<Words, RowError>>,
    /// Whether all of the numbers are finite.
    pub finite: bool,
}

/// The blocks that are being worked on.
pub(super) struct Crew {
    layout: Arc<Layout>,
    /// Columns that are wanted, ascending, where not all are.
    some: Option<Arc<[usize]>>,
    /// In their order, with their bytes of text; an error stands where the next block could not be read.
    waiting: VecDeque<(usize, Result<Receiver<Block>>)>,
    /// Bytes of text that may wait, where it is more than one block.
    room: usize,
    /// Memory of earlier blocks' values.
    spare: Vec<Vec<f32>>,
}

impl Crew {
    /// Of lines of this layout, `room` bytes of text at a time at the most.
    pub fn new(layout: Arc<Layout>, room: usize) -> Crew {
        Crew { layout, some: None, waiting: VecDeque::new(), room, spare: Vec::new() }
    }

    /// Reads only these columns from now on.
    pub fn pick(&mut self, columns: Option<&[usize]>) {
        self.some = columns.map(Arc::from);
    }

    /// Whether another block may be sent.
    pub fn is_free(&self) -> bool {
        let Some((next, last)) = self.waiting.back() else { return true };
        let held: usize = self.waiting.iter().map(|(bytes, _)| bytes).sum();
        last.is_ok() && self.waiting.len() < most() && held + next <= self.room
    }

    /// Sends a block to the next thread that is free, or the error to be handed out in its place.
    pub fn send(&mut self, block: Result<Block>) {
        let bytes = block.as_ref().map_or(0, |block| block.text.len());
        let receive = block.map(|mut block| {
            block.values = self.spare.pop().unwrap_or_default();
            let (layout, some) = (self.layout.clone(), self.some.clone());
            let (send, receive): (Sender<Block>, _) = channel();
            rayon::spawn(move || {
                block.read(&layout, some.as_deref());
                let _ = send.send(block); // perhaps nobody waits any more
            });
            receive
        });
        self.waiting.push_back((bytes, receive));
    }

    /// The block that was sent first; `None` where none is left.
    ///
    /// # Errors
    /// The one that was sent.
    pub fn receive(&mut self) -> Option<Result<Block>> {
        let (_, first) = self.waiting.pop_front()?;
        let broken = || Error::Data("a thread that was reading numbers was broken off".into());
        Some(first.and_then(|block| wait(&block).ok_or_else(broken)))
    }

    /// Takes back memory for values.
    pub fn take_back(&mut self, values: Vec<f32>) {
        if values.capacity() > 0 && self.spare.len() < most() {
            self.spare.push(values);
        }
    }
}

/// Waits for a block; a thread of the crew itself works meanwhile, for it might be the only one. `None` where it will not come.
fn wait(block: &Receiver<Block>) -> Option<Block> {
    while rayon::current_thread_index().is_some() {
        match block.try_recv() {
            Err(TryRecvError::Empty) => rayon::yield_now(),
            other => return other.ok(),
        };
    }
    block.recv().ok()
}

/// Blocks that may wait: one for each thread, and the next ones.
fn most() -> usize {
    rayon::current_num_threads() + 2
}

impl Block {
    fn read(&mut self, layout: &Layout, some: Option<&[usize]>) {
        let n = some.map_or(layout.columns.len(), <[usize]>::len);
        let total = n * self.lines.len();
        if self.values.capacity() < total {
            self.values = vec![0.0; total]; // which the system zeroes page by page
        }
        self.values.resize(total, 0.0);
        let mut rest = self.values.as_mut_slice();
        let mut finite = true;
        for line in &self.lines {
            let (row, later) = rest.split_at_mut(n);
            let line = &self.text[line.clone()];
            self.words.push(match some {
                None => layout.parse(line, row),
                Some(some) => layout.parse_some(line, some, row),
            });
            // To the end of the row, with the widest vectors.
            finite &= vectorized(|| row.iter().fold(true, |all, x| all & x.is_finite()));
            rest = later;
        }
        self.finite = finite;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReadSettings, open};

    /// As many rows as lines, in their order, whether a thread of its own waits for them or the crew's only one.
    #[test]
    fn blocks_come_in_their_order_and_nobody_waits_for_himself() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.tsv");
        let rows: String = (0..5000).map(|row| format!("r{row}\t{row}\t-{row}.5\n")).collect();
        std::fs::write(&path, format!("name\tA\tB\n{rows}")).expect("written");
        let read = || {
            let settings = ReadSettings { memory: 1 << 18, ..ReadSettings::default() };
            let mut file = open(&path, &settings).expect("opened");
            let (mut ids, mut values) = (Vec::new(), Vec::new());
            let mut blocks = 0;
            while file.blocks.next(&mut ids, &mut values).expect("read") {
                assert!(file.blocks.all_finite());
                blocks += 1;
            }
            assert!(blocks > 4, "{blocks}");
            assert!(ids.iter().enumerate().all(|(row, id)| *id == format!("r{row}")));
            assert!(values.iter().enumerate().all(|(i, x)| {
                let row = (i / 2) as f32;
                *x == if i % 2 == 0 { row } else { -row - 0.5 }
            }));
            assert_eq!((ids.len(), values.len()), (5000, 10_000));
        };
        read();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        alone.install(read);
    }
}
