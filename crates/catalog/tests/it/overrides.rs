//! A folder of overrides: what is right replaces, what is wrong is told in full and changes nothing.

use std::path::Path;

use tradewind_catalog::{Catalog, LoadError};

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

fn builtin(name: &str) -> String {
    let files = Catalog::builtin_files();
    files
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
        .to_owned()
}

fn places(loaded: &tradewind_catalog::Loaded) -> Vec<(String, u32, u32)> {
    let file = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    loaded
        .mistakes
        .iter()
        .map(|m| (file(&m.file), m.line, m.column))
        .collect()
}

/// Line and column, from 1, of `needle` in `text`.
fn place(text: &str, needle: &str) -> (u32, u32) {
    let before = &text[..text.find(needle).unwrap()];
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (
        u32::try_from(before.matches('\n').count() + 1).unwrap(),
        u32::try_from(column).unwrap(),
    )
}

#[test]
fn a_right_file_replaces_its_provider_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "fred.toml",
        &builtin("fred").replace("limit = 120", "limit = 60"),
    );
    write(dir.path(), "notes.txt", "not a catalog file");
    let loaded = Catalog::load(dir.path()).unwrap();
    assert_eq!(loaded.mistakes, []);
    assert_eq!(
        loaded.catalog.provider("fred").unwrap().plans[0].windows[0].limit,
        60
    );
    assert_eq!(
        loaded.catalog.provider("kraken"),
        Catalog::builtin().provider("kraken")
    );
    assert_eq!(loaded.catalog.providers().count(), 12);
}

#[test]
fn every_mistake_of_a_file_is_told_with_line_and_column_and_the_former_stays() {
    let dir = tempfile::tempdir().unwrap();
    let text = builtin("fred")
        .replace("role = \"data\"", "rôle = \"data\"")
        .replace("limit = 120", "limit = \"many\"")
        .replace("use_case = \"economic\"", "use_case = \"magic\"")
        .replace("per = \"1 minute\"", "per = \"1 moment\"");
    // A bare key takes ASCII letters only; quote it, so that the file is TOML.
    let text = text.replace("rôle", "\"rôle\"");
    write(dir.path(), "fred.toml", &text);
    let loaded = Catalog::load(dir.path()).unwrap();
    let expected: Vec<_> = ["\"rôle\"", "\"many\"", "\"1 moment\"", "\"magic\""]
        .iter()
        .map(|needle| place(&text, needle))
        .map(|(line, column)| ("fred.toml".to_owned(), line, column))
        .collect();
    assert_eq!(places(&loaded), expected, "{:#?}", loaded.mistakes);
    assert_eq!(loaded.catalog, Catalog::builtin());
}

#[test]
fn a_contradiction_is_told_at_its_place_and_the_former_stays() {
    let dir = tempfile::tempdir().unwrap();
    let text = builtin("fred")
        .replace("limit = 120", "limit = 0")
        .replace("\"FRED_KEY\"", "\"TIINGO_TOKEN\"");
    write(dir.path(), "fred.toml", &text);
    let loaded = Catalog::load(dir.path()).unwrap();
    let (env_line, env_column) = place(&text, "\"TIINGO_TOKEN\"");
    let (limit_line, _) = place(&text, "limit = 0");
    let expected = [
        ("fred.toml".to_owned(), env_line, env_column),
        ("fred.toml".to_owned(), limit_line, 9),
    ];
    assert_eq!(places(&loaded), expected, "{:#?}", loaded.mistakes);
    assert!(
        loaded.mistakes[0]
            .to_string()
            .ends_with("variable `TIINGO_TOKEN` is claimed by tiingo too (shared-variable)")
    );
    assert_eq!(loaded.catalog, Catalog::builtin());
}

#[test]
fn one_bad_file_does_not_keep_a_good_one_out() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "binance.toml", "name = \n");
    write(
        dir.path(),
        "fred.toml",
        &builtin("fred").replace("limit = 120", "limit = 60"),
    );
    let loaded = Catalog::load(dir.path()).unwrap();
    assert!(!loaded.mistakes.is_empty());
    assert!(
        loaded
            .mistakes
            .iter()
            .all(|m| m.file.ends_with("binance.toml")),
        "{:#?}",
        loaded.mistakes
    );
    assert_eq!(
        loaded.catalog.provider("fred").unwrap().plans[0].windows[0].limit,
        60
    );
    assert!(loaded.catalog.provider("binance").is_some());
}

#[test]
fn a_file_is_named_after_its_provider() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "federal.toml", &builtin("fred"));
    let loaded = Catalog::load(dir.path()).unwrap();
    assert_eq!(loaded.mistakes.len(), 1);
    assert!(
        loaded.mistakes[0].message.contains("fred.toml"),
        "{}",
        loaded.mistakes[0]
    );
}

#[test]
fn an_empty_a_huge_a_foreign_and_a_deep_file_are_told_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.toml", "");
    write(dir.path(), "b.toml", &"# long\n".repeat(200_000));
    write(dir.path(), "c.toml", "[package]\nname = \"x\"\n");
    let deep = format!("a = {}", "[".repeat(200_000));
    write(dir.path(), "d.toml", &deep);
    std::fs::create_dir(dir.path().join("e.toml")).unwrap();
    let loaded = Catalog::load(dir.path()).unwrap();
    for file in ["a.toml", "b.toml", "c.toml", "d.toml"] {
        assert!(
            loaded.mistakes.iter().any(|m| m.file.ends_with(file)),
            "{file}: {:#?}",
            loaded.mistakes
        );
    }
    assert_eq!(loaded.catalog, Catalog::builtin());
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Catalog::load(&dir.path().join("none"));
    assert!(matches!(missing, Err(LoadError::Unreadable { .. })));
}

#[test]
fn a_file_that_is_no_text_is_told_where_it_ends_to_be_one_and_keeps_no_other_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("binance.toml"), b"name = 'b'\n# \xff").unwrap();
    write(
        dir.path(),
        "fred.toml",
        &builtin("fred").replace("limit = 120", "limit = 60"),
    );
    let loaded = Catalog::load(dir.path()).unwrap();
    assert_eq!(places(&loaded), [("binance.toml".to_owned(), 2, 3)]);
    let fred = loaded.catalog.provider("fred").unwrap();
    assert_eq!(fred.plans[0].windows[0].limit, 60);
    assert!(loaded.catalog.provider("binance").is_some());
}

#[test]
fn too_many_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..257 {
        write(dir.path(), &format!("p{n}.toml"), "");
    }
    assert!(matches!(
        Catalog::load(dir.path()),
        Err(LoadError::TooMany { .. })
    ));
}

mod hostile {
    use proptest::prelude::*;
    use tradewind_catalog::Catalog;

    proptest! {
        #[test]
        fn no_text_panics_or_changes_the_catalog_unless_it_is_right(
            at in any::<prop::sample::Index>(), cut in 0..40_usize, put in "\\PC{0,12}",
        ) {
            let text = Catalog::builtin_files()[5].1;
            let mut start = at.index(text.len());
            while !text.is_char_boundary(start) { start -= 1; }
            let mut end = (start + cut).min(text.len());
            while !text.is_char_boundary(end) { end += 1; }
            let changed = format!("{}{put}{}", &text[..start], &text[end..]);
            let loaded = Catalog::builtin_shared().clone().overlay([("fred.toml".into(), changed)]);
            if !loaded.mistakes.is_empty() {
                prop_assert_eq!(&loaded.catalog, Catalog::builtin_shared());
            }
        }
    }
}
