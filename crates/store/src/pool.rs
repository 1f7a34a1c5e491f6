//! Connections that wait to be used, at most so many.
//!
//! An r2d2 pool, but of slots. Left alone, r2d2 connects on threads of its own, over and over, and all that
//! its caller ever hears is that the time is up. Here whoever gets an empty slot connects, and hears at once
//! what is wrong. A slot whose connection failed goes back empty: r2d2 wakes nobody who waits when it throws
//! something away.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use diesel::r2d2::{self, ManageConnection, PooledConnection};
use scheduled_thread_pool::ScheduledThreadPool;

use crate::error::StoreError;
use crate::meters::Waits;

/// So many connections may hang before no new one is tried: each holds a thread.
const MOST_FORSAKEN: u32 = 64;
/// How often who waits looks whether the connections waited for were given up.
const LOOK: Duration = Duration::from_millis(50);

/// A pool. A connection that failed is not put back, so the pool heals by itself.
pub(crate) struct Pool<C: Send + 'static> {
    eras: RwLock<Eras<C>>,
    limit: u32,
    /// Makes the slots of a new era, and has nothing to do after that. r2d2 would start three threads for
    /// every era.
    maker: Arc<ScheduledThreadPool>,
}

struct Eras<C: Send + 'static> {
    current: Arc<Era<C>>,
    /// What has been given up, for as long as something of it is still lent.
    forsaken: Vec<Weak<Era<C>>>,
}

/// The slots from one [`Pool::forsake`] to the next.
struct Era<C: Send + 'static> {
    slots: r2d2::Pool<Slots<C>>,
    over: AtomicBool,
}

type Slot<C> = Option<C>;
type LentSlot<C> = PooledConnection<Slots<C>>;

/// Tells r2d2 how to make slots, which is nothing.
struct Slots<C>(PhantomData<fn() -> C>);

impl<C: Send + 'static> ManageConnection for Slots<C> {
    type Connection = Slot<C>;
    type Error = Infallible;

    fn connect(&self) -> Result<Slot<C>, Infallible> {
        Ok(None)
    }

    fn is_valid(&self, _: &mut Slot<C>) -> Result<(), Infallible> {
        Ok(())
    }

    /// A slot is as good as new without its connection. What a panic left of that, nobody knows.
    fn has_broken(&self, slot: &mut Slot<C>) -> bool {
        if std::thread::panicking() {
            *slot = None;
        }
        false
    }
}

impl<C: Send + 'static> Pool<C> {
    pub(crate) fn new(limit: usize) -> Pool<C> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        let maker = ScheduledThreadPool::builder()
            .num_threads(1)
            .thread_name_pattern("store-slots")
            .build();
        let maker = Arc::new(maker);
        Pool {
            eras: RwLock::new(Eras {
                current: Era::new(limit, &maker),
                forsaken: Vec::new(),
            }),
            limit,
            maker,
        }
    }

    /// A connection: an idle one, a new one, or the next that comes back within `patience`.
    pub(crate) fn take(
        &self,
        patience: Duration,
        waits: &Waits,
        connect: impl FnOnce() -> Result<C, StoreError>,
    ) -> Result<Lease<C>, StoreError> {
        let mut lease = self.lease(patience, waits)?;
        if let Some(slot) = lease.empty_slot() {
            if self.hanging() >= MOST_FORSAKEN {
                return Err(StoreError::Unavailable("too many connections hang".to_owned()));
            }
            *slot = Some(connect()?);
        }
        Ok(lease)
    }

    /// A slot, with a connection if one is idle.
    fn lease(&self, patience: Duration, waits: &Waits) -> Result<Lease<C>, StoreError> {
        let era = self.era();
        if let Some(slot) = era.slots.try_get()
            && let Some(lease) = Lease::of(slot, era)
        {
            return Ok(lease);
        }
        let _waiting = waits.begin();
        // Counted in looks: while this process stood still, nothing could come back.
        let mut rest = patience;
        loop {
            let era = self.era();
            if let Ok(slot) = era.slots.get_timeout(rest.min(LOOK)) {
                if let Some(lease) = Lease::of(slot, era) {
                    return Ok(lease);
                }
            } else if rest.is_zero() {
                return Err(StoreError::Unavailable("no connection is free".to_owned()));
            }
            rest = rest.saturating_sub(LOOK);
        }
    }

    fn era(&self) -> Arc<Era<C>> {
        let eras = self.eras.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&eras.current)
    }

    /// How many connections were given up and have not come back.
    fn hanging(&self) -> u32 {
        let eras = self.eras.read().unwrap_or_else(PoisonError::into_inner);
        eras.forsaken
            .iter()
            .filter_map(Weak::upgrade)
            .map(|era| era.lent())
            .sum()
    }

    /// How many connections are in use.
    pub(crate) fn lent(&self) -> u32 {
        self.era().lent()
    }

    /// Gives up on every connection: none of them gets an answer. New ones may be made, and those that are
    /// lent are dropped when they come back.
    pub(crate) fn forsake(&self) {
        let mut eras = self.eras.write().unwrap_or_else(PoisonError::into_inner);
        if eras.current.lent() == 0 {
            return;
        }
        let over = std::mem::replace(&mut eras.current, Era::new(self.limit, &self.maker));
        over.over.store(true, Ordering::Release);
        eras.forsaken.retain(|era| era.strong_count() > 0);
        eras.forsaken.push(Arc::downgrade(&over));
        drop(eras);
        over.clear();
    }

    /// Drops the idle connections.
    pub(crate) fn clear(&self) {
        self.era().clear();
    }
}

