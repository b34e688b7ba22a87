//! A run's configuration: a TOML file, `--set` changes, and the options that follow.
//!
//! Paths in the file are relative to the file's directory. Every table is the options of a stage, the same struct that its
//! command reads.

mod file;

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use self::file::File;
use super::settings::General;
use super::stages::{
    attribute, cluster, compare, enrich, fit, import, prepare, select, split, stability, train,
};
use crate::error::{Error, Result};
use crate::select::Strategy;
use train::Preset;

/// Everything that the file says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that says all this.
    pub file: PathBuf,
    /// The folder that everything is written to.
    pub output: PathBuf,
    /// Of every random choice.
    pub seed: u64,
    /// As `--device`.
    pub device: String,
    /// As `--threads`.
    pub threads: Option<usize>,
    /// As `--memory`.
    pub memory: Option<String>,
    /// As `--device-memory`.
    pub device_memory: Option<String>,
    /// The matrix, and how to read it.
    pub import: ImportTable,
    /// Steps that make it ready.
    pub prepare: prepare::Options,
    /// How to split the samples.
    pub split: split::Options,
    /// How to train; `None` for `train = false`.
    pub train: Option<train::Options>,
    /// How to attribute.
    pub attribute: attribute::Options,
    /// How many landmarks, and how to choose the list that the run is about.
    pub select: SelectTable,
    /// Further lists, by name.
    pub lists: Vec<(String, select::Options)>,
    /// How to fit a predictor; `None` for `fit = false`.
    pub fit: Option<fit::Options>,
    /// How to compare; `None` for `compare = false`.
    pub compare: Option<compare::Options>,
    /// How to cluster the held-out samples; `None` without the table.
    pub cluster: Option<cluster::Options>,
    /// How to look the landmarks up in gene sets; `None` without the table.
    pub enrich: Option<enrich::Options>,
    /// Further test matrices, by name.
    pub tests: Vec<(String, TestTable)>,
    /// How often to select again.
    pub stability: stability::Options,
    /// Whether a page is made of it all.
    pub report: bool,
    /// What the file says, for the record.
    pub said: serde_json::Value,
    /// The command that asks for it, for the record.
    pub command: Vec<String>,
}

/// The table `[import]`: the options of `import`, and
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ImportTable {
    /// Matrix files or 10x directories; several are joined by samples, with the genes that all of them have. Or one store, which is taken as it is
    #[arg(long, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub options: import::Options,
}

/// The table `[select]`: the options of `select`, and
#[derive(clap::Args, Debug, Clone, Default)]
pub struct SelectTable {
    /// How many landmarks; with until the most
    #[arg(long, value_name = "N")]
    pub n: Option<usize>,
    /// How to choose them.
    #[command(flatten)]
    pub options: select::Options,
}

/// A table `[tests.NAME]`: a further test matrix, with its own table `prepare`.
#[derive(Debug, Clone, Default)]
pub struct TestTable {
    /// How to read it.
    pub import: ImportTable,
    /// Steps that bring it to the training samples' genes and scale; the word `train` stands for these.
    pub prepare: prepare::Options,
}

/// The tables of a configuration.
pub const TABLES: [&str; 13] = [
    "import",
    "prepare",
    "split",
    "train",
    "attribute",
    "select",
    "lists",
    "fit",
    "compare",
    "cluster",
    "enrich",
    "tests",
    "stability",
];

