//! How a gene is called, on screen and in tables.

use super::Table;
use super::kind::is_blank;

/// The first columns of a table about genes: the id, and the symbol where the genes have symbols.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    ids: &'a [String],
    symbols: Option<&'a [String]>,
}

impl<'a> Names<'a> {
    /// Those of `genes`.
    pub fn of(genes: &'a Table) -> Self {
        Names { ids: &genes.ids, symbols: genes.column("symbol") }
    }

    /// `gene_id`, and `symbol`.
    pub fn header(self) -> impl Iterator<Item = String> {
        std::iter::once("gene_id".to_string()).chain(self.symbols.map(|_| "symbol".to_string()))
    }

    /// The fields of one gene.
    pub fn fields(self, gene: usize) -> impl Iterator<Item = String> {
        std::iter::once(self.ids[gene].clone()).chain(self.symbols.map(|symbols| symbols[gene].clone()))
    }
}

/// `SYMBOL (id)` where the genes have symbols; the symbol alone where the id is made of it, as `ESR1_2099` is. On one line,
/// whatever the names hold.
pub fn shown(genes: &Table, gene: usize) -> String {
    let on_a_line = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    called(genes, gene).chars().map(on_a_line).collect()
}

fn called(genes: &Table, gene: usize) -> String {
    let id = &genes.ids[gene];
    let symbol = genes.column("symbol").map_or("", |symbols| symbols[gene].as_str());
    let part = |rest: &str| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '-' && c != '.');
    match id.strip_prefix(symbol) {
        _ if is_blank(symbol) => id.clone(),
        Some("") => id.clone(),
        Some(rest) if part(rest) => symbol.to_string(),
        _ => format!("{symbol} ({id})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_are_called_by_symbol_and_id() {
        let ids = ["48612_at", "ESR1_2099", "TP53", "x_at", "y_at", "A1BG-AS1"].map(String::from);
        let mut genes = Table::new("gene_id", ids.to_vec());
        assert_eq!(shown(&genes, 0), "48612_at");
        let row =
            |genes: &Table| Names::of(genes).header().chain(Names::of(genes).fields(0)).collect::<Vec<_>>();
        assert_eq!(row(&genes), ["gene_id", "48612_at"]);
        let symbols = ["N4BP1", "ESR1", "TP53", "", "---", "A1BG"].map(String::from);
        genes.set_column("symbol", symbols.to_vec());
        let all: Vec<String> = (0..6).map(|gene| shown(&genes, gene)).collect();
        assert_eq!(row(&genes), ["gene_id", "symbol", "48612_at", "N4BP1"]);
        genes.ids[0] = "a\tb\n".into();
        assert_eq!(shown(&genes, 0), "N4BP1 (a\\tb\\n)");
        assert_eq!(all, ["N4BP1 (48612_at)", "ESR1", "TP53", "x_at", "y_at", "A1BG (A1BG-AS1)"]);
    }
}
