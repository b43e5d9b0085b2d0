//! README files and other pages, read as data: what they claim about the repository.
//!
//! Claims are decidable statements: a path, a command, a variable, a tree listing, a count, a licence.
//! The audit judges them, the guard asks which page speaks of a file, the docs repair them, so they are
//! read once, here. Pages are text of strangers: their number, length and claims are bounded.
//! Not here: whether a claim is true. Start reading at [`Documents::read`], then [`What`].

mod claims;
mod ignored;
mod listing;
mod page;
mod project_json;
pub mod shell;

use crate::tree::{Tree, Unread};

pub use claims::home_paths;
pub use project_json::{Entry, ProjectJson};
pub use shell::Command;

/// Pages read of one repository; more are said to be unread.
const MAX_PAGES: usize = 400;
/// Longer pages are not read.
const MAX_PAGE_BYTES: u64 = 512 * 1024;

/// What a repository's pages say.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Documents {
    // Invariant: sorted by path, because the files of a tree are.
    /// The pages, by path.
    pub pages: Vec<Page>,
    /// Files that hold a licence: `LICENSE`, `COPYING.md`, `LICENSES/MIT.txt`.
    pub licenses: Vec<Box<str>>,
    /// Files that list what changed: `CHANGELOG.md`, `docs/HISTORY.rst`.
    pub changelogs: Vec<Box<str>>,
    /// `project.json` at the root, where it is one of these that describe a project.
    pub project_json: Option<ProjectJson>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    ignored: ignored::Ignored,
}

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// README of the whole repository.
    Readme,
    /// README of a folder.
    FolderReadme,
    /// How to contribute.
    Contributing,
    /// What changed; speaks of the past, so that its names need not exist any more.
    Changelog,
    /// Tells what was or what is planned: session notes, reviews, plans, dated reports. Names in it need
    /// not exist today.
    Record,
    /// Anything else.
    Page,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Path from the root.
    pub path: Box<str>,
    /// What it is for.
    pub kind: PageKind,
    /// Its headings in the order of the page.
    pub headings: Vec<Heading>,
    /// Names that a link may lead to, beside the headings.
    pub anchors: Vec<Box<str>>,
    /// What it claims, by line.
    pub claims: Vec<Claim>,
}

/// One heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Line.
    pub line: u32,
    /// 1 for the title.
    pub level: u8,
    /// Its text without markup.
    pub text: Box<str>,
}

/// One decidable statement of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Line.
    pub line: u32,
    /// The line as written, trimmed, at most 160 characters.
    pub quote: Box<str>,
    /// The heading it stands under: index into [`Page::headings`].
    pub section: Option<u32>,
    /// What is claimed.
    pub what: What,
}

/// What a page claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An entry of a listing of files.
    Entry {
        /// Which listing of the page; the first is 0.
        listing: u32,
        /// Path from the listing's root, with `/`.
        path: Box<str>,
        /// Whether it is written as a folder.
        is_folder: bool,
        /// What is said beside it.
        note: Box<str>,
    },
    /// A command to type.
    Command(Command),
    /// A file or folder.
    Path {
        /// As written, without a fragment.
        path: Box<str>,
        /// How it is named.
        how: PathHow,
    },
    /// A place in a page.
    Anchor {
        /// The page as written; empty for this page.
        page: Box<str>,
        /// Without `#`.
        anchor: Box<str>,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: Box<str>,
        /// How it is named.
        how: VariableHow,
    },
    /// "64 tests".
    Tests(u32),
    /// A port of this computer that something listens on: `http://localhost:8080`.
    Port(u16),
    /// A licence: `MIT`, `Apache-2.0`; `None` where the text only says that there is a licence file.
    License(Option<&'static str>),
    /// "Python 3.10 or newer": the least version.
    Python {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
        /// Whether newer ones are said to do as well.
        or_newer: bool,
    },
    /// A path of one computer: `C:\Users\marco\projects`.
    Home(Box<str>),
}

/// How a path is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathHow {
    /// As the target of a link.
    Link,
    /// As the source of a picture.
    Image,
    /// As code in running text.
    Code,
}

/// How a variable is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableHow {
    /// In a table or list of settings.
    Table,
    /// Set in a block of shell or `.env` lines.
    Set,
    /// As code in running text.
    Code,
}

