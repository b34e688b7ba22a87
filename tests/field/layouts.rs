//! Layouts of delimited text: without a header, with quotes, with annotation among the numbers, as spreadsheets save it.
//! Ids and values of the field's files are those that pandas reads (`scripts/reference_layouts.py`).

use std::fs;
use std::path::{Path, PathBuf};

use genelift::store::Store;

use super::run::{refuse, succeed};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field").join(name)
}

/// A folder to import in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Imports a file of this place or of the repository's data; the store and what was said.
    fn import(&self, name: &str, options: &[&str]) -> (Store, String) {
        let path = if self.0.path().join(name).exists() { name.into() } else { data(name) };
        let arguments = [&["import", path.to_str().unwrap(), "-o", "out.gex", "--force"], options].concat();
        let (_, said) = succeed(self.0.path(), &arguments);
        (Store::open(&self.0.path().join("out.gex")).unwrap(), said)
    }

    fn refusal(&self, name: &str, options: &[&str]) -> String {
        let path = if self.0.path().join(name).exists() { name.into() } else { data(name) };
        refuse(
            self.0.path(),
            &[&["import", path.to_str().unwrap(), "-o", "out.gex", "--force"], options].concat(),
        )
    }

    /// Writes a file, imports it, and compares samples, genes and values, sample by sample.
    fn check(
        &self,
        text: impl AsRef<[u8]>,
        options: &[&str],
        samples: &str,
        genes: &str,
        values: &[f32],
    ) -> (Store, String) {
        self.file("x.txt", &text);
        let (store, said) = self.import("x.txt", options);
        let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
        assert_eq!(
            (store.samples().ids.join(" "), store.genes().ids.join(" ")),
            (samples.into(), genes.into()),
            "{shown}"
        );
        assert_eq!(all(&store), values, "{shown}");
        (store, said)
    }
}

fn all(store: &Store) -> Vec<f32> {
    let mut all = vec![0.0; store.n_samples() * store.n_genes()];
    all.chunks_exact_mut(store.n_genes()).enumerate().for_each(|(sample, row)| store.read_row(sample, row));
    all
}

const GENES: &str = "TP53 EGFR MYC BRCA1 GAPDH ACTB CDK4 KRAS PTEN RB1 SEPT2 MARCH1";

/// The first two genes of the files that hold these twelve, of five samples.
fn begins(store: &Store, shift: usize) {
    let first: Vec<f32> = all(store).chunks(12).flat_map(|row| row[..2].to_vec()).collect();
    let expected = [8.691, 8.893, 9.643, 6.926, 8.661, 9.162, 5.394, 8.729, 9.811, 8.588];
    let expected: Vec<f32> = expected.iter().map(|x: &f32| if shift == 1 { x.trunc() } else { *x }).collect();
    assert_eq!(first, expected);
}

#[test]
fn files_of_the_field_are_read_as_what_they_are() {
    let place = Place::new();
    for (name, samples, said) in [
        (
            "headerless.tsv",
            "sample_1 sample_2 sample_3 sample_4 sample_5",
            "no header and the columns' names are made up",
        ),
        ("rshort.txt", "S1 S2 S3 S4 S5", ""),
        ("unn3.csv", "S1 S2 S3 S4 S5", "only number the rows: \"Unnamed: 0\""),
        ("htseq.tsv", "S1 S2 S3 S4 S5", "reads of no gene: \"__no_feature\", \"__ambiguous\""),
        ("title.csv", "S1 S2 S3 S4 S5", "line 1 is taken for a title and left out: \"RNA-seq of 5 samples\""),
        ("blank1.csv", "S1 S2 S3 S4 S5", ""),
        ("cr.csv", "S1 S2 S3 S4 S5", ""),
        ("sepx.csv", "S1 S2 S3 S4 S5", "parted by ';'"),
    ] {
        let (store, words) = place.import(name, &[]);
        assert_eq!(store.samples().ids.join(" "), samples, "{name}");
        assert_eq!(store.genes().ids.join(" "), GENES, "{name}");
        assert!(words.contains(said), "{name}: {words}");
        begins(&store, 0);
    }
    let (store, _) = place.import("unbq.tsv", &[]);
    assert_eq!(store.genes().ids.join(" "), GENES.replace("MYC", "MYC 3\" end"));
    let (store, said) = place.import("fclen.txt", &[]);
    assert_eq!((store.samples().ids.len(), store.genes().column("Length").unwrap()[1].as_str()), (5, "1201"));
    assert!(said.contains("by their names (--value-columns reads them as values): \"Length\""), "{said}");
    begins(&store, 1);
    let (store, said) = place.import("idname.tsv", &[]);
    assert_eq!(store.genes().column("gene_name").unwrap().join(" "), GENES);
    assert!(said.contains("of words, kept to describe the rows: \"gene_name\""), "{said}");
    let (store, said) = place.import("depmap2.csv", &[]);
    assert_eq!(store.samples().column_names(), ["SequencingID", "IsDefaultEntryForModel"]);
    assert_eq!(store.samples().ids[4], "ACH-000004");
    assert!(said.contains("named by column 3 (\"ModelID\")"), "{said}");
    begins(&store, 0);
    let refusal = place.refusal("thou.csv", &[]);
    assert!(
        refusal.contains("line 2, row 1 (\"TP53\"), column 2 (\"S1\"): \"8,691\"")
            && refusal.contains("between the thousands"),
        "{refusal}"
    );
}

