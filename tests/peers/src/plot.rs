//! The plot: a panel for each number in flight, a bar for each system, as SVG.

use crate::peers::System;
use crate::report::Report;
use std::fmt::Write;

const WIDTH: usize = 860;
const LEFT: usize = 220;
const BAR: usize = 20;
const GAP: usize = 8;
const HEAD: usize = 44;
/// The longest bar; what stands behind it has its place too.
const LONGEST: f64 = 330.0;

/// Draws it.
pub(crate) fn svg(report: &Report) -> String {
    let (mut body, mut y) = (String::new(), HEAD);
    for in_flight in &report.in_flight {
        panel(&mut body, &mut y, report, *in_flight);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"17\">Durable hand-overs per second, 2 KiB, received and acknowledged</text>\n\
         {body}</svg>\n"
    )
}

fn panel(body: &mut String, y: &mut usize, report: &Report, in_flight: u32) {
    let all: Vec<_> = System::ALL.into_iter().filter_map(|s| Some((s, report.of(s, in_flight)?))).collect();
    let most = all.iter().map(|(_, m)| m.per_second).fold(1.0, f64::max);
    *y += 22;
    // Writing to a string cannot fail.
    let _ = writeln!(body, "<text x=\"16\" y=\"{y}\" font-weight=\"bold\">{in_flight} in flight</text>");
    *y += GAP;
    for (system, m) in all {
        let (long, text_y) = (m.per_second / most * LONGEST, *y + 15);
        let colour = if system.is_ours() { "#b3261e" } else { "#7d8da1" };
        let ratio = report.ours_over(system, in_flight).filter(|_| !system.is_ours());
        let ratio = ratio.map_or(String::new(), |r| format!(", ours is {r:.2} ×"));
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{long:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{text_y}\">{:.0}/s, p50 {:.1} ms, p99 {:.1} ms{ratio}</text>",
            LEFT - 8,
            system.title(),
            LEFT as f64 + long + 8.0,
            m.per_second,
            m.p50_ms,
            m.p99_ms,
        );
        *y += BAR + GAP;
    }
}
