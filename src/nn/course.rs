//! Whether training goes where it should: a loss that runs away stays finite for long, and then the model is worth nothing
//! although nothing failed.

use crate::progress::{Event, Reporter};

/// A loss this many times the least so far has run away.
const AWAY: f64 = 10.0;

/// The losses of a run so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    /// Before the first update, or of the best epoch.
    least: Option<f64>,
    /// Of the first batch, before any update.
    begun: Option<f64>,
    warned: bool,
}

impl Course {
    /// Takes the loss that the run began with.
    pub fn begin(&mut self, loss: f64) {
        self.begun.get_or_insert(loss);
        self.look(loss);
    }

    fn look(&mut self, loss: f64) -> f64 {
        let least = self.least.map_or(loss, |least| least.min(loss));
        self.least = Some(least);
        least
    }

    /// Takes the loss of an epoch; warns, once, where it ran away.
    pub fn epoch(&mut self, epoch: u64, loss: f64, report: Reporter) {
        let least = self.look(loss);
        if loss > AWAY * least.max(f64::MIN_POSITIVE) && least > 0.0 && !self.warned {
            self.warned = true;
            report(Event::Warning(format!(
                "the loss ran away: {loss:.4e} in epoch {epoch}, where it had been {least:.4e}; such a model is worth nothing. Lower \
                 --learning-rate, or check the data's range (--scale)"
            )));
        }
    }

    /// What to say where training ended no better than it began.
    pub fn end(&self, loss: f64) -> Option<String> {
        let begun = self.begun.filter(|begun| loss >= *begun && *begun > 0.0 && !self.warned)?;
        Some(format!(
            "training did not help: the loss began with {begun:.4e} and ended with {loss:.4e}; lower --learning-rate, or take more --epochs"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn warnings(begun: f64, losses: &[f64]) -> Vec<String> {
        let said = Mutex::new(Vec::new());
        let report = |event: Event| {
            if let Event::Warning(text) = event {
                said.lock().unwrap().push(text);
            }
        };
        let mut course = Course::default();
        course.begin(begun);
        losses.iter().enumerate().for_each(|(i, loss)| course.epoch(i as u64 + 1, *loss, &report));
        let mut said = said.into_inner().unwrap();
        said.extend(course.end(losses[losses.len() - 1]));
        said
    }

    #[test]
    fn a_loss_that_runs_away_is_said_once_and_one_that_falls_is_not() {
        assert!(warnings(0.8, &[0.7, 0.6, 0.65]).is_empty());
        for losses in [[0.7, 6.1, 1e9], [1e5, 1e4, 1e3], [0.7, 0.07, 0.71]] {
            let said = warnings(0.8, &losses);
            assert!(matches!(&said[..], [one] if one.contains("ran away")), "{said:?}");
        }
        let said = warnings(0.8, &[0.9, 0.81]);
        assert!(matches!(&said[..], [one] if one.contains("did not help")), "{said:?}");
        assert!(warnings(0.0, &[0.0, 0.0]).is_empty(), "nothing to learn is another matter");
    }
}
