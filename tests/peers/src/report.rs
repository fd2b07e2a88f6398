//! What was measured: medians over turns, and ratios to ours.

use crate::load::Measured;
use crate::peers::System;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::json;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) in_flight: Vec<u32>,
    /// One append with `fdatasync`, of each turn.
    pub(crate) raw: Vec<f64>,
    measured: Vec<(System, Measured)>,
}

impl Report {
    pub(crate) fn new(in_flight: &[u32]) -> Self {
        Self { in_flight: in_flight.to_vec(), raw: Vec::new(), measured: Vec::new() }
    }

    pub(crate) fn add(&mut self, system: System, measured: Vec<Measured>) {
        self.measured.extend(measured.into_iter().map(|m| (system, m)));
    }

    /// Medians over turns; `None` when it was not measured.
    pub(crate) fn of(&self, system: System, in_flight: u32) -> Option<Measured> {
        let turns =
            || self.measured.iter().filter(|(s, m)| *s == system && m.in_flight == in_flight).map(|(_, m)| m);
        Some(Measured {
            in_flight,
            per_second: median(turns().map(|m| m.per_second))?,
            p50_ms: median(turns().map(|m| m.p50_ms))?,
            p99_ms: median(turns().map(|m| m.p99_ms))?,
        })
    }

    /// Throughput of ours over that of another.
    pub(crate) fn ours_over(&self, system: System, in_flight: u32) -> Option<f64> {
        Some(self.of(System::Lienthong, in_flight)?.per_second / self.of(system, in_flight)?.per_second)
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "in flight",
            "system",
            "per second",
            "p50 ms",
            "p99 ms",
            "ours / it",
            "its p99 / ours",
        ]);
        for in_flight in &self.in_flight {
            let ours = self.of(System::Lienthong, *in_flight);
            for system in System::ALL {
                let Some(m) = self.of(system, *in_flight) else { continue };
                let ratio = |value: Option<f64>| {
                    value.filter(|_| !system.is_ours()).map_or(String::new(), |r| format!("{r:.2}"))
                };
                table.add_row([
                    in_flight.to_string(),
                    system.title().to_owned(),
                    format!("{:.0}", m.per_second),
                    format!("{:.2}", m.p50_ms),
                    format!("{:.2}", m.p99_ms),
                    ratio(self.ours_over(system, *in_flight)),
                    ratio(ours.map(|o| m.p99_ms / o.p99_ms)),
                ]);
            }
        }
        let numbers = table.column_iter_mut().enumerate().filter(|(n, _)| *n != 1);
        numbers.for_each(|(_, column)| column.set_cell_alignment(CellAlignment::Right));
        format!("{table}\n{}\n{}", self.about_the_disk(), CAVEATS)
    }

    fn about_the_disk(&self) -> String {
        let Some(raw) = median(self.raw.iter().copied()) else { return String::new() };
        let mut text = format!("one raw append of 2 KiB and fdatasync: {raw:.3} ms");
        for (system, until) in [(System::Lienthong, "consumer"), (System::Receipt, "receipt at the giver")] {
            if let Some(ours) = self.of(system, 1) {
                text +=
                    &format!("; p50 of ours at 1 in flight to the {until}: {:.2} of them", ours.p50_ms / raw);
            }
        }
        text
    }

    /// For programs: every turn.
    pub(crate) fn json(&self) -> serde_json::Value {
        let one = |(system, m): &(System, Measured)| {
            json!({ "system": system.name(), "in_flight": m.in_flight, "per_second": m.per_second,
                    "p50_ms": m.p50_ms, "p99_ms": m.p99_ms })
        };
        json!({ "raw_append_ms": self.raw, "turns": self.measured.iter().map(one).collect::<Vec<_>>() })
    }
}

/// What a reader must know of the comparison.
const CAVEATS: &str = "\
Medians over turns, all on this one machine; only ratios are worth quoting. One hand-over: 2 KiB durable before the
producer is told, received and acknowledged by the consumer. Ours is signed on both sides and durable in two ledgers
before its consumer hears of it; the others keep one copy. With \"receipt at giver\" it also counts until the receiver's
signed receipt is durable in the giver's ledger, of which the others have nothing. RabbitMQ does not confirm an
acknowledgement, so it counts when it is sent and nothing about it is durable; \"consumer syncs too\" has on the consumer's
disk what it acknowledges, as all the others have. Consumers of PostgreSQL are woken for nothing, inside the process
that measures.";

/// The middle one.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
