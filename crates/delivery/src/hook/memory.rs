//! What is remembered of programs of others: which hooks may be, what their verdicts depend on, which files need no look.
//!
//! When it acts: a hook judges each file alone, because the table says so ([`super::per_file`]) or the user declares it, and
//! everything that decides is known. Then what it found in order, without changing anything, is not asked again while all of
//! that stays. When not: it says why. What failed or was fixed is asked again, and what an interrupted run found is not kept.
//! A hook whose verdict did not hold is not remembered any more until its tool is another ([`super::referee`]).
//! Not here: keeping records ([`super::verdicts`]), what a tool is ([`super::tool`]), running anything but an interpreter that
//! is asked where its modules are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tradewind_host::files;

use super::cache::first;
use super::config::{HooksSection, PerFile};
use super::per_file::{self, Asks, Row};
use super::plan::Planned;
use super::situation::{Candidate, Situation, bits, to_path};
use super::snapshot;
use super::terms::{Part, Terms};
use super::tool::{self, Tool};
use super::verdicts::{Found, Verdicts};
use crate::builtin::Surroundings as _;
use crate::precommit::{Stage, words};

/// Bound on a file of settings.
const MAX_SETTINGS: u64 = 1024 * 1024;
/// Configuration files that are named one by one; the rest is one name.
const MAX_NAMED: usize = 48;
/// Variables that decide how text is read, for every program.
const VARIABLES: &[&str] = &[
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "PYTHON*",
    "TZ",
    "XDG_CONFIG_HOME",
    "APPDATA",
];

/// Why a hook is asked of every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unremembered(pub(crate) String);

/// What a hook's verdicts depend on.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Which hook of the configuration it is.
    pub(crate) hook: u64,
    /// Its tool, by which it is trusted or not.
    pub(crate) tool: u64,
    terms: Terms,
    asks: Asks,
}

/// What is remembered of one repository.
pub(crate) struct Memory<'a> {
    situation: &'a Situation,
    declared: &'a HooksSection,
    verdicts: Verdicts,
    cache: &'a Path,
    /// Digest of what git makes of files here, found once.
    git: Option<Result<Part, String>>,
    paths: Option<u64>,
    /// Tools that were looked at in this run.
    tools: BTreeMap<String, Result<Tool, String>>,
}

impl<'a> Memory<'a> {
    /// Opens what is remembered of a repository; `uses` is whether anything is to be.
    pub(crate) fn open(
        situation: &'a Situation,
        declared: &'a HooksSection,
        cache: &'a Path,
        uses: bool,
    ) -> Self {
        let name = super::cache::repository(situation.location());
        let file = uses.then(|| cache.join("programs").join(name));
        Self {
            situation,
            declared,
            verdicts: Verdicts::open(file),
            cache,
            git: None,
            paths: None,
            tools: BTreeMap::new(),
        }
    }

    /// Says what a hook's verdicts depend on.
    ///
    /// # Errors
    /// Why they are not kept.
    pub(crate) fn standing(
        &mut self,
        hook: &Planned,
        stage: Stage,
    ) -> Result<Standing, Unremembered> {
        self.of_hook(hook, stage).map_err(Unremembered)
    }