impl Config {
    /// Reads `path` and applies `--set` changes, each `KEY=VALUE` with a dotted key.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] naming the key that is unknown, missing or of the wrong type.
    pub fn read(path: &Path, changes: &[String]) -> Result<Config> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading the configuration"))?;
        let mut table: Table = text.parse().map_err(|error| no_toml(path, &text, &error))?;
        changes.iter().try_for_each(|change| set(&mut table, change))?;
        Config::of(path, table)
    }

    pub(super) fn of(path: &Path, table: Table) -> Result<Config> {
        let said = serde_json::to_value(&table).unwrap_or_default();
        let mut file = File::new(path, table);
        let import = file.take("import")?;
        let import = file.import("import", import)?;
        let prepare: prepare::Options = file.options("prepare")?;
        let split: split::Options = file.options("split")?;
        let mut train: Option<train::Options> = file.part("train")?;
        let mut attribute: attribute::Options = file.options("attribute")?;
        let mut table = file.take("select")?;
        let n = file.key("select", &mut table, "n", &[])?;
        let mut select = SelectTable { n, options: file.read("select", table)? };
        let lists = file.lists()?;
        let fit = file.part("fit")?;
        let compare = file.part("compare")?;
        let cluster = file.wanted("cluster")?;
        let enrich = file.wanted("enrich")?;
        let tests = file.tests()?;
        let stability: stability::Options = file.options("stability")?;
        let general: General = file.rest()?;

        let missing = |key: &str| Error::input(path, format!("the key \"{key}\" is missing"));
        if select.n == Some(0) || select.n.is_none() && select.options.until.is_none() {
            return Err(Error::input(
                path,
                "the key \"n\" is missing in the table [select]: how many landmarks, 1 or more; or until, what they are to reach",
            ));
        }
        let output = general.output.ok_or_else(|| missing("output"))?;
        attribute.preset = attribute.preset.or(general.preset);
        if let Some(train) = &mut train {
            train.preset = train.preset.or(general.preset);
        }
        if general.preset == Some(Preset::Paper) && train.is_some() {
            select.options.strategy.get_or_insert(Strategy::Top);
        }
        let config = Config {
            file: path.to_path_buf(),
            output,
            seed: general.seed.unwrap_or(0),
            device: general.device.unwrap_or_else(|| "auto".into()),
            threads: general.threads,
            memory: general.memory,
            device_memory: general.device_memory,
            import,
            prepare,
            split,
            train,
            attribute,
            select,
            lists,
            fit,
            compare,
            cluster,
            enrich,
            tests,
            stability,
            report: general.report.unwrap_or(true),
            said,
            command: Vec::new(),
        };
        Ok(config)
    }
}

/// What is wrong with a file that is no TOML, by line.
fn no_toml(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = &text.as_bytes()[..at];
    let number = 1 + before.iter().filter(|b| **b == b'\n').count();
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = line.split(['=', '#']).next().unwrap_or_default().trim().trim_matches(['[', ']', ' ']);
    let message = match error.message() {
        twice if !twice.contains("duplicate key") => twice.to_string(),
        _ if TABLES.contains(&key) => format!(
            "{key} is there twice; keep one: {key} = false leaves the stage out, a table [{key}] says how it is done"
        ),
        _ => format!("{key} is there twice; keep one"),
    };
    Error::input(path, format!("line {number}: {message}"))
}

