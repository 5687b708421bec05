//! The lines of a price drift: the stored price beside the recomputed one.

use nightshift_domain::pricing::Line;
use nightshift_domain::reconciliation::DriftView;

use crate::web::pages::kit::money;

/// One line of both prices as text. It is empty for a price without this line.
pub(super) struct Compared {
    pub(super) label: String,
    pub(super) stored: String,
    pub(super) recomputed: String,
}

impl Compared {
    pub(super) fn differs(&self) -> bool {
        self.stored != self.recomputed
    }
}

/// Returns the lines of both prices: the stored ones in their order, then those that are only in the recomputed price.
pub(super) fn lines(drift: &DriftView) -> Vec<Compared> {
    let recomputed = drift.detail.0["recomputedLines"].clone();
    let mut recomputed: Vec<Line> = serde_json::from_value(recomputed).unwrap_or_default();
    let words = |line: &Line| {
        let (unit, amount) = (money(&line.unit_minor, &drift.currency), money(&line.amount_minor, &drift.currency));
        format!("{} × {unit} = {amount}", line.units)
    };
    let mut lines = Vec::new();
    for stored in &drift.stored_lines.0 {
        let same = recomputed.iter().position(|line| line.code == stored.code);
        let now = same.map_or_else(String::new, |at| words(&recomputed.remove(at)));
        lines.push(Compared { label: stored.label.clone(), stored: words(stored), recomputed: now });
    }
    let new = |line: &Line| Compared { label: line.label.clone(), stored: String::new(), recomputed: words(line) };
    lines.extend(recomputed.iter().map(new));
    lines
}