    fn of_hook(&mut self, planned: &Planned, stage: Stage) -> Result<Standing, String> {
        let hook = &planned.settled;
        if !hook.pass_filenames {
            return Err("it is not given files (pass_filenames: false)".to_owned());
        }
        if matches!(stage, Stage::CommitMsg | Stage::PrepareCommitMsg) {
            return Err("it is for the message".to_owned());
        }
        if hook.verbose {
            return Err("what it says is shown though it passes (verbose: true)".to_owned());
        }
        if !hook.log_file.is_empty() {
            return Err("what it says goes to a file (log_file)".to_owned());
        }
        let entry = words::split(&hook.entry).map_err(|error| error.to_string())?;
        let Some((program, arguments)) = entry.split_first() else {
            return Err("its entry is empty".to_owned());
        };
        let is_script = matches!(hook.language, "script" | "unsupported_script");
        let tool = self.tool(program, arguments, is_script, planned.bin.as_deref())?;
        let declared = self.declared.per_file.get(&hook.id);
        let row = per_file::find(&tool.name, tool.module.as_deref());
        if declared.is_none() && row.is_none() {
            return Err("it is not known to judge each file alone; [hooks.per_file] in tradewind.toml declares it".to_owned());
        }
        if row.is_some_and(|row| row.asks.plugins) {
            for path in &tool.entry_points {
                let text = files::read_bounded(path, MAX_SETTINGS).unwrap_or_default();
                if let Some(package) = per_file::foreign_plugin(&String::from_utf8_lossy(&text)) {
                    return Err(format!(
                        "its plugin {package} is not known to judge each file alone"
                    ));
                }
            }
        }
        let mut hasher = blake3::Hasher::new();
        for word in [&hook.id, &hook.alias, &hook.entry] {
            hasher.update(word.as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(&planned.number.to_le_bytes());
        let key = first(&hasher);
        let asks = row.map(|row| row.asks).unwrap_or_default();
        if asks.added && !self.situation.is_staged {
            return Err("what is new is judged against another commit".to_owned());
        }
        let words: Vec<&str> = arguments
            .iter()
            .chain(&hook.args)
            .map(String::as_str)
            .collect();
        let (line, mut program) = self.arguments(&hook.entry, &words)?;
        program.extend(tool.parts);
        for word in &words {
            let path = word.strip_prefix("./").unwrap_or(word);
            if path.as_bytes().ends_with(b".py")
                && self.situation.index.get(path.as_bytes()).is_some()
            {
                program.push(self.beside(path));
            }
        }
        // The program with all that belongs to it: when it is another, it is given another chance.
        let tool = Terms::new(program.clone()).digest;
        if self.verdicts.is_distrusted(key, tool) {
            return Err(
                "a verdict of it did not hold; it is remembered again when its program is another"
                    .to_owned(),
            );
        }
        let mut parts = vec![line];
        parts.append(&mut program);
        parts.extend(self.configuration(row, declared, &words)?);
        parts.extend(variables(row, declared));
        parts.push(self.git_settings()?);
        if asks.paths {
            let digest = self.paths();
            parts.push(Part {
                what: "the list of tracked files".to_owned(),
                digest,
            });
        }
        Ok(Standing {
            hook: key,
            tool,
            terms: Terms::new(parts),
            asks,
        })
    }

    /// Says whether a file needs no look; else why it does.
    pub(crate) fn is_known(
        &self,
        standing: &Standing,
        file: &Candidate,
        over: Option<&[u8]>,
    ) -> Result<(), String> {
        if self.situation.has_filter(&file.path) {
            return Err("a filter makes another file of it".to_owned());
        }
        let (place, content) = self.names(standing, file, over);
        match self
            .verdicts
            .find(standing.hook, place, content, &standing.terms)
        {
            Found::Clean => Ok(()),
            Found::Never => Err("never seen clean at this path".to_owned()),
            Found::Content => Err("its content changed".to_owned()),
            Found::Terms(what) => Err(what),
        }
    }

    /// Remembers that a hook found files in order and changed nothing.
    pub(crate) fn keep<'f>(
        &mut self,
        standing: &Standing,
        files: impl Iterator<Item = (&'f Candidate, Option<&'f [u8]>)>,
    ) {
        for (file, over) in files {
            if !self.situation.has_filter(&file.path) {
                let (place, content) = self.names(standing, file, over);
                self.verdicts.keep(place, content, &standing.terms);
            }
        }
        self.verdicts.keep_terms(standing.hook, &standing.terms);
    }

    /// Forgets a hook whose verdict did not hold.
    pub(crate) fn distrust(&mut self, standing: &Standing) {
        self.verdicts.distrust(standing.hook, standing.tool);
    }

    /// Writes what is new.
    pub(crate) fn save(&mut self) {
        self.verdicts.save();
    }

    fn names(&self, standing: &Standing, file: &Candidate, over: Option<&[u8]>) -> (u64, u64) {
        let mut place = blake3::Hasher::new();
        place.update(&standing.hook.to_le_bytes());
        place.update(&file.path);
        place.update(&[0]);
        place.update(&bits(file.mode).to_le_bytes());
        let mut content = blake3::Hasher::new();
        match over {
            Some(bytes) => {
                let name =
                    tradewind_repo::odb::blob_name(bytes, self.situation.objects.is_sha256());
                content.update(name.as_slice());
            }
            None => {
                content.update(file.id.as_slice());
            }
        }
        if standing.asks.added {
            let is_added = self.situation.added().binary_search(&file.path).is_ok();
            content.update(&[1, u8::from(is_added)]);
        }
        if standing.asks.merging {
            let dir = &self.situation.location().git_dir;
            let under_way =
                ["MERGE_HEAD", "MERGE_MSG"].map(|name| u8::from(dir.join(name).exists()));
            content.update(&[2]);
            content.update(&under_way);
        }
        (first(&place), first(&content))
    }

    /// Looks at a hook's program, once in a run.
    fn tool(
        &mut self,
        program: &str,
        arguments: &[String],
        is_script: bool,
        bin: Option<&Path>,
    ) -> Result<Tool, String> {
        let is_path = is_script || Path::new(program).components().count() > 1;
        if is_path && !Path::new(program).is_absolute() {
            let linked = snapshot::LINKED
                .iter()
                .any(|folder| Path::new(program).starts_with(folder));
            if !linked {
                return self.own_script(program);
            }
        }
        let path = match bin {
            Some(bin) if !is_path && bin.join(program).exists() => bin.join(program),
            Some(bin)
                if !is_path && cfg!(windows) && bin.join(format!("{program}.exe")).exists() =>
            {
                bin.join(format!("{program}.exe"))
            }
            _ if is_path => self.situation.location().top.join(program),
            _ => tool::on_path(program)?,
        };
        let module = match arguments {
            [flag, module, ..] if flag == "-m" => module.as_str(),
            _ => "",
        };
        let key = format!("{}\0{module}", path.display());
        if let Some(known) = self.tools.get(&key) {
            return known.clone();
        }
        let found = tool::look(&path, arguments, &mut self.verdicts);
        self.tools.insert(key, found.clone());
        found
    }

    /// A script of the repository: its blob and what lies in its folder, which is where it imports from.
    fn own_script(&mut self, program: &str) -> Result<Tool, String> {
        let path = program.trim_start_matches("./");
        let index = &self.situation.index;
        let Some(entry) = index.get(path.as_bytes()) else {
            return Err(format!(
                "{program} is not tracked, so it is not known what it is"
            ));
        };
        let mut parts = vec![Part::of(format!("tool {path}"), entry.id.as_slice())];
        let text = self
            .situation
            .read(
                path.as_bytes(),
                super::situation::mode(entry.mode),
                entry.id,
            )
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(text.get(..text.len().min(4096)).unwrap_or_default())
            .into_owned();
        parts.push(self.beside(path));
        if text.starts_with("#!") {
            let (interpreter, flags) = tool::interpreter(&text)?;
            let mut of_interpreter = tool::look(&interpreter, &flags, &mut self.verdicts)?;
            parts.append(&mut of_interpreter.parts);
        }
        Ok(Tool {
            name: program.to_owned(),
            module: None,
            parts,
            entry_points: Vec::new(),
        })
    }

    /// Everything tracked in the folder of a script and below; of a script at the root, everything at the root.
    fn beside(&self, script: &str) -> Part {
        let folder = script
            .rsplit_once('/')
            .map(|(folder, _)| format!("{folder}/"));
        let index = &self.situation.index;
        let mut hasher = blake3::Hasher::new();
        for entry in index.entries() {
            let path = index.path(entry);
            let is_beside = match &folder {
                Some(folder) => path.starts_with(folder.as_bytes()),
                None => !path.contains(&b'/') && path.ends_with(b".py"),
            };
            if is_beside {
                hasher.update(path);
                hasher.update(&[0]);
                hasher.update(entry.id.as_slice());
            }
        }
        Part {
            what: format!("files beside {script}"),
            digest: first(&hasher),
        }
    }

    /// The words of the command line, and the files outside the repository that they name.
    fn arguments(&self, entry: &str, words: &[&str]) -> Result<(Part, Vec<Part>), String> {
        let mut named_files = Vec::new();
        let mut hasher = blake3::Hasher::new();
        hasher.update(entry.as_bytes());
        for word in words {
            hasher.update(&[0]);
            hasher.update(word.as_bytes());
            // A folder among the arguments is looked at as a whole.
            let named = word.trim_end_matches('/');
            let named = named.strip_prefix("./").unwrap_or(named);
            let is_flag = word.starts_with('-');
            if !is_flag && !word.is_empty() && (named == "." || self.is_folder(named)) {
                return Err(format!("its argument {word} is a folder"));
            }
            let value = word.split_once('=').map_or(*word, |(_, value)| value);
            let path = Path::new(value);
            if path.is_absolute() {
                match files::read_bounded(path, MAX_SETTINGS) {
                    Ok(bytes) => named_files.push(Part::of(format!("the file {value}"), &bytes)),
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(format!("its argument {word}: {error}")),
                }
            }
        }
        let line = Part {
            what: "its arguments".to_owned(),
            digest: first(&hasher),
        };
        Ok((line, named_files))
    }

    fn is_folder(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let index = &self.situation.index;
        let entries = index.entries();
        let at = entries.partition_point(|entry| index.path(entry) < folder.as_bytes());
        entries
            .get(at)
            .is_some_and(|entry| index.path(entry).starts_with(folder.as_bytes()))
    }

    /// Every file that may configure a hook: of the tree, above the copy, of the user; and what those name.
    fn configuration(
        &self,
        row: Option<&Row>,
        declared: Option<&PerFile>,
        named: &[&str],
    ) -> Result<Vec<Part>, String> {
        let globs = match declared {
            Some(declared) => Some(declared.globs().map_err(|error| error.to_string())?),
            None => None,
        };
        let index = &self.situation.index;
        let mut wanted: BTreeSet<&[u8]> = BTreeSet::new();
        let mut texts = Vec::new();
        for entry in index.entries() {
            let path = index.path(entry);
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
            let is_of_row = row.is_some_and(|row| configures(row.configuration, name));
            let is_declared = globs.is_some() && is_settings_at_root(path);
            if is_of_row || is_declared {
                if wanted.insert(path) && wanted.len() <= MAX_NAMED {
                    let mode = super::situation::mode(entry.mode);
                    let text = self.situation.read(path, mode, entry.id);
                    texts.push((path, text.map_err(|error| error.to_string())?));
                }
            } else if let Some(globs) = &globs
                && globs.is_match(to_path(path))
            {
                wanted.insert(path);
            }
        }
        // What arguments and settings name decides too.
        for word in named {
            self.add_named(b"", word, &mut wanted);
        }
        for (path, text) in &texts {
            let folder = path
                .iter()
                .rposition(|byte| *byte == b'/')
                .map_or(0, |at| at + 1);
            let folder = path.get(..folder).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            if row.is_some_and(|row| row.asks.plugins) && text.contains("local-plugins") {
                return Err("its configuration has plugins of its own (local-plugins)".to_owned());
            }
            let ends = |c: char| c.is_whitespace() || "'\"=,;[](){}:".contains(c);
            for word in text.split(ends).filter(|word| word.len() > 1) {
                self.add_named(folder, word, &mut wanted);
            }
        }
        let mut parts = Vec::new();
        let mut rest = blake3::Hasher::new();
        for path in wanted {
            let Some(entry) = index.get(path) else {
                continue;
            };
            if parts.len() < MAX_NAMED {
                let what = format!("configuration {}", String::from_utf8_lossy(path));
                parts.push(Part::of(what, entry.id.as_slice()));
            } else {
                rest.update(path);
                rest.update(&[0]);
                rest.update(entry.id.as_slice());
            }
        }
        parts.push(Part {
            what: "one of many configuration files".to_owned(),
            digest: first(&rest),
        });
        if let Some(row) = row {
            parts.extend(self.outside_settings(row));
        }
        Ok(parts)
    }

    fn add_named<'p>(&'p self, folder: &[u8], word: &str, wanted: &mut BTreeSet<&'p [u8]>) {
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        let value = value.strip_prefix("./").unwrap_or(value).as_bytes();
        let index = &self.situation.index;
        for path in [[folder, value].concat(), value.to_vec()] {
            if let Some(entry) = index.get(&path) {
                wanted.insert(index.path(entry));
            }
        }
    }

