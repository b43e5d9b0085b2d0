//! Lint: what cannot be true, or cannot be used, in a catalog that parses.
//!
//! Why beside the types: a wrong fact is believed by every room that rations, caches and audits. A file
//! with a finding is not put in force. Not here: mistakes of form (the reader says those), and whether a
//! fact is true in the world.

mod endpoints;
mod facts;
mod limits;
mod names;
mod offers;
mod streams;

use std::fmt;

use crate::provider::Provider;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal,)+) => {
        /// What a finding is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the rule's name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                }
            }

            /// Returns what the rule forbids, a sentence.
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+),)+
                }
            }
        }
    };
}

rules! {
    /// The provider has a name that no file can have.
    BadName = "bad-name",
    /// The provider has no host, plan, endpoint or way to authenticate.
    Incomplete = "incomplete",
    /// Two things of one kind have the same id.
    DuplicateId = "duplicate-id",
    /// An endpoint, window or authentication is on a host group that is not declared.
    UndeclaredHost = "undeclared-host",
    /// Something refers to a credential, plan, window, endpoint or interval that is not declared.
    UnknownReference = "unknown-reference",
    /// Two host groups, of one provider or of two, claim the same name.
    SharedHost = "shared-host",
    /// Two providers claim the same environment variable.
    SharedVariable = "shared-variable",
    /// A window allows nothing, or lasts no time.
    ZeroWindow = "zero-window",
    /// A limit does not say for whom it is counted.
    LimitWithoutScope = "limit-without-scope",
    /// A plan that is free stands behind one that is not.
    PaidBeforeFree = "paid-before-free",
    /// Calls have a weight that no window counts.
    UncountedWeight = "uncounted-weight",
    /// The cheapest call of an endpoint costs more than a window of its plans holds.
    Unaffordable = "unaffordable",
    /// Bands of a cost do not rise, or a lot has no rows.
    BadBands = "bad-bands",
    /// A cost, page or condition names a parameter that the endpoint does not have.
    UnknownParameter = "unknown-parameter",
    /// A placeholder of the path is no parameter, or a parameter of the path no placeholder.
    PathParameter = "path-parameter",
    /// No call can reach the endpoint: another one takes all of its calls.
    UnreachableEndpoint = "unreachable-endpoint",
    /// A data endpoint does not say how a good answer is recognised.
    MissingSuccess = "missing-success",
    /// A default is not among the values, or above the maximum.
    BadDefault = "bad-default",
    /// An unconfirmed fact does not say what is in doubt.
    UnconfirmedWithoutNote = "unconfirmed-without-note",
    /// A regular expression does not compile.
    BadShape = "bad-shape",
    /// A credential is declared that no authentication carries.
    IdleCredential = "idle-credential",
    /// A summary, note or quirk is no sentence: it starts with a small letter or ends without a full stop.
    NoSentence = "no-sentence",
    /// A refusal fits every answer, so those behind it are never looked at.
    BoundlessRefusal = "boundless-refusal",
    /// The mapping of an offer does not compile.
    BadMapping = "bad-mapping",
    /// The length of a bar is none of ours, or stands twice.
    BadInterval = "bad-interval",
    /// An offer gives a parameter a value that it does not take.
    BadValue = "bad-value",
    /// A zone is not in the list of time zones, or has days that cannot hold the bars.
    BadZone = "bad-zone",
    /// An offer lacks something without which no call can be made or no answer read.
    UnusableOffer = "unusable-offer",
    /// A stream lacks something without which it cannot be followed, or says it twice.
    UnusableStream = "unusable-stream",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The provider's name.
    pub provider: String,
    /// Keys and indexes that lead to the place in its file.
    pub path: Vec<String>,
    /// What it is about.
    pub rule: Rule,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {} ({})",
            self.provider,
            self.path.join("."),
            self.message,
            self.rule
        )
    }
}

/// Returns every contradiction in and between `providers`, sorted.
pub fn lint<'p>(providers: impl IntoIterator<Item = &'p Provider>) -> Vec<Finding> {
    let providers: Vec<_> = providers.into_iter().collect();
    let mut findings: Vec<_> = providers
        .iter()
        .flat_map(|provider| lint_one(provider, providers.iter().copied()))
        .collect();
    findings.sort();
    findings
}

/// Returns every contradiction in `provider`, and between it and `others`, sorted. What is among the
/// others under its own name is not compared.
pub fn lint_one<'p>(
    provider: &Provider,
    others: impl IntoIterator<Item = &'p Provider>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sink = Sink {
        provider,
        findings: &mut findings,
    };
    names::check(provider, &mut sink);
    limits::check(provider, &mut sink);
    endpoints::check(provider, &mut sink);
    facts::check(provider, &mut sink);
    offers::check(provider, &mut sink);
    streams::check(provider, &mut sink);
    for other in others
        .into_iter()
        .filter(|other| other.name != provider.name)
    {
        names::check_pair(provider, other, &mut sink);
    }
    findings.sort();
    findings.dedup();
    findings
}

/// Collects findings of one provider.
struct Sink<'a> {
    provider: &'a Provider,
    findings: &'a mut Vec<Finding>,
}

impl Sink<'_> {
    fn say(&mut self, rule: Rule, path: &[&dyn fmt::Display], message: impl Into<String>) {
        self.findings.push(Finding {
            provider: self.provider.name.clone(),
            path: path.iter().map(ToString::to_string).collect(),
            rule,
            message: message.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_own_name_and_a_sentence() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
        assert!(
            Rule::ALL
                .iter()
                .all(|rule| rule.doc().trim().ends_with('.'))
        );
    }
}
