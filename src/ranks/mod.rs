//! Several processes at one piece of work: its ranks. One rank is the usual case and costs nothing; more than one are processes
//! that MPI started (feature `mpi`, [`join`]), or threads of a test ([`Ranks::of_threads`]).
//!
//! Every rank runs the same command on the same data. What they share out they share by place, [`Ranks::share`]; what they found they
//! add up, [`Ranks::sum`] and [`Ranks::sum_f64`], always in the order of the ranks, so that the same number of ranks gives the same
//! bytes on all of them, whatever library carries them.

#[cfg(feature = "mpi")]
mod mpi;
mod threads;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// What travels between ranks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parcel {
    /// Gathered: every rank gets what every rank had.
    Bytes(Vec<u8>),
    /// Added up element by element, in the order of the ranks.
    Singles(Vec<f32>),
    /// The same.
    Doubles(Vec<f64>),
}

/// What comes of it, the same on every rank.
pub(crate) enum Answer {
    Bytes(Vec<Vec<u8>>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

/// Waits for an answer.
type Wait = Box<dyn FnOnce() -> Result<Answer> + Send>;

/// How ranks reach one another. Every rank posts parcels of the same kinds and lengths (bytes may differ in length) in the same
/// order; a rank that waits longer than it should for the others says so and ends them.
pub(crate) trait Carrier: Send + Sync {
    /// Begins; work goes on meanwhile.
    fn post(&self, parcel: Parcel) -> Wait;

    /// Ends all ranks with a message, which is shown once; a blank one was shown.
    fn fail(&self, message: &str, code: u8) -> !;

    /// Waits until every rank is done. Nothing can be posted after it.
    fn leave(&self) {}
}

/// One of the processes that do a piece of work together. Copies are one rank.
#[derive(Clone, Default)]
pub struct Ranks {
    place: Place,
    carrier: Option<Arc<dyn Carrier>>,
}

/// Where a rank is among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// Its number among those of its host, from 0.
    pub local: usize,
    /// How many there are on its host.
    pub on_host: usize,
    /// Threads that are its own: a processor that several ranks of a host may use counts for each in part.
    pub threads: usize,
}

impl Place {
    const ALONE: Place = Place { rank: 0, size: 1, local: 0, on_host: 1, threads: usize::MAX };
}

impl Default for Place {
    fn default() -> Place {
        Place::ALONE
    }
}

/// A sum over ranks that is under way.
pub struct Pending(Wait);

impl Pending {
    /// Waits for the sums, as many as were posted.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone.
    pub fn wait(self) -> Result<Vec<f32>> {
        match (self.0)()? {
            Answer::Singles(sums) => Ok(sums),
            _ => Err(mixed()),
        }
    }
}

fn mixed() -> Error {
    Error::Ranks("ranks do not do the same work in the same order; this is a bug of genelift".into())
}

/// Of how many items in a row each rank takes which: ranges of all ranks cover `n` and differ in length by at most one.
fn share(n: usize, rank: usize, size: usize) -> Range<usize> {
    let at = |rank: usize| (n as u128 * rank as u128 / size as u128) as usize;
    at(rank)..at(rank + 1)
}

impl Ranks {
    /// The only rank.
    pub const fn alone() -> Ranks {
        Ranks { place: Place::ALONE, carrier: None }
    }

    /// Where this rank is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.place.size
    }

    /// Whether there are others.
    pub fn are_several(&self) -> bool {
        self.size() > 1
    }

    /// Whether it is rank 0, which alone prints and writes.
    pub fn is_first(&self) -> bool {
        self.place.rank == 0
    }

    /// Which of `n` items in a row are this rank's.
    pub fn share(&self, n: usize) -> Range<usize> {
        share(n, self.place.rank, self.size())
    }

    /// The most items of `n` that a rank has.
    pub fn largest_share(&self, n: usize) -> usize {
        n.div_ceil(self.size())
    }

    fn post(&self, parcel: Parcel) -> Wait {
        match &self.carrier {
            Some(carrier) => carrier.post(parcel),
            None => Box::new(|| {
                Ok(match parcel {
                    Parcel::Bytes(bytes) => Answer::Bytes(vec![bytes]),
                    Parcel::Singles(values) => Answer::Singles(values),
                    Parcel::Doubles(values) => Answer::Doubles(values),
                })
            }),
        }
    }

    /// Begins to add up values over the ranks, element by element and in the order of the ranks; all have as many.
    pub fn sum(&self, values: Vec<f32>) -> Pending {
        Pending(self.post(Parcel::Singles(values)))
    }