    /// Settings above the copy, where tools look on their way up, and those of the user.
    fn outside_settings(&self, row: &Row) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut above = blake3::Hasher::new();
        let names = row
            .configuration
            .iter()
            .filter(|name| !name.starts_with('*'));
        let names: Vec<&str> = match row.program {
            "ruff" => vec!["pyproject.toml", "ruff.toml", ".ruff.toml"],
            _ => names.copied().collect(),
        };
        for dir in self.cache.ancestors() {
            for name in &names {
                if let Ok(bytes) = files::read_bounded(&dir.join(name), MAX_SETTINGS) {
                    above.update(dir.as_os_str().as_encoded_bytes());
                    above.update(name.as_bytes());
                    above.update(&bytes);
                }
            }
        }
        parts.push(Part {
            what: format!("configuration above {}", self.cache.display()),
            digest: first(&above),
        });
        let home = std::env::home_dir().unwrap_or_default();
        let settings = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        for name in row.home {
            let mut paths = Vec::new();
            match name.strip_prefix("~config/") {
                Some(rest) => {
                    paths.extend(settings.as_ref().map(|settings| settings.join(rest)));
                    paths.push(home.join(".config").join(rest));
                    paths.push(home.join("Library/Application Support").join(rest));
                    paths.push(home.join("AppData/Roaming").join(rest));
                }
                None => paths.push(home.join(name)),
            }
            let mut hasher = blake3::Hasher::new();
            for path in paths {
                if let Ok(bytes) = files::read_bounded(&path, MAX_SETTINGS) {
                    hasher.update(path.as_os_str().as_encoded_bytes());
                    hasher.update(&bytes);
                }
            }
            parts.push(Part {
                what: format!("the user's {}", name.trim_start_matches("~config/")),
                digest: first(&hasher),
            });
        }
        parts
    }

    fn paths(&mut self) -> u64 {
        if let Some(paths) = self.paths {
            return paths;
        }
        let index = &self.situation.index;
        let mut hasher = blake3::Hasher::new();
        for entry in index.entries() {
            hasher.update(index.path(entry));
            hasher.update(&[0]);
        }
        for name in snapshot::LINKED {
            let is_there = self.situation.location().top.join(name).is_dir();
            hasher.update(&[u8::from(is_there)]);
        }
        *self.paths.insert(first(&hasher))
    }

    /// What git makes of blobs on their way into the copy, and what it answers a hook.
    fn git_settings(&mut self) -> Result<Part, String> {
        if self.git.is_none() {
            self.git = Some(self.read_git_settings());
        }
        self.git.clone().unwrap_or_else(|| Err(String::new()))
    }

    fn read_git_settings(&self) -> Result<Part, String> {
        let location = self.situation.location();
        let mut hasher = blake3::Hasher::new();
        let own = snapshot::settings(location, "");
        hasher.update(own.as_bytes());
        let mut texts = vec![own.into_bytes()];
        let home = std::env::home_dir().unwrap_or_default();
        let mut paths = vec![
            PathBuf::from("/etc/gitconfig"),
            PathBuf::from("/etc/gitattributes"),
            home.join(".gitconfig"),
            home.join(".config/git/config"),
            home.join(".config/git/attributes"),
            location.common_dir.join("info/attributes"),
        ];
        for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
            paths.extend(std::env::var_os(name).map(PathBuf::from));
        }
        if let Some(settings) = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from) {
            paths.push(settings.join("git/config"));
            paths.push(settings.join("git/attributes"));
        }
        for path in paths {
            let Ok(text) = files::read_bounded(&path, MAX_SETTINGS) else {
                continue;
            };
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update(&text);
            texts.push(text);
        }
        let index = &self.situation.index;
        for entry in index.entries() {
            let path = index.path(entry);
            if path == b".gitattributes" || path.ends_with(b"/.gitattributes") {
                hasher.update(path);
                hasher.update(entry.id.as_slice());
            }
        }
        let mut variables: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| {
                let name = name.to_string_lossy();
                name.starts_with("GIT_CONFIG") || name.starts_with("GIT_ATTR")
            })
            .collect();
        variables.sort();
        for (name, value) in variables {
            hasher.update(name.as_encoded_bytes());
            hasher.update(&[0]);
            hasher.update(value.as_encoded_bytes());
            hasher.update(&[0]);
        }
        // Settings may lead to other files; then git itself says what holds.
        let leads_on = texts.iter().any(|text| {
            let text = String::from_utf8_lossy(text).to_ascii_lowercase();
            text.contains("[include") || text.contains("attributesfile")
        });
        if leads_on {
            let git = self.situation.git().map_err(|error| error.to_string())?;
            let ask = |args: &[&str]| git.run_blocking(&location.top, args);
            let all = ask(&["config", "--list", "-z", "--includes"])
                .map_err(|error| error.to_string())?;
            hasher.update(&all);
            if let Ok(path) = ask(&["config", "--type=path", "--get", "core.attributesFile"]) {
                let path = PathBuf::from(String::from_utf8_lossy(&path).trim());
                hasher.update(&files::read_bounded(&path, MAX_SETTINGS).unwrap_or_default());
            }
        }
        Ok(Part {
            what: "git's settings or attributes".to_owned(),
            digest: first(&hasher),
        })
    }
}

