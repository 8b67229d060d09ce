//! Lines over time, as a page to look at.

use std::fmt::Write as _;

/// A line.
pub(super) struct Series {
    /// What the legend says.
    pub(super) name: String,
    /// Seconds, values.
    pub(super) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 180.0;
const COLOURS: [&str; 8] = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2",
];

/// A page with a chart for each title, query and lines.
pub(super) fn page(title: &str, charts: &[(String, &String, &Vec<Series>)]) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>\
         body{{font:14px sans-serif;margin:1rem}}main{{display:flex;flex-wrap:wrap;gap:1rem}}\
         section{{width:{WIDTH}px}}code{{font-size:10px;color:#555;word-break:break-all}}\
         h2{{font-size:14px;margin:0}}svg{{background:#f6f6f6}}</style><h1>{title}</h1><main>"
    );
    for (title, query, series) in charts {
        let _ = write!(page, "<section><h2>{}</h2>", escaped(title));
        chart(&mut page, series);
        let _ = write!(page, "<code>{}</code></section>", escaped(query));
    }
    page.push_str("</main></html>\n");
    page
}

fn chart(page: &mut String, series: &[Series]) {
    let points = || series.iter().flat_map(|one| &one.points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = points().map(of);
        values.fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(value), most.max(value))
        })
    };
    if points().next().is_none() {
        page.push_str("<p>No data</p>");
        return;
    }
    let (from, to) = range(|(at, _)| *at);
    let (least, most) = range(|(_, value)| *value);
    let least = least.min(0.0);
    let x = |at: f64| (at - from) / (to - from).max(1.0) * WIDTH;
    // A line at nothing is still to be seen.
    let y =
        |value: f64| (HEIGHT - 4.0) - (value - least) / (most - least).max(1e-12) * (HEIGHT - 20.0);
    let _ = write!(
        page,
        "<svg viewBox='0 0 {WIDTH} {HEIGHT}' width={WIDTH} height={HEIGHT} role=img>\
         <text x=4 y=12 font-size=11>{most:.6}</text>"
    );
    for (index, one) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line: Vec<String> = one
            .points
            .iter()
            .map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value)))
            .collect();
        let _ = write!(
            page,
            "<polyline fill=none stroke='{colour}' stroke-width=2 points='{}'/>",
            line.join(" ")
        );
    }
    page.push_str("</svg><p>");
    for (index, one) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let last = one.points.last().map_or(f64::NAN, |(_, value)| *value);
        let name = escaped(&one.name);
        let _ = write!(
            page,
            "<span style='color:{colour}'>■</span> {name} {last:.4} "
        );
    }
    page.push_str("</p>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