    /// Adds up values over the ranks, element by element and in the order of the ranks; all have as many.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone.
    pub fn sum_f64(&self, values: Vec<f64>) -> Result<Vec<f64>> {
        match self.post(Parcel::Doubles(values))()? {
            Answer::Doubles(sums) => Ok(sums),
            _ => Err(mixed()),
        }
    }

    /// What every rank had, by rank, on every rank.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone.
    pub fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        match self.post(Parcel::Bytes(bytes))()? {
            Answer::Bytes(all) => Ok(all),
            _ => Err(mixed()),
        }
    }

    /// As [`Ranks::gather`], of values, one rank's after the other's.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone.
    pub fn gather_values<T: bytemuck::Pod>(&self, values: &[T]) -> Result<Vec<T>> {
        let all = self.gather(bytemuck::cast_slice(values).to_vec())?;
        Ok(all.iter().flat_map(|bytes| bytemuck::pod_collect_to_vec::<u8, T>(bytes)).collect())
    }

    /// Refuses to go on where the ranks differ in what has to be the same on all: names and values, in the same order. `remedy` says what
    /// to do.
    ///
    /// # Errors
    /// [`Error::Ranks`] with the first rank that differs from rank 0 and in what, the same on every rank.
    pub fn agree(&self, facts: &[(String, String)], remedy: &str) -> Result<()> {
        if !self.are_several() {
            return Ok(());
        }
        let text = serde_json::to_vec(facts).expect("plain data become JSON");
        let all = self.gather(text)?;
        let read =
            |bytes: &Vec<u8>| serde_json::from_slice::<Vec<(String, String)>>(bytes).unwrap_or_default();
        let first = read(&all[0]);
        for (rank, facts) in all.iter().map(read).enumerate().skip(1) {
            for i in 0..first.len().max(facts.len()) {
                let nothing = (String::from("the number of facts"), String::from("nothing"));
                let (there, here) = (facts.get(i).unwrap_or(&nothing), first.get(i).unwrap_or(&nothing));
                if there != here {
                    let name = &if i < first.len() { here } else { there }.0;
                    return Err(Error::Ranks(format!(
                        "rank {rank} does not do what rank 0 does: {name} is {} there and {} on rank 0; {remedy}",
                        there.1, here.1
                    )));
                }
            }
        }
        Ok(())
    }

    /// Ends every rank after an error here, with its message, which is shown once and has the rank's number unless it is the first.
    /// Alone it does nothing.
    pub fn fail(&self, error: &Error) {
        self.end(&error.to_string(), error.exit_code());
    }

    /// The same with a message that may be blank, since it was shown, and the processes' exit code.
    pub fn end(&self, message: &str, code: u8) {
        if let Some(carrier) = &self.carrier {
            carrier.fail(message, code);
        }
    }

    /// Waits until every rank is done, at the end of the process.
    pub fn leave(&self) {
        if let Some(carrier) = &self.carrier {
            carrier.leave();
        }
    }
}

/// This process's rank.
static PROCESS: OnceLock<Ranks> = OnceLock::new();

/// This process's rank: the only one, unless it has [joined](join) others.
pub fn of_process() -> Ranks {
    PROCESS.get().cloned().unwrap_or_default()
}

/// What MPI launchers tell a process that they start: how many there are.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
/// That MPI can be reached at all.
const LAUNCHED: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_FD", "PMIX_RANK"];

/// How many processes MPI's launcher started, of which this is one; 1 where there is none.
fn launched() -> usize {
    if !LAUNCHED.iter().any(|name| std::env::var_os(name).is_some()) {
        return 1;
    }
    let sizes = SIZES.iter().filter_map(|name| std::env::var(name).ok()?.parse().ok());
    sizes.max().unwrap_or(1)
}

/// Joins the ranks that MPI's launcher started with this process, once, at its beginning; without one, where it is the only process, or
/// in a program built without MPI, nothing happens. `tell` shows the message of a failure.
///
/// # Errors
/// [`Error::Ranks`] where MPI does not start; [`Error::Usage`] for a time-out in the environment that is none.
pub fn join(tell: fn(&str)) -> Result<Ranks> {
    match launched() {
        1 => Ok(Ranks::alone()),
        size => several(size, tell),
    }
}

#[cfg(feature = "mpi")]
fn several(_: usize, tell: fn(&str)) -> Result<Ranks> {
    let ranks = mpi::join(tell)?;
    Ok(PROCESS.get_or_init(|| ranks).clone())
}

#[cfg(not(feature = "mpi"))]
fn several(_: usize, _: fn(&str)) -> Result<Ranks> {
    Ok(Ranks::alone())
}
