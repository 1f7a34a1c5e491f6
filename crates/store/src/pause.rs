//! Named points inside a transaction at which a test may hold it. Nothing happens there otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A write is asked for: nothing has begun, and what its asker read before lies behind it.
pub const ASKED: &str = "write.asked";
/// A transaction has begun (SQLite: the group's).
pub const BEGUN: &str = "write.begun";
/// The locks are held; the closure has not run. PostgreSQL alone.
pub const LOCKED: &str = "write.locked";
/// The closure has looked, and changes something next.
pub const CHANGING: &str = "write.changing";
/// The closure has run (SQLite: of one write of the group).
pub const RAN: &str = "write.ran";
/// COMMIT comes next.
pub const COMMITTING: &str = "write.committing";
/// COMMIT returned; nobody has been answered.
pub const COMMITTED: &str = "write.committed";

/// Rows of the audit trail that belong to no change are written, and COMMIT comes next. PostgreSQL alone.
pub const TRAIL_COMMITTING: &str = "trail.committing";

type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

static INSTALLED: AtomicBool = AtomicBool::new(false);
static HOOK: Mutex<Option<Hook>> = Mutex::new(None);

/// Calls `hook` at every point, on the thread of the transaction, until [`clear`]. For tests only.
pub fn install(hook: impl Fn(&'static str) + Send + Sync + 'static) {
    *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    INSTALLED.store(true, Ordering::Release);
}

/// Takes the hook away.
pub fn clear() {
    INSTALLED.store(false, Ordering::Release);
    *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

pub(crate) fn at(point: &'static str) {
    if INSTALLED.load(Ordering::Acquire) {
        let hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(point);
        }
    }
}
