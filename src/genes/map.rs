//! Maps from probes to genes: tables of two columns, annotation tables of arrays as GEO and the makers have them.
//!
//! Which column holds the probes is told by the probes at hand, which holds the genes by its header, and both are said. A
//! probe that names several genes, or stands in several rows that disagree, is nobody's to decide but the user's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::kind::is_blank;
use super::reader::{Column, Sheet, Untold};
use super::{Kind, labels};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};

/// What a probe counts for that names several genes: `A /// B`, or several rows of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Multi {
    /// An error that names some of them
    #[default]
    Refuse,
    /// For the gene that is named first, in the first row
    First,
    /// For each of its genes, like a probe of that gene alone
    All,
    /// For each of its genes, but in a mean over probes with the weight 1/(number of its genes)
    Average,
}

/// A map, and what is to be made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct MapSettings {
    /// The table.
    pub path: PathBuf,
    /// Its column of genes, by name or by number from 1; told by the headers where it is `None`.
    pub column: Option<String>,
    /// What becomes of probes of several genes.
    pub multi: Multi,
}

impl MapSettings {
    /// A map whose columns tell what they are, and in which no probe has several genes.
    pub fn of(path: &Path) -> MapSettings {
        MapSettings { path: path.to_path_buf(), column: None, multi: Multi::Refuse }
    }
}

/// Which genes probes measure.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeMap {
    /// The column of genes, as it is called in messages.
    pub column: String,
    /// The kind of genes that its header tells.
    pub kind: Option<Kind>,
    /// Of every probe that was asked for its genes, none where the map does not have it.
    pub genes: Vec<Vec<String>>,
}

/// Headers of genes that do not say of which kind, after those that do.
const GENE: [&str; 4] = ["gene", "genes", "geneid", "geneids"];

/// Kinds of genes, the best to know a gene by first.
const KINDS: [Kind; 5] = [Kind::Symbol, Kind::Entrez, Kind::Ensembl, Kind::Hgnc, Kind::Refseq];

/// How many examples a message has.
const EXAMPLES: usize = 3;

impl ProbeMap {
    /// Reads the genes of `probes`.
    ///
    /// # Errors
    /// [`Error::Input`] for a map that has none of the probes, or no column that is surely one of genes; for probes of
    /// several genes under [`Multi::Refuse`]; those of the file.
    pub fn read(settings: &MapSettings, probes: &[String], report: Reporter) -> Result<ProbeMap> {
        let path = &settings.path;
        let sheet = Sheet::read(path, Untold::Header)?;
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        if sheet.columns.len() < 2 {
            return Err(Error::input(
                path,
                "has one column; a table of probe ids and gene ids is needed (probe_id, gene_id)",
            ));
        }
        let (key, found) = labels::key(&sheet, probes, Column::names_probes);
        if found == 0 {
            return Err(labels::none(&sheet, probes, "probes"));
        }
        let column = column(&sheet, key, settings.column.as_deref())?;
        report(Event::Note(format!(
            "{}: probes from {}, genes from {}",
            path.display(),
            sheet.title(key),
            sheet.title(column)
        )));
        let rows = labels::rows(&sheet.columns[key].fields, probes);
        let fields = &sheet.columns[column].fields;
        let of = |rows: &Vec<usize>| {
            let mut genes: Vec<String> = rows.iter().flat_map(|row| parts(&fields[*row])).collect();
            let mut seen = std::collections::HashSet::new();
            genes.retain(|gene| seen.insert(gene.clone()));
            genes
        };
        let mut genes: Vec<Vec<String>> = rows.iter().map(of).collect();
        refuse_several(settings, &sheet, probes, (&rows, &genes))?;
        if settings.multi == Multi::First {
            genes.iter_mut().for_each(|genes| genes.truncate(1));
        }
        Ok(ProbeMap { column: sheet.title(column), kind: sheet.columns[column].kind(), genes })
    }
}

/// Refuses probes of several genes, unless it was said what they count for.
fn refuse_several(
    settings: &MapSettings,
    sheet: &Sheet,
    probes: &[String],
    (rows, genes): (&[Vec<usize>], &[Vec<String>]),
) -> Result<()> {
    let several: Vec<usize> = (0..probes.len()).filter(|probe| genes[*probe].len() > 1).collect();
    if several.is_empty() || settings.multi != Multi::Refuse {
        return Ok(());
    }
    let example = |probe: &usize| {
        let lines: Vec<String> = rows[*probe].iter().map(|row| sheet.lines[*row].to_string()).collect();
        let lines = if lines.len() > 1 { format!(", lines {}", lines.join(", ")) } else { String::new() };
        format!("{} ({}{lines})", probes[*probe], genes[*probe].join(" /// "))
    };
    let examples: Vec<String> = several.iter().take(EXAMPLES).map(example).collect();
    let more = if several.len() > EXAMPLES { ", …" } else { "" };
    let message = format!(
        "{} of the probes measure several genes by it: {}{more}; --multi first takes the gene named first, all counts such a \
         probe for each of its genes, average too, but in means over probes only by its share",
        several.len(),
        examples.join("; ")
    );
    Err(Error::input(&settings.path, message))
}

