use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use super::*;

/// Longer than any machine needs for what does not have to wait.
const LONG: Duration = Duration::from_secs(60);
/// Less than [`LONG`]: who took longer was woken by nobody.
const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(5);
/// So often is raced what depends on who comes first.
const ROUNDS: usize = 200;

/// A database that counts.
#[derive(Default)]
struct Database {
    made: AtomicUsize,
    open: Arc<AtomicUsize>,
}

struct Connection {
    number: usize,
    open: Arc<AtomicUsize>,
}

impl Database {
    fn connect(&self) -> Result<Connection, StoreError> {
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Connection {
            number: self.made.fetch_add(1, Ordering::SeqCst),
            open: Arc::clone(&self.open),
        })
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn take(&self, pool: &Pool<Connection>) -> Lease<Connection> {
        pool.take(LONG, &Waits::default(), || self.connect()).unwrap()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn number(lease: &mut Lease<Connection>) -> usize {
    lease.connection().unwrap().number
}

fn refusal(pool: &Pool<Connection>, database: &Database) -> StoreError {
    pool.take(SHORT, &Waits::default(), || database.connect())
        .map(|_| ())
        .unwrap_err()
}

fn none_is_free() -> StoreError {
    StoreError::Unavailable("no connection is free".to_owned())
}

fn away() -> StoreError {
    StoreError::Unavailable("the server is away".to_owned())
}

#[test]
fn no_more_are_lent_than_the_limit() {
    let (database, pool) = (Database::default(), Pool::new(3));
    let leases: Vec<_> = (0..3).map(|_| database.take(&pool)).collect();
    assert_eq!(refusal(&pool, &database), none_is_free());
    assert_eq!(database.made(), 3);
    drop(leases);
    assert_eq!(database.open(), 3);
}

#[test]
fn many_threads_never_open_more_than_the_limit() {
    const LIMIT: usize = 4;
    let (database, pool) = (Database::default(), Pool::new(LIMIT));
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let (database, pool, most) = (&database, &pool, &most);
            scope.spawn(move || {
                for turn in 0..ROUNDS {
                    let mut lease = database.take(pool);
                    most.fetch_max(database.open(), Ordering::SeqCst);
                    match (thread + turn) % 7 {
                        0 => lease.discard(),
                        1 => pool.clear(),
                        _ => {}
                    }
                }
            });
        }
    });
    let most = most.into_inner();
    assert!((1..=LIMIT).contains(&most), "{most} were open at once");
    let leases: Vec<_> = (0..LIMIT).map(|_| database.take(&pool)).collect();
    assert_eq!(leases.len(), LIMIT, "a slot was lost");
}

#[test]
fn an_idle_connection_is_taken_before_a_new_one_is_made() {
    let (database, pool) = (Database::default(), Pool::new(8));
    for _ in 0..ROUNDS {
        database.take(&pool);
    }
    assert_eq!(database.made(), 1);
}

#[test]
fn the_last_one_used_is_taken_first() {
    let (database, pool) = (Database::default(), Pool::new(3));
    let [cold, warm, hot] = [(); 3].map(|()| database.take(&pool));
    drop((cold, hot, warm));
    let mut next = database.take(&pool);
    assert_eq!(number(&mut next), 1);
    assert_eq!(number(&mut database.take(&pool)), 2);
}

#[test]
fn who_waits_gets_the_next_that_comes_back() {
    let (database, pool) = (Database::default(), Pool::new(1));
    for _ in 0..ROUNDS {
        let (lease, both) = (database.take(&pool), Barrier::new(2));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                both.wait();
                let asked = Instant::now();
                drop(database.take(&pool));
                asked.elapsed()
            });
            both.wait();
            drop(lease);
            let waited = waiting.join().unwrap();
            assert!(waited < SOON, "{waited:?}");
        });
    }
    assert_eq!(database.made(), 1);
}

#[test]
fn who_waits_for_a_connection_that_fails_makes_a_new_one() {
    let (database, pool) = (Database::default(), Pool::new(1));
    for _ in 0..ROUNDS {
        let (mut lease, both) = (database.take(&pool), Barrier::new(2));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                both.wait();
                let asked = Instant::now();
                drop(database.take(&pool));
                asked.elapsed()
            });
            both.wait();
            lease.discard();
            drop(lease);
            let waited = waiting.join().unwrap();
            assert!(waited < SOON, "{waited:?}");
        });
    }
    assert_eq!(database.made(), ROUNDS + 1);
}

#[test]
fn a_connection_that_failed_is_not_put_back() {
    let (database, pool) = (Database::default(), Pool::new(1));
    let mut lease = database.take(&pool);
    lease.discard();
    assert_eq!(database.open(), 0);
    assert!(lease.connection().is_err());
    drop(lease);
    assert_eq!(number(&mut database.take(&pool)), 1);
}

#[test]
fn a_connection_that_a_panic_passed_is_not_put_back() {
    let (database, pool) = (Database::default(), Pool::new(1));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _lease = database.take(&pool);
        resume_unwind(Box::new("a panic"));
    }));
    assert!(outcome.is_err());
    assert_eq!(database.open(), 0);
    assert_eq!(number(&mut database.take(&pool)), 1);
}

#[test]
fn why_connecting_failed_is_heard_at_once() {
    let (database, pool) = (Database::default(), Pool::new(1));
    let asked = Instant::now();
    for _ in 0..ROUNDS {
        let outcome = pool.take(LONG, &Waits::default(), || Err(away())).map(|_| ());
        assert_eq!(outcome, Err(away()));
    }
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(number(&mut database.take(&pool)), 0);
}

