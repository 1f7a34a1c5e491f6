//! What grows, told from what goes up and down: the memory of a server and its answers do both, a machine that is shared
//! by tenths of what is measured.

/// More than this part of where it was nothing is taken to keep: beyond it a line would say nothing at all.
const MOST_KEPT: f64 = 0.95;

/// The line that lies closest to points, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trend {
    /// By how much y grows while x grows by one.
    pub slope: f64,
    /// The standard error of the slope; zero of fewer than three points. What stays high or low for several points counts for
    /// less than as many points that go up and down on their own.
    pub error: f64,
}

impl Trend {
    /// The trend of points (x, y).
    pub fn of(points: &[(f64, f64)]) -> Trend {
        Trend::through(&off_the_mean(points), 0)
    }

    /// The trend of points (x, z, y) where y follows something else as well, z: by how much y grows while x grows by one
    /// and z stays as it is. Of z that never changes it is the trend of (x, y).
    pub fn beside(points: &[(f64, f64, f64)]) -> Trend {
        let of = |value: fn(&(f64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
            off_the_mean(
                &points
                    .iter()
                    .map(|point| (point.1, value(point)))
                    .collect::<Vec<_>>(),
            )
        };
        let (x, y) = (of(|point| point.0), of(|point| point.2));
        // What z says of either is taken away first: what is left of y follows what is left of x with the same slope as
        // in a plane through all of them.
        let left = |points: &[(f64, f64)]| -> Vec<f64> {
            let slope = Trend::through(points, 0).slope;
            points.iter().map(|(z, value)| value - slope * z).collect()
        };
        let rest: Vec<(f64, f64)> = left(&x).into_iter().zip(left(&y)).collect();
        let others = usize::from(x.iter().any(|(z, _)| *z != 0.0));
        Trend::through(&rest, others)
    }

    /// The trend of points whose means are zero, of which `others` slopes have been taken away before.
    fn through(points: &[(f64, f64)], others: usize) -> Trend {
        let spread: f64 = points.iter().map(|(x, _)| x.powi(2)).sum();
        if points.len() < 2 + others || spread == 0.0 {
            return Trend::default();
        }
        let slope = points.iter().map(|(x, y)| x * y).sum::<f64>() / spread;
        let off: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
        let error = match points.len() - 2 - others {
            0 => 0.0,
            free => (squares(&off) / free as f64 / spread).sqrt() * wandering(&off),
        };
        Trend { slope, error }
    }

    /// The least that it grows: two standard errors less than the line says.
    pub fn at_least(self) -> f64 {
        self.slope - 2.0 * self.error
    }

    /// The same for a y that is so many times larger.
    pub fn times(self, factor: f64) -> Trend {
        Trend {
            slope: self.slope * factor,
            error: self.error * factor.abs(),
        }
    }
}

/// By how much the error of a line grows because what lies off it stays on one side for a while: of n points that each keep
/// a part r of where the one before was, only n (1 - r) / (1 + r) tell something. What is left of a line shows too small an
/// r, by (2 + 4 r) / n.
fn wandering(off: &[f64]) -> f64 {
    let all = squares(off);
    if all == 0.0 {
        return 1.0;
    }
    let kept = off.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / all;
    let kept = (kept + (2.0 + 4.0 * kept) / off.len() as f64).clamp(0.0, MOST_KEPT);
    ((1.0 + kept) / (1.0 - kept)).sqrt()
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value.powi(2)).sum()
}

fn off_the_mean(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let count = points.len() as f64;
    let x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let y = points.iter().map(|point| point.1).sum::<f64>() / count;
    points.iter().map(|point| (point.0 - x, point.1 - y)).collect()
}

#[cfg(test)]
mod tests {
    use super::Trend;

    fn line(slope: f64, noise: f64) -> Vec<(f64, f64)> {
        let up_and_down = |x: i32| if x % 2 == 0 { noise } else { -noise };
        (0..100)
            .map(|x| (f64::from(x), 5.0 + slope * f64::from(x) + up_and_down(x)))
            .collect()
    }