/// The column of genes: the one that was named, else the one whose header tells, else the only one that could be.
fn column(sheet: &Sheet, key: usize, named: Option<&str>) -> Result<usize> {
    if let Some(name) = named {
        return labels::column(sheet, name, "--map-column");
    }
    let others: Vec<usize> = (0..sheet.columns.len()).filter(|c| *c != key).collect();
    let plain = |c: &usize| -> String {
        let name = sheet.columns[*c].name.chars().filter(|c| c.is_alphanumeric());
        name.flat_map(char::to_lowercase).collect()
    };
    let names = |c: &usize| could_name_genes(&sheet.columns[*c]);
    let exact = others.iter().copied().find(|c| sheet.columns[*c].name == "gene_id" && names(c));
    let of_kind = |kind: Kind| {
        let told = others.iter().copied().filter(|c| sheet.columns[*c].kind() == Some(kind));
        told.filter(names).min_by_key(|c| Kind::rank_of_header(&sheet.columns[*c].name))
    };
    let known = exact
        .or_else(|| KINDS[..3].iter().find_map(|kind| of_kind(*kind)))
        .or_else(|| others.iter().copied().find(|c| GENE.contains(&plain(c).as_str()) && names(c)))
        .or_else(|| KINDS[3..].iter().find_map(|kind| of_kind(*kind)));
    if let Some(c) = known {
        return Ok(c);
    }
    let possible: Vec<usize> = others.iter().copied().filter(names).collect();
    match possible[..] {
        [one] if others.len() == 1 => Ok(one),
        _ => {
            let titles: Vec<String> = others.iter().map(|c| sheet.title(*c)).collect();
            let what = if others.len() == 1 { "does not look like" } else { "is surely one of" };
            let message = format!(
                "no column beside {} {what} genes ({}); name it with --map-column",
                sheet.title(key),
                titles.join(", ")
            );
            Err(Error::input(&sheet.path, message))
        }
    }
}

/// Whether a column holds names: no sentences, no measurements, no numbers of rows, no probes.
pub(super) fn could_name_genes(column: &Column) -> bool {
    let filled: Vec<&String> = column.fields.iter().filter(|field| !is_blank(field)).collect();
    let most = |is: &dyn Fn(&str) -> bool| filled.iter().filter(|field| is(field)).count() * 2 > filled.len();
    let sentence = |field: &str| parts(field).iter().any(|part| part.contains(' '));
    let fraction = |field: &str| field.parse::<f64>().is_ok_and(|x| x.fract() != 0.0 || x < 0.0);
    let place = |field: &str| field.starts_with("chr");
    let probe = |field: &str| Kind::of(field) == Some(Kind::Probe);
    let bad: [&dyn Fn(&str) -> bool; 4] = [&sentence, &fraction, &place, &probe];
    let counts = column.counts() && column.fields.len() > 2;
    !filled.is_empty() && !counts && !bad.iter().any(|is| most(*is))
}

/// The genes that a field names: `A /// B` and `A//B`; `A;B`, `A|B` and `A,B` where every part has the form of a gene's name;
/// of Affymetrix' gene assignments (`accession // symbol // …`) the symbols. `---` and the like are no gene.
pub fn parts(field: &str) -> Vec<String> {
    let groups = field.split("///").map(str::trim);
    groups.flat_map(group).filter(|part| !is_blank(part)).collect()
}

/// The genes between two `///`.
fn group(text: &str) -> Vec<String> {
    let fields: Vec<&str> = text.split("//").map(str::trim).collect();
    if fields.len() > 2 && matches!(Kind::of(fields[0]), Some(Kind::Refseq | Kind::Ensembl)) {
        return vec![fields[1].to_string()];
    }
    fields.into_iter().flat_map(listed).collect()
}

/// The names of a list, where it is surely one.
fn listed(text: &str) -> Vec<String> {
    for by in [';', '|', ','] {
        let names: Vec<&str> = text.split(by).map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.len() > 1 && names.iter().all(|name| is_blank(name) || is_name(name)) {
            return names.into_iter().map(str::to_string).collect();
        }
        if let [one] = names[..]
            && one.len() < text.len()
            && is_name(one)
        {
            return vec![one.to_string()]; // `A;`
        }
    }
    vec![text.to_string()]
}

fn is_name(text: &str) -> bool {
    KINDS.iter().any(|kind| kind.has_form(text))
}

