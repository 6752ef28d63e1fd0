//! The table of measurements, in Markdown. The benches of several crates share it.

use std::{
    fmt,
    ops::{Bound, RangeBounds},
};

/// What was measured, once a round.
#[derive(Debug)]
pub(crate) struct Figures {
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Figures {
    pub(crate) fn new(unit: &'static str) -> Self {
        Self { unit, rounds: Vec::new() }
    }

    pub(crate) fn add(&mut self, figure: f64) {
        self.rounds.push(figure);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Each round's figure over the other's of the same round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        let pairs = self.rounds.iter().zip(&other.rounds);
        Self { unit: "", rounds: pairs.map(|(ours, theirs)| ours / theirs).collect() }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self
            .rounds
            .iter()
            .fold((f64::MAX, f64::MIN), |(least, most), figure| (least.min(*figure), most.max(*figure)));
        write!(f, "{}{} ({} to {})", number(self.median()), self.unit, number(least), number(most))
    }
}

/// Prints what was measured with its goal: a range for its median or, beside another figure, for the median of their
/// ratios. Without a goal (`..`) it is only told.
pub(crate) fn row(what: &str, ours: &Figures, beside: Option<(&str, &Figures)>, goal: impl RangeBounds<f64>) {
    let (beside, median, unit) = match beside {
        Some((name, theirs)) => {
            let ratio = ours.over(theirs);
            (format!("{name} | {theirs} | {ratio}"), ratio.median(), "")
        }
        None => ("– | – | –".to_owned(), ours.median(), ours.unit),
    };
    let wanted = match (goal.start_bound(), goal.end_bound()) {
        (Bound::Included(least), _) => format!("at least {}{unit}", number(*least)),
        (_, Bound::Excluded(most)) => format!("below {}{unit}", number(*most)),
        (Bound::Unbounded, Bound::Unbounded) => "–".to_owned(),
        _ => unreachable!("a goal is at least something or below something"),
    };
    let met = match (wanted.as_str(), goal.contains(&median)) {
        ("–", _) => "–",
        (_, true) => "yes",
        (_, false) => "**no**",
    };
    println!("| {what} | {ours} | {beside} | {wanted} | {met} |");
}

/// Three digits, and from a thousand on every whole one, in groups.
fn number(figure: f64) -> String {
    if figure.abs() < 999.5 {
        let decimals = match figure.abs() {
            small if small < 0.995 => 3,
            small if small < 9.95 => 2,
            small if small < 99.5 => 1,
            _ => 0,
        };
        let fixed = format!("{figure:.decimals$}");
        return if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fixed };
    }
    let whole = format!("{figure:.0}");
    let group = |(index, digit): (usize, char)| {
        let comma = index > 0 && (whole.len() - index).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    whole.chars().enumerate().flat_map(group).collect()
}
