//! What is known of samples, as colours: the most frequent labels have one each, the rest share one.

use std::collections::BTreeMap;

use super::axis::count;
use super::chart::{Key, Sign};
use super::look::{COLOURS, Look};
use super::text::name;
use crate::prepare::split::is_unlabelled;

/// Labels of samples, as places among the classes.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    /// The column.
    pub name: String,
    /// Class and number of samples, most frequent first.
    classes: Vec<(String, usize)>,
    /// Of each sample; `None` where it is not known.
    of: Vec<Option<usize>>,
}

impl Labels {
    pub fn new(column: &str, fields: &[String]) -> Labels {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        fields.iter().filter(|f| !is_unlabelled(f)).for_each(|f| *sizes.entry(f).or_default() += 1);
        let mut classes: Vec<(String, usize)> =
            sizes.into_iter().map(|(class, n)| (class.to_string(), n)).collect();
        classes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let places: BTreeMap<&str, usize> =
            classes.iter().enumerate().map(|(i, class)| (class.0.as_str(), i)).collect();
        let of = fields.iter().map(|field| places.get(field.as_str()).copied()).collect();
        Labels { name: name(column, 24), classes, of }
    }

    /// Of samples without any label.
    pub fn none(samples: usize) -> Labels {
        Labels { name: String::new(), classes: Vec::new(), of: vec![None; samples] }
    }

    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// How many classes have a colour of their own.
    fn coloured(&self) -> usize {
        if self.classes.len() <= COLOURS { self.classes.len() } else { COLOURS - 1 }
    }

    /// The place of a sample's colour: that of the rest after the last class, and of no label after that.
    pub fn place(&self, sample: usize) -> usize {
        match self.of[sample] {
            Some(class) => class.min(self.coloured()),
            None => self.coloured() + 1,
        }
    }

    pub fn colour(&self, place: usize, look: &Look) -> &'static str {
        match place.checked_sub(self.coloured()) {
            None => look.colour(place),
            Some(_) if self.is_empty() => look.colour(0),
            Some(0) => look.faint,
            Some(_) => look.fainter,
        }
    }

    /// A sample's label, for its title.
    pub fn said(&self, sample: usize) -> &str {
        self.of[sample].map_or("no label", |class| self.classes[class].0.as_str())
    }

    pub fn keys(&self, look: &Look, sign: Sign) -> Vec<Key> {
        if self.is_empty() {
            return Vec::new();
        }
        let own = self.coloured();
        let key = |label: &str, n: usize, place: usize| {
            Key::new(&format!("{} ({})", name(label, 26), count(n)), self.colour(place, look), sign)
        };
        let mut keys: Vec<Key> =
            self.classes.iter().take(own).enumerate().map(|(i, (label, n))| key(label, *n, i)).collect();
        let rest: usize = self.classes.iter().skip(own).map(|class| class.1).sum();
        if rest > 0 {
            keys.push(key(&format!("{} other labels", self.classes.len() - own), rest, own));
        }
        let unknown = self.of.iter().filter(|class| class.is_none()).count();
        if unknown > 0 {
            keys.push(key("no label", unknown, own + 1));
        }
        keys
    }

    /// What a caption says of the colours.
    pub fn words(&self) -> String {
        match self.classes.len() {
            0 => "Samples have no label.".into(),
            1 => format!("All labels of {} are the same.", self.name),
            n => format!("Colours are the {} labels of {}.", count(n), self.name),
        }
    }
}
