//! The page of all keys that a configuration can have, made from the structs that read them.

use clap::{Arg, ArgAction, Args, Command};
use std::fmt::Write;

use super::config::{ImportTable, SelectTable};
use super::settings::General;
use super::stages::{attribute, cluster, compare, enrich, fit, prepare, select, split, stability, train};

const HEAD: &str = "\
# The configuration of `genelift run`

Made from the program by `genelift run --keys`; a test keeps it so. `genelift init FILE…` writes a configuration to start from, and
`genelift run CONFIG.toml --dry-run` says what will be done, what is kept and why, with estimates of time, memory and disk. Every
table has the options of the command of that name, without the dashes: `--group-by study` is `group-by = \"study\"`. Lists are TOML arrays,
paths are relative to the file. `--set TABLE.KEY=VALUE` changes a key for once.

The stages: import → steps by sample and near copies (`prepare`) → split → steps that learn (`learn`, fitted on the training part, applied to the
others) → further test matrices (`test`) → train → evaluate → attribute → select → fit → the selection again, with the consensus and the stability of the lists (`repeat`) →
compare → cluster → enrich (tests, repeats and the last two where they are asked for) → report (the page, `report = false` leaves it out). A step of `[prepare]` is taken before the split up to the first that learns
from samples; that one and those after it are fitted on the training part. Near copies (`dedup`) are dropped before the split, by the values
that they have after the steps before it. A stage is done again when its settings, the content of a file that it reads, one of its outputs or the program's version is not what
`run.json` recorded; `--from STAGE` does it and the later ones again, `--force` all of them.
";

/// A table of the configuration: its name, what is to be said of it, and the struct that reads it.
struct Section {
    name: &'static str,
    about: &'static str,
    command: Command,
}

fn section<A: Args>(name: &'static str, about: &'static str) -> Section {
    Section { name, about, command: A::augment_args(Command::new(name)) }
}

fn sections() -> Vec<Section> {
    vec![
        section::<General>("", "Outside of tables."),
        section::<ImportTable>("import", "The matrix, and how to read it."),
        section::<prepare::Options>("prepare", "Steps that make it ready; none without this table."),
        section::<split::Options>("split", "Which samples are held out."),
        section::<train::Options>(
            "train",
            "The network; `train = false` leaves it out, with everything that needs it.",
        ),
        section::<attribute::Options>("attribute", "The genes' scores by DeepLIFT."),
        section::<SelectTable>(
            "select",
            "The list that the run is about. Where there is a network the ranking by its scores, `top`, stands beside it.",
        ),
        section::<select::Options>("lists.NAME", "Further lists of as many genes, called NAME."),
        section::<fit::Options>("fit", "The predictor of the other genes; `fit = false` leaves it out."),
        section::<compare::Options>(
            "compare",
            "The lists beside random draws and, where its genes match, L1000; `compare = false` leaves it out. The lists' own size is always among `size`; with smaller ones beside it there is a curve.",
        ),
        section::<cluster::Options>(
            "cluster",
            "Whether the held-out samples lie together as their labels say, by the bottleneck, components, landmarks and all genes; with this table, or \
             `cluster = true`.",
        ),
        section::<enrich::Options>(
            "enrich",
            "Which gene sets the landmarks have more or fewer genes of than chance gives; with this table, or `enrich = true`. The list's own `exclude` \
             counts here too.",
        ),
        section::<ImportTable>(
            "tests.NAME",
            "A further test matrix, called NAME, such as one of another platform.",
        ),
        section::<prepare::Options>(
            "tests.NAME.prepare",
            "Steps that bring it to the training samples' genes and scale, fitted to its own samples; `train` stands for the training samples in \
             `match-genes` and `map-quantiles-to`.",
        ),
        section::<stability::Options>("stability", "Whether the selection would come out again."),
    ]
}

/// The page.
pub fn page() -> String {
    sections().iter().fold(HEAD.to_string(), |mut page, section| {
        let name =
            if section.name.is_empty() { "Top level".to_string() } else { format!("`[{}]`", section.name) };
        let _ = write!(page, "\n## {name}\n\n{}\n\n| key | value | |\n| --- | --- | --- |\n", section.about);
        for argument in section.command.get_arguments() {
            let _ = writeln!(page, "{}", row(argument));
        }
        page
    })
}

/// The keys of a table, as TOML has them; `None` for a table that is not there.
pub fn keys(table: &str) -> Option<Vec<String>> {
    let section = sections().into_iter().find(|section| section.name == table)?;
    Some(
        section
            .command
            .get_arguments()
            .filter_map(|argument| argument.get_long().map(str::to_string))
            .collect(),
    )
}

fn row(argument: &Arg) -> String {
    let cell = |text: String| text.replace('|', "\\|").replace('\n', " ");
    let key = argument.get_long().unwrap_or_default();
    let help = argument.get_help().map(|help| help.to_string()).unwrap_or_default();
    let default = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect::<Vec<_>>()
        .join(",");
    let default = if default.is_empty() { default } else { format!(" [{default}]") };
    format!("| `{key}` | {} | {}{default} |", cell(value(argument)), cell(help))
}

/// What a key takes: its words, or what stands for the value in help.
fn value(argument: &Arg) -> String {
    if !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        return "true".into();
    }
    let words: Vec<String> =
        argument.get_possible_values().iter().map(|word| word.get_name().to_string()).collect();
    match words.is_empty() {
        false => words.join(", "),
        true => argument
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_page_is_what_the_program_reads() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/run.md");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page(), "docs/run.md is not `genelift run --keys`; write it anew");
    }

    /// A key that is listed is one that is read.
    #[test]
    fn every_key_is_known_to_the_configuration() {
        use crate::pipeline::config::Config;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "output = \"x\"\n[import]\nfiles = [\"m.csv\"]\n[select]\nn = 5\n").unwrap();
        for Section { name, command, .. } in sections() {
            for key in command.get_arguments().filter_map(|argument| argument.get_long()) {
                // a value of no type that anything takes: it must be the value that is wrong
                let place = name.replace("NAME", "x");
                let place = if place.is_empty() { key.to_string() } else { format!("{place}.{key}") };
                let read = Config::read(&path, &[format!("{place}={{x = 1}}")]);
                let message = read.map(|_| ()).expect_err(&place).to_string();
                assert!(!message.contains("unknown field") && !message.contains("unknown key"), "{message}");
            }
        }
    }
}
