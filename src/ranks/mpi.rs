//! Ranks that are processes, over MPI. One thread of its own makes all calls of MPI (`MPI_THREAD_FUNNELED` is all that is asked of the
//! library): the work posts parcels to it and goes on, so that sums travel while the next gradient is computed, and a library
//! that moves data only while it is called is called all the time.
//!
//! A sum is an all-to-all of slices, which every rank adds up in the order of the ranks, and an all-gather of what came of it: what
//! an all-reduce of large buffers does, but in an order that does not hang on the library and on the algorithm that it chooses.

use std::ops::AddAssign;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mpi::collective::CommunicatorCollectives;
use mpi::datatype::Equivalence;
use mpi::environment::initialize_with_threading;
use mpi::point_to_point::{Destination, MatchedReceiveVec, Source};
use mpi::request::{LocalScope, Request, scope};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::{Tag, Threading};

use super::{Answer, Carrier, Parcel, Place, Ranks, Wait};
use crate::error::{Error, Result};

/// A rank that has waited so long for the others ends them all, unless the environment says otherwise.
const PATIENCE: u64 = 600;
/// The seconds of it.
const PATIENCE_NAME: &str = "GENELIFT_RANKS_TIMEOUT";
/// A rank other than the first gives it so much time to fail of the same cause, or to notice by itself, so that one message is shown.
const COURTESY: Duration = Duration::from_millis(700);
/// After a signal the first rank leaves a checkpoint.
const FAREWELL: Duration = Duration::from_secs(120);
/// What another rank's message takes to be shown and to end all ranks.
const GRACE: Duration = Duration::from_secs(10);
/// Between two looks at whether another rank failed, where nothing is under way.
const IDLE: Duration = Duration::from_millis(20);
/// Looks at what is under way before the thread sleeps between them: the processors have better to do.
const EAGER: u32 = 100;
/// Sleep between two looks then.
const NAP: Duration = Duration::from_micros(20);
/// Elements of a sum that travel at a time: MPI counts in 31 bits.
const PIECE: usize = 16 << 20;
/// Of messages of failures, and their longest, which travels without waiting for who receives it.
const FAILED: Tag = 1702;
const LONGEST: usize = 2000;
/// Bytes of a mask of processors.
const MASK: usize = 128;

/// What the thread is asked for.
enum Order {
    Post(Parcel, Sender<Answer>),
    Leave(Sender<()>),
}

/// The work's side.
struct Link {
    orders: Mutex<Sender<Order>>,
    /// The message and exit code of a failure here.
    failure: Arc<Mutex<Option<(String, u8)>>>,
}

impl Link {
    fn order(&self, order: Order) {
        // The thread ends with the process or after the last order; then the answer never comes, and that is told.
        let _ = self.orders.lock().expect("no panic while it is held").send(order);
    }
}

impl Carrier for Link {
    fn post(&self, parcel: Parcel) -> Wait {
        let (sender, answer) = channel();
        self.order(Order::Post(parcel, sender));
        Box::new(move || {
            answer
                .recv()
                .map_err(|_| Error::Ranks("the thread of MPI ended; this is a bug of genelift".into()))
        })
    }

    fn fail(&self, message: &str, code: u8) -> ! {
        *self.failure.lock().expect("no panic while it is held") = Some((message.into(), code));
        loop {
            std::thread::sleep(IDLE); // until the thread of MPI ends the process
        }
    }

    fn leave(&self) {
        let (sender, left) = channel();
        self.order(Order::Leave(sender));
        let _ = left.recv();
    }
}

/// Starts MPI.
///
/// # Errors
/// [`Error::Ranks`] where it does not start; [`Error::Usage`] for a time-out that is none.
pub(super) fn join(tell: fn(&str)) -> Result<Ranks> {
    let patience = patience(std::env::var(PATIENCE_NAME).ok().as_deref())?;
    let (orders, received) = channel();
    let failure = Arc::new(Mutex::new(None));
    let (sender, started) = channel();
    let link = Link { orders: Mutex::new(orders), failure: failure.clone() };
    let begun = std::thread::Builder::new().name("genelift-mpi".into()).spawn(move || {
        let Some((universe, _)) = initialize_with_threading(Threading::Funneled) else { return };
        let world = universe.world();
        let place = place(&world);
        let thread = Thread { world, place, tell, failure, patience };
        let left = sender.send(place).ok().and_then(|()| thread.serve(&received));
        drop((thread, universe));
        if let Some(left) = left {
            let _ = left.send(()); // now that MPI is finalized the process may end
        }
    });
    let lost = |why: &str| Error::Ranks(format!("MPI does not start: {why}"));
    begun.map_err(|error| lost(&error.to_string()))?;
    let place = started.recv().map_err(|_| lost("it was started in this process before"))?;
    Ok(Ranks { place, carrier: Some(Arc::new(link)) })
}

