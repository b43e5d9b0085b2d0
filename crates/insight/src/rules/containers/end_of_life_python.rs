//! Pythons that get no more corrections.

use std::collections::BTreeMap;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::pythons::{Place, Pythons};
use crate::quotes::is_shelved;
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::releases::end_of_python;

/// Pythons that get no more corrections.
#[derive(Debug)]
pub struct EndOfLifePython;

const ABOUT: About = About {
    id: "end-of-life-python",
    title: "Pythons that get no more corrections",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "Holes in it stay open, brokers' packages stop releasing for it, and one day the image can no longer be built.",
    action: "Raise it to a Python that is still maintained, in the image, the pin and CI together.",
    after: &["image-python-contradiction"],
};

impl Rule for EndOfLifePython {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let pythons = Pythons::of(context);
        let mut files: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for place in pythons.all().filter(|place| !is_shelved(&place.path)) {
            files.entry(&place.path).or_default().push(place);
        }
        // A matrix may well test an old one beside new ones.
        files.retain(|_, places| {
            places
                .iter()
                .all(|place| end_of_python(place.minor).is_some_and(|end| end < context.today))
        });
        let Some((path, places)) = files.iter().next() else {
            return;
        };
        let Some((place, end)) = places
            .first()
            .and_then(|place| Some((place, end_of_python(place.minor)?)))
        else {
            return;
        };
        let more = match files.len() {
            1 => String::new(),
            many => format!(" and {} more files", many - 1),
        };
        let title = format!(
            "{path}{more}: Python 3.{} had its last correction by {end}",
            place.minor
        );
        let evidence = files
            .iter()
            .filter_map(|(path, places)| {
                let place = places.first()?;
                Some(context.quote_with(path, place.line, &format!("Python 3.{}", place.minor)))
            })
            .collect();
        findings.add(title, evidence);
    }
}