impl<C: Send + 'static> Era<C> {
    fn new(limit: u32, maker: &Arc<ScheduledThreadPool>) -> Arc<Era<C>> {
        // All slots are made now, on the maker's thread: nobody waits for it later. Whether a connection is
        // still good shows when the transaction begins: asking before would be a round trip for nothing.
        let slots = r2d2::Pool::builder()
            .max_size(limit)
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .thread_pool(Arc::clone(maker))
            .build_unchecked(Slots(PhantomData));
        Arc::new(Era {
            slots,
            over: AtomicBool::new(false),
        })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// r2d2 gives what came back last, which is the warmest. But a slot that came back empty must not hide
    /// the connections below it: perhaps no new one can be made.
    fn warmest(&self, first: LentSlot<C>) -> LentSlot<C> {
        let mut slot = first;
        let mut empty = Vec::new();
        while slot.is_none()
            && let Some(next) = self.slots.try_get()
        {
            empty.push(std::mem::replace(&mut slot, next));
        }
        slot
    }

    fn lent(&self) -> u32 {
        let state = self.slots.state();
        state.connections.saturating_sub(state.idle_connections)
    }

    /// Drops the idle connections, and only then frees their slots: there are never more than the limit.
    fn clear(&self) {
        let mut slots: Vec<LentSlot<C>> = std::iter::from_fn(|| self.slots.try_get()).collect();
        for slot in &mut slots {
            **slot = None;
        }
    }
}

/// A connection in use. Comes back to the pool unless it is discarded or a panic passes by.
pub(crate) struct Lease<C: Send + 'static> {
    /// There until the lease is dropped.
    slot: Option<LentSlot<C>>,
    era: Arc<Era<C>>,
}

impl<C: Send + 'static> Lease<C> {
    /// `None`: the era has ended meanwhile.
    fn of(slot: LentSlot<C>, era: Arc<Era<C>>) -> Option<Lease<C>> {
        let lease = Lease {
            slot: Some(era.warmest(slot)),
            era,
        };
        (!lease.era.is_over()).then_some(lease)
    }

    pub(crate) fn connection(&mut self) -> Result<&mut C, StoreError> {
        self.slot
            .as_deref_mut()
            .and_then(Option::as_mut)
            .ok_or_else(|| StoreError::Internal("a lease without a connection".to_owned()))
    }

    /// Whether the connection was given up with all others.
    pub(crate) fn is_forsaken(&self) -> bool {
        self.era.is_over()
    }

    /// The connection is not to be used again.
    pub(crate) fn discard(&mut self) {
        if let Some(slot) = self.slot.as_deref_mut() {
            *slot = None;
        }
    }

    fn empty_slot(&mut self) -> Option<&mut Slot<C>> {
        self.slot.as_deref_mut().filter(|slot| slot.is_none())
    }
}

impl<C: Send + 'static> Drop for Lease<C> {
    fn drop(&mut self) {
        drop(self.slot.take());
        // Only now: looked at before, the era could end in between.
        if self.era.is_over() {
            self.era.clear();
        }
    }
}

#[cfg(test)]
mod tests;
