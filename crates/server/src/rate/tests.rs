use super::*;

fn rate(text: &str) -> Rate {
    match text.parse() {
        Ok(Allowance::Limited(rate)) => rate,
        other => panic!("{text}: {other:?}"),
    }
}

/// A limiter, and a clock that the test turns.
struct Bench {
    limiter: Limiter,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            limiter: Limiter::default(),
            now: Instant::now(),
        }
    }

    fn take(&self, rate: Rate) -> Result<(), Duration> {
        self.limiter.take(Door::PatientGraph, "client", rate, self.now)
    }

    /// How many requests pass before the first that does not.
    fn pass(&self, rate: Rate) -> usize {
        (0..).take_while(|_| self.take(rate).is_ok()).count()
    }

    fn forward(&mut self, by: Duration) {
        self.now += by;
    }
}

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

#[test]
fn a_burst_passes_and_then_so_many_in_a_second() {
    let mut bench = Bench::new();
    assert_eq!(bench.pass(rate("50/100")), 100);
    for _ in 0..3 {
        bench.forward(SECOND);
        assert_eq!(bench.pass(rate("50/100")), 50);
    }
    // An idle client saves up a burst, and no more.
    bench.forward(SECOND * 3600);
    assert_eq!(bench.pass(rate("50/100")), 100);
}

#[test]
fn the_wait_that_is_told_is_the_wait_that_is_needed() {
    for text in ["1/1", "1/3", "3/1", "7/20", "100/200", "1000000/1"] {
        let (rate, mut bench) = (rate(text), Bench::new());
        bench.pass(rate);
        let wait = bench.take(rate).expect_err("an empty bucket");
        assert!(!wait.is_zero() && wait <= SECOND, "{text}: {wait:?}");
        bench.forward(wait - NANOSECOND);
        assert_eq!(bench.take(rate), Err(NANOSECOND), "{text}");
        bench.forward(NANOSECOND);
        assert_eq!(bench.take(rate), Ok(()), "{text}");
        assert!(bench.take(rate).is_err(), "{text}");
    }
}

#[test]
fn what_is_refused_makes_nobody_wait_longer() {
    let mut bench = Bench::new();
    bench.pass(rate("1/1"));
    for _ in 0..1_000 {
        assert_eq!(bench.take(rate("1/1")), Err(SECOND));
    }
    bench.forward(SECOND);
    assert_eq!(bench.take(rate("1/1")), Ok(()));
}

#[test]
fn each_client_and_each_door_has_a_bucket_of_its_own() {
    let bench = Bench::new();
    let one = rate("1/1");
    for (door, client) in [
        (Door::PatientGraph, "client"),
        (Door::PatientGraph, "other"),
        (Door::Ehealth, "client"),
        (Door::Fhir, "client"),
    ] {
        let take = || bench.limiter.take(door, client, one, bench.now);
        assert_eq!((take(), take()), (Ok(()), Err(SECOND)), "{door} {client}");
    }
}

#[test]
fn a_changed_rate_holds_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.pass(rate("1/1000")), 1_000);
    // Under the older rate it would be full in a thousand seconds.
    bench.forward(SECOND);
    assert_eq!(bench.take(rate("10/10")), Err(SECOND / 10));
    bench.forward(SECOND);
    assert_eq!(bench.pass(rate("10/10")), 0);
}

#[test]
fn a_clock_read_a_moment_earlier_does_no_harm() {
    let mut bench = Bench::new();
    let earlier = bench.now;
    bench.forward(SECOND);
    assert_eq!(bench.pass(rate("1/3")), 3);
    bench.now = earlier;
    assert!(bench.take(rate("1/3")).is_err());
}

#[test]
fn no_more_buckets_are_remembered_than_fit_and_emptied_ones_stay_longest() {
    let mut bench = Bench::new();
    let slow = rate("1/2");
    let ask = |bench: &Bench, client: &str| bench.limiter.take(Door::Fhir, client, slow, bench.now);
    let remembered = |bench: &Bench| bench.limiter.full_at.lock().unwrap().len();
    for number in 0..BUCKETS_REMEMBERED - 1 {
        assert_eq!(ask(&bench, &number.to_string()), Ok(()));
    }
    bench.forward(SECOND);
    for _ in 0..2 {
        assert_eq!(ask(&bench, "busy"), Ok(()));
    }
    assert_eq!(remembered(&bench), BUCKETS_REMEMBERED);
    // All others are full again by now.
    assert_eq!(ask(&bench, "one more"), Ok(()));
    assert_eq!(remembered(&bench), 2);
    assert!(ask(&bench, "busy").is_err());
    for number in 0..3 * BUCKETS_REMEMBERED {
        assert_eq!(ask(&bench, &number.to_string()), Ok(()));
        assert!(remembered(&bench) <= BUCKETS_REMEMBERED);
    }
}

#[test]
fn partner_doors_are_limited_and_fhir_is_not_unless_the_client_is() {
    for door in Door::ALL {
        let default = (door != Door::Fhir).then_some(rate("100/200"));
        assert_eq!(rate_at(door, None), default, "{door}");
        assert_eq!(rate_at(door, Some(Allowance::Unlimited)), None, "{door}");
        let own = Allowance::Limited(rate("5/6"));
        assert_eq!(rate_at(door, Some(own)), Some(rate("5/6")), "{door}");
    }
}

#[test]
fn an_allowance_is_two_numbers_or_none_and_nothing_else() {
    for text in ["none", "1/1", "50/100", "1000000/1000000"] {
        let allowance: Allowance = text.parse().expect(text);
        assert_eq!(allowance.to_string(), text);
    }
    for text in [
        "",
        "None",
        "50",
        "/",
        "50/",
        "/100",
        "0/1",
        "1/0",
        "+1/1",
        "1/-1",
        "1.5/2",
        " 1/1",
        "1/1/1",
        "1000001/1",
        "1/1000001",
        "4294967296/1",
    ] {
        let error = text.parse::<Allowance>().expect_err(text);
        assert!(
            error.contains("50/100") && error.contains("none"),
            "{text}: {error}"
        );
    }
}