/// Ids and values as pandas reads them, to the bit, where it is told what a person sees in the file.
#[test]
fn ids_and_values_are_those_of_pandas() {
    let place = Place::new();
    let reference = fs::read_to_string(data("layouts_reference.tsv")).unwrap();
    assert_eq!(reference.lines().count(), 12);
    for line in reference.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (store, _) = place.import(fields[0], &[]);
        let ids = [&store.samples().ids, &store.genes().ids].map(|ids| ids.join("|"));
        assert_eq!(ids, [fields[1], fields[2]], "{}", fields[0]);
        let expected: Vec<f32> = fields[3].split('|').map(|x| x.parse().unwrap()).collect();
        assert_eq!(all(&store), expected, "{}", fields[0]);
    }
}

#[test]
fn a_missing_header_is_seen() {
    let place = Place::new();
    for text in [
        "TP53\t1.5\t2\nBRCA1\t3\t4\nCDK4\t5\t6\n",
        "# made by somebody else\nTP53 1.5 2\nBRCA1 3 4\nCDK4 5 6\n",
        "\"TP53\",1.5,2\r\n\"BRCA1\",3,4\r\n\"CDK4\",5,6\r\n",
    ] {
        let values = [1.5, 3.0, 5.0, 2.0, 4.0, 6.0];
        let (_, said) = place.check(text, &[], "sample_1 sample_2", "TP53 BRCA1 CDK4", &values);
        assert!(said.contains("there is no header") && said.contains("--header"), "{said}");
        place.check(text, &["--no-header"], "sample_1 sample_2", "TP53 BRCA1 CDK4", &values);
        place.file("names.tsv", "id\np\nq\n");
        place.check(text, &["--samples", "names.tsv"], "p q", "TP53 BRCA1 CDK4", &values);
    }
    for text in ["8.6 9.6\n7.5 3.4\n1.1 2.2\n", "a,b\n8.6,9.6\n7.5,3.4\n", "8.6\t9.6\tNA\n7.5\t3.4\t1\n"] {
        place.file("x.txt", text);
        assert!(
            place.refusal("x.txt", &[]).contains("should name the rows holds numbers such as 8.6"),
            "{text}"
        );
    }
    // Rows that are samples: the genes' names are made up.
    place.check(
        "TCGA-01\t1.5\t2\nTCGA-02\t3\t4\n",
        &[],
        "TCGA-01 TCGA-02",
        "gene_1 gene_2",
        &[1.5, 2.0, 3.0, 4.0],
    );
    // HTSeq's own output: one sample, named after the file.
    place.file(
        "SRR7.counts.txt",
        "ENSG00000000003\t723\nENSG00000000005\t0\n__no_feature\t9\n__ambiguous\t8\n",
    );
    let (store, _) = place.import("SRR7.counts.txt", &[]);
    assert_eq!((store.samples().ids.join(" "), all(&store)), ("SRR7".into(), vec![723.0, 0.0]));
}