fn patience(said: Option<&str>) -> Result<Duration> {
    let seconds = said.map_or(Ok(PATIENCE), str::parse).ok().filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Error::Usage(format!("{PATIENCE_NAME}={}: expected seconds, 1 or more", said.unwrap_or_default()))
    })
}

/// Where this rank is, and how many threads it has among those of its host.
fn place(world: &SimpleCommunicator) -> Place {
    let (rank, size) = (world.rank() as usize, world.size() as usize);
    let host = world.split_shared(world.rank());
    let (local, on_host) = (host.rank() as usize, host.size() as usize);
    let mut masks = vec![0u8; MASK * on_host];
    host.all_gather_into(&processors()[..], &mut masks[..]);
    let masks: Vec<&[u8]> = masks.chunks_exact(MASK).collect();
    Place { rank, size, local, on_host, threads: threads(&masks, local) }
}

/// The processors that this process may use, as bits.
#[cfg(target_os = "linux")]
fn processors() -> [u8; MASK] {
    let mut mask = [0u8; MASK];
    // SAFETY: the system writes at most so many bytes to a buffer that has them.
    let _ = unsafe { libc::sched_getaffinity(0, MASK, mask.as_mut_ptr().cast()) };
    mask
}

#[cfg(not(target_os = "linux"))]
fn processors() -> [u8; MASK] {
    let mut mask = [0u8; MASK];
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (0..count.min(8 * MASK)).for_each(|cpu| mask[cpu / 8] |= 1 << (cpu % 8));
    mask
}

/// Threads of the rank `local`: the processors that it may use, each shared with the other ranks of the host that may.
fn threads(masks: &[&[u8]], local: usize) -> usize {
    let may = |mask: &[u8], cpu: usize| mask[cpu / 8] >> (cpu % 8) & 1 == 1;
    let own = (0..8 * MASK).filter(|cpu| may(masks[local], *cpu));
    let parts = own.map(|cpu| 1.0 / masks.iter().filter(|mask| may(mask, cpu)).count() as f64);
    ((parts.sum::<f64>() + 1e-6) as usize).max(1)
}

/// The thread that calls MPI.
struct Thread {
    world: SimpleCommunicator,
    place: Place,
    tell: fn(&str),
    failure: Arc<Mutex<Option<(String, u8)>>>,
    patience: Duration,
}

