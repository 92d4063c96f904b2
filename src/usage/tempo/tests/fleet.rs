//! A model of many processes that store uses in one database, by a clock of its own.

use super::*;

const STEP: Duration = Duration::from_millis(10);
const PROCESSES: u32 = 1_000;
const KEYS: f64 = 1_000_000.0;
const KEYS_OF_ONE: f64 = 1_000.0;
/// The server: so many statements at a time are as fast as one alone.
const CORES: f64 = 16.0;
const BATCH: f64 = 1_000.0;
/// What a statement takes of it, and each row, in seconds.
const STATEMENT_COST: f64 = 0.001;
const ROW_COST: f64 = 0.000_02;

/// Who uses a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Always the same process, once per second.
    OfOneProcess,
    /// Any process, once in ten seconds.
    OfAll,
}

impl Keys {
    fn uses_per_second(self) -> f64 {
        match self {
            Self::OfOneProcess => KEYS,
            Self::OfAll => KEYS / 10.0,
        }
    }
}

struct Process {
    tempo: Tempo,
    uses: f64,
    begun: Option<Instant>,
    /// What is left of the flush that has begun, in seconds of the server.
    work: f64,
    wakes: Instant,
}

#[derive(Default)]
struct Sum {
    statements: f64,
    rows: f64,
    busy: f64,
    steps: f64,
    longest: Duration,
}

impl Process {
    fn flush(&mut self, now: Instant, keys: Keys, sum: &mut Sum) {
        let rows = match keys {
            Keys::OfOneProcess => self.uses.min(KEYS_OF_ONE),
            Keys::OfAll => KEYS * (1.0 - (-self.uses / KEYS).exp()),
        };
        self.uses = 0.0;
        self.begun = Some(now);
        let statements = (rows / BATCH).ceil();
        self.work = statements * STATEMENT_COST + rows * ROW_COST;
        sum.statements += statements;
        sum.rows += rows;
        if self.tempo.begin_count(now) {
            sum.statements += 1.0;
            self.tempo.counted(PROCESSES.into());
        }
    }

    fn step(&mut self, now: Instant, pace: f64, keys: Keys, sum: &mut Sum) {
        if let Some(begun) = self.begun {
            self.work -= pace;
            if self.work <= 0.0 {
                self.begun = None;
                self.tempo.stored(begun, now - begun);
                self.wakes = now + SECOND;
            }
        } else if self.wakes <= now {
            if self.tempo.is_due(now) {
                self.flush(now, keys, sum);
            } else {
                self.wakes = now + SECOND;
            }
        }
    }
}

/// Lets all processes work for so long, and sums up the second half of it.
fn run(longest: Duration, keys: Keys, seconds: u32) -> Sum {
    let uses = STEP.as_secs_f64() * keys.uses_per_second() / f64::from(PROCESSES);
    let start = Instant::now();
    let mut processes: Vec<Process> = (0..PROCESSES)
        .map(|index| Process {
            tempo: Tempo::new(SECOND, longest),
            uses: 0.0,
            begun: None,
            work: 0.0,
            wakes: start + SECOND * index / PROCESSES,
        })
        .collect();
    let mut sum = Sum::default();
    let steps =
        u32::try_from(Duration::from_secs(seconds.into()).as_nanos() / STEP.as_nanos()).unwrap();
    for step in 0..steps {
        if step == steps / 2 {
            sum = Sum::default();
        }
        let now = start + STEP * step;
        let is_busy = |process: &Process| f64::from(u8::from(process.begun.is_some()));
        let busy: f64 = processes.iter().map(is_busy).sum();
        let pace = STEP.as_secs_f64() * (CORES / busy).min(1.0);
        sum.busy += busy;
        sum.steps += 1.0;
        for process in &mut processes {
            process.uses += uses;
            process.step(now, pace, keys, &mut sum);
            sum.longest = sum.longest.max(process.tempo.interval());
        }
    }
    sum
}

#[test]
fn a_thousand_processes_with_a_million_keys_leave_the_database_in_peace() {
    const SECONDS: u32 = 120;
    for (name, keys) in [
        (
            "each key once per second by one process",
            Keys::OfOneProcess,
        ),
        ("each key once in ten seconds by any process", Keys::OfAll),
    ] {
        for (way, longest) in [("each second", SECOND), ("stretched", MAX)] {
            let sum = run(longest, keys, SECONDS);
            let seconds = f64::from(SECONDS) / 2.0;
            let connections = sum.busy / sum.steps;
            println!(
                "{name}, {way}: {:.0} statements/s, {:.0} rows/s, {connections:.1} connections busy, interval {:.1} s",
                sum.statements / seconds,
                sum.rows / seconds,
                sum.longest.as_secs_f64(),
            );
            if longest == MAX {
                assert!(sum.longest <= MAX);
                assert!(connections <= 4.5, "{connections}");
            }
        }
    }
}
