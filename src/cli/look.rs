//! The one colour scheme, of help, errors and warnings alike. Colours are left out where nobody would see them: in a pipe, with `NO_COLOR` or a
//! dumb terminal (anstream's rules, which are those of help).

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};

/// What went wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What is to be known before results are believed.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What is typed as it stands.
const LITERAL: Style = AnsiColor::Cyan.on_default();

/// Those of help.
pub const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(LITERAL)
    .placeholder(Style::new())
    .valid(LITERAL)
    .context(Style::new())
    .context_value(LITERAL)
    .error(ERROR)
    .invalid(WARNING);