#[test]
fn a_header_of_numbers_stays_a_header() {
    let place = Place::new();
    for corner in ["gene", "Gene_ID", "", "time"] {
        let text = format!(
            "{corner}\t0\t1\t2\t4\t8\nTP53\t1\t2\t3\t4\t5\nEGFR\t5\t4\t3\t2\t1\nMYC\t0\t0\t0\t0\t1\n"
        );
        let values = [1.0, 5.0, 0.0, 2.0, 4.0, 0.0, 3.0, 3.0, 0.0, 4.0, 2.0, 0.0, 5.0, 1.0, 1.0];
        place.check(text, &["--orientation", "genes-by-samples"], "0 1 2 4 8", "TP53 EGFR MYC", &values);
    }
    place.check(
        "0\t1\nTP53\t1\t2\nEGFR\t3\t4\nMYC\t5\t6\n",
        &[],
        "0 1",
        "TP53 EGFR MYC",
        &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
    );
    // Either it may be: refused with both ways out.
    for text in ["EGFR\t8\t6\t9\nMYC\t4\t5\t6\n", "7157,1,2\n1956,3,4\n", "Kontrolle;1.25;2.5\nTP53;3;4\n"] {
        place.file("x.txt", text);
        let refusal = place.refusal("x.txt", &[]);
        assert!(
            refusal.contains("x.txt: line 1 (") && refusal.contains("--header or --no-header"),
            "{refusal}"
        );
        let rows = |option| place.import("x.txt", &[option, "--orientation", "genes-by-samples"]).0.n_genes();
        assert_eq!((rows("--header"), rows("--no-header")), (1, 2), "{text}");
    }
}

#[test]
fn quotes_are_taken_off() {
    let place = Place::new();
    for text in [
        "\"S 1\" \"S 2\"\n\"TP53\" 1 2\n\"HLA A\" 3 4\n\"MYC \\\"end\\\"\" 5 6\n",
        "\"id\"\t\"S 1\"\t\"S 2\"\nTP53\t1\t2\nHLA A\t3\t\"4\"\nMYC \"end\"\t5\t6\n",
        "id,S 1,S 2\nTP53,1,2\n\"HLA A\",\"3\",\"4\"\n\"MYC \"\"end\"\"\",5,6\n",
    ] {
        place.check(
            text,
            &["--orientation", "genes-by-samples"],
            "S 1 S 2",
            "TP53 HLA A MYC \"end\"",
            &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
        );
    }
    place.file("x.txt", "id,S1\nTP53,1\n\"MYC,2\n");
    let refusal = place.refusal("x.txt", &[]);
    assert!(
        refusal.contains("line 3, row 2") && refusal.contains("a quoted field does not end on its line"),
        "{refusal}"
    );
}

