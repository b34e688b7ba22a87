//! Ranks that are threads of one process: what several ranks do, without MPI.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{Answer, Carrier, Parcel, Place, Ranks, Wait, mixed};
use crate::error::{Error, Result};

/// A rank that waits longer than this for the others reports that they are gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Parcels that were posted and not yet taken, of every rank.
#[derive(Default)]
struct Hub {
    /// By round, from `first` on: the parcels so far, and how many ranks took the answer.
    rounds: Mutex<(usize, VecDeque<Round>)>,
    posted: Condvar,
}

struct Round {
    parcels: Vec<Option<Parcel>>,
    taken: usize,
}

/// One thread's access to the hub.
struct Desk {
    hub: Arc<Hub>,
    rank: usize,
    size: usize,
    /// The round that it posts to next.
    next: Mutex<usize>,
}

impl Carrier for Desk {
    fn post(&self, parcel: Parcel) -> Wait {
        let round = {
            let mut next = self.next.lock().expect("no panic while it is held");
            *next += 1;
            *next - 1
        };
        let (hub, rank, size) = (self.hub.clone(), self.rank, self.size);
        let mut rounds = hub.rounds.lock().expect("no panic while it is held");
        while rounds.0 + rounds.1.len() <= round {
            rounds.1.push_back(Round { parcels: vec![None; size], taken: 0 });
        }
        let place = round - rounds.0;
        rounds.1[place].parcels[rank] = Some(parcel);
        drop(rounds);
        hub.posted.notify_all();
        Box::new(move || hub.answer(round, size))
    }

    fn fail(&self, message: &str, _: u8) -> ! {
        panic!("rank {}: {message}", self.rank)
    }
}

impl Hub {
    fn answer(&self, round: usize, size: usize) -> Result<Answer> {
        let rounds = self.rounds.lock().expect("no panic while it is held");
        let waits = |rounds: &mut (usize, VecDeque<Round>)| {
            rounds.1[round - rounds.0].parcels.iter().any(Option::is_none)
        };
        let (mut rounds, time) =
            self.posted.wait_timeout_while(rounds, PATIENCE, waits).expect("no panic while it is held");
        if time.timed_out() {
            return Err(Error::Ranks("another rank is gone, or does other work".into()));
        }
        let place = round - rounds.0;
        let parcels: Vec<Parcel> = rounds.1[place].parcels.iter().flatten().cloned().collect();
        rounds.1[place].taken += 1;
        while rounds.1.front().is_some_and(|round| round.taken == size) {
            rounds.1.pop_front();
            rounds.0 += 1;
        }
        drop(rounds);
        combined(parcels)
    }
}

fn combined(parcels: Vec<Parcel>) -> Result<Answer> {
    let mut parcels = parcels.into_iter();
    let mut answer = match parcels.next() {
        Some(Parcel::Bytes(bytes)) => Answer::Bytes(vec![bytes]),
        Some(Parcel::Singles(values)) => Answer::Singles(values),
        Some(Parcel::Doubles(values)) => Answer::Doubles(values),
        None => return Err(mixed()),
    };
    for parcel in parcels {
        match (&mut answer, parcel) {
            (Answer::Bytes(all), Parcel::Bytes(bytes)) => all.push(bytes),
            (Answer::Singles(sums), Parcel::Singles(values)) if sums.len() == values.len() => {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            (Answer::Doubles(sums), Parcel::Doubles(values)) if sums.len() == values.len() => {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            _ => return Err(mixed()),
        }
    }
    Ok(answer)
}

impl Ranks {
    /// Does work on so many threads, each a rank; what they hand back, by rank.
    ///
    /// # Panics
    /// Where the work does.
    pub fn of_threads<T: Send>(size: usize, work: impl Fn(Ranks) -> T + Sync) -> Vec<T> {
        let hub = Arc::new(Hub::default());
        let rank = |rank| {
            let carrier = Arc::new(Desk { hub: hub.clone(), rank, size, next: Mutex::default() });
            Ranks {
                place: Place { rank, size, local: rank, on_host: size, threads: 1 },
                carrier: Some(carrier),
            }
        };
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (0..size).map(rank).map(|ranks| scope.spawn(move || work(ranks))).collect();
            threads.into_iter().map(|thread| thread.join().expect("the work ends")).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_in_the_order_of_the_ranks_and_shares_cover_everything() {
        let done = Ranks::of_threads(3, |ranks| {
            let rank = ranks.place().rank;
            // 1e8 swallows 1 where it comes first
            let values = [[1.0f32, 1e8, -1e8], [1e8, -1e8, 1.0]];
            let sums = [0, 1].map(|i| ranks.sum(vec![values[i][rank]]));
            let doubles = ranks.sum_f64(vec![rank as f64, 0.5]).unwrap();
            let sums = sums.map(|sum| sum.wait().unwrap()[0]);
            let all = ranks.gather(vec![rank as u8; rank]).unwrap();
            (sums, doubles, all, ranks.share(7), ranks.largest_share(7))
        });
        for (rank, (sums, doubles, all, share, most)) in done.into_iter().enumerate() {
            assert_eq!(sums, [0.0, 1.0], "(1 + 1e8) − 1e8 and (1e8 − 1e8) + 1 in single precision");
            assert_eq!(doubles, [3.0, 1.5]);
            assert_eq!(all, [vec![], vec![1], vec![2, 2]]);
            assert_eq!(share, [0..2, 2..4, 4..7][rank]);
            assert_eq!(most, 3);
        }
    }

    #[test]
    fn ranks_that_differ_are_told_which_and_in_what() {
        let fact = |name: &str, value: String| (name.to_string(), value);
        let done = Ranks::of_threads(3, |ranks| {
            let rank = ranks.place().rank;
            let facts = [fact("epochs", "3".into()), fact("seed", (rank / 2).to_string())];
            ranks.agree(&facts[..1], "").unwrap();
            let fewer = ranks.agree(&facts[..1 + usize::from(rank != 1)], "mend it").unwrap_err().to_string();
            (ranks.agree(&facts, "give them the same").unwrap_err().to_string(), fewer)
        });
        for (differs, fewer) in done {
            assert_eq!(
                differs,
                "rank 2 does not do what rank 0 does: seed is 1 there and 0 on rank 0; give them the same"
            );
            assert!(
                fewer.starts_with("rank 1 does not do what rank 0 does: seed is nothing there"),
                "{fewer}"
            );
        }
        Ranks::alone().agree(&[fact("anything", "at all".into())], "").unwrap();
    }
}
