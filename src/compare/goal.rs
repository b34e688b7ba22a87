//! A figure of held-out samples that is asked for: `r2 0.5`, `nmse 0.4`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::evaluate::Figures;
use crate::evaluate::statistics::{mean, quantile, sorted};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figure {
    /// The median of R² over targets; more is better.
    R2,
    /// The mean over targets of the squared error over the training variance; less is better.
    Nmse,
}

impl Figure {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Figure::R2 => "r2",
            Figure::Nmse => "nmse",
        }
    }

    /// Over targets, as a comparison reports it; `None` where no target has one.
    pub fn of(self, targets: &[Figures]) -> Option<f64> {
        match self {
            Figure::R2 => quantile(&sorted(targets.iter().filter_map(|f| f.r2)), 0.5),
            Figure::Nmse => mean(targets.iter().filter_map(|f| f.nmse)),
        }
    }
}

/// A figure and how good it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Goal {
    /// What is asked.
    pub figure: Figure,
    /// Above 0 and below 1: an R² of 0 and an error of 1 are those of each gene's mean, an R² of 1 and an error of 0 are nobody's.
    pub level: f64,
}

impl Goal {
    /// Whether a figure is as good as was asked.
    pub fn is_reached(self, value: f64) -> bool {
        match self.figure {
            Figure::R2 => value >= self.level,
            Figure::Nmse => value <= self.level,
        }
    }

    /// Whether one figure is better than another.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self.figure {
            Figure::R2 => a > b,
            Figure::Nmse => a < b,
        }
    }
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [figure, level] = words[..] else {
            return Err(format!(
                "expected a figure and its level, such as \"r2 0.5\" or \"nmse 0.4\", found {text:?}"
            ));
        };
        let known = [Figure::R2, Figure::Nmse].into_iter().find(|f| f.name().eq_ignore_ascii_case(figure));
        let figure = known.ok_or_else(|| {
            format!(
                "there is no figure {figure:?}; expected r2 (median R² over the genes that are inferred) or nmse (their mean squared \
                 error over the training variance)"
            )
        })?;
        let number = level.parse::<f64>().map_err(|_| format!("{level:?} is no number, such as 0.5"))?;
        if number > 0.0 && number < 1.0 {
            return Ok(Goal { figure, level: number });
        }
        let why = match figure {
            Figure::R2 => "each gene's mean has an R² of 0, and 1 is never reached",
            Figure::Nmse => "each gene's mean has an error of 1, and 0 is never reached",
        };
        Err(format!("{} {level} is not between 0 and 1: {why}", figure.name()))
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.figure.name(), self.level)
    }
}

impl From<Goal> for String {
    fn from(goal: Goal) -> String {
        goal.to_string()
    }
}

impl TryFrom<String> for Goal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_a_figure_and_a_level() {
        let read = |text: &str| text.parse::<Goal>();
        assert_eq!(read("r2 0.5"), Ok(Goal { figure: Figure::R2, level: 0.5 }));
        assert_eq!(read("  NMSE  4e-1 "), Ok(Goal { figure: Figure::Nmse, level: 0.4 }));
        assert_eq!(read("nmse 0.4").unwrap().to_string(), "nmse 0.4");
        let wrong = [
            ("r2 2", "r2 2 is not between 0 and 1"),
            ("r2 1", "1 is never reached"),
            ("r2 -0.1", "not between"),
            ("nmse 1.0", "error of 1"),
            ("nmse 0", "not between"),
            ("r2 nan", "not between"),
            ("r2 inf", "not between"),
            ("r2 0,5", "\"0,5\" is no number"),
            ("r2 50%", "is no number"),
            ("pcc 0.5", "no figure \"pcc\""),
            ("r2 0.5 x", "found \"r2 0.5 x\""),
            ("r2", "expected a figure and its level"),
            ("r2=0.5", "expected a figure and its level"),
            ("0.5 r2", "no figure \"0.5\""),
            ("", "expected a figure and its level"),
        ];
        for (text, why) in wrong {
            let message = read(text).expect_err(text);
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn more_r2_and_less_error_reach_a_goal() {
        let [r2, nmse] = ["r2 0.5", "nmse 0.4"].map(|text| text.parse::<Goal>().unwrap());
        let reached = [0.3, 0.4, 0.5, 0.6].map(|x| (r2.is_reached(x), nmse.is_reached(x)));
        assert_eq!(reached, [(false, true), (false, true), (true, false), (true, false)]);
        assert!(r2.is_better(0.3, 0.2) && nmse.is_better(0.2, 0.3) && !r2.is_better(0.2, 0.2));
    }
}
