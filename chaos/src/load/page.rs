//! A page that shows a load: how long requests took over time, what was answered, and
//! what processes needed. It needs nothing but itself.

use std::fmt::Write as _;

use super::measured::milliseconds;
use super::summary::{Load, THRESHOLDS};
use super::usage::Use;
use crate::report::{escaped, head};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 160.0;

/// Milliseconds at the top of the plot.
const TOP: f64 = 10_000.0;

/// Points of a line.
const POINTS: usize = 450;

/// The page.
pub(super) fn page(load: &Load<'_>, seen: &[(String, Vec<Use>)]) -> String {
    let mut page = head(&format!("Load: {}", load.profile), load.versions);
    let measured = load.measured;
    let class = if load.holds() { "pass" } else { "fail" };
    let _ = write!(
        page,
        "<p class=\"{class}\">{class}: {:.0} requests a second at the most, {} in {} s, {} not \
         served, {} not sent.</p><table><tr><th>path<th>requests<th>not served<th>p50 ms\
         <th>p95 ms<th>p99 ms<th>most ms",
        load.rate,
        measured.all.len(),
        load.took / 1000,
        measured.all_failed(),
        measured.dropped,
    );
    for (path, times) in &measured.by_path {
        let at = |quantile| milliseconds(times, quantile);
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{:.1}<td>{:.1}<td>{:.1}<td>{:.1}",
            path.name(),
            times.len(),
            measured.failed.get(path).copied().unwrap_or_default(),
            at(0.5),
            at(0.95),
            at(0.99),
            times.max() as f64 / 1000.0,
        );
    }
    page.push_str("</table><h2>Time that requests took</h2>");
    latency(&mut page, load);
    page.push_str("<p>Answers: ");
    for (answer, count) in &measured.outcomes {
        let _ = write!(page, "{} {count}; ", escaped(answer));
    }
    page.push_str(
        "</p><h2>Memory</h2><table><tr><th>process<th>warm MiB<th>end MiB<th>more<th>files",
    );
    for one in load.growth {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let _ = write!(
            page,
            "<tr class=\"{}\"><td>{}<td>{:.1}<td>{:.1}<td>{:+.1} %<td>{} to {}",
            if one.holds { "pass" } else { "fail" },
            escaped(&one.name),
            mib(one.memory_warm),
            mib(one.memory_end),
            one.memory_percent,
            one.files[0],
            one.files[1],
        );
    }
    page.push_str("</table>");
    for (name, seen) in seen {
        let most = seen.iter().map(|one| one.memory).max().unwrap_or(1).max(1) as f64;
        let points = seen.iter().map(|one| (one.at, one.memory as f64 / most));
        let _ = write!(page, "<p>{}</p>", escaped(name));
        plot(&mut page, &[("#28c", points.collect())]);
    }
    page.push_str("</html>\n");
    page
}

/// Half, 95 and 99 of 100 by second, and the share that was not served.
fn latency(page: &mut String, load: &Load<'_>) {
    let seconds = &load.measured.seconds;
    let height = |time: f64| time.clamp(1.0, TOP).ln() / TOP.ln();
    let line = |quantile| {
        let with = seconds
            .iter()
            .enumerate()
            .filter(|(_, one)| !one.times.is_empty());
        with.map(|(at, one)| (at as f64, height(milliseconds(&one.times, quantile))))
            .collect::<Vec<_>>()
    };
    let failed = seconds.iter().enumerate().map(|(at, one)| {
        let share = one.failed as f64 / one.times.len().max(1) as f64;
        (at as f64, share)
    });
    let most = load
        .measured
        .seconds
        .iter()
        .map(|one| one.times.len())
        .max();
    let most = most.unwrap_or_default().max(1) as f64;
    let rate = seconds.iter().enumerate();
    let rate = rate.map(|(at, one)| (at as f64, one.times.len() as f64 / most));
    let mut lines = vec![
        ("#ccc", rate.collect()),
        ("#c22", failed.collect()),
        ("#2a7", line(0.5)),
        ("#28c", line(0.95)),
        ("#85a", line(0.99)),
    ];
    let end = seconds.len().max(1) as f64;
    for (_, _, most) in THRESHOLDS {
        lines.push(("#888", vec![(0.0, height(most)), (end, height(most))]));
    }
    plot(page, &lines);
    page.push_str(
        "<p>p50 (green), p95 (blue) and p99 (violet) of each second, on a logarithmic scale from \
         1 ms to 10 s, with 350 and 900 ms; beside them requests a second (grey) and the share \
         that was not served (red).</p>",
    );
}

/// Lines of points: where in time, and how high, from 0 to 1.
fn plot(page: &mut String, lines: &[(&str, Vec<(f64, f64)>)]) {
    let points = lines.iter().flat_map(|(_, points)| points);
    let end = points.map(|(at, _)| *at).fold(1.0, f64::max);
    let _ = write!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">"
    );
    for (colour, points) in lines {
        let step = points.len().div_ceil(POINTS).max(1);
        let _ = write!(
            page,
            "<polyline fill=\"none\" stroke=\"{colour}\" points=\""
        );
        // The highest of each step: what stands out stays.
        for part in points.chunks(step) {
            let highest = part
                .iter()
                .copied()
                .reduce(|one, other| match other.1 > one.1 {
                    true => other,
                    false => one,
                });
            let (at, height) = highest.unwrap_or_default();
            let y = HEIGHT - 4.0 - height * (HEIGHT - 8.0);
            let _ = write!(page, "{:.1},{y:.1} ", at / end * WIDTH);
        }
        page.push_str("\"/>");
    }
    page.push_str("</svg>");
}