fn configures(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| match known.strip_prefix('*') {
        Some(end) => name.ends_with(end.as_bytes()),
        None => name == known.as_bytes(),
    })
}

/// Says whether a path is a file at the root in which settings usually are.
fn is_settings_at_root(path: &[u8]) -> bool {
    const ENDS: &[&str] = &[".toml", ".cfg", ".ini", ".json", ".yaml", ".yml", ".conf"];
    !path.contains(&b'/')
        && (path.starts_with(b".") || ENDS.iter().any(|end| path.ends_with(end.as_bytes())))
}

/// The variables that decide.
fn variables(row: Option<&Row>, declared: Option<&PerFile>) -> Vec<Part> {
    let of_row = row.map(|row| row.variables).unwrap_or_default();
    let of_user = declared
        .map(|declared| declared.env.as_slice())
        .unwrap_or_default();
    let names: Vec<&str> = VARIABLES
        .iter()
        .chain(of_row)
        .copied()
        .chain(of_user.iter().map(String::as_str))
        .collect();
    let is_named = |name: &str| {
        names.iter().any(|known| match known.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name == *known,
        })
    };
    let mut found: Vec<Part> = std::env::vars_os()
        .filter(|(name, _)| is_named(&name.to_string_lossy()))
        .map(|(name, value)| {
            let what = format!("the variable {}", name.to_string_lossy());
            Part::of(what, value.as_encoded_bytes())
        })
        .collect();
    found.sort_by(|a, b| a.what.cmp(&b.what));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_at_the_root_are_known_by_their_names() {
        for (path, expected) in [
            ("pyproject.toml", true),
            (".flake8", true),
            ("tox.ini", true),
            ("bot/main.py", false),
            ("data/a.json", false),
            ("README.md", false),
        ] {
            assert_eq!(is_settings_at_root(path.as_bytes()), expected, "{path}");
        }
        assert!(configures(&["*.toml"], b"ruff.toml"));
        assert!(configures(&["setup.cfg"], b"setup.cfg"));
        assert!(!configures(&["setup.cfg"], b"xsetup.cfg"));
    }
}
