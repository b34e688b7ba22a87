//! `genelift man`: help as manual pages, or as a page of Markdown, which is `docs/reference/commands.md`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, Command};
use clap_mangen::Man;

use super::{help, print};
use crate::error::{Error, Result};
use crate::store::atomic;

/// Arguments of `man`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder to write the pages to: genelift.1, and one for each command
    #[arg(value_name = "DIR", required_unless_present = "markdown", help_heading = help::OUTPUTS)]
    output: Option<PathBuf>,
    /// Print all of it as one page of Markdown instead
    #[arg(long, conflicts_with = "output")]
    markdown: bool,
    /// Replace the folder if it holds nothing but such pages
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of [`atomic::write_folder`] and of standard output.
pub fn run(args: &Args) -> Result<()> {
    let command = built();
    match &args.output {
        Some(folder) => pages(&command, folder, args.force),
        None => print(&markdown(&command)),
    }
}

/// The command, of whose version pages say the number alone: they are the same for every commit.
fn built() -> Command {
    let mut command = help::command().disable_help_subcommand(true).long_version(Resettable::Reset);
    command.build();
    command
}

fn pages(command: &Command, folder: &Path, force: bool) -> Result<()> {
    let pages = [command].into_iter().chain(command.get_subcommands());
    let pages: Vec<Man> = pages.map(|command| Man::new(command.clone())).collect();
    let names: Vec<String> = pages.iter().map(Man::get_filename).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    atomic::write_folder(folder, force, &known, |made| {
        pages.iter().zip(&names).try_for_each(|(page, name)| {
            let mut text = Vec::new();
            page.render(&mut text).map_err(Error::io(folder.join(name), "writing"))?;
            std::fs::write(made.join(name), text).map_err(Error::io(folder.join(name), "writing"))
        })
    })?;
    print(&format!("pages\t{}\nfolder\t{}\n", pages.len(), folder.display()))
}

const HEAD: &str = "\
# Commands

Made from the program by `genelift man --markdown`; a test keeps it so. `genelift COMMAND --help` says the same, `genelift man DIR` writes it as
manual pages, and `genelift completions SHELL` has a shell know it.
";

fn markdown(command: &Command) -> String {
    let mut page = HEAD.to_string();
    for command in command.get_subcommands() {
        let (name, about) =
            (command.get_name(), command.get_about().map(ToString::to_string).unwrap_or_default());
        let usage = command.clone().render_usage().to_string();
        let _ = write!(
            page,
            "\n## `genelift {name}`\n\n{about}.\n\n```text\n{}\n```\n",
            usage.trim_start_matches("Usage: ")
        );
        sections(command).iter().for_each(|(heading, arguments)| page += &table(heading, arguments));
        let example = command
            .get_after_help()
            .map(|text| text.to_string().replace("Example:\n", ""))
            .unwrap_or_default();
        let lines: Vec<&str> = example.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let _ = write!(page, "\nExample:\n\n```sh\n{}\n```\n", lines.join("\n"));
    }
    page
}

/// The arguments by section, in the order of help, without those that every command has.
fn sections(command: &Command) -> Vec<(String, Vec<&Arg>)> {
    let mut sections: Vec<(String, Vec<&Arg>)> = Vec::new();
    for argument in command.get_arguments() {
        if matches!(argument.get_id().as_str(), "help" | "version" | "quiet" | "log") {
            continue;
        }
        let heading = match argument.get_help_heading() {
            Some(heading) => heading.to_string(),
            None if argument.is_positional() => "Arguments".into(),
            None => "Options".into(),
        };
        match sections.iter_mut().find(|section| section.0 == heading) {
            Some(section) => section.1.push(argument),
            None => sections.push((heading, vec![argument])),
        }
    }
    sections.sort_by_key(|section| {
        ["Arguments", "Options", help::OUTPUTS]
            .iter()
            .position(|name| *name == section.0)
            .unwrap_or(usize::MAX)
    });
    sections
}

fn table(heading: &str, arguments: &[&Arg]) -> String {
    arguments.iter().fold(
        format!("\n| {} | |\n| --- | --- |\n", heading.to_lowercase()),
        |mut table, argument| {
            let cell = |text: String| text.replace('|', "\\|").replace('\n', " ");
            let default: Vec<_> =
                argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            let words: Vec<_> =
                argument.get_possible_values().iter().map(|word| word.get_name().to_string()).collect();
            let takes_value = argument.get_action().takes_values();
            let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            if takes_value && !default.is_empty() {
                help += &format!(" [{}]", default.join(","));
            }
            if takes_value && !words.is_empty() && !argument.is_hide_possible_values_set() {
                help += &format!(" ({})", words.join(", "));
            }
            let _ = writeln!(table, "| `{}` | {} |", cell(argument.to_string()), cell(help));
            table
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(feature = "parquet", feature = "excel", feature = "figures"))]
    #[test]
    fn the_page_is_what_the_program_reads() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/commands.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let mut command = help::command().disable_help_subcommand(true);
        command.build();
        assert!(
            written == markdown(&command),
            "write it anew: genelift man --markdown > docs/reference/commands.md"
        );
    }
}
