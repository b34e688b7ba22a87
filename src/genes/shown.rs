//! How a gene is called on screen.

use super::Table;
use super::kind::is_blank;

/// `SYMBOL (id)` where the genes have symbols; the symbol alone where the id is made of it, as `ESR1_2099` is.
pub fn shown(genes: &Table, gene: usize) -> String {
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
        let symbols = ["N4BP1", "ESR1", "TP53", "", "---", "A1BG"].map(String::from);
        genes.set_column("symbol", symbols.to_vec());
        let all: Vec<String> = (0..6).map(|gene| shown(&genes, gene)).collect();
        assert_eq!(all, ["N4BP1 (48612_at)", "ESR1", "TP53", "x_at", "y_at", "A1BG (A1BG-AS1)"]);
    }
}