/// Tables of genes with columns about them, whose values are 1 to 4.
#[test]
fn columns_about_genes_are_no_samples() {
    let place = Place::new();
    for (text, columns) in [
        (
            "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\nTP53\t7157\t1\t3\nEGFR\t1956\t2\t4\n",
            "Entrez_Gene_Id entrez",
        ),
        (
            "# Program:featureCounts v2.0.1; Command:\"featureCounts\" \"-a\" \"x.gtf\"\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tS1\tS2\n\
             TP53\tchr1;chr1\t1;9\t5;12\t+;+\t8\t1\t3\nEGFR\t7\t100\t200\t-\t100\t2\t4\n",
            "Chr Start End Strand Length",
        ),
        (
            "Geneid\tChr\tStart\tEnd\tStrand\tLength\tS1\tS2\nTP53\t1\t5\t9\t+\t8\t1\t3\nEGFR\t7\t1\t2\t-\t9\t2\t4\n",
            "Chr Start End Strand Length",
        ),
        (
            "gene,S1,description,S2,gene length\nTP53,1,\"p53, tumor\",3,9\nEGFR,2,x,4,8\n",
            "description gene length",
        ),
        ("S1;S2;gene_id\n1;3;TP53\n2;4;EGFR\n", ""),
        ("entrez,symbol,S1,S2\n7157,TP53,1,3\n1956,EGFR,2,4\n", "symbol"),
    ] {
        let genes = if text.starts_with("entrez") { "7157 1956" } else { "TP53 EGFR" };
        let options = ["--orientation", "genes-by-samples"];
        let (store, _) = place.check(text, &options, "S1 S2", genes, &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(store.genes().column_names().join(" "), columns, "{text}");
    }
}

#[test]
fn columns_about_samples_are_no_genes() {
    let place = Place::new();
    let options = ["--orientation", "samples-by-genes"];
    for (text, columns) in [
        (
            ",SequencingID,ModelID,IsDefaultEntryForModel,TP53,EGFR\n0,C1,a,Yes,1,2\n1,C2,b,Yes,3,4\n",
            "SequencingID IsDefaultEntryForModel",
        ),
        ("sample,tissue,age,TP53,EGFR\na,lung,61,1,2\nb,skin,55,3,4\n", "tissue age"),
        ("Unnamed: 0\tTP53\tsample_id\tEGFR\n1\t1\ta\t2\n2\t3\tb\t4\n", ""),
        (
            "sample,Unnamed: 0,Unnamed: 0.1,TP53,EGFR,__no_feature,N_unmapped\na,0,0,1,2,7,7\nb,1,1,3,4,7,7\n",
            "",
        ),
    ] {
        let (store, said) = place.check(text, &options, "a b", "TP53 EGFR", &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(store.samples().column_names().join(" "), columns, "{text}");
        assert!(said.contains("warning: "), "{said}");
    }
}

#[test]
fn columns_and_rows_can_be_told() {
    let place = Place::new();
    let text = "gene\tmass\tLength\tS1\tS2\nTP53\t7\t8\t1\t3\nspike\t7\t8\t9\t9\nEGFR\t7\t9\t2\t4\n";
    let (store, _) = place.check(
        text,
        &["--annotation-columns", "mass", "--drop-columns", "Length", "--drop-rows", "spike"],
        "S1 S2",
        "TP53 EGFR",
        &[1.0, 2.0, 3.0, 4.0],
    );
    assert_eq!(store.genes().column("mass").unwrap(), ["7", "7"]);
    let options = ["--value-columns", "Length", "--drop-columns", "mass,S2", "--drop-rows", "spike,TP53"];
    place.check(text, &options, "Length S1", "EGFR", &[9.0, 2.0]);
    for (options, word) in [
        (
            ["--drop-columns", "mas"],
            "--drop-columns: it has no column \"mas\"; its columns are \"gene\", \"mass\"",
        ),
        (["--annotation-columns", "mass,nix"], "--annotation-columns: it has no column \"nix\""),
        (["--value-columns", "nix"], "--value-columns: it has no column \"nix\""),
        (["--drop-rows", "nix"], "--drop-rows: it has no row \"nix\""),
        (["--drop-rows", "nix,TP53"], "--drop-rows: it has no row \"nix\""),
    ] {
        let refusal = place.refusal("x.txt", &options);
        assert!(refusal.contains(word), "{refusal}");
    }
    // A single word in a single row may be a slip.
    place.file("x.txt", "sample,G1,G2\na,1,x\n");
    assert!(
        place
            .refusal("x.txt", &[])
            .contains("line 2, row 1 (\"a\"), column 3 (\"G2\"): \"x\" is not a number")
    );
    place.check("sample,G1,G2\na,1,x\n", &["--annotation-columns", "G2"], "a", "G1", &[1.0]);
    place.file("m.mtx", "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 1\n");
    assert!(place.refusal("m.mtx", &["--drop-rows", "gene_1"]).contains("--drop-rows is for csv, tsv, xlsx"));
}

#[test]
fn tables_of_one_sample_are_asked_about() {
    let place = Place::new();
    let salmon = "Name\tLength\tEffectiveLength\tTPM\tNumReads\nENST01\t100\t90.5\t1.5\t3\nENST02\t200\t190.5\t2.5\t8\n";
    let rsem = "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\nENST01\ta,b\t1.0\t1.0\t3\t1.5\t9\nENST02\tc\t1.0\t1.0\t8\t2.5\t9\n";
    let kallisto =
        "target_id\tlength\teff_length\test_counts\ttpm\nENST01\t1\t1\t3\t1.5\nENST02\t1\t1\t8\t2.5\n";
    let gdc = "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\ttpm_unstranded\nN_unmapped\t\t\t5\t\nENST01\tA\tx\t3\t1.5\nENST02\tB\tx\t8\t2.5\n";
    for (name, text, column, sample) in [
        ("S7/quant.sf", salmon, "TPM", "S7"),
        ("S8.genes.results", rsem, "TPM", "S8"),
        ("S9/abundance.tsv", kallisto, "tpm", "S9"),
        ("u1.rna_seq.augmented_star_gene_counts.tsv", gdc, "tpm_unstranded", "u1"),
    ] {
        place.file(name, text);
        let refusal = place.refusal(name, &[]);
        assert!(
            refusal.contains("is a table of one sample") && refusal.contains("--value-columns "),
            "{refusal}"
        );
        let (store, said) = place.import(name, &["--value-columns", column]);
        assert_eq!(
            (store.samples().ids.join(" "), store.genes().ids.join(" ")),
            (sample.into(), "ENST01 ENST02".into()),
            "{said}"
        );
        assert_eq!(all(&store), [1.5, 2.5], "{name}");
    }
    place.file(
        "S1ReadsPerGene.out.tab",
        "N_unmapped\t1\t1\t1\nN_multimapping\t2\t2\t2\nENSG01\t3\t1\t2\nENSG02\t4\t2\t2\n",
    );
    assert!(place.refusal("S1ReadsPerGene.out.tab", &[]).contains("--value-columns unstranded"));
    let (store, _) = place.import("S1ReadsPerGene.out.tab", &["--value-columns", "stranded_first"]);
    assert_eq!((store.samples().ids.join(" "), all(&store)), ("S1".into(), vec![1.0, 2.0]));
    place.file(
        "deseq.csv",
        "\"\",\"baseMean\",\"log2FoldChange\",\"lfcSE\",\"pvalue\",\"padj\"\n\"TP53\",1,2,3,4,5\n",
    );
    assert!(place.refusal("deseq.csv", &[]).contains("holds statistics of genes"));
}

#[test]
fn habits_of_spreadsheets_are_no_obstacle() {
    let place = Place::new();
    let plain = "gene,S1,S2\nTP53,1,3\nEGFR,2,4\n";
    let utf16 = |text: &str, mark: &str| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let swapped: Vec<u8> = utf16(plain, "\u{feff}").chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    for text in [
        plain.replace('\n', "\r").into_bytes(),
        utf16(plain, "\u{feff}"),
        utf16(&plain.replace(',', "\t").replace('\n', "\r\n"), ""),
        swapped,
        plain.replace('\n', "\n\n").into_bytes(),
        plain.replace('\n', ",,\n,,,,\n").into_bytes(),
        format!("sep=,\n{plain}").into_bytes(),
        format!("\"sep=;\"\r\n{}", plain.replace(',', ";")).into_bytes(),
        format!("Table S1,,\nAll samples,,\n\n{plain}").into_bytes(),
        format!("\"Counts, normalised\",,\n,,\n{plain}").into_bytes(),
        format!("Table S1. Counts\n{}", plain.replace(',', "\t")).into_bytes(),
        format!("\u{feff}{plain}").into_bytes(),
    ] {
        place.check(
            text,
            &["--orientation", "genes-by-samples"],
            "S1 S2",
            "TP53 EGFR",
            &[1.0, 2.0, 3.0, 4.0],
        );
    }
    for error in ["#VALUE!", "#DIV/0!", "#N/A", "#REF!", "#NAME?", "#num!"] {
        place.file("x.txt", plain.replace('4', error));
        assert!(place.refusal("x.txt", &[]).contains("1 of 4 values are missing"), "{error}");
        let options = ["--missing", "zero", "--orientation", "genes-by-samples"];
        place.check(plain.replace('4', error), &options, "S1 S2", "TP53 EGFR", &[1.0, 2.0, 3.0, 0.0]);
    }
    place.file("x.txt", "Table S1,of us,,\ngene,S1,S2,S3\nTP53,1,3,5\nEGFR,2,4,5\n");
    let refusal = place.refusal("x.txt", &[]);
    assert!(
        refusal.contains("line 1, taken for the header, has 2 fields and the rows below it 4"),
        "{refusal}"
    );
}

#[test]
fn commas_in_numbers_get_the_fitting_hint() {
    let place = Place::new();
    let (thousands, decimals) = ("without commas between the thousands", "with a decimal point instead");
    for (field, hint) in [
        ("8,691", thousands),
        ("1,234,567", thousands),
        ("-12,345.5", thousands),
        ("8,5", decimals),
        ("0,691", decimals),
        ("-8,6912", decimals),
        ("1.234,5", decimals),
        ("12 kg", "--annotation-columns"),
    ] {
        for text in [
            format!("gene;S1;S2\nTP53;1;2\nEGFR;{field};3\nMYC;4;5\n"),
            format!("gene\tS1\tS2\nTP53\t1\t2\n\nEGFR\t{field}\t3\nMYC\t3\t4\n"),
        ] {
            place.file("x.txt", &text);
            let refusal = place.refusal("x.txt", &[]);
            let line = if text.contains('\t') { 4 } else { 3 };
            assert!(
                refusal.contains(hint)
                    && refusal.contains(&format!("line {line}, row 2 (\"EGFR\"), column 2")),
                "{refusal}"
            );
        }
    }
}
