//! Fewer points that look like all of them: where they are dense some are drawn by a seed, where they are sparse all stay.

use std::collections::HashMap;

use super::axis::count;
use crate::device::random::Stream;

/// How many points a figure has at most, each with its name: about 300 KB of SVG.
pub(super) const MOST: usize = 2_000;
/// Squares to a side in which density is counted.
const SIDE: f64 = 48.0;

/// The points to draw, in an order by chance, so that no group lies on the other. Points that are not finite are left out. Of each
/// square of a grid as many are drawn as in any other, but no more than it has: extremes lie in squares of few.
pub(super) fn thinned(points: &[(f64, f64)], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|i| points[*i].0.is_finite() && points[*i].1.is_finite()).collect();
    Stream::new(0, "figures", points.len() as u64).shuffle(&mut order);
    if order.len() <= most {
        return order;
    }
    let square = squares(points, &order);
    let mut sizes: HashMap<(u8, u8), usize> = HashMap::new();
    order.iter().for_each(|i| *sizes.entry(square(*i)).or_default() += 1);
    let each = share(sizes.values().copied().collect(), most);
    let mut taken: HashMap<(u8, u8), usize> = HashMap::new();
    order.retain(|i| {
        let taken = taken.entry(square(*i)).or_default();
        *taken += 1;
        *taken <= each
    });
    order
}

/// Which square of the grid over all points a point is in.
fn squares<'a>(points: &'a [(f64, f64)], order: &[usize]) -> impl Fn(usize) -> (u8, u8) + 'a {
    let side = |of: fn(&(f64, f64)) -> f64| {
        let values = || order.iter().map(|i| of(&points[*i]));
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let (x, y) = (side(|p| p.0), side(|p| p.1));
    let place =
        |(low, high): (f64, f64), v: f64| ((v - low) / (high - low).max(1e-300) * SIDE).min(SIDE - 1.0) as u8;
    move |i| (place(x, points[i].0), place(y, points[i].1))
}

/// The largest number of each square so that there are `most` in all, at least one.
fn share(mut sizes: Vec<usize>, most: usize) -> usize {
    sizes.sort_unstable();
    let (mut left, mut squares) = (most, sizes.len());
    for size in sizes {
        if size * squares >= left {
            return (left / squares.max(1)).max(1);
        }
        left -= size;
        squares -= 1;
    }
    usize::MAX
}

/// What a caption says of it.
pub(super) fn said(drawn: usize, of: usize, what: &str) -> String {
    match drawn == of {
        true => String::new(),
        false => format!(
            " For legibility {} of the {} {what} are drawn: all where they are sparse, by chance (seeded) where they are dense.",
            count(drawn),
            count(of)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_and_the_middle_thins() {
        let mut stream = Stream::new(1, "test", 0);
        let mut bell = || (0..6).map(|_| stream.uniform()).sum::<f64>();
        let mut points: Vec<(f64, f64)> = (0..22_000).map(|_| (bell(), bell())).collect();
        points.push((f64::NAN, 0.0));
        points.push((9.0, -3.0));
        let kept = thinned(&points, 2_000);
        assert!((1_500..=2_000).contains(&kept.len()), "{}", kept.len());
        assert!(kept.contains(&22_001) && !kept.contains(&22_000));
        let top = (0..22_000).max_by(|a, b| points[*a].0.total_cmp(&points[*b].0)).unwrap();
        assert!(kept.contains(&top));
        assert_eq!(kept, thinned(&points, 2_000));
        assert_eq!(thinned(&points[..9], 2_000).len(), 9);
        assert_eq!(thinned(&vec![(1.0, 1.0); 5_000], 2_000).len(), 2_000);
        assert!(thinned(&[], 10).is_empty());
    }
}
