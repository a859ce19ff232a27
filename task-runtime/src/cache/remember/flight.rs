//! The values that are being made in this process, each by one caller while the others wait.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What came of it: the entry, or the error of who made it.
#[derive(Clone)]
pub(in super::super) enum Landed {
    Entry(Arc<[u8]>),
    Failed(Arc<dyn Any + Send + Sync>),
}

/// By the key on the server.
#[derive(Clone, Default)]
pub(in super::super) struct Flights(Arc<Mutex<HashMap<String, watch::Receiver<Option<Landed>>>>>);

/// Whether a caller makes the value, or waits for another one who does.
pub(super) enum Seat {
    Pilot(Flight),
    Passenger(watch::Receiver<Option<Landed>>),
}

/// A value that this caller makes. Dropping it without an end has one of those who wait make it.
pub(super) struct Flight {
    flights: Flights,
    key: String,
    told: watch::Sender<Option<Landed>>,
}

impl Flights {
    /// Begins to make a value, unless another caller does.
    pub(super) fn board(&self, key: &str) -> Seat {
        let mut all = self.all();
        if let Some(flight) = all.get(key) {
            return Seat::Passenger(flight.clone());
        }
        let (told, waiting) = watch::channel(None);
        all.insert(key.to_owned(), waiting);
        Seat::Pilot(Flight { flights: self.clone(), key: key.to_owned(), told })
    }

    /// Nobody who comes from now on gets what is being made.
    pub(in super::super) fn forget(&self, key: &str) {
        self.all().remove(key);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Landed>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    pub(super) fn land(self, what: Landed) {
        self.told.send_replace(Some(what));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut all = self.flights.all();
        // After it was forgotten, another one may have its place.
        if all.get(&self.key).is_some_and(|flight| flight.same_channel(&self.told.subscribe())) {
            all.remove(&self.key);
        }
    }
}
