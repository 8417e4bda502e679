//! Pairs of measurements, and the table that they end in.

/// How many pairs make a ratio.
pub(crate) const PAIRS: usize = 5;

/// What a line's figure must be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// Nothing of ours: what the machine allows, for the lines beside it.
    None,
    AtLeast(f64),
    AtMost(f64),
}

/// One line of the table.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    /// What was measured, and what it was held against.
    pub(crate) detail: String,
    pub(crate) figure: f64,
    pub(crate) target: Target,
}

/// Two things measured in turn, so that a machine whose speed drifts treats both alike.
pub(crate) struct Pair {
    pub(crate) ours: f64,
    pub(crate) other: f64,
    /// The median of the pairs' ratios.
    pub(crate) ratio: f64,
}

/// Measures both, again and again.
pub(crate) fn pair(mut ours: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> Pair {
    let pairs: Vec<(f64, f64)> = (0..PAIRS).map(|_| (ours(), other())).collect();
    Pair {
        ours: median(pairs.iter().map(|p| p.0)),
        other: median(pairs.iter().map(|p| p.1)),
        ratio: median(pairs.iter().map(|p| p.0 / p.1)),
    }
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Pair {
    /// A line of rates and their ratio.
    pub(crate) fn line(&self, what: &'static str, other: &str, target: Target) -> Line {
        let detail = format!("{:.0}/s against {:.0}/s ({other})", self.ours, self.other);
        Line { what, detail, figure: self.ratio, target }
    }
}

/// Prints a line as soon as it is known.
pub(crate) fn show(line: &Line) {
    let verdict = |met| if met { "met" } else { "MISSED" };
    let (target, verdict) = match line.target {
        Target::None => (String::new(), ""),
        Target::AtLeast(target) => (format!(">= {target}"), verdict(line.figure >= target)),
        Target::AtMost(target) => (format!("<= {target}"), verdict(line.figure <= target)),
    };
    println!("| {:<44} | {:>8.2} | {target:<9} | {verdict:<6} | {} |", line.what, line.figure, line.detail);
}

/// Prints the head of the table.
pub(crate) fn head() {
    println!("| {:<44} | {:>8} | {:<9} | {:<6} | measured |", "line", "figure", "target", "");
    println!("| {0:-<44} | {0:->8} | {0:-<9} | {0:-<6} | {0:-<8} |", "");
}