#[test]
fn a_panic_while_connecting_costs_no_slot() {
    let (database, pool) = (Database::default(), Pool::new(1));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        pool.take(LONG, &Waits::default(), || resume_unwind(Box::new("a panic")))
            .map(|_| ())
    }));
    assert!(outcome.is_err());
    assert_eq!(number(&mut database.take(&pool)), 0);
}

#[test]
fn who_cannot_connect_does_not_stand_before_connections_that_are_idle() {
    let (database, pool) = (Database::default(), Pool::new(4));
    let two = [database.take(&pool), database.take(&pool)];
    drop(two);
    let lent = [database.take(&pool), database.take(&pool)];
    // The server takes no third.
    assert!(pool.take(LONG, &Waits::default(), || Err(away())).is_err());
    let [first, mut second] = lent;
    drop(first);
    second.discard();
    drop(second);
    // An empty slot came back last; the connection that lies below is found.
    let mut found = pool.take(LONG, &Waits::default(), || Err(away())).unwrap();
    assert!(found.connection().is_ok());
    assert_eq!(database.made(), 2);
}

#[test]
fn clearing_drops_the_idle_and_keeps_the_lent() {
    let (database, pool) = (Database::default(), Pool::new(3));
    let [mut lent, one, other] = [(); 3].map(|()| database.take(&pool));
    drop((one, other));
    pool.clear();
    assert_eq!(database.open(), 1);
    assert_eq!(number(&mut lent), 0);
    drop(lent);
    assert_eq!(number(&mut database.take(&pool)), 0);
    // The slots of the dropped ones are free.
    let all = [(); 3].map(|()| database.take(&pool));
    assert_eq!(all.len(), 3);
    assert_eq!(database.open(), 3);
}

#[test]
fn after_giving_up_all_may_be_made_anew_at_once() {
    let (database, pool) = (Database::default(), Pool::new(2));
    let hanging = [database.take(&pool), database.take(&pool)];
    pool.forsake();
    let mut fresh = [database.take(&pool), database.take(&pool)];
    assert_eq!(fresh.each_mut().map(number), [2, 3]);
    assert_eq!(refusal(&pool, &database), none_is_free());
    // Those given up answer after all, one after the other, and are not used again.
    let [one, other] = hanging;
    drop(one);
    assert_eq!((database.open(), pool.hanging()), (3, 1));
    drop(other);
    assert_eq!((database.open(), pool.hanging()), (2, 0));
    assert_eq!(refusal(&pool, &database), none_is_free());
    drop(fresh);
    assert_eq!(number(&mut database.take(&pool)), 3);
    assert_eq!(database.open(), 2);
}

#[test]
fn giving_up_drops_the_idle_too() {
    let (database, pool) = (Database::default(), Pool::new(2));
    let [hanging, idle] = [database.take(&pool), database.take(&pool)];
    drop(idle);
    pool.forsake();
    assert_eq!(database.open(), 1);
    drop(hanging);
    assert_eq!(database.open(), 0);
}

#[test]
fn nothing_is_given_up_while_nothing_is_lent() {
    let (database, pool) = (Database::default(), Pool::new(2));
    database.take(&pool);
    pool.forsake();
    assert_eq!(number(&mut database.take(&pool)), 0);
}

#[test]
fn who_waits_for_a_connection_that_is_given_up_makes_a_new_one() {
    // Few rounds: each waits for a look.
    for _ in 0..10 {
        let (database, pool) = (Database::default(), Pool::new(1));
        let (hanging, both) = (database.take(&pool), Barrier::new(2));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                both.wait();
                let asked = Instant::now();
                let mut lease = database.take(&pool);
                (number(&mut lease), asked.elapsed())
            });
            both.wait();
            pool.forsake();
            let (number, waited) = waiting.join().unwrap();
            assert_eq!(number, 1);
            assert!(waited < SOON, "{waited:?}");
        });
        drop(hanging);
        assert_eq!(database.open(), 1);
    }
}

#[test]
fn when_too_many_hang_no_new_one_is_tried_until_one_comes_back() {
    let (database, pool) = (Database::default(), Pool::new(2));
    let most = usize::try_from(MOST_FORSAKEN).unwrap();
    let mut hanging = Vec::new();
    while hanging.len() < most {
        hanging.extend([database.take(&pool), database.take(&pool)]);
        pool.forsake();
    }
    let refused = pool
        .take(LONG, &Waits::default(), || database.connect())
        .map(|_| ());
    let text = "too many connections hang".to_owned();
    assert_eq!(refused, Err(StoreError::Unavailable(text)));
    assert_eq!(database.made(), most);
    hanging.pop();
    database.take(&pool);
    // What is idle needs no connecting, so it is lent however many hang.
    assert_eq!(number(&mut database.take(&pool)), most);
    drop(hanging);
    assert_eq!(database.open(), 1);
    assert_eq!(pool.hanging(), 0);
}

#[test]
fn giving_up_amid_traffic_leaves_no_connection_behind() {
    const LIMIT: usize = 3;
    let (database, pool) = (Database::default(), Pool::new(LIMIT));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (database, pool) = (&database, &pool);
            scope.spawn(move || {
                for turn in 0..ROUNDS {
                    let lease = database.take(pool);
                    if (thread + turn) % 9 == 0 {
                        pool.forsake();
                    }
                    drop(lease);
                }
            });
        }
    });
    assert_eq!(pool.hanging(), 0);
    assert!(database.open() <= LIMIT, "{} are open", database.open());
    pool.clear();
    assert_eq!(database.open(), 0);
    let leases: Vec<_> = (0..LIMIT).map(|_| database.take(&pool)).collect();
    assert_eq!(leases.len(), LIMIT, "a slot was lost");
}
