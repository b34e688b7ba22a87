//! A tree in Newick's form, and where its branches lie.

use crate::error::{Error, Result};

/// A node; a parent comes before its children.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub children: Vec<usize>,
    /// Empty but for leaves.
    pub name: String,
    length: f64,
    /// From the root.
    pub depth: f64,
    /// Its place across: leaves are 0, 1, 2, …
    pub across: f64,
    /// The first and the last leaf below it.
    pub leaves: (usize, usize),
}

/// A tree.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    /// In order.
    pub leaves: Vec<usize>,
    /// The greatest of all.
    pub depth: f64,
}

impl Tree {
    /// Reads it: `('a':1,'b':1):0.5;`, names plain or quoted, a quote in a name doubled. However deep, nothing is called in itself.
    ///
    /// # Errors
    /// [`Error::Data`] saying at which letter it is no tree.
    pub fn parse(text: &str) -> Result<Tree> {
        let bytes = text.trim_end().trim_end_matches(';').as_bytes();
        let mut reader = Reader { bytes, at: 0, nodes: vec![Node::default()], open: Vec::new(), current: 0 };
        while reader.at < bytes.len() && reader.step().is_some() {}
        if reader.at < bytes.len() || !reader.open.is_empty() {
            let place = reader.at + 1;
            return Err(Error::Data(format!("letter {place} of a tree in Newick's form is out of place")));
        }
        Ok(Tree::placed(reader.nodes))
    }

    /// Places the nodes.
    fn placed(mut nodes: Vec<Node>) -> Tree {
        let mut leaves = Vec::new();
        for i in 0..nodes.len() {
            let depth = nodes[i].depth;
            for child in nodes[i].children.clone() {
                nodes[child].depth = depth + nodes[child].length.max(0.0);
            }
            if nodes[i].children.is_empty() {
                nodes[i].across = leaves.len() as f64;
                nodes[i].leaves = (leaves.len(), leaves.len());
                leaves.push(i);
            }
        }
        for i in (0..nodes.len()).rev() {
            if let [first, .., last] | [first @ last] = nodes[i].children[..] {
                nodes[i].across = (nodes[first].across + nodes[last].across) / 2.0;
                nodes[i].leaves = (nodes[first].leaves.0, nodes[last].leaves.1);
            }
        }
        let depth = nodes.iter().map(|node| node.depth).fold(0.0, f64::max);
        Tree { nodes, leaves, depth }
    }

    /// The first and the last child of a node that has some.
    pub fn ends(&self, node: &Node) -> (&Node, &Node) {
        let place = |child: Option<&usize>| child.map_or(&self.nodes[0], |child| &self.nodes[*child]);
        (place(node.children.first()), place(node.children.last()))
    }

    /// The nodes that have children.
    pub fn inner(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.children.is_empty())
    }
}

/// A text being read, and the tree so far.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Nodes whose parenthesis is not closed.
    open: Vec<usize>,
    /// What a name and a length are of.
    current: usize,
}

impl Reader<'_> {
    /// Reads a sign, a name or a length; `None` where it is out of place.
    fn step(&mut self) -> Option<()> {
        match self.bytes[self.at] {
            b'(' => {
                self.open.push(self.current);
                self.child(self.current);
            }
            b',' => self.child(*self.open.last()?),
            b')' => self.current = self.open.pop()?,
            b':' => return self.length(),
            b'\'' => return self.quoted(),
            _ => return self.plain(),
        }
        self.at += 1;
        Some(())
    }

    fn child(&mut self, parent: usize) {
        self.nodes.push(Node::default());
        self.current = self.nodes.len() - 1;
        self.nodes[parent].children.push(self.current);
    }

    fn length(&mut self) -> Option<()> {
        let end = end_of(self.bytes, self.at + 1);
        let text = std::str::from_utf8(&self.bytes[self.at + 1..end]).ok()?;
        self.nodes[self.current].length = text.trim().parse().ok().filter(|x: &f64| x.is_finite())?;
        self.at = end;
        Some(())
    }

    fn quoted(&mut self) -> Option<()> {
        let (name, end) = quoted(self.bytes, self.at)?;
        self.nodes[self.current].name = name;
        self.at = end;
        Some(())
    }

    fn plain(&mut self) -> Option<()> {
        let end = end_of(self.bytes, self.at);
        self.nodes[self.current].name = String::from_utf8_lossy(&self.bytes[self.at..end]).trim().to_string();
        self.at = end;
        Some(())
    }
}

fn end_of(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| b"(),:'".contains(b)).map_or(bytes.len(), |n| from + n)
}

/// A name between quotes, and where the text goes on.
fn quoted(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let (mut name, mut i) = (Vec::new(), at + 1);
    loop {
        match (bytes.get(i)?, bytes.get(i + 1)) {
            (b'\'', Some(b'\'')) => {
                name.push(b'\'');
                i += 2;
            }
            (b'\'', _) => return Some((String::from_utf8_lossy(&name).into_owned(), i + 1)),
            (letter, _) => {
                name.push(*letter);
                i += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lengths_and_places_are_read() {
        let tree = Tree::parse("(('a (1)':1,'it''s':1):2,c:3);").expect("a tree");
        let names: Vec<&str> = tree.leaves.iter().map(|leaf| tree.nodes[*leaf].name.as_str()).collect();
        assert_eq!(names, ["a (1)", "it's", "c"]);
        assert_eq!((tree.depth, tree.nodes[0].across, tree.nodes[0].leaves), (3.0, 1.25, (0, 2)));
    }

    #[test]
    fn a_deep_tree_is_read_and_a_broken_one_refused() {
        let n = 50_000;
        let deep = format!("{}x{};", "(".repeat(n), ",y:1):1".repeat(n));
        assert_eq!(Tree::parse(&deep).expect("a tree").leaves.len(), n + 1);
        for broken in ["(a,b", "a,b)", "(a:x,b)", "('a,b)", "(a,b):", ","] {
            assert!(Tree::parse(broken).is_err(), "{broken}");
        }
    }
}