/// Applies `a.b=VALUE`; a value that is not TOML is text.
fn set(table: &mut Table, change: &str) -> Result<()> {
    let usage =
        |why: &str| Error::Usage(format!("--set {change}: {why}; give KEY=VALUE, e.g. train.epochs=20"));
    let (key, text) = change.split_once('=').ok_or_else(|| usage("no ="))?;
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_string()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty()).ok_or_else(|| usage("no key"))?;
    let mut place = table;
    for part in parts {
        let entry = place.entry(part.to_string()).or_insert_with(|| Value::Table(Table::new()));
        place = entry.as_table_mut().ok_or_else(|| usage("its parent is not a table"))?;
    }
    place.insert(last.to_string(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "output = \"../out\"\npreset = \"paper\"\n[import]\nfiles = [\"m.csv\"]\nlabels = \"sub/l.csv\"\nonly-genes = \"l1000\"\n[train]\nepochs = 3\nvalidation = 0.2\n[select]\nn = 5\n";

    fn read(text: &str, changes: &[&str]) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conf").join("run.toml");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let changes: Vec<String> = changes.iter().map(|c| c.to_string()).collect();
        Config::read(&path, &changes)
    }

    #[test]
    fn paths_presets_and_changes() {
        let changes =
            ["train.epochs=7", "train.hidden=[9, 3, 9]", "device=cpu", "prepare.match-genes=genes.txt"];
        let config = read(FILE, &changes).unwrap();
        assert!(config.output.ends_with("out") && !config.output.to_string_lossy().contains(".."));
        assert!(config.import.files[0].ends_with("conf/m.csv"));
        assert!(config.import.options.labels.unwrap().ends_with("conf/sub/l.csv"));
        assert_eq!(config.import.options.only_genes.unwrap(), Path::new("l1000"));
        assert!(config.prepare.match_genes.unwrap().ends_with("conf/genes.txt"));
        let train = config.train.unwrap();
        assert_eq!((train.epochs, train.preset), (Some(7), Some(Preset::Paper)));
        assert_eq!(train.hidden, Some(vec![9, 3, 9]));
        assert_eq!(train.validation.as_deref(), Some("0.2"));
        assert_eq!(config.attribute.preset, Some(Preset::Paper));
        assert_eq!((config.device.as_str(), config.select.n), ("cpu", Some(5)));
        assert_eq!(config.select.options.strategy, Some(Strategy::Top));
    }

    #[test]
    fn parts_lists_and_tests() {
        let more = "[lists.css]\nstrategy = \"css\"\n[tests.rna]\nfiles = [\"r.h5ad\"]\n[tests.rna.prepare]\nlog1p = true\n\
                    match-genes = \"train\"\nquantile-normalize = true\nlibrary-size = 1e4\n";
        let config = read(&format!("{FILE}{more}"), &["fit=false", "compare.random-draws=3"]).unwrap();
        assert!(config.fit.is_none());
        assert_eq!(config.compare.unwrap().random_draws, Some(3));
        assert_eq!(config.lists[0].0, "css");
        let (name, test) = &config.tests[0];
        assert!(name == "rna" && test.import.files[0].ends_with("conf/r.h5ad"));
        assert!(test.prepare.log1p && test.prepare.match_genes.as_deref() == Some(Path::new("train")));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str, changes: &[&str]| read(text, changes).unwrap_err().to_string();
        assert!(message("output = \"x\"\n", &[]).contains("key \"files\" is missing in the table [import]"));
        assert!(message(FILE, &["train.epoch=3"]).contains("table [train]: unknown field `epoch`"));
        assert!(message(FILE, &["train.epochs=x"]).contains("table [train]: key \"epochs\""));
        assert!(message(FILE, &["import.labels=3"]).contains("table [import]: key \"labels\""));
        assert!(message(FILE, &["import.label=3"]).contains("table [import]: unknown field `label`"));
        assert!(message(FILE, &["sead=1"]).contains("unknown key \"sead\""));
        assert!(message(FILE, &["seed=x"]).contains("key \"seed\""));
        for (change, meant) in [
            ("train.epoch=3", "did you mean epochs?"),
            ("train.learning_rate=3", "did you mean learning-rate?"),
            ("import.fiels=x", "did you mean files?"),
            ("select.stratgy=css", "did you mean strategy?"),
            ("fit.fold=3", "did you mean folds?"),
            ("sede=1", "did you mean seed?"),
            ("trian.epochs=1", "did you mean train?"),
            ("select.train=false", "belongs above the first table"),
        ] {
            let said = message(FILE, &[change]);
            assert!(said.contains(meant), "{change}: {said}");
        }
        let said = message(&format!("train = false\n{FILE}"), &[]);
        assert!(said.contains("line 8: train is there twice; keep one: train = false leaves"), "{said}");
        let said = message(&format!("seed = 3\nseed = 4\n{FILE}"), &[]);
        assert!(said.contains("line 2: seed is there twice; keep one"), "{said}");
        assert!(message(FILE, &["seed"]).contains("no ="));
        assert!(message(FILE, &["select.n=-1"]).contains("key \"n\""));
        assert!(message(FILE, &["output="]).contains("output = \"\""));
        assert!(message(FILE, &["lists.a/b.strategy=css"]).contains("no name of a file"));
        assert!(message("output = \"x\n", &[]).contains("run.toml"));
        let together = message(FILE, &["prepare.log1p=true", "prepare.log2p1=true"]);
        assert!(
            together.contains("table [prepare]: the argument '--log1p' cannot be used with"),
            "{together}"
        );
        assert!(message(FILE, &["prepare.dedup-clusters=4"]).contains("--dedup"));
        read(FILE, &["prepare.range=[-4, 15]", "prepare.library-size=true", "train.no-shuffle=false"])
            .unwrap();
    }
}