impl Documents {
    /// Reads every page of the tree that git has.
    pub fn read(tree: &Tree) -> Self {
        let mut documents = Self::default();
        let mut left_out = 0_usize;
        for file in tree.tracked() {
            let path = file.path.as_ref();
            if is_license(path) {
                documents.licenses.push(path.into());
            }
            let Some(kind) = page_kind(path) else {
                continue;
            };
            if kind == PageKind::Changelog {
                documents.changelogs.push(path.into());
            }
            if documents.pages.len() >= MAX_PAGES {
                left_out += 1;
                continue;
            }
            if file.size > MAX_PAGE_BYTES {
                documents.unread.push(Unread {
                    what: path.to_owned(),
                    reason: format!("longer than {} KiB", MAX_PAGE_BYTES / 1024),
                });
                continue;
            }
            if let Some(text) = tree.text(path) {
                let mut page = page::read(path, kind, &text);
                page.walk(&|folder| tree.has_folder(folder));
                documents.pages.push(page);
            }
        }
        if left_out > 0 {
            documents.unread.push(Unread {
                what: format!("{left_out} pages"),
                reason: format!("more than {MAX_PAGES} pages"),
            });
        }
        documents.ignored = ignored::Ignored::read(tree);
        documents.project_json = tree
            .text("project.json")
            .and_then(|text| ProjectJson::parse(&text));
        documents
    }

    /// Says whether an ignore file of the repository hides a path, whether it is there or not.
    pub fn is_ignored(&self, path: &str) -> bool {
        self.ignored.holds(path)
    }

    /// Returns the README of the whole repository.
    pub fn readme(&self) -> Option<&Page> {
        self.pages.iter().find(|page| page.kind == PageKind::Readme)
    }

    /// Returns the page at `path`.
    pub fn page(&self, path: &str) -> Option<&Page> {
        let at = self
            .pages
            .binary_search_by(|page| page.path.as_ref().cmp(path));
        self.pages.get(at.ok()?)
    }
}

impl Page {
    /// Fills in where each command is typed.
    fn walk(&mut self, is_folder: &dyn Fn(&str) -> bool) {
        let mut walk = shell::Walk::default();
        for claim in &mut self.claims {
            if let What::Command(command) = &mut claim.what {
                walk.step(command, claim.section, is_folder);
            }
        }
    }

    /// Returns the text of the heading that a claim stands under.
    pub fn section(&self, claim: &Claim) -> Option<&str> {
        let heading = self.headings.get(claim.section? as usize)?;
        Some(&heading.text)
    }

    /// Returns the first heading, where it stands before any other text of its level.
    pub fn title(&self) -> Option<&Heading> {
        self.headings.first().filter(|heading| heading.level == 1)
    }
}

/// Says what kind of page a path is; `None` for what is no page.
pub fn page_kind(path: &str) -> Option<PageKind> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let (stem, extension) = (stem.to_ascii_lowercase(), extension.to_ascii_lowercase());
    if !matches!(
        extension.as_str(),
        "" | "md" | "markdown" | "mdx" | "rst" | "txt"
    ) || is_foreign(folder)
    {
        return None;
    }
    let is_marked_up = matches!(extension.as_str(), "md" | "markdown" | "mdx" | "rst");
    match stem.as_str() {
        "readme" if folder.is_empty() => Some(PageKind::Readme),
        "readme" => Some(PageKind::FolderReadme),
        "contributing" => Some(PageKind::Contributing),
        "changelog" | "changes" | "history" | "releasenotes" | "release_notes"
        | "release-notes" | "releases" | "news"
            if folder.is_empty() || folder.starts_with("doc") =>
        {
            Some(PageKind::Changelog)
        }
        _ if is_marked_up && is_record(&path.to_ascii_lowercase()) => Some(PageKind::Record),
        _ if is_marked_up && (folder.is_empty() || folder.starts_with("doc")) => {
            Some(PageKind::Page)
        }
        _ => None,
    }
}

/// Says whether a folder holds what other people wrote.
pub fn is_foreign(folder: &str) -> bool {
    folder.split('/').any(|part| {
        matches!(
            part,
            "node_modules"
                | "site-packages"
                | "vendor"
                | "third_party"
                | "third-party"
                | "venv"
                | ".venv"
                | "env"
                | "dist-packages"
                | "bower_components"
        )
    })
}

