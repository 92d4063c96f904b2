//! A model of many processes with many limits, by a clock of its own.

use super::*;

const PROCESSES: usize = 1_000;
/// One in a thousand of the million limits is looked at.
const LIMITS: usize = 1_000;
const SCALE: u64 = 1_000;
const SECONDS: usize = 120;

/// Every tenth limit is used by five processes, all others by one.
fn users(limit: usize) -> usize {
    if limit.is_multiple_of(10) { 5 } else { 1 }
}

/// The requests of one process within a second: one in fifteen limits is asked for ten times what it permits.
fn requests(limit: usize, user: usize, second: usize) -> usize {
    if limit.is_multiple_of(15) {
        17_usize.div_ceil(users(limit))
    } else {
        usize::from(second.is_multiple_of(2) == user.is_multiple_of(2))
    }
}

/// Each second all processes flush. After half of the time other processes use the limits, as after a deployment.
#[test]
fn a_thousand_processes_hold_a_million_limits_and_tell_little() {
    let mut fleet = Fleet::new(PROCESSES);
    let hundred = rule(100, MINUTE);
    let ids: Vec<_> = (0..LIMITS).map(|limit| id(&limit.to_string())).collect();
    let mut passed = vec![0_u64; LIMITS];
    let (mut told_before, mut beyond) = (0_u64, 0_u64);
    for second in 0..SECONDS {
        let first = if second < SECONDS / 2 { 0 } else { 500 };
        for (limit, id) in ids.iter().enumerate() {
            for user in 0..users(limit) {
                let process = (limit + 7 * user + first) % PROCESSES;
                let requests = 0..requests(limit, user, second);
                let allowed = requests.filter(|_| fleet.request(process, id, hundred, 1));
                let allowed = allowed.count() as u64;
                passed[limit] += allowed;
                told_before += u64::from(allowed > 0);
            }
            let returned = 100 * (second as u64 + 1) / 60;
            beyond = beyond.max(passed[limit].saturating_sub(100 + returned));
        }
        for process in 0..PROCESSES {
            fleet.flush(process, false);
        }
        fleet.advance(Duration::from_secs(1));
    }
    let per_second = |count: u64| count * SCALE / SECONDS as u64;
    let (before, now) = (per_second(told_before), per_second(fleet.database.tells));
    println!(
        "1,000 processes, 1,000,000 limits of 100 per minute, and a deployment: {now} rows/s instead of {before}, and with the \
         question of each process {} statements/s; {} processes were told that they are no longer alone with a limit; at most \
         {beyond} requests beyond a limit",
        1_000 + now.div_ceil(1_000).max(1_000),
        fleet.database.notes * SCALE,
    );
    assert!(beyond <= 100 / 10 + 3 * 20, "{beyond}");
    assert!(now < before / 2, "{now} of {before}");
}
