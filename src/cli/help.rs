//! The command as its help shows it: what clap makes of the structs, put into sections, with examples, and with one reader of numbers.

use std::any::TypeId;
use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::formats::FORMATS;

use super::{Cli, examples, look, number, version};

/// The section of what is written.
pub const OUTPUTS: &str = "Outputs";
/// The section of what most commands have.
const COMMON: &str = "Common options";

/// What stands in [`COMMON`], in this order.
const COMMONS: [&str; 9] =
    ["device", "seed", "threads", "memory", "device_memory", "quiet", "log", "help", "version"];

/// The command with all its subcommands.
pub fn command() -> Command {
    arranged(Cli::command().styles(look::STYLES).long_version(version::LONG)).mut_subcommands(|command| {
        let example = examples::of(command.get_name());
        let header = look::STYLES.get_header();
        arranged(command.after_help(format!("{header}Example:{header:#}\n  {example}")))
    })
}

/// A command's options in their sections. Help and version are said here because clap's own cannot be put into one.
fn arranged(command: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("Print help");
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args([help, version.help("Print the version: -V in a line, --version with commit and features")])
        .mut_args(|argument| number::read_plainly(placed(argument)))
}

fn placed(argument: Arg) -> Arg {
    let id = argument.get_id().as_str().to_string();
    let argument = known(&id, argument);
    if let Some(place) = COMMONS.iter().position(|common| *common == id) {
        return argument.help_heading(COMMON).display_order(1000 + place);
    }
    match id.as_str() {
        "output" => argument.help_heading(OUTPUTS).display_order(0),
        "force" => argument.help_heading(OUTPUTS).display_order(999),
        _ => argument,
    }
}

/// Gives options that are some words, or others that no list can have, the words, for shells to offer. Their help says them.
fn known(id: &str, argument: Arg) -> Arg {
    let is_text = argument.get_value_parser().type_id() == TypeId::of::<String>();
    let words = match id {
        "device" => vec!["auto", "cpu", "gpu"],
        "format" => [&"auto"].into_iter().chain(FORMATS.iter().map(|format| &format.name)).copied().collect(),
        _ => vec![],
    };
    match is_text && !words.is_empty() {
        true => argument.value_parser(Offered(words)).hide_possible_values(true),
        false => argument,
    }
}

/// Any text; a shell offers these.
#[derive(Clone)]
struct Offered(Vec<&'static str>);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn built() -> Command {
        let mut command = command();
        command.build();
        command
    }

    /// Every command but clap's own `help`.
    fn commands(all: &Command) -> impl Iterator<Item = &Command> {
        all.get_subcommands().filter(|command| command.get_name() != "help")
    }

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_help_ends_with_an_example_of_the_command() {
        for command in commands(&built()) {
            let help = command.clone().render_long_help().to_string();
            let example = help.split_once("Example:\n  ").map(|two| two.1).unwrap_or_default();
            assert!(example.starts_with(&format!("genelift {}", command.get_name())), "{help}");
            // wrapped lines could not be copied
            assert!(example.lines().all(|line| line.chars().count() <= 78), "{example}");
        }
    }

    #[test]
    fn outputs_and_common_options_have_sections_of_their_own() {
        for command in commands(&built()) {
            for argument in command.get_arguments() {
                let (id, heading) = (argument.get_id().as_str(), argument.get_help_heading());
                let about = argument.get_help().map(ToString::to_string).unwrap_or_default().to_lowercase();
                let names_file = argument.get_action().takes_values()
                    && argument.get_value_parser().type_id() == TypeId::of::<std::path::PathBuf>();
                let writes =
                    about.starts_with("write") || about.contains("to write") || about.contains(" write ");
                if names_file && writes {
                    assert_eq!(heading, Some(OUTPUTS), "{} {id}", command.get_name());
                }
                assert_eq!(COMMONS.contains(&id), heading == Some(COMMON), "{} {id}", command.get_name());
            }
            let help = command.clone().render_help().to_string();
            let (before, common) = help.split_once("Common options:").expect("a section");
            assert!(!common.contains("Outputs:"), "outputs come before what all commands have: {before}");
            assert!(
                common.contains("-q, --quiet") && common.contains("--log") && common.contains("-h, --help"),
                "{help}"
            );
        }
    }

    /// Whatever takes a number says in plain words what is wrong with what is none.
    #[test]
    fn wrong_numbers_are_told_in_plain_words_everywhere() {
        let all = built();
        let types = [TypeId::of::<usize>(), TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<f64>()];
        let mut tried = 0;
        for command in commands(&all) {
            let numbers = command.get_arguments().filter(|argument| {
                let kind = argument.get_value_parser().type_id();
                !argument.is_positional() && types.iter().any(|of| kind == *of)
            });
            for argument in numbers {
                let name = argument.get_long().map_or("-n".into(), |long| format!("--{long}"));
                for wrong in ["", "word", "1e99", "nan", "99999999999999999999999999999999999999999", "--2"] {
                    let arguments = ["genelift", command.get_name(), &format!("{name}={wrong}")];
                    let error = super::command().try_get_matches_from(arguments).expect_err(wrong);
                    let text = error.to_string();
                    let known = [ErrorKind::ValueValidation, ErrorKind::InvalidValue].contains(&error.kind());
                    assert!(known && text.contains(&name), "{name}={wrong}: {text}");
                    assert!(
                        text.contains("must be") || text.contains("is too large"),
                        "{name}={wrong}: {text}"
                    );
                    assert!(!text.contains("invalid digit") && !text.contains("invalid float"), "{text}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 300, "{tried}");
    }

    /// What is no count keeps its own reader.
    #[test]
    fn sizes_are_no_counts() {
        for option in ["--memory", "--device-memory"] {
            let arguments = ["genelift", "train", "s.gex", "-o", "m.safetensors", option, "lots"];
            let error = command().try_get_matches_from(arguments).expect_err("no size");
            assert!(error.to_string().contains("is not a size such as 8G"), "{error}");
        }
    }

    /// A minus belongs to the number: "unexpected argument" would say nothing of what is wrong.
    #[test]
    fn a_minus_is_the_numbers() {
        let error =
            command().try_get_matches_from(["genelift", "train", "--epochs", "-1"]).expect_err("negative");
        assert!(error.to_string().contains("must be a whole number, not a negative one"), "{error}");
        let error =
            command().try_get_matches_from(["genelift", "train", "--dropout", "-1"]).expect_err("no store");
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "the range is the settings' to check");
    }

    /// Completions offer what options can be.
    #[test]
    fn shells_are_told_all_words() {
        let scripts = [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish]
            .map(|shell| {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut command(), "genelift", &mut text);
                String::from_utf8(text).expect("text")
            });
        let mut words = 0;
        for command in commands(&built()) {
            let options = command.get_arguments().filter(|argument| !argument.is_positional());
            for argument in options.filter(|argument| argument.get_action().takes_values()) {
                for word in argument.get_value_parser().possible_values().into_iter().flatten() {
                    words += 1;
                    let word = word.get_name();
                    assert!(
                        scripts.iter().all(|script| script.contains(word)),
                        "{} {word}",
                        argument.get_id()
                    );
                }
            }
        }
        assert!(words > 100, "{words}");
        assert!(
            scripts[0].contains("auto cpu gpu") && scripts[0].contains("gctx h5ad"),
            "devices and formats"
        );
    }
}
