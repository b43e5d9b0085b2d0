//! The house's rules, read from the manifests and files: floors, doors, length.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which floor each room is on (ARCHITECTURE.md, "The rooms"). A room imports lower floors only.
const FLOORS: &[(&str, u32)] = &[
    ("core", 0),
    ("journal", 1),
    ("host", 1),
    ("catalog", 1),
    ("engine", 2),
    ("repo", 2),
    ("quota", 2),
    ("narrator", 2),
    ("sandbox", 2),
    ("market", 3),
    ("delivery", 3),
    ("docs", 3),
    ("insight", 3),
    ("tradewind", 4),
];

/// Lines before the tests that a source file may have at most.
const MAX_LINES: usize = 1_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn rooms() -> Vec<String> {
    let mut rooms: Vec<_> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    rooms.sort();
    rooms
}

fn manifest(room: &str) -> toml::Table {
    let path = root().join("crates").join(room).join("Cargo.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// Names of everything that a room depends on, its tests included.
fn dependencies(room: &str) -> Vec<String> {
    let manifest = manifest(room);
    let mut tables = vec![manifest.clone()];
    let targets = manifest.get("target").and_then(|t| t.as_table());
    tables.extend(
        targets
            .into_iter()
            .flat_map(|t| t.values())
            .filter_map(|t| t.as_table().cloned()),
    );
    tables
        .iter()
        // Tests may look upwards no more than code may: a cycle in tests is a cycle in heads.
        .flat_map(|t| {
            ["dependencies", "build-dependencies", "dev-dependencies"]
                .map(|name| t.get(name).cloned())
        })
        .flatten()
        .flat_map(|t| {
            t.as_table()
                .cloned()
                .unwrap_or_default()
                .into_iter()
                .map(|(name, _)| name)
        })
        .collect()
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn no_room_imports_its_own_floor_or_a_higher_one() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    for room in rooms() {
        let floor = *floors
            .get(room.as_str())
            .unwrap_or_else(|| panic!("room {room} is on no floor"));
        for name in dependencies(&room) {
            if let Some(other) = name.strip_prefix("tradewind-") {
                assert!(
                    floors[other] < floor,
                    "{room} (floor {floor}) imports {other} (floor {})",
                    floors[other]
                );
            }
        }
    }
}

#[test]
fn each_door_to_the_outside_is_in_one_room() {
    for (owner, names) in [
        ("journal", vec!["rusqlite"]),
        ("host", vec!["reqwest", "notify", "rustix"]),
    ] {
        for room in rooms().iter().filter(|room| *room != owner) {
            for name in dependencies(room) {
                assert!(
                    !names.contains(&name.as_str()),
                    "{room} depends on {name}, which belongs to {owner}"
                );
            }
        }
    }
}

#[test]
fn every_source_file_has_a_header_and_a_bounded_length() {
    let mut files = Vec::new();
    for room in rooms() {
        sources(&root().join("crates").join(&room).join("src"), &mut files);
    }
    assert!(files.len() > 50, "found only {} files", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no header", path.display());
        let lines = text.lines().take_while(|l| *l != "#[cfg(test)]").count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        assert!(
            path.file_name().unwrap() != "mod.rs",
            "{}: a module is foo.rs beside foo/",
            path.display()
        );
    }
}

#[test]
fn every_test_file_is_compiled() {
    for room in rooms() {
        let it = root().join("crates").join(&room).join("tests/it");
        let Ok(main) = std::fs::read_to_string(it.join("main.rs")) else {
            continue;
        };
        for entry in std::fs::read_dir(&it).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|e| e == "rs") && stem != "main" {
                assert!(
                    main.contains(&format!("mod {stem};")),
                    "{} is in no test binary",
                    path.display()
                );
            }
        }
    }
}

/// Lines of the table in docs/decisions/0002-dependencies.md: a crate and the rooms that it is for.
fn decided() -> BTreeMap<String, BTreeSet<String>> {
    let path = root().join("docs/decisions/0002-dependencies.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut decided = BTreeMap::new();
    let lines = text.lines().filter(|line| line.starts_with("| "));
    for line in lines.filter(|line| !line.starts_with("| Crate ")) {
        let words = |cell: &str| cell.split(',').map(|word| word.trim().to_owned()).collect();
        let cells: Vec<_> = line.trim_matches('|').split('|').collect();
        let names: Vec<String> = words(cells[0]);
        for name in names {
            let rooms: Vec<String> = words(cells[1]);
            let again = decided.insert(name, rooms.into_iter().collect());
            assert!(again.is_none(), "a crate stands there twice: {line}");
        }
    }
    decided
}

#[test]
fn every_dependency_is_decided_and_used_where_the_decision_says() {
    let mut used = BTreeMap::<String, BTreeSet<String>>::new();
    for room in rooms() {
        let manifest = manifest(&room);
        let targets = manifest.get("target").and_then(|t| t.as_table());
        let targets = targets.into_iter().flat_map(|t| t.values());
        for table in targets.filter_map(|t| t.as_table()).chain([&manifest]) {
            for (section, place) in [
                ("dependencies", room.as_str()),
                ("build-dependencies", room.as_str()),
                ("dev-dependencies", "tests"),
            ] {
                let names = table.get(section).and_then(|t| t.as_table());
                for name in names.into_iter().flat_map(|t| t.keys()) {
                    if !name.starts_with("tradewind-") {
                        used.entry(name.clone())
                            .or_default()
                            .insert(place.to_owned());
                    }
                }
            }
        }
    }
    let decided = decided();
    for (name, rooms) in &used {
        let Some(said) = decided.get(name) else {
            panic!("{name} of {rooms:?} is not in docs/decisions/0002-dependencies.md");
        };
        assert!(
            said.contains("all") || said == rooms,
            "{name}: {said:?} is said, {rooms:?} is"
        );
    }
    for name in decided.keys() {
        assert!(used.contains_key(name), "nobody uses {name}");
    }
}

/// One version of everything is what Cargo.toml promises.
#[test]
fn every_version_stands_in_the_workspace_list() {
    for room in rooms() {
        let manifest = manifest(&room);
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let table = manifest.get(section).and_then(|t| t.as_table());
            for (name, value) in table.into_iter().flatten() {
                let is_inherited = value.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(
                    is_inherited,
                    Some(true),
                    "{room}: {name} has a version of its own"
                );
            }
        }
    }
}
