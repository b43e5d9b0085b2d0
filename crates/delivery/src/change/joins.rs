//! Which changes belong together, and why.
//!
//! Every join has a fact behind it: a name that one change defines and another uses, a word that only these changes bring,
//! a test and the file that it is named after, a path that stands on a changed line, a lock file beside its manifest. Facts are
//! found between hunks. A file stays whole unless its hunks belong to groups that nothing else holds together. What has no
//! fact at all goes with its kind. Not here: what a hunk says ([`super::parts`]), the sequence of commits and their trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::How;
use super::parts::{File, Parts, is_common};
use super::role::{Role, folder_of, name_of, stem_of, tested};

/// A name that more files share says nothing about any two of them.
const MAX_SHARING: usize = 8;
/// Facts kept of one group.
const MAX_WHY: usize = 12;

/// What belongs into one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    /// By place of the file: which of its hunks.
    pub(super) files: BTreeMap<usize, BTreeSet<usize>>,
    /// Why, fact by fact.
    pub(super) why: Vec<String>,
}

/// One hunk.
type Unit = (usize, usize);

/// Groups the changed files.
pub(super) fn group(parts: &Parts) -> Vec<Set> {
    let mut joins = Joins::new(parts);
    joins.by_names();
    joins.settle_files();
    joins.by_files();
    joins.by_kind();
    joins.finish()
}

/// Sets of hunks that grow together.
struct Joins<'p> {
    parts: &'p Parts,
    units: Vec<Unit>,
    /// The first unit of each file.
    first: Vec<usize>,
    above: Vec<usize>,
    why: Vec<(usize, String)>,
    /// Units that some fact holds.
    is_held: Vec<bool>,
    by_path: HashMap<&'p str, usize>,
}

impl<'p> Joins<'p> {
    fn new(parts: &'p Parts) -> Self {
        let mut units = Vec::new();
        let mut first = Vec::new();
        for (at, file) in parts.files.iter().enumerate() {
            first.push(units.len());
            units.extend((0..file.hunks.len()).map(|hunk| (at, hunk)));
        }
        let by_path = parts
            .files
            .iter()
            .zip(0..)
            .map(|(file, at)| (file.name.as_str(), at));
        Self {
            above: (0..units.len()).collect(),
            is_held: vec![false; units.len()],
            by_path: by_path.collect(),
            parts,
            units,
            first,
            why: Vec::new(),
        }
    }

