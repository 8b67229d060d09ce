//! All of it, drawn.

use super::*;

/// Acts one after the other, each with a link that is disturbed beside it.
pub(super) fn steps(numbers: &mut Numbers, time: Duration) -> Vec<Step> {
    let mut steps = rounds(6, time, |_| any(numbers));
    for step in &mut steps {
        step.beside = Some(beside(&step.act, numbers));
    }
    steps
}

/// A link, and what is done to it, drawn.
fn any_link(numbers: &mut Numbers) -> (&'static [&'static str], Toxics) {
    let toxics = [
        latency(100),
        DOWN,
        RESET,
        PARTITION,
        LOSS,
        NARROW,
        SLOW_CLOSE,
    ];
    let at = numbers.below(ALL_LINKS.len());
    let link = std::slice::from_ref(&ALL_LINKS[at]);
    (link, *numbers.one_of(&toxics))
}

/// A link that an act does not disturb, and what is done to it, drawn: of two things that
/// are done to one link, it does the last alone.
fn beside(act: &Act, numbers: &mut Numbers) -> (&'static [&'static str], Toxics) {
    loop {
        let (link, toxics) = any_link(numbers);
        if !matches!(act, Act::Links(of_act, _) if *of_act == link) {
            return (link, toxics);
        }
    }
}

/// One act, drawn.
fn any(numbers: &mut Numbers) -> Act {
    let signal = *numbers.one_of(&[Signal::KILL, Signal::TERM]);
    match numbers.below(22) {
        0 => Act::EndGateway(numbers.below(2), signal),
        1 => Act::PauseGateway(numbers.below(2)),
        2 | 3 => Act::EndReplica(numbers.below(2), signal),
        4 => Act::PauseReplica(numbers.below(2)),
        5 => Act::EndUpstream(numbers.below(UPSTREAM_LINKS.len())),
        6 => Act::PauseUpstream(numbers.below(UPSTREAM_LINKS.len())),
        7 => Act::EndRedis,
        8 => Act::PauseRedis,
        9 => Act::EndPostgres,
        10 => Act::Poison,
        11 => Act::EndCertificate,
        12 => Act::LoseNames(numbers.below(2)),
        13 => Act::Burst(numbers.below(2)),
        14 => Act::Filter(
            numbers.below(2),
            Filter {
                delayed: 20,
                aborted: 10,
            },
        ),
        15 => Act::TerminateRedis,
        16 => Act::TerminatePostgres,
        17 => Act::PausePostgres,
        _ => {
            let (link, toxics) = any_link(numbers);
            Act::Links(link, toxics)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_beside_is_done_to_another_link() {
        for seed in 0..500 {
            for step in steps(&mut Numbers::new(seed), Duration::from_secs(6)) {
                let (link, _) = step.beside.unwrap();
                let is_same = matches!(step.act, Act::Links(of_act, _) if of_act == link);
                assert!(!is_same, "{seed}: {step:?}");
            }
        }
    }
}
