//! Learning curves: the loss by epoch, of training and validation samples.

use kuva::render::render::Scene;

use super::axis::{Axis, count};
use super::chart::{Chart, Key, Sign};
use super::look::Look;
use super::table::Table;
use super::{Draw, Figure};
use crate::error::Result;

/// Two curves and how high they go.
#[derive(Debug)]
struct Curves {
    training: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    note: String,
}

/// From `history.tsv`.
pub(super) fn figures(table: &Table) -> Result<Vec<Figure>> {
    let epochs = table.numbers("epoch")?;
    let of = |name: &str| -> Result<Vec<(f64, f64)>> {
        let points = epochs.iter().copied().zip(table.numbers(name)?);
        Ok(points.filter(|(_, loss)| loss.is_finite()).collect())
    };
    let (training, validation) = (of("train_loss")?, of("validation_loss")?);
    if training.is_empty() {
        return Err(table.nothing("no loss that is a number"));
    }
    let note = format!("n = {} epochs", count(training.len()));
    let best = validation.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let caption = format!(
        "Loss (mean absolute or squared error in the network's scaled units) by epoch, n = {} epochs. Training: averaged over samples \
         as they were seen, with dropout where there is any.{}",
        count(training.len()),
        match best {
            Some((epoch, _)) => format!(
                " Validation: at the epoch's end, without dropout; the circle is the least, at epoch {epoch}."
            ),
            None => " No samples were set aside for validation.".into(),
        }
    );
    Ok(vec![Figure::new(
        "learning-curves",
        "Learning curves",
        caption,
        Curves { training, validation, note },
    )])
}

impl Draw for Curves {
    fn scene(&self, look: &Look) -> Scene {
        let all = || self.training.iter().chain(&self.validation);
        let mut keys = vec![Key::new("training", look.colour(0), Sign::Line(None))];
        if !self.validation.is_empty() {
            keys.push(Key::new("validation", look.colour(1), Sign::Line(None)));
        }
        let chart = Chart {
            x: Axis::tight("epoch", all().map(|p| p.0), 6),
            y: Axis::around("loss (scaled units)", all().map(|p| p.1), 5),
            note: self.note.clone(),
            keys,
            room: 0.0,
            height: Some(180.0),
        };
        let (mut canvas, field) = chart.open(look);
        for (i, points) in [&self.training, &self.validation].into_iter().enumerate() {
            let places = field.points(points);
            match places.as_slice() {
                [only] => canvas.dot(*only, 2.5, look.colour(i), 1.0),
                _ => canvas.curve(places, look.colour(i), 1.5, None),
            }
        }
        let best = self.validation.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some(place) = best.and_then(|(x, y)| field.point(*x, *y)) {
            canvas.ringed(place, 3.0, look.paper, (look.colour(1), 1.2));
        }
        canvas.scene()
    }
}
