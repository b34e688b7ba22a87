//! A command that several ranks do together.

use std::ffi::OsString;

use xxhash_rust::xxh3::xxh3_64;

use super::Command;
use super::version::LONG;
use crate::error::{Error, Result};
use crate::ranks::Ranks;

/// Refuses ranks of other programs and of other arguments.
///
/// # Errors
/// [`Error::Ranks`] with the first rank that differs, and in what.
pub fn agree(ranks: &Ranks, arguments: &[OsString]) -> Result<()> {
    if !ranks.are_several() {
        return Ok(());
    }
    let program = std::env::current_exe()
        .and_then(std::fs::read)
        .map_err(Error::io("genelift", "reading the program"))?;
    let digest = format!("{} ({:016x})", LONG.lines().collect::<Vec<_>>().join(", "), xxh3_64(&program));
    ranks.agree(&[("the build".into(), digest)], "install the same genelift on every host")?;
    // Not the first: a program may be started by several names.
    let given = arguments.iter().skip(1).enumerate();
    let given = given.map(|(i, word)| (format!("argument {}", i + 1), word.to_string_lossy().into_owned()));
    ranks.agree(&given.collect::<Vec<_>>(), "start all ranks by one command")
}

/// Refuses commands whose work is not shared out.
///
/// # Errors
/// [`Error::Usage`].
pub fn check(ranks: &Ranks, command: &Command) -> Result<()> {
    let shared =
        matches!(command, Command::Train(_) | Command::Attribute(_) | Command::Evaluate(_) | Command::Fit(_));
    match shared || !ranks.are_several() {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "train, attribute, evaluate and fit share their work among ranks, and no other command does: all {} would do the same; start it \
             without MPI's launcher",
            ranks.size()
        ))),
    }
}

/// Ends where the arguments are no command, or ask for help: the first rank prints what there is to say.
pub fn exit(ranks: &Ranks, said: &clap::Error) -> ! {
    if ranks.is_first() {
        let _ = said.print();
    }
    if said.use_stderr() && ranks.are_several() {
        ranks.end("", said.exit_code() as u8);
    }
    ranks.leave();
    std::process::exit(said.exit_code())
}
