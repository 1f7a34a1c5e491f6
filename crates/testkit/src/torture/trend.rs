//! What grows, told from what goes up and down: the memory of a server and its answers do both, a machine that is shared
//! by tenths of what is measured.

/// The line that lies closest to points, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trend {
    /// By how much y grows while x grows by one.
    pub slope: f64,
    /// The standard error of the slope; zero of fewer than three points.
    pub error: f64,
}

impl Trend {
    /// The trend of points (x, y).
    pub fn of(points: &[(f64, f64)]) -> Trend {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        if points.len() < 2 || spread == 0.0 {
            return Trend::default();
        }
        let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let slope = together / spread;
        let off: f64 = points
            .iter()
            .map(|point| (point.1 - y - slope * (point.0 - x)).powi(2))
            .sum();
        let error = match points.len() {
            2 => 0.0,
            _ => (off / (count - 2.0) / spread).sqrt(),
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

    #[test]
    fn less_than_a_line_has_no_trend() {
        assert_eq!(Trend::of(&[]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0)]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0), (1.0, 3.0)]), Trend::default());
        assert_eq!(Trend::of(&[(1.0, 2.0), (2.0, 5.0)]).slope, 3.0);
    }
}