    fn file(&self, at: usize) -> Option<&'p File> {
        self.parts.files.get(at)
    }

    fn top(&mut self, unit: usize) -> usize {
        let mut at = unit;
        while let Some(above) = self.above.get(at).copied()
            && above != at
        {
            // Shorter for the next one.
            let next = self.above.get(above).copied().unwrap_or(above);
            if let Some(slot) = self.above.get_mut(at) {
                *slot = next;
            }
            at = next;
        }
        at
    }

    /// Joins two units; the fact is kept where it is the one that joined them.
    fn join(&mut self, a: usize, b: usize, why: impl FnOnce() -> String) {
        for unit in [a, b] {
            if let Some(held) = self.is_held.get_mut(unit) {
                *held = true;
            }
        }
        self.join_quietly(a, b, why);
    }

    fn join_quietly(&mut self, a: usize, b: usize, why: impl FnOnce() -> String) {
        let (a, b) = (self.top(a), self.top(b));
        if a == b {
            return;
        }
        // The earlier one stands for both, so that the same changes give the same groups.
        let (a, b) = (a.min(b), a.max(b));
        if let Some(above) = self.above.get_mut(b) {
            *above = a;
        }
        let why = why();
        if !why.is_empty() {
            self.why.push((a, why));
        }
    }

    /// Says whether words of a file's lines count.
    fn speaks(file: &File) -> bool {
        !matches!(file.role, Role::Data | Role::Made | Role::Lock) && !file.is_formatting
    }

    /// Joins hunks of different files by names.
    fn by_names(&mut self) {
        let mut by_name: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        let mut defined: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        for (unit, (at, hunk)) in self.units.iter().enumerate() {
            let Some(file) = self.parts.files.get(*at).filter(|file| Self::speaks(file)) else {
                continue;
            };
            let Some(hunk) = file.hunks.get(*hunk) else {
                continue;
            };
            for name in hunk.comes.union(&hunk.goes) {
                by_name.entry(name).or_default().push(unit);
            }
            for name in hunk.defines.iter().chain(&hunk.drops) {
                defined.entry(name).or_default().push(unit);
            }
        }
        for (name, units) in &by_name {
            let files: BTreeSet<usize> = units
                .iter()
                .filter_map(|unit| Some(self.units.get(*unit)?.0))
                .collect();
            if files.len() < 2 || files.len() > MAX_SHARING || name.len() < 4 || is_common(name) {
                continue;
            }
            if let Some(definers) = defined.get(name) {
                // What two files define under one name is a habit, such as `run`, and no reference.
                let in_files: BTreeSet<usize> = definers
                    .iter()
                    .filter_map(|unit| Some(self.units.get(*unit)?.0))
                    .collect();
                let is_told = Self::is_telling(name);
                if in_files.len() == 1 && is_told {
                    self.all_to(definers, units, name);
                    continue;
                }
            }
            let is_new = !self.parts.old_names.contains(*name);
            let is_gone = !self.parts.new_names.contains(*name);
            if (is_new || is_gone) && Self::is_telling(name) && files.len() <= 4 {
                let word = if is_new { "bring" } else { "drop" };
                let Some(one) = units.first().copied() else {
                    continue;
                };
                for other in units.iter().copied().skip(1) {
                    let (a, b) = (self.name(one), self.name(other));
                    if a != b {
                        self.join(one, other, || format!("{a} and {b} {word} the name {name}"));
                    }
                }
            }
        }
        self.by_inside();
    }

    fn all_to(&mut self, definers: &[usize], units: &[usize], name: &str) {
        let Some(one) = definers.first().copied() else {
            return;
        };
        for other in units.iter().copied() {
            let (a, b) = (self.name(one), self.name(other));
            if a != b {
                self.join(one, other, || {
                    format!("{b} uses {name}, which {a} defines or drops")
                });
            }
        }
    }

    /// Says whether a name is long or odd enough to mean one thing.
    fn is_telling(name: &str) -> bool {
        let has_capital_inside = name.chars().skip(1).any(char::is_uppercase);
        name.len() >= 6 || name.contains('_') || has_capital_inside
    }

    fn name(&self, unit: usize) -> String {
        let at = self.units.get(unit).map_or(0, |unit| unit.0);
        self.file(at)
            .map_or_else(String::new, |file| file.name.clone())
    }

    /// Joins a change inside of a definition with changed lines elsewhere that name the definition.
    fn by_inside(&mut self) {
        let mut inside: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        for (unit, (at, hunk)) in self.units.iter().enumerate() {
            let Some(file) = self.parts.files.get(*at).filter(|file| Self::speaks(file)) else {
                continue;
            };
            if file.role == Role::Test {
                // Nobody refers to a test.
                continue;
            }
            for name in file
                .hunks
                .get(*hunk)
                .into_iter()
                .flat_map(|hunk| &hunk.inside)
            {
                inside.entry(name).or_default().push(unit);
            }
        }
        for (name, units) in inside {
            let files: BTreeSet<usize> = units
                .iter()
                .filter_map(|unit| Some(self.units.get(*unit)?.0))
                .collect();
            if files.len() != 1 || !Self::is_telling(name) || is_common(name) {
                continue;
            }
            let Some(one) = units.first().copied() else {
                continue;
            };
            let others: Vec<usize> = self
                .units
                .iter()
                .enumerate()
                .filter(|(_, (at, hunk))| {
                    !files.contains(at)
                        && self
                            .file(*at)
                            .filter(|file| Self::speaks(file))
                            .is_some_and(|file| {
                                file.hunks
                                    .get(*hunk)
                                    .is_some_and(|hunk| hunk.mentions(name))
                            })
                })
                .map(|(unit, _)| unit)
                .collect();
            if others.is_empty() || others.len() > MAX_SHARING {
                continue;
            }
            for other in others {
                let (a, b) = (self.name(one), self.name(other));
                self.join(one, other, || {
                    format!("{b} names {name}, which changes in {a}")
                });
            }
            for same in units.iter().copied().skip(1) {
                self.join_quietly(one, same, String::new);
            }
        }
    }

    /// Keeps each file whole, unless its hunks are held by groups that nothing else joins.
    fn settle_files(&mut self) {
        for at in 0..self.parts.files.len() {
            let Some(file) = self.file(at) else { continue };
            let start = self.first.get(at).copied().unwrap_or_default();
            let units: Vec<usize> = (start..start + file.hunks.len()).collect();
            let held: Vec<usize> = units
                .iter()
                .copied()
                .filter(|unit| self.is_held.get(*unit).copied().unwrap_or_default())
                .collect();
            let tops: BTreeSet<usize> = held.iter().map(|unit| self.top(*unit)).collect();
            let is_split = file.can_split() && tops.len() > 1;
            if !is_split {
                if let Some(one) = units.first().copied() {
                    for other in units.iter().copied().skip(1) {
                        self.join_quietly(one, other, String::new);
                    }
                }
                continue;
            }
            // A hunk that nothing holds goes with the one that stands in the same definition, else with the nearest.
            for unit in units.iter().copied().filter(|unit| !held.contains(unit)) {
                let inside = |unit: usize| {
                    self.units
                        .get(unit)
                        .and_then(|(_, hunk)| file.hunks.get(*hunk))
                        .map(|h| &h.inside)
                };
                let mine = inside(unit);
                let nearest = held.iter().copied().min_by_key(|other| {
                    let is_same = mine.is_some_and(|mine| {
                        inside(*other)
                            .is_some_and(|other| other.iter().any(|name| mine.contains(name)))
                    });
                    (!is_same, other.abs_diff(unit), *other)
                });
                if let Some(nearest) = nearest {
                    self.join_quietly(nearest, unit, String::new);
                }
            }
        }
    }

    /// Returns the unit that stands for a file, if the file is in one group.
    fn whole(&mut self, at: usize) -> Option<usize> {
        let file = self.file(at)?;
        let start = self.first.get(at).copied()?;
        let tops: BTreeSet<usize> = (start..start + file.hunks.len())
            .map(|unit| self.top(unit))
            .collect();
        (tops.len() == 1).then_some(start)
    }

    /// Joins files that belong together as files.
    fn by_files(&mut self) {
        self.tests();
        self.paths();
        let mut folders: BTreeMap<&'p str, usize> = BTreeMap::new();
        for at in 0..self.parts.files.len() {
            let Some(file) = self.file(at) else { continue };
            if file.role == Role::Lock {
                self.lock(at, file);
            }
            // A file cannot come where a folder goes, or the other way round, but in one step.
            let mut above = folder_of(&file.name);
            while !above.is_empty() {
                if let Some(other) = self.by_path.get(above).copied() {
                    self.join_files(at, other, || {
                        format!("{} takes the place of another kind", file.name)
                    });
                }
                above = folder_of(above);
            }
            if file.role == Role::Data || file.role == Role::Made {
                continue;
            }
            if let Some(folder) = file.new_folder.as_deref() {
                match folders.get(folder).copied() {
                    Some(other) => self.join_files(at, other, || format!("{folder}/ is new")),
                    None => {
                        folders.insert(folder, at);
                    }
                }
            }
        }
    }

    fn join_files(&mut self, a: usize, b: usize, why: impl FnOnce() -> String) {
        if let (Some(a), Some(b)) = (self.whole(a), self.whole(b)) {
            self.join(a, b, why);
        }
    }

    /// Joins tests with what they are named after.
    fn tests(&mut self) {
        let mut by_stem: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        for (at, file) in self.parts.files.iter().enumerate() {
            if file.role == Role::Code && !file.is_formatting {
                by_stem.entry(stem_of(&file.name)).or_default().push(at);
            }
        }
        for at in 0..self.parts.files.len() {
            let Some(file) = self.file(at).filter(|file| !file.is_formatting) else {
                continue;
            };
            let Some(about) = tested(&file.name) else {
                continue;
            };
            if let Some([other]) = by_stem.get(about).map(Vec::as_slice) {
                let other = *other;
                let name = self.file(other).map_or("", |file| file.name.as_str());
                self.join_files(at, other, || format!("{} tests {name}", file.name));
            }
        }
    }

    /// Joins a changed line that names a path with what becomes of the path.
    fn paths(&mut self) {
        let mut by_last: BTreeMap<&'p str, Vec<usize>> = BTreeMap::new();
        for (at, file) in self.parts.files.iter().enumerate() {
            by_last.entry(name_of(&file.name)).or_default().push(at);
        }
        for unit in 0..self.units.len() {
            let Some((at, hunk)) = self.units.get(unit).copied() else {
                continue;
            };
            let Some(file) = self.file(at).filter(|file| Self::speaks(file)) else {
                continue;
            };
            let Some(lines) = &file.lines else { continue };
            let Some(hunk) = file.hunks.get(hunk) else {
                continue;
            };
            let (before, after) = (
                super::parts::split(&lines.before),
                super::parts::split(&lines.after),
            );
            let mut named: BTreeSet<usize> = BTreeSet::new();
            for edit in lines.edits.get(hunk.edits.clone()).unwrap_or_default() {
                let old = before.get(edit.old.clone()).unwrap_or_default();
                let new = after.get(edit.new.clone()).unwrap_or_default();
                for line in old.iter().chain(new).take(2_000) {
                    let line = String::from_utf8_lossy(
                        line.get(..line.len().min(1_000)).unwrap_or_default(),
                    );
                    let imports = is_import(&file.name, &line);
                    let words = line.split(|c: char| {
                        !(c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
                    });
                    for word in words {
                        let is_path = word.contains('.') || word.contains('/');
                        let word = word.trim_matches(['.', '/']);
                        if is_path {
                            named.extend(self.meant(&by_last, word));
                        }
                        if imports && !word.is_empty() {
                            let module = word.replace('.', "/");
                            named.extend(self.meant(&by_last, &format!("{module}.py")));
                        }
                    }
                }
            }
            named.remove(&at);
            for to in named.into_iter().take(MAX_SHARING) {
                let Some(other) = self.file(to) else { continue };
                // A page that names a file says something of it; other files name what comes, goes or moves.
                let counts = other.how != How::Modified
                    || (file.role == Role::Page && other.role.is_program());
                if !counts || other.role == Role::Made {
                    continue;
                }
                if let Some(other_unit) = self.whole(to) {
                    let (a, b) = (&file.name, &other.name);
                    self.join(unit, other_unit, || format!("{a} names {b}"));
                }
            }
        }
    }

    /// Finds the changed files that a written path means.
    fn meant<'a>(
        &'a self,
        by_last: &'a BTreeMap<&'p str, Vec<usize>>,
        path: &'a str,
    ) -> impl Iterator<Item = usize> + use<'a, 'p> {
        let found = by_last.get(name_of(path)).map_or(&[][..], Vec::as_slice);
        found.iter().copied().filter(move |to| {
            self.file(*to).is_some_and(|to| {
                let ends = || {
                    to.name
                        .strip_suffix(path)
                        .is_some_and(|above| above.ends_with('/'))
                };
                to.name == path || found.len() == 1 && ends()
            })
        })
    }

    fn lock(&mut self, at: usize, file: &File) {
        const MANIFESTS: &[&str] = &[
            "pyproject.toml",
            "Cargo.toml",
            "package.json",
            "go.mod",
            "Pipfile",
            "Gemfile",
            "composer.json",
            "flake.nix",
        ];
        let mut folder = folder_of(&file.name);
        loop {
            for name in MANIFESTS {
                let path = if folder.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{folder}/{name}")
                };
                if let Some(other) = self.by_path.get(path.as_str()).copied() {
                    return self
                        .join_files(at, other, || format!("{} is made of {path}", file.name));
                }
            }
            if folder.is_empty() {
                break;
            }
            folder = folder_of(folder);
        }
        // Cargo's lock file also follows the manifests of members, which lie below it.
        let below = folder_of(&file.name);
        let member = self.parts.files.iter().position(|other| {
            other.role == Role::Manifest
                && MANIFESTS.contains(&name_of(&other.name))
                && (below.is_empty() || other.name.starts_with(&format!("{below}/")))
        });
        if let Some(other) = member {
            self.join_files(at, other, || {
                format!("{} is made of the manifests below it", file.name)
            });
        }
    }

    /// Joins what no fact holds with its kind.
    fn by_kind(&mut self) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        // A file of which only a part is in a group is company as well.
        let mut members: HashMap<usize, BTreeSet<usize>> = HashMap::new();
        for unit in 0..self.units.len() {
            let top = self.top(unit);
            if let Some((at, _)) = self.units.get(unit) {
                members.entry(top).or_default().insert(*at);
            }
        }
        for at in 0..self.parts.files.len() {
            let Some(file) = self.file(at) else { continue };
            let Some(unit) = self.whole(at) else { continue };
            let top = self.top(unit);
            if members.get(&top).is_some_and(|files| files.len() > 1) {
                continue;
            }
            let folder = folder_of(&file.name);
            let (kind, why) = if file.is_formatting {
                ("formatting".to_owned(), "only blanks differ".to_owned())
            } else {
                match file.role {
                    Role::Page => (format!("pages {folder}"), "pages for people".to_owned()),
                    Role::Ci => ("ci".to_owned(), "what the forge runs".to_owned()),
                    Role::Container => ("container".to_owned(), "how images are made".to_owned()),
                    Role::Manifest | Role::Lock => (
                        "manifest".to_owned(),
                        "what packages are and need".to_owned(),
                    ),
                    Role::Settings => ("settings".to_owned(), "settings of tools".to_owned()),
                    Role::Data => (format!("data {folder}"), "data of one folder".to_owned()),
                    Role::Made => ("made".to_owned(), "made by programs".to_owned()),
                    Role::Code | Role::Test => (
                        format!("code {folder}"),
                        "nothing else is known of these of one folder".to_owned(),
                    ),
                }
            };
            match kinds.get(&kind).copied() {
                Some(other) => self.join_quietly(other, unit, || why),
                None => {
                    kinds.insert(kind, unit);
                }
            }
        }
    }

    fn finish(mut self) -> Vec<Set> {
        let mut sets: BTreeMap<usize, Set> = BTreeMap::new();
        for unit in 0..self.units.len() {
            let top = self.top(unit);
            if let Some((file, hunk)) = self.units.get(unit) {
                sets.entry(top)
                    .or_default()
                    .files
                    .entry(*file)
                    .or_default()
                    .insert(*hunk);
            }
        }
        for (unit, why) in std::mem::take(&mut self.why) {
            let top = self.top(unit);
            if let Some(set) = sets.get_mut(&top)
                && set.why.len() < MAX_WHY
                && !set.why.contains(&why)
            {
                set.why.push(why);
            }
        }
        let mut sets: Vec<Set> = sets.into_values().collect();
        sets.sort_by_key(|set| self.rank(set));
        sets
    }

    /// What others build on comes first.
    fn rank(&self, set: &Set) -> (u8, usize) {
        let files = || set.files.keys().filter_map(|at| self.file(*at));
        let first = set.files.keys().next().copied().unwrap_or_default();
        let rank = if files().all(|file| file.is_formatting) {
            0
        } else {
            files()
                .map(|file| match file.role {
                    Role::Manifest | Role::Lock => 1,
                    Role::Settings => 2,
                    Role::Made | Role::Data => 3,
                    Role::Code => 4,
                    Role::Test => 5,
                    Role::Container => 6,
                    Role::Ci => 7,
                    Role::Page => 8,
                })
                // A commit of code with its page is one of code.
                .min_by_key(|rank| u8::abs_diff(*rank, 4))
                .unwrap_or(4)
        };
        (rank, first)
    }
}

/// Says whether a line of Python imports something.
fn is_import(file: &str, line: &str) -> bool {
    let line = line.trim_start();
    Path::new(file)
        .extension()
        .is_some_and(|kind| kind == "py" || kind == "pyi")
        && (line.starts_with("import ") || line.starts_with("from "))
}
