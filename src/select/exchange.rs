//! What a greedy cannot do: go back. Each gene chosen gives way to the gene that would now explain most in its place, in sweeps over
//! the list; then the list is put in order.
//!
//! Source: Fedorov, "Theory of Optimal Experiments", 1972, in the form of Cook & Nachtsheim, Technometrics 22, 1980 (one place
//! after the other), for the criterion of [`ridge_greedy`](super::ridge_greedy()) at the penalty of the list's
//! length. Which order the greedy itself would take the genes in, [`Within`] finds; scores are those of that greedy.
//! Cost: a sweep is two to five steps of the greedy a gene, depending on how many give way.

use super::constraints::{Constraints, Picks};
use super::penalties::Penalties;
use super::ridge_greedy::{Revise, best_of, ridge_greedy};
use super::within::Within;
use crate::error::Result;
use crate::interrupt;
use crate::progress::{Event, Reporter, advance, silent};

/// How much more a gene must explain to take another's place: less is rounding.
const MORE: f64 = 1.0 + 1e-5;

/// At most `sweeps` over a list of the greedy, of which included genes stay.
///
/// # Errors
/// Those of [`ridge_greedy`](super::ridge_greedy()).
pub fn exchange(
    left: &mut dyn Revise,
    picks: Picks,
    sweeps: usize,
    penalties: &Penalties,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let mut genes = picks.genes.clone();
    let mut taken = vec![false; ids.len()];
    genes.iter().for_each(|gene| taken[*gene] = true);
    let places = constraints.includes()..genes.len();
    for sweep in 1..=sweeps {
        left.set(penalties.at(genes.len() as f64))?;
        let task = format!("exchanging, sweep {sweep} of {sweeps} at most");
        report(Event::Started { task, total: Some(places.len() as u64), unit: "genes" });
        let mut moved = 0;
        for place in places.clone() {
            interrupt::check()?;
            let gene = genes[place];
            if !left.is_constant(gene) {
                let gains = left.without(gene, &genes[place + 1..])?;
                let may = |gene: usize| !taken[gene] && constraints.allows(gene, place);
                if let Some((better, gain)) = best_of(ids, may, |gene| gains[gene])
                    && gain > gains[gene] * MORE
                {
                    left.leave(gene);
                    left.take(better);
                    (taken[gene], taken[better], genes[place]) = (false, true, better);
                    moved += 1;
                }
            }
            advance(report, (place + 1 - places.start) as u64, format!("{moved} exchanged"))?;
        }
        report(Event::Finished);
        if moved == 0 {
            break;
        }
    }
    if genes == picks.genes {
        return Ok(picks);
    }
    let own: Vec<String> = genes.iter().map(|gene| ids[*gene].clone()).collect();
    let (mut within, penalties) = (Within::new(left.among(&genes)), penalties.among(&genes));
    let Picks { genes: order, scores } =
        ridge_greedy(&mut within, &penalties, &own, &constraints.among(&genes), &silent)?;
    Ok(Picks { genes: order.into_iter().map(|place| genes[place]).collect(), scores })
}