/// Says whether a page tells of a moment: by words of its path, or by a date in it.
fn is_record(path: &str) -> bool {
    const WORDS: &[&str] = &[
        "archive",
        "archived",
        "session",
        "sessions",
        "summary",
        "summaries",
        "plan",
        "plans",
        "planning",
        "execplan",
        "execplans",
        "review",
        "reviews",
        "spec",
        "specs",
        "report",
        "reports",
        "todo",
        "todos",
        "roadmap",
        "retro",
        "incident",
        "incidents",
        "notes",
        "audit",
        "audits",
        "proposal",
        "proposals",
        "adr",
        "adrs",
        "decisions",
        "migration",
        "progress",
        "status",
        "postmortem",
        "handoff",
        "journal",
        "done",
        "backlog",
        "legacy",
        "old",
        "cleanup",
        "refactor",
        "refactoring",
        "completed",
        "complete",
        "fix",
        "fixes",
        "burn",
        "ideas",
        "research",
        "log",
        "logs",
        "blog",
        "checklist",
        "recommendations",
        "improvements",
        "morning",
        "finding",
        "findings",
        "manifest",
        "phase1",
        "phase2",
        "phase3",
        "result",
        "results",
        "tomorrow",
        "weekend",
        "today",
        "todays",
        "context",
    ];
    // Lists of what was to be done on a day.
    const PHRASES: &[&str] = &["next_steps", "next-steps", "action_items", "action-items"];
    const MONTHS: &[&str] = &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
    ];
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    PHRASES.iter().any(|phrase| path.contains(phrase))
        || words.into_iter().any(|word| {
            let letters = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
            let digits = word.len() - letters.len();
            let is_date =
                letters.is_empty() && (digits == 4 && word.starts_with("20") || digits == 8);
            let is_month = digits > 0 && MONTHS.contains(&letters);
            WORDS.contains(&word) || is_date || is_month
        })
}

fn is_license(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    if let Some(rest) = name.strip_prefix("licenses/") {
        return !rest.is_empty();
    }
    let stem = name.split(['.', '-', '_']).next().unwrap_or_default();
    !name.contains('/') && matches!(stem, "license" | "licence" | "copying" | "unlicense")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(u32, What)> {
        let tree = Tree::of([("README.md", text)]);
        let documents = Documents::read(&tree);
        let claims = documents.readme().unwrap().claims.clone();
        claims
            .into_iter()
            .map(|claim| (claim.line, claim.what))
            .collect()
    }

    #[test]
    fn a_page_gives_claims_with_their_lines() {
        let text = "# Bot\n\n64 tests, see `bot/run.py` and [setup](docs/setup.md#start).\n\n```\npython run.py > out.csv\n```\n\n## Settings\n\n| variable | what |\n|---|---|\n| `POLYGON_KEY` | key |\n";
        let found = of(text);
        assert!(found.contains(&(3, What::Tests(64))));
        assert!(found.contains(&(
            3,
            What::Path {
                path: "bot/run.py".into(),
                how: PathHow::Code
            }
        )));
        assert!(found.contains(&(
            3,
            What::Path {
                path: "docs/setup.md".into(),
                how: PathHow::Link
            }
        )));
        assert!(found.contains(&(
            3,
            What::Anchor {
                page: "docs/setup.md".into(),
                anchor: "start".into()
            }
        )));
        assert!(found.contains(&(
            13,
            What::Variable {
                name: "POLYGON_KEY".into(),
                how: VariableHow::Table
            }
        )));
        assert!(
            found
                .iter()
                .any(|(line, what)| *line == 6 && matches!(what, What::Command(_)))
        );
    }

    #[test]
    fn words_in_backticks_that_are_no_paths_are_no_claims() {
        assert!(of("`BTC/USD` `and/or` `.py` `x.y` `np.nan` `https://a.invalid/b.py` `*.csv` `/etc/x.py`\n").is_empty());
    }

    #[test]
    fn hostile_pages_are_read_in_bounded_time() {
        for text in [
            "> ".repeat(50_000),
            "[".repeat(50_000),
            "```\n".repeat(20_001),
            "| a ".repeat(30_000),
            "\u{1}\u{feff}├──".repeat(1_000),
            "<!--".repeat(20_000),
        ] {
            assert!(of(&text).len() <= 5_000);
        }
    }

    #[test]
    fn structured_text_is_read_too() {
        let text = "Bot\n===\n\nRun::\n\n    python gone.py\n\nSee ``bot/a.py``.\n";
        let tree = Tree::of([("README.rst", text)]);
        let page = Documents::read(&tree).pages.remove(0);
        assert_eq!(page.title().unwrap().text.as_ref(), "Bot");
        assert!(
            page.claims
                .iter()
                .any(|claim| claim.line == 6 && matches!(claim.what, What::Command(_)))
        );
        assert!(page.claims.iter().any(|claim| claim.line == 8));
    }
}