    #[test]
    fn the_slope_of_a_line_is_found_through_noise() {
        let trend = Trend::of(&line(3.0, 0.5));
        assert!((trend.slope - 3.0).abs() < 0.01, "{trend:?}");
        assert!(trend.at_least() > 2.9, "{trend:?}");
        assert_eq!(
            Trend::of(&line(3.0, 0.0)).at_least().round(),
            3.0,
            "without noise it is sure"
        );
        assert_eq!(trend.times(2.0).slope, trend.slope * 2.0);
    }

    #[test]
    fn what_only_goes_up_and_down_is_not_said_to_grow() {
        let trend = Trend::of(&line(0.001, 10.0));
        assert!(trend.at_least() < 0.0, "{trend:?}");
        assert!(Trend::of(&line(3.0, 10.0)).at_least() > 2.8);
    }

    /// The most memory (MiB) in twenty pieces of 21 s, of a server on PostgreSQL at 1 088 requests a second.
    const WANDERED: [f64; 20] = [
        67.7, 65.3, 69.9, 65.4, 63.1, 63.5, 61.2, 64.2, 68.3, 64.8, 64.1, 65.5, 62.7, 71.4, 81.7, 82.8, 91.1,
        94.6, 91.0, 90.5,
    ];

    #[test]
    fn what_wanders_is_not_said_to_grow() {
        let leaking = |much: f64| -> Vec<(f64, f64)> {
            let pieces = WANDERED.iter().enumerate();
            pieces
                .map(|(place, most)| (place as f64, most + much * place as f64))
                .collect()
        };
        assert!(Trend::of(&leaking(0.0)).at_least() < 0.0);
        // What would be noticed even so: 2.5 MiB in 21 s, some 100 bytes a request.
        assert!(
            Trend::of(&leaking(2.5)).at_least() > 0.0,
            "{:?}",
            Trend::of(&leaking(2.5))
        );
    }

    /// Points over a machine that is slower in the second half; y follows its speed and grows by `slope` besides.
    fn slower_in_the_second_half(slope: f64, noise: f64) -> Vec<(f64, f64, f64)> {
        (0..20)
            .map(|place| {
                let x = f64::from(place);
                let z = if place < 10 { 0.0 } else { 0.2 } + f64::from(place % 3) * 0.01;
                let up_and_down = if place % 2 == 0 { noise } else { -noise };
                (x, z, 1.0 + slope * x + 5.0 * z + up_and_down)
            })
            .collect()
    }

    #[test]
    fn what_follows_something_else_is_not_said_to_grow() {
        let points = slower_in_the_second_half(0.0, 0.01);
        let alone: Vec<(f64, f64)> = points.iter().map(|point| (point.0, point.2)).collect();
        assert!(Trend::of(&alone).slope > 0.05, "the line alone is taken in");
        let trend = Trend::beside(&points);
        assert!(trend.slope.abs() < 0.002 && trend.at_least() < 0.0, "{trend:?}");
    }

    #[test]
    fn what_grows_besides_is_found() {
        let trend = Trend::beside(&slower_in_the_second_half(0.1, 0.01));
        assert!((trend.slope - 0.1).abs() < 0.002, "{trend:?}");
        assert!(trend.at_least() > 0.09, "{trend:?}");
        let sure = Trend::beside(&slower_in_the_second_half(0.1, 0.0));
        assert!((sure.slope - 0.1).abs() < 1e-9 && sure.error < 1e-9, "{sure:?}");
        let steady: Vec<(f64, f64, f64)> = (0..20)
            .map(|x| (f64::from(x), 7.0, f64::from(x % 5 + x)))
            .collect();
        let alone: Vec<(f64, f64)> = steady.iter().map(|point| (point.0, point.2)).collect();
        assert_eq!(Trend::beside(&steady), Trend::of(&alone));
    }

    #[test]
    fn less_than_a_line_has_no_trend() {
        assert_eq!(Trend::of(&[]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0)]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0), (1.0, 3.0)]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0), (2.0, 5.0)]).slope, 3.0);
        assert_eq!(Trend::beside(&[]), Trend::default());
        assert_eq!(
            Trend::beside(&[(1.0, 2.0, 3.0), (2.0, 5.0, 4.0)]),
            Trend::default()
        );
    }
}
