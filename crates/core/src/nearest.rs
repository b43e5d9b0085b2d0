//! What somebody probably meant who mistyped a name out of a closed list.

/// Returns the candidate nearest to `word` by letters to change, when one is near at all.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 1 + word.len() / 4)
        .map(|(_, candidate)| candidate)
}

/// Says that `name` is no `what` of a closed list: with what was probably meant, else with the whole list.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(40).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} {shown:?}; did you mean {near:?}?"),
        None => format!(
            "there is no {what} {shown:?}; there are {}",
            known.join(", ")
        ),
    }
}

/// Returns up to five candidates that a mistyped `word` may stand for, the likeliest first: those
/// that hold one of its parts (`import` → `unresolved-import`) after the nearest by letters.
pub fn likely<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    let mut likely: Vec<&str> = nearest(word, candidates.clone()).into_iter().collect();
    let parts: Vec<_> = parts(word).filter(|part| part.len() > 2).collect();
    let mut sharing: Vec<_> = candidates
        .map(|candidate| {
            let shared = parts
                .iter()
                .filter(|part| self::parts(candidate).any(|own| own.starts_with(**part)))
                .count();
            (shared, candidate)
        })
        .filter(|(shared, candidate)| *shared > 0 && !likely.contains(candidate))
        .collect();
    sharing.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    likely.extend(sharing.into_iter().map(|(_, candidate)| candidate));
    likely.truncate(5);
    likely
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [&str; 4] = [
        "unresolved-import",
        "import-side-effect",
        "no-ci",
        "readme-path",
    ];

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        assert_eq!(
            nearest("readme-pth", RULES.into_iter()),
            Some("readme-path")
        );
        assert_eq!(nearest("quota", RULES.into_iter()), None);
    }

    #[test]
    fn a_part_of_a_name_finds_those_that_have_it() {
        assert_eq!(
            likely("missing-import", RULES.into_iter()),
            ["import-side-effect", "unresolved-import"]
        );
        assert_eq!(
            likely("unresolvd-import", RULES.into_iter())[0],
            "unresolved-import"
        );
        assert_eq!(likely("nonsense", RULES.into_iter()), [""; 0]);
    }
}