/// Genes of several rows of a table, joined as GEO writes them.
pub(super) fn joined(fields: &[&str]) -> String {
    let mut seen: HashMap<&str, ()> = HashMap::new();
    let different: Vec<&str> = fields
        .iter()
        .copied()
        .filter(|field| !is_blank(field) && seen.insert(*field, ()).is_none())
        .collect();
    different.join(" /// ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;

    #[test]
    fn fields_name_genes() {
        for (field, expected) in [
            ("TP53", "TP53"),
            ("DDR1 /// MIR4640", "DDR1+MIR4640"),
            ("DDR1///MIR4640", "DDR1+MIR4640"),
            ("A1BG//A1CF", "A1BG+A1CF"),
            ("A1BG;A1CF;", "A1BG+A1CF"),
            ("A1BG, A1CF", "A1BG+A1CF"),
            ("780 /// 100616237", "780+100616237"),
            ("---", ""),
            ("", ""),
            ("NA", ""),
            ("--- /// TP53", "TP53"),
            ("NM_000546 // TP53 // tumor protein p53 // 17p13.1 // 7157", "TP53"),
            ("NM_000546 // TP53 // x // 1 // 2 /// NM_001126112 // TP53 // x // 1 // 2", "TP53+TP53"),
            ("tumor protein, p53", "tumor protein, p53"),
            ("HLA-A", "HLA-A"),
        ] {
            assert_eq!(parts(field).join("+"), expected, "{field:?}");
        }
    }

    fn map(text: &str, column: Option<&str>, multi: Multi) -> Result<ProbeMap> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("map.tsv");
        std::fs::write(&path, text).expect("written");
        let probes = ["1007_s_at", "1053_at", "117_at"].map(String::from);
        let column = column.map(String::from);
        ProbeMap::read(&MapSettings { path, column, multi }, &probes, &silent)
    }

    #[test]
    fn the_column_of_genes_is_told_by_its_header() {
        let rows = |genes: &[&str]| genes.iter().map(|g| g.to_string()).collect::<Vec<_>>();
        for (header, column) in [
            ("ID\tGB_ACC\tGene Title\tGene Symbol\tENTREZ_GENE_ID", "Gene Symbol"),
            ("ID\tDescription\tGene title\tEntrez_Gene_ID\tSymbol", "Symbol"),
            ("probe\tx\ty\tgene_id\tsymbol", "gene_id"),
        ] {
            let c = header.split('\t').position(|name| name == column).expect("there");
            let mut text = format!("#ID = x\n#y\n!platform_table_begin\n{header}\n");
            for (probe, gene) in [("1007_s_at", "DDR1"), ("1053_at", "---"), ("117_at", "HSPA6")] {
                let mut fields = [probe, "X12345", "a title of it", "MYC", "TP53"];
                fields[c] = gene;
                text += &(fields.join("\t") + "\n");
            }
            let found = map(&(text + "!platform_table_end\n"), None, Multi::Refuse).expect(header);
            assert_eq!(found.column, format!("column {column:?}"));
            assert_eq!(found.genes, [rows(&["DDR1"]), rows(&[]), rows(&["HSPA6"])], "{header}");
        }
        let odd = "ID\tone\ttwo\n1007_s_at\tDDR1\tX\n1053_at\tRFC2\tY\n117_at\tHSPA6\tZ\n";
        let message = map(odd, None, Multi::Refuse).expect_err("two").to_string();
        assert!(message.contains("(column \"one\", column \"two\"); name it with --map-column"), "{message}");
        assert_eq!(map(odd, Some("two"), Multi::Refuse).expect("named").genes[0], ["X"]);
        assert_eq!(map(odd, Some("2"), Multi::Refuse).expect("numbered").genes[0], ["DDR1"]);
        assert!(map(odd, Some("three"), Multi::Refuse).is_err());
        let numbers = "ID\tscore\n1007_s_at\t0.5\n1053_at\t1.5\n117_at\t2.5\n";
        assert!(map(numbers, None, Multi::Refuse).is_err());
    }

    #[test]
    fn probes_of_several_genes_are_refused_or_settled_as_asked() {
        let text = "probe\tgene\n1007_s_at\tDDR1 /// MIR4640\n1053_at\tRFC2\n1053_at\tRFC3\n117_at\tHSPA6\n117_at\tHSPA6\n";
        let message = map(text, None, Multi::Refuse).expect_err("several").to_string();
        for part in ["2 of the probes", "1007_s_at (DDR1 /// MIR4640)", "1053_at (RFC2 /// RFC3, lines 3, 4)"]
        {
            assert!(message.contains(part), "{message}");
        }
        let genes = |multi| map(text, None, multi).expect("settled").genes;
        assert_eq!(
            genes(Multi::First),
            [["DDR1"], ["RFC2"], ["HSPA6"]].map(|g| g.map(String::from).to_vec())
        );
        let all = genes(Multi::All);
        assert_eq!((all[0].len(), all[1].join(" "), all[2].len()), (2, "RFC2 RFC3".into(), 1));
        assert_eq!(genes(Multi::Average), all);
    }
}
