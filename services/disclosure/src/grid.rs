//! When refusals are released: how long one took tells nothing of whether the person is known.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The grid on which refusals are released.
const GRID: Duration = Duration::from_millis(25);

/// Gives an answer as soon as it is there, and a refusal on the next line of a grid of 25 ms, counted from when it was asked: to be put by whoever answers
/// around all that an answer takes.
pub async fn on_the_grid<T, E>(
    answer: impl Future<Output = Result<T, E>>,
    is_refusal: impl FnOnce(&E) -> bool,
) -> Result<T, E> {
    released(&RealTime(Instant::now()), answer, is_refusal).await
}

/// Time as it passes for whoever waits.
trait Passing {
    /// Since it was asked.
    fn passed(&self) -> Duration;

    /// Lets time pass.
    fn hold(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

struct RealTime(Instant);

impl Passing for RealTime {
    fn passed(&self) -> Duration {
        self.0.elapsed()
    }

    fn hold(&self, time: Duration) -> impl Future<Output = ()> + Send {
        sleep(time)
    }
}

async fn released<T, E>(
    time: &impl Passing,
    answer: impl Future<Output = Result<T, E>>,
    is_refusal: impl FnOnce(&E) -> bool,
) -> Result<T, E> {
    let answer = answer.await;
    if answer.as_ref().err().is_some_and(is_refusal) {
        time.hold(until_refusal(time.passed())).await;
    }
    answer
}

/// How long a refusal that took so long so far is still held.
fn until_refusal(took: Duration) -> Duration {
    let grid = GRID.as_micros();
    let over = took.as_micros() % grid;
    Duration::from_micros(u64::try_from(grid - over).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A clock that moves only when somebody waits.
    #[derive(Default)]
    struct FakeTime(Mutex<Duration>);

    impl Passing for FakeTime {
        fn passed(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        async fn hold(&self, time: Duration) {
            *self.0.lock().unwrap() += time;
        }
    }

    #[tokio::test]
    async fn a_refusal_is_released_on_the_grid_whatever_it_took_and_an_answer_at_once() {
        let (refused, wrong) = (Err::<(), _>("refused"), Err("wrong"));
        for (work_us, grid_ms) in
            [(0, 25), (1, 25), (3_700, 25), (24_999, 25), (25_000, 50), (25_001, 50), (49_000, 50), (130_000, 150)]
        {
            let (work, grid) = (Duration::from_micros(work_us), Duration::from_millis(grid_ms));
            for (answer, expect) in [(Ok(()), work), (refused, grid), (wrong, work)] {
                let time = FakeTime::default();
                let working = async {
                    time.hold(work).await;
                    answer
                };
                assert_eq!(released(&time, working, |error| *error == "refused").await, answer);
                assert_eq!(time.passed(), expect, "{answer:?} after {work:?}");
            }
        }
    }
}
