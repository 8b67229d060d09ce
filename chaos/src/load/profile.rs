//! How many requests arrive, and when: a rate that goes from one stage's end to the next.

use std::time::Duration;

/// From the rate of the stage before to its own, in so much time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stage {
    /// How long it takes.
    pub time: Duration,
    /// Requests a second at its end.
    pub rate: f64,
}

/// What a load is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Profile {
    /// 5 minutes up to half, 10 up to all, 15 down to nothing: as `tests/load/stress.js`
    Stress,
    /// One rate for 30 minutes: whether memory and files grow
    Soak,
    /// A tenth, all at once, a tenth again: whether what is too much is got over
    Spike,
}

impl Profile {
    /// Its name, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stress => "stress",
            Self::Soak => "soak",
            Self::Spike => "spike",
        }
    }

    /// How long it takes by itself.
    pub fn time(self) -> Duration {
        Duration::from_secs(60)
            * match self {
                Self::Stress | Self::Soak => 30,
                Self::Spike => 5,
            }
    }

    /// Its stages in so much time, with so many requests a second at the most.
    pub fn stages(self, time: Duration, rate: f64) -> Vec<Stage> {
        // Parts of the time and of the rate.
        let parts: &[(f64, f64)] = match self {
            Self::Stress => &[(1.0 / 6.0, 0.5), (2.0 / 6.0, 1.0), (3.0 / 6.0, 0.0)],
            Self::Soak => &[(0.0, 1.0), (1.0, 1.0)],
            Self::Spike => &[
                (0.0, 0.1),
                (0.4, 0.1),
                (0.0, 1.0),
                (0.2, 1.0),
                (0.0, 0.1),
                (0.4, 0.1),
            ],
        };
        let stage = |(of_time, of_rate): &(f64, f64)| Stage {
            time: time.mul_f64(*of_time),
            rate: rate * of_rate,
        };
        parts.iter().map(stage).collect()
    }
}

/// When each request is to be sent, from the beginning on.
#[derive(Clone, Debug)]
pub struct Arrivals {
    stages: std::vec::IntoIter<Stage>,
    /// The stage that is under way: when it began, in seconds, and its rates.
    stage: Option<(f64, Stage)>,
    from_rate: f64,
    /// Requests until the stage began.
    before: f64,
    next: f64,
}

impl Arrivals {
    /// Those of stages, from no request a second on.
    pub fn new(stages: Vec<Stage>) -> Self {
        let mut stages = stages.into_iter();
        let stage = stages.next().map(|stage| (0.0, stage));
        Self {
            stages,
            stage,
            from_rate: 0.0,
            before: 0.0,
            next: 1.0,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let (began, stage) = self.stage?;
            let (from, time) = (self.from_rate, stage.time.as_secs_f64());
            let of_stage = (from + stage.rate) / 2.0 * time;
            let wanted = self.next - self.before;
            if wanted > of_stage {
                self.before += of_stage;
                self.from_rate = stage.rate;
                self.stage = self.stages.next().map(|next| (began + time, next));
                continue;
            }
            self.next += 1.0;
            // from * t + slope / 2 * t² = wanted
            let slope = (stage.rate - from) / time;
            let after = if slope.abs() < 1e-9 {
                wanted / from
            } else {
                let root = (from * from + 2.0 * slope * wanted).max(0.0).sqrt();
                (root - from) / slope
            };
            return Some(Duration::from_secs_f64(began + after.clamp(0.0, time)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as the rate says, in order, within the time.
    #[test]
    fn requests_arrive_at_the_rate() {
        for profile in [Profile::Stress, Profile::Soak, Profile::Spike] {
            let time = Duration::from_secs(60);
            let arrivals: Vec<_> = Arrivals::new(profile.stages(time, 100.0)).collect();
            assert!(arrivals.is_sorted(), "{profile:?}");
            assert!(arrivals.iter().all(|at| *at <= time), "{profile:?}");
            let expected = match profile {
                // 10 s at 25, 20 s at 75, 30 s at 50 on average.
                Profile::Stress => 3_250,
                Profile::Soak => 6_000,
                Profile::Spike => 1_680,
            };
            assert!(
                arrivals.len().abs_diff(expected) <= 1,
                "{profile:?}: {}",
                arrivals.len()
            );
            let within = |from: u64, until: u64| {
                let span = Duration::from_secs(from)..Duration::from_secs(until);
                arrivals.iter().filter(|at| span.contains(*at)).count()
            };
            let peak = match profile {
                Profile::Stress => within(29, 31),
                Profile::Soak | Profile::Spike => within(29, 31),
            };
            assert!((193..=201).contains(&peak), "{profile:?}: {peak}");
        }
    }

    #[test]
    fn nothing_arrives_where_there_is_no_stage() {
        assert_eq!(Arrivals::new(Vec::new()).count(), 0);
        let nothing = Stage {
            time: Duration::from_secs(5),
            rate: 0.0,
        };
        assert_eq!(Arrivals::new(vec![nothing]).count(), 0);
    }
}
