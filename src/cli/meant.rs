//! What was given beside what belongs there: a store where a model belongs is told before any work, with the command that was meant. What
//! a path is its own content says ([`what`]); what belongs there says the name of the value in help (`STORE`, `MODEL`, …).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::help;
use crate::error::{Error, Result};
use crate::pipeline::about::{What, what};

/// A path that was given, for which argument, and what it is.
struct Given {
    argument: Arg,
    text: String,
    path: PathBuf,
    is: What,
}

/// Refuses what genelift wrote for another purpose than it is given for. `arguments` are the words, the program's name first.
///
/// # Errors
/// [`Error::Usage`] that says what it is, what belongs there, and what was likely meant.
pub fn check(matches: &ArgMatches, arguments: &[OsString]) -> Result<()> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let command = help::command();
    let Some(command) = command.find_subcommand(name) else { return Ok(()) };
    let given = given(command, matches);
    let Some(wrong) = given.iter().find(|given| !takes(&given.argument, given.is)) else { return Ok(()) };
    let belongs = belonging(&wrong.argument).map_or("something else", What::described);
    let meant =
        swapped(&given, wrong, arguments).or_else(|| elsewhere(command, &given, wrong)).unwrap_or_default();
    let (path, place) = (wrong.path.display(), shown(&wrong.argument));
    Err(Error::Usage(format!("{path} is {}; {place} takes {belongs}{meant}", wrong.is.described())))
}

/// Whatever was given that genelift wrote, but for outputs.
fn given(command: &Command, matches: &ArgMatches) -> Vec<Given> {
    let inputs = command.get_arguments().filter(|argument| {
        argument.get_help_heading() != Some(help::OUTPUTS) && belonging(argument).is_some()
    });
    let mut given = Vec::new();
    for argument in inputs {
        for value in matches.try_get_raw(argument.get_id().as_str()).ok().flatten().into_iter().flatten() {
            let text = value.to_string_lossy().into_owned();
            let path =
                text.split_once('=').filter(|_| names(argument).contains('=')).map_or(&*text, |two| two.1);
            let path = PathBuf::from(path);
            if let Some(is) = what(&path) {
                given.push(Given { argument: argument.clone(), text, path, is });
            }
        }
    }
    given
}

/// The names of an argument's value, as help has them.
fn names(argument: &Arg) -> String {
    argument.get_value_names().unwrap_or_default().join("|")
}

/// What an argument takes, by the names of its value. Of names that are not here nothing is known, and everything is taken.
fn kinds(argument: &Arg) -> Vec<Option<What>> {
    let names = names(argument);
    let names = names.split(['|', '=']).filter(|name| *name != "NAME");
    names
        .map(|name| match name {
            "STORE" => Some(What::Store),
            "MODEL" => Some(What::Model),
            "PREDICTOR" => Some(What::Predictor),
            "SCORES" => Some(What::Scores),
            "LANDMARKS" | "TSV" | "LIST" => Some(What::Landmarks),
            "CONFIG" => Some(What::Configuration),
            "zeros" | "mean" | "median" | "common" | "all" | "annotated" | "FRACTION" | "FILE" | "GENE"
            | "neuron:K" => None,
            _ => Some(What::Anything),
        })
        .collect()
}

/// What belongs to an argument first of all; `None` where nothing is known of it.
fn belonging(argument: &Arg) -> Option<What> {
    let kinds: Vec<What> = kinds(argument).into_iter().flatten().collect();
    kinds.first().copied().filter(|_| !kinds.contains(&What::Anything))
}

fn takes(argument: &Arg, is: What) -> bool {
    // A ranking is a ranking: the first of a list of landmarks, a list of the genes that have scores.
    let same = |kind: What| kind == is || kind.is_ranking() && is.is_ranking();
    kinds(argument).into_iter().flatten().any(same)
}

/// The command with two values changed about, where each is what the other's place takes.
fn swapped(given: &[Given], wrong: &Given, arguments: &[OsString]) -> Option<String> {
    let other = given.iter().find(|other| {
        takes(&wrong.argument, other.is) && takes(&other.argument, wrong.is) && other.path != wrong.path
    })?;
    let bare = |given: &Given| given.text == given.path.to_string_lossy();
    if !bare(wrong) || !bare(other) {
        return None;
    }
    let changed = |word: &str| match word {
        word if word == wrong.text => other.text.clone(),
        word if word == other.text => wrong.text.clone(),
        word => word.to_string(),
    };
    let words = arguments.iter().skip(1).map(|word| match word.to_string_lossy().split_once('=') {
        Some((option, value)) if option.starts_with("--") => quoted(&format!("{option}={}", changed(value))),
        _ => quoted(&changed(&word.to_string_lossy())),
    });
    Some(format!("; did you mean: genelift {}", words.collect::<Vec<_>>().join(" ")))
}

/// The argument that takes what was given, where it has nothing yet.
fn elsewhere(command: &Command, given: &[Given], wrong: &Given) -> Option<String> {
    let free = |argument: &&Arg| !given.iter().any(|given| given.argument.get_id() == argument.get_id());
    let mut takers = command.get_arguments().filter(|argument| {
        argument.get_help_heading() != Some(help::OUTPUTS)
            && belonging(argument).is_some_and(|kind| kind == wrong.is)
    });
    let taker = takers.find(free)?;
    Some(format!(
        "; did you mean {}?",
        match taker.get_long() {
            Some(long) => format!("--{long} {}", quoted(&wrong.path.to_string_lossy())),
            None => format!("it for {}", shown(taker)),
        }
    ))
}

fn shown(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => names(argument),
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
