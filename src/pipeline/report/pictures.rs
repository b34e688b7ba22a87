//! The figures of a run, each in the section that it belongs to.

use std::path::Path;

use crate::error::Result;
use crate::report::{Block, Picture, Section};

/// Figures that no section has taken yet.
pub struct Pictures {
    left: Vec<Picture>,
}

impl Pictures {
    /// Those of a folder.
    ///
    /// # Errors
    /// Those of [`crate::figures::of`].
    pub fn of(_folder: &Path) -> Result<Pictures> {
        Ok(Pictures { left: Vec::new() })
    }

    /// Takes those whose name begins with one of these words, in the words' order.
    pub fn take(&mut self, words: &[&str]) -> Option<Block> {
        let mut taken = Vec::new();
        for word in words {
            let (these, others) = self.left.drain(..).partition(|picture| picture.name.starts_with(word));
            self.left = others;
            let these: Vec<Picture> = these;
            taken.extend(these);
        }
        (!taken.is_empty()).then_some(Block::Figures(taken))
    }

    /// What no section took.
    pub fn rest(self) -> Option<Section> {
        let blocks = if self.left.is_empty() { Vec::new() } else { vec![Block::Figures(self.left)] };
        Section::new("figures", "More figures", blocks)
    }
}