impl Thread {
    /// Does what it is asked for, until it is to leave: then who waits for that.
    fn serve(&self, orders: &Receiver<Order>) -> Option<Sender<()>> {
        loop {
            match orders.recv_timeout(IDLE) {
                Ok(Order::Post(parcel, answer)) => {
                    let found = match parcel {
                        Parcel::Bytes(bytes) => Answer::Bytes(self.gather(&bytes)),
                        Parcel::Singles(values) => Answer::Singles(self.sum(values)),
                        Parcel::Doubles(values) => Answer::Doubles(self.sum(values)),
                    };
                    let _ = answer.send(found); // nobody waits where the work failed meanwhile
                }
                Ok(Order::Leave(left)) => {
                    // The others may wait for as long as the first has to write.
                    let patience = if self.place.rank == 0 { self.patience } else { Duration::MAX };
                    self.finish(self.world.immediate_barrier(), patience);
                    return Some(left);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Adds up over the ranks.
    fn sum<T: Equivalence + Copy + Default + AddAssign>(&self, mut values: Vec<T>) -> Vec<T> {
        let size = self.place.size;
        let piece = (PIECE / size).max(1) * size;
        let (mut sent, mut slices) = (Vec::new(), Vec::new());
        for values in values.chunks_mut(piece) {
            let slice = values.len().div_ceil(size);
            sent.clear();
            sent.extend_from_slice(values);
            sent.resize(slice * size, T::default());
            slices.resize(slice * size, T::default());
            scope(|scope| {
                self.wait(self.world.immediate_all_to_all_into(scope, &sent[..], &mut slices[..]));
            });
            let (sums, others) = slices.split_at_mut(slice);
            for other in others.chunks_exact(slice) {
                sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += *value);
            }
            scope(|scope| {
                self.wait(self.world.immediate_all_gather_into(scope, &*sums, &mut sent[..]));
            });
            values.copy_from_slice(&sent[..values.len()]);
        }
        values
    }

    /// What every rank has.
    fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let size = self.place.size;
        let (own, mut lengths) = ([bytes.len() as u64], vec![0u64; size]);
        scope(|scope| {
            self.wait(self.world.immediate_all_gather_into(scope, &own[..], &mut lengths[..]));
        });
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let mut all: Vec<Vec<u8>> =
            lengths.iter().map(|length| Vec::with_capacity(*length as usize)).collect();
        let piece = PIECE.min(longest.max(1));
        let (mut sent, mut received) = (vec![0u8; piece], vec![0u8; piece * size]);
        for first in (0..longest).step_by(piece) {
            let here = bytes.get(first..).unwrap_or_default();
            let here = &here[..here.len().min(piece)];
            sent[..here.len()].copy_from_slice(here);
            scope(|scope| {
                self.wait(self.world.immediate_all_gather_into(scope, &sent[..], &mut received[..]));
            });
            for (received, (all, length)) in received.chunks_exact(piece).zip(all.iter_mut().zip(&lengths)) {
                all.extend_from_slice(&received[..piece.min(*length as usize - all.len())]);
            }
        }
        all
    }

    fn wait<'a, D: ?Sized>(&self, request: Request<'a, D, &LocalScope<'a>>) {
        self.finish(request, self.patience);
    }

    /// Waits for what is under way, and ends all ranks where it does not end.
    fn finish<'a, D: ?Sized, S: mpi::request::Scope<'a>>(
        &self,
        mut request: Request<'a, D, S>,
        patience: Duration,
    ) {
        let (begun, mut looks) = (Instant::now(), 0u32);
        while let Err(waiting) = request.test() {
            request = waiting;
            looks = looks.saturating_add(1);
            if looks < EAGER {
                std::hint::spin_loop();
                continue;
            }
            std::thread::sleep(NAP);
            self.look();
            if begun.elapsed() > patience {
                let message = format!(
                    "waited {} s for the other ranks in vain: one of them is stuck, cut off, or busy for longer; where it is only slow, \
                     allow more ({PATIENCE_NAME}=SECONDS)",
                    patience.as_secs()
                );
                self.give_up(&message, 1);
            }
        }
    }

    /// Ends all ranks where one has failed.
    fn look(&self) {
        let own = self.failure.lock().expect("no panic while it is held").take();
        if let Some((message, code)) = own {
            self.give_up(&message, code);
        }
        if self.place.rank == 0
            && let Some(message) = self.world.any_process().immediate_matched_probe_with_tag(FAILED)
        {
            let (text, status) = message.matched_receive_vec::<u8>();
            let (code, text) = text.split_first().unwrap_or((&1, &[]));
            self.end(&self.numbered(status.source_rank(), &String::from_utf8_lossy(text)), *code);
        }
    }

    /// Has the message shown, by the first rank where it can, and ends all ranks.
    fn give_up(&self, message: &str, code: u8) -> ! {
        if self.place.rank != 0 {
            let begun = Instant::now();
            let courtesy = if code > 128 { FAREWELL } else { COURTESY };
            while begun.elapsed() < courtesy {
                std::thread::sleep(IDLE);
            }
            let mut text = vec![code];
            text.extend(message.bytes().take(LONGEST));
            self.world.process_at_rank(0).send_with_tag(&text[..], FAILED);
            std::thread::sleep(GRACE);
            self.end(&self.numbered(self.world.rank(), message), code);
        }
        self.end(message, code)
    }

    /// A rank's message.
    fn numbered(&self, rank: i32, message: &str) -> String {
        match message.is_empty() {
            true => String::new(),
            false => format!("rank {rank} of {}: {message}", self.place.size),
        }
    }

    fn end(&self, message: &str, code: u8) -> ! {
        if !message.is_empty() {
            (self.tell)(message);
        }
        self.world.abort(i32::from(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_several_ranks_count_in_part() {
        let mask = |cpus: &[usize]| {
            let mut mask = [0u8; MASK];
            cpus.iter().for_each(|cpu| mask[cpu / 8] |= 1 << (cpu % 8));
            mask
        };
        let of = |masks: &[[u8; MASK]]| -> Vec<usize> {
            let masks: Vec<&[u8]> = masks.iter().map(|mask| &mask[..]).collect();
            (0..masks.len()).map(|local| threads(&masks, local)).collect()
        };
        let all: Vec<usize> = (0..16).collect();
        assert_eq!(of(&[mask(&all); 3]), [5, 5, 5]);
        assert_eq!(of(&[mask(&all[..4]), mask(&all[4..])]), [4, 12], "bound apart, nothing is shared");
        assert_eq!(of(&[mask(&[0, 1]); 4]), [1, 1, 1, 1], "one at least");
        assert_eq!(of(&[mask(&[1000])]), [1]);
    }

    #[test]
    fn a_time_out_is_seconds() {
        assert_eq!(patience(None).unwrap(), Duration::from_secs(600));
        assert_eq!(patience(Some("3")).unwrap(), Duration::from_secs(3));
        for said in ["0", "soon", "-1", ""] {
            assert!(patience(Some(said)).unwrap_err().to_string().contains("expected seconds"));
        }
    }
}
