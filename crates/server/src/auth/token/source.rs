//! Where the keys of an issuer come from: a file that is read again when it changes, or a URL that is fetched again.
//! A thread of its own does either, so that no request ever waits for it; what cannot be had leaves the keys as they are.

use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;

use super::jwks::{KeySet, MAX_SET_BYTES};
use fetch::Fetched;

mod fetch;
#[cfg(test)]
mod tests;

/// How often a file is looked at: a key that is taken out of it opens nothing a second later.
const LOOK: Duration = Duration::from_millis(400);
/// How soon a fetch that failed is tried again while there are no keys at all.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(5);
/// How soon a fetch that failed is tried again otherwise.
const RETRY: Duration = Duration::from_secs(60);
/// For how long keys are good that could not be fetched again: whether one was withdrawn meanwhile, nobody knows.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How often, at most, unknown key ids make the keys be fetched.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file with a JWK Set.
    File(PathBuf),
    /// A URL of one: `https:`, or `http:` on this machine.
    Url(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Url(url) => f.write_str(url),
        }
    }
}

/// The keys of an issuer at one time.
pub struct Keys {
    /// Of these keys alone, in this process: other keys, also of another issuer, have another one.
    pub number: u64,
    /// They.
    pub set: KeySet,
}

/// The keys of an issuer, as far as they are known.
pub struct KeySource {
    keys: RwLock<Option<Arc<Keys>>>,
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

/// What the thread is asked for.
#[derive(Default)]
struct Wishes {
    stop: bool,
    look: bool,
    /// When a token with an unknown key last made it look.
    looked: Option<Instant>,
}

impl KeySource {
    fn empty() -> KeySource {
        KeySource {
            keys: RwLock::new(None),
            wishes: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Reads the file, or begins to fetch, and keeps doing so.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be used. (What a URL does is not known at the start: an authorization
    /// server that is away must not keep this one away too.)
    pub fn start(issuer: &str, place: Place) -> anyhow::Result<Arc<KeySource>> {
        let source = Arc::new(KeySource::empty());
        let (own, issuer) = (Arc::clone(&source), issuer.to_owned());
        let thread = std::thread::Builder::new().name("keys-of-issuer".to_owned());
        let started = match place {
            Place::File(path) => {
                let stamp = Stamp::of(&path);
                let keys = read(&path).with_context(|| {
                    format!(
                        "the keys of the issuer {issuer} cannot be read from {}. Give issuers.jwks a file with a JWK Set, or \
                         the https URL of one",
                        path.display()
                    )
                })?;
                source.put(keys);
                thread.spawn(move || own.watch(&issuer, &path, stamp))
            }
            Place::Url(url) => thread.spawn(move || own.fetch_again(&issuer, &url)),
        };
        started.context("no thread for the keys of issuers could be started")?;
        Ok(source)
    }

    /// One whose keys are these and stay so.
    #[cfg(test)]
    pub fn fixed(keys: KeySet) -> Arc<KeySource> {
        let source = KeySource::empty();
        source.put(keys);
        Arc::new(source)
    }

    /// The keys; `None` before the first ones have come, and when they could not be fetched again for too long.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token had a key that is not known: looks for it, unless one did so a moment ago. Does not wait.
    pub fn look_again(&self) {
        let mut wishes = self.wishes();
        let now = Instant::now();
        let is_due = wishes
            .looked
            .is_none_or(|last| now.duration_since(last) >= LOOK_AGAIN);
        if is_due {
            wishes.looked = Some(now);
            wishes.look = true;
            self.changed.notify_all();
        }
    }

    /// Ends the thread, after what it is doing.
    pub fn stop(&self) {
        self.wishes().stop = true;
        self.changed.notify_all();
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on these are in force.
    pub fn put(&self, set: KeySet) {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let fresh = Some(Arc::new(Keys { number, set }));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// A fetch failed, so long after the last good one. Whether there are keys still.
    fn missed(&self, since: Duration) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.take_if(|_| since >= GOOD_FOR);
        keys.is_some()
    }

    /// Waits so long, or until it is asked to look. False: it is asked to stop.
    fn pause(&self, how_long: Duration) -> bool {
        let wishes = self.wishes();
        let idle = |wishes: &mut Wishes| !wishes.stop && !wishes.look;
        let (mut wishes, _) = self
            .changed
            .wait_timeout_while(wishes, how_long, idle)
            .unwrap_or_else(PoisonError::into_inner);
        wishes.look = false;
        !wishes.stop
    }

    /// Reads the file again whenever it is another one.
    fn watch(&self, issuer: &str, path: &Path, mut known: Option<Stamp>) {
        while self.pause(LOOK) {
            // Before it is read: what is written meanwhile is seen the next time.
            let stamp = Stamp::of(path);
            if stamp == known {
                continue;
            }
            known = stamp;
            match read(path) {
                Ok(keys) => {
                    tracing::info!(
                        issuer,
                        keys = keys.count(),
                        "the keys of an issuer were read again"
                    );
                    self.put(keys);
                }
                Err(error) => tracing::error!(
                    issuer,
                    file = %path.display(),
                    error = format!("{error:#}"),
                    "the keys of an issuer cannot be read again: those known before stay in force"
                ),
            }
        }
    }

    /// Fetches the keys now, and again whenever they may have changed.
    fn fetch_again(&self, issuer: &str, url: &str) {
        let mut fetched = Instant::now();
        loop {
            let wait = match fetch::keys(url) {
                Ok(Fetched { keys, fresh_for }) => {
                    fetched = Instant::now();
                    let known = self.keys();
                    if known.is_none_or(|known| known.set != keys) {
                        tracing::info!(issuer, keys = keys.count(), "the keys of an issuer were fetched");
                        self.put(keys);
                    }
                    fresh_for
                }
                Err(error) => {
                    let has_keys = self.missed(fetched.elapsed());
                    tracing::warn!(
                        issuer,
                        url,
                        error = format!("{error:#}"),
                        has_keys,
                        "the keys of an issuer cannot be fetched: those known before stay in force, for a day at most"
                    );
                    if has_keys { RETRY } else { RETRY_WITHOUT_KEYS }
                }
            };
            if !self.pause(wait) {
                return;
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<KeySet> {
    let about = std::fs::metadata(path).context("it cannot be opened")?;
    if !about.is_file() {
        anyhow::bail!("it is no file");
    }
    if about.len() > MAX_SET_BYTES {
        anyhow::bail!("it has {} bytes; {MAX_SET_BYTES} are read at most", about.len());
    }
    KeySet::read(&std::fs::read(path).context("it cannot be read")?)
}

/// By what a changed file is told. `None` of one that is not there.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Of a file that took the other's place.
    file: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt as _;
        let about: Metadata = std::fs::metadata(path).ok()?;
        Some(Stamp {
            modified: about.modified().ok(),
            length: about.len(),
            file: about.ino(),
        })
    }
}
