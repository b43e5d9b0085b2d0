//! The files that say how a project is built, tested, checked and run, read as data: CI workflows,
//! container and compose files, requirements, `pyproject.toml`, setup files, test settings, hooks.
//!
//! Nothing of them is executed. Every fact carries its file and line. Files that could not be read are in
//! [`Project::unread`]; a rule that needs them says *not checked*.
//! Start reading at [`Project`], then [`commands`].

pub mod commands;
pub mod compose;
pub mod data;
pub mod dockerfile;
pub mod hooks;
pub mod image;
pub mod ini;
pub mod manifest;
pub mod presence;
pub mod requirement;
pub mod settings;
pub mod shell;
pub mod starts;
pub mod version;
pub mod workflow;

pub(crate) mod setup_py;

use crate::location::Location;
use crate::tree::{FileKind, FileState, Tree, Unread};

use compose::Compose;
use data::{At, DataError, Node, TextAt};
use dockerfile::{DockerIgnore, Dockerfile};
use hooks::{HookConfig, Installed};
use ini::Ini;
use manifest::Manifest;
use requirement::RequirementsFile;
use settings::TestSettings;
use starts::Start;
use workflow::{CompositeAction, Workflow};

/// Most files of one kind that are read; a repository with more is not a project but a collection.
const MAX_FILES: usize = 300;

/// What a repository's project files say.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Project {
    /// CI workflows of GitHub and GitLab.
    pub workflows: Vec<Workflow>,
    /// Actions of the repository's own that are made of steps.
    pub actions: Vec<CompositeAction>,
    /// Configuration of CI services that are seen and not read: Travis, `CircleCI`, Azure, Jenkins, Drone, …
    pub other_ci: Vec<Box<str>>,
    /// Dockerfiles.
    pub dockerfiles: Vec<Dockerfile>,
    /// Compose files.
    pub compose: Vec<Compose>,
    /// Requirements files.
    pub requirements: Vec<RequirementsFile>,
    /// Files that declare a package or its dependencies.
    pub manifests: Vec<Manifest>,
    /// Settings of pytest, coverage and tox.
    pub settings: Vec<TestSettings>,
    /// `conftest.py` files.
    pub conftests: Vec<Box<str>>,
    /// Procfiles, Makefiles, units, crontabs, scripts of `package.json`.
    pub starts: Vec<Start>,
    /// Hooks that are configured.
    pub hooks: Vec<HookConfig>,
    /// Hooks that git would start in this clone; set by [`Self::look_at_hooks`].
    pub installed_hooks: Installed,
    /// The version in `.python-version` or `runtime.txt`.
    pub python_pins: Vec<(Box<str>, TextAt)>,
    /// Project files that could not be read, wholly or in part.
    pub unread: Vec<Unread>,
}

/// One script of the repository's own files, and where it starts.
#[derive(Clone, Debug)]
pub struct Script<'p> {
    /// The file.
    pub path: &'p str,
    /// Line of its text.
    pub line: u32,
    /// The text.
    pub text: &'p str,
    /// The folder it runs in, relative to the root; `None` where not known.
    pub directory: Option<String>,
    /// What it is, for a reader: "step of job test", "process web".
    pub what: String,
}

impl Project {
    /// Reads the project files of a tree: tracked ones, and of the untracked ones those that are not ignored.
    pub fn read(tree: &Tree) -> Self {
        let mut project = Self::default();
        let mut count = 0;
        for file in tree.files() {
            let is_ours = matches!(file.kind, FileKind::Regular | FileKind::Executable)
                && matches!(file.state, FileState::Tracked | FileState::Untracked)
                && !is_foreign(&file.path);
            if !is_ours || !is_project_file(&file.path) {
                continue;
            }
            count += 1;
            if count > MAX_FILES {
                project.unread.push(Unread {
                    what: file.path.to_string(),
                    reason: format!("only the first {MAX_FILES} project files are read"),
                });
                break;
            }
            match tree.text(&file.path) {
                Some(text) => project.take(tree, &file.path, &text),
                None => project.unread.push(Unread {
                    what: file.path.to_string(),
                    reason: "absent, too long or no text".into(),
                }),
            }
        }
        project.hooks.extend(hooks::folders(tree));
        project.follow_includes(tree);
        project
    }

    /// Reads files that requirements files take in under other names. New ones are followed in turn.
    fn follow_includes(&mut self, tree: &Tree) {
        let mut at = 0;
        while let Some(file) = self.requirements.get(at) {
            at += 1;
            let asked = file.includes.iter().filter_map(|(_, path)| path.clone());
            let new: Vec<Box<str>> = asked
                .filter(|path| self.requirements_file(path).is_none())
                .collect();
            for path in new {
                if let Some(text) = tree.text(&path).filter(|_| at < MAX_FILES)
                    && self.requirements_file(&path).is_none()
                {
                    self.requirements
                        .push(RequirementsFile::parse(&path, &text));
                }
            }
        }
    }

    /// Looks which hooks git would start in this clone.
    pub fn look_at_hooks(&mut self, location: &Location) {
        self.installed_hooks = hooks::installed(location);
    }

    fn take(&mut self, tree: &Tree, path: &str, text: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name {
            _ if workflow::is_github(path) => {
                if let Some(root) = self.yaml(path, text) {
                    self.workflows.push(workflow::github(path, &root));
                }
            }
            _ if workflow::is_action(name) => {
                let root = self.yaml(path, text);
                let action = root.and_then(|root| workflow::composite(path, &root));
                self.actions.extend(action);
            }
            _ if path == ".gitlab-ci.yml" => {
                if let Some(root) = self.yaml(path, text) {
                    self.workflows.push(workflow::gitlab(path, &root));
                }
            }
            _ if is_other_ci(path) => self.other_ci.push(path.into()),
            _ if is_dockerfile(name) => self
                .dockerfiles
                .push(with_ignores(tree, dockerfile::parse(path, text))),
            _ if compose::is_compose(name) => {
                if let Some(root) = self.yaml(path, text) {
                    self.compose.push(compose::parse(path, &root));
                }
            }
            "pyproject.toml" => {
                let root = self.toml(path, text);
                self.manifests.extend(manifest::pyproject(path, &root));
                self.settings.extend(settings::of_toml(path, &root));
            }
            "Pipfile" => {
                let root = self.toml(path, text);
                self.manifests.push(manifest::pipfile(path, &root));
            }
            "setup.py" => self.manifests.extend(setup_py::parse(path, text)),
            "setup.cfg" | "tox.ini" | "pytest.ini" | ".coveragerc" => {
                let ini = Ini::parse(text);
                if name == "setup.cfg" {
                    self.manifests.extend(manifest::setup_cfg(path, &ini));
                }
                self.settings.extend(settings::of_ini(path, &ini));
            }
            "environment.yml" | "environment.yaml" => {
                if let Some(root) = self.yaml(path, text) {
                    self.manifests.extend(manifest::environment(path, &root));
                }
            }
            "package.json" => {
                if let Some(root) = self.yaml(path, text) {
                    self.starts.extend(starts::package_json(path, &root));
                }
            }
            ".pre-commit-config.yaml" | ".pre-commit-config.yml" => {
                if let Some(root) = self.yaml(path, text) {
                    self.hooks.push(hooks::pre_commit(path, &root));
                }
            }
            "lefthook.yml" | ".lefthook.yml" | "lefthook.yaml" => {
                if let Some(root) = self.yaml(path, text) {
                    self.hooks.push(hooks::lefthook(path, &root));
                }
            }
            ".python-version" | "runtime.txt" => self.python_pins.extend(python_pin(path, text)),
            "conftest.py" => self.conftests.push(path.into()),
            _ if requirement::is_requirements(path) => {
                self.requirements.push(RequirementsFile::parse(path, text));
            }
            _ => self.starts.extend(starts::read(path, text)),
        }
    }

    fn yaml(&mut self, path: &str, text: &str) -> Option<Node> {
        match data::yaml(text) {
            Ok(documents) => documents.into_iter().next(),
            Err(error) => {
                self.refuse(path, &error);
                None
            }
        }
    }

    fn toml(&mut self, path: &str, text: &str) -> Node {
        let (root, error) = data::toml(text);
        if let Some(error) = error {
            self.refuse(path, &error);
        }
        root
    }

    fn refuse(&mut self, path: &str, error: &DataError) {
        self.unread.push(Unread {
            what: path.into(),
            reason: error.to_string(),
        });
    }

    /// Returns the requirements file at a path.
    pub fn requirements_file(&self, path: &str) -> Option<&RequirementsFile> {
        self.requirements
            .iter()
            .find(|file| file.path.as_ref() == path)
    }

    /// Returns folders, besides the root, that Python code is imported from by settings: `src`, `pythonpath`,
    /// `package_dir`.
    pub fn roots(&self) -> Vec<Box<str>> {
        let mut roots: Vec<Box<str>> = Vec::new();
        let mut add = |file: &str, place: &str| {
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            if let Some(root) = requirement::join(folder, place).filter(|root| !root.is_empty())
                && !roots.iter().any(|known| known.as_ref() == root)
            {
                roots.push(root.into());
            }
        };
        for manifest in &self.manifests {
            manifest
                .roots
                .iter()
                .for_each(|root| add(&manifest.path, root));
        }
        for settings in &self.settings {
            settings
                .python_paths
                .iter()
                .for_each(|root| add(&settings.path, &root.value));
        }
        roots
    }

    /// Returns the steps of workflows and of the repository's own actions, with their files.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &workflow::Step)> {
        let of_workflows = self.workflows.iter().flat_map(|workflow| {
            let steps = workflow.jobs.iter().flat_map(|job| &job.steps);
            steps.map(|step| (workflow.path.as_ref(), step))
        });
        let of_actions = self.actions.iter().flat_map(|action| {
            let steps = action.steps.iter();
            steps.map(|step| (action.path.as_ref(), step))
        });
        of_workflows.chain(of_actions)
    }

    /// Returns every script that CI, Procfiles, Makefiles, units, crontabs, `package.json`, tox and local hooks
    /// run. Containers are asked apart, because their folders are others.
    pub fn scripts(&self) -> Vec<Script<'_>> {
        let mut scripts = Vec::new();
        for workflow in &self.workflows {
            for (job, step) in workflow
                .jobs
                .iter()
                .flat_map(|job| job.steps.iter().map(move |step| (job, step)))
            {
                let Some(run) = &step.run else { continue };
                let is_shell = step
                    .shell
                    .as_deref()
                    .is_none_or(|shell| !shell.starts_with("python") && !shell.starts_with("node"));
                if is_shell {
                    let directory = match &step.directory {
                        Some(folder) if folder.contains('$') => None,
                        Some(folder) => requirement::join("", folder),
                        None => Some(String::new()),
                    };
                    let what = format!("job {}", job.id);
                    scripts.push(Script {
                        path: &workflow.path,
                        line: run.line,
                        text: &run.value,
                        directory,
                        what,
                    });
                }
            }
        }
        for start in &self.starts {
            if let Some(script) = &start.script {
                let directory = start.directory.as_deref().map(Into::into);
                let what = start.name.to_string();
                scripts.push(Script {
                    path: &start.path,
                    line: script.line,
                    text: &script.value,
                    directory,
                    what,
                });
            }
        }
        let root = || Some(String::new());
        for settings in &self.settings {
            for command in &settings.commands {
                let what = "tox".to_owned();
                scripts.push(Script {
                    path: &settings.path,
                    line: command.line,
                    text: &command.value,
                    directory: root(),
                    what,
                });
            }
        }
        for config in &self.hooks {
            for command in &config.commands {
                let what = "hook".to_owned();
                scripts.push(Script {
                    path: &config.path,
                    line: command.line,
                    text: &command.value,
                    directory: root(),
                    what,
                });
            }
        }
        scripts
    }
}

/// How a Dockerfile is built: the folder of the repository that it may copy from, and who says so.
impl Project {
    /// Returns the build context of a Dockerfile: what a compose file says, else its own folder where what it
    /// copies lies there, else the root. `None` where compose files disagree.
    pub fn build_context(&self, tree: &Tree, file: &Dockerfile) -> Option<String> {
        let mut said: Vec<String> = Vec::new();
        for compose in &self.compose {
            let folder = compose
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            for build in compose
                .services
                .iter()
                .filter_map(|service| service.build.as_ref())
            {
                let Some(context) = requirement::join(folder, &build.context) else {
                    continue;
                };
                let dockerfile = build
                    .dockerfile
                    .as_ref()
                    .map_or("Dockerfile", |file| &file.value);
                if requirement::join(&context, dockerfile).as_deref() == Some(&file.path)
                    && !said.contains(&context)
                {
                    said.push(context);
                }
            }
        }
        if said.len() > 1 {
            return None;
        }
        if let Some(context) = said.pop() {
            return Some(context);
        }
        let folder = file.folder().to_owned();
        let sources: Vec<_> = file
            .copies()
            .into_iter()
            .filter(|(_, copy)| copy.from.is_none())
            .flat_map(|(_, copy)| copy.sources)
            .filter(|source| {
                !matches!(source.as_ref(), "." | "./")
                    && !source.contains(['$', '*', '?'])
                    && !source.contains("://")
            })
            .collect();
        let lie_in = |folder: &str| {
            sources
                .iter()
                .filter(|source| {
                    requirement::join(folder, source.trim_start_matches('/'))
                        .is_some_and(|path| tree.has(&path))
                })
                .count()
        };
        if folder.is_empty() || lie_in(&folder) >= lie_in("") && !sources.is_empty() {
            Some(folder)
        } else if lie_in("") > 0 {
            Some(String::new())
        } else {
            None
        }
    }
}

/// Says whether a name ends so; paths of these files are compared as written, capitals count.
fn has_suffix(name: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| name.ends_with(end))
}

/// Folders of code that others wrote: environments and copies of packages.
fn is_foreign(path: &str) -> bool {
    path.split('/').any(|part| {
        matches!(
            part,
            "node_modules"
                | "site-packages"
                | "venv"
                | ".venv"
                | "virtualenv"
                | ".tox"
                | "__pycache__"
        )
    })
}

fn is_dockerfile(name: &str) -> bool {
    name == "Dockerfile"
        || name == "Containerfile"
        || name
            .strip_prefix("Dockerfile.")
            .is_some_and(|rest| rest != "dockerignore")
        || name.ends_with(".Dockerfile")
        || name.ends_with(".dockerfile")
}

fn is_other_ci(path: &str) -> bool {
    matches!(
        path,
        ".travis.yml"
            | ".circleci/config.yml"
            | "azure-pipelines.yml"
            | "Jenkinsfile"
            | ".drone.yml"
            | "appveyor.yml"
            | ".appveyor.yml"
            | "bitbucket-pipelines.yml"
            | ".cirrus.yml"
            | ".woodpecker.yml"
            | "cloudbuild.yaml"
            | ".buildkite/pipeline.yml"
            | ".forgejo/workflows"
            | "buildspec.yml"
            | ".semaphore/semaphore.yml"
    ) || path.starts_with(".gitea/workflows/")
        || path.starts_with(".forgejo/workflows/")
}

/// Says whether [`Project::read`] reads the file at a path, by its name.
pub fn is_project_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    workflow::is_github(path)
        || workflow::is_action(name)
        || path == ".gitlab-ci.yml"
        || is_other_ci(path)
        || is_dockerfile(name)
        || compose::is_compose(name)
        || starts::is_start(path)
        || requirement::is_requirements(path)
        || matches!(
            name,
            "pyproject.toml"
                | "Pipfile"
                | "setup.py"
                | "setup.cfg"
                | "tox.ini"
                | "pytest.ini"
                | ".coveragerc"
                | "environment.yml"
                | "environment.yaml"
                | "package.json"
                | ".pre-commit-config.yaml"
                | ".pre-commit-config.yml"
                | "lefthook.yml"
                | ".lefthook.yml"
                | "lefthook.yaml"
                | ".python-version"
                | "runtime.txt"
                | "conftest.py"
        )
}

/// Finds the ignore file that a build of this Dockerfile uses: its own, else the one beside it, else (the
/// context is then the root) the root's.
fn with_ignores(tree: &Tree, mut file: Dockerfile) -> Dockerfile {
    let folder = file.folder();
    let beside = if folder.is_empty() {
        ".dockerignore".to_owned()
    } else {
        format!("{folder}/.dockerignore")
    };
    let candidates = [
        format!("{}.dockerignore", file.path),
        beside,
        ".dockerignore".to_owned(),
    ];
    file.ignores = candidates
        .iter()
        .find_map(|path| Some(DockerIgnore::parse(path, &tree.text(path)?)));
    file
}

/// Reads `3.11.4`, or `python-3.11.4` of Heroku.
fn python_pin(path: &str, text: &str) -> Option<(Box<str>, TextAt)> {
    let (line, text) = (1_u32..)
        .zip(text.lines().map(str::trim))
        .find(|(_, line)| !line.is_empty() && !line.starts_with('#'))?;
    let version = text.strip_prefix("python-").unwrap_or(text);
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| (path.into(), At::new(line, version.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_read_and_what_is_broken_is_said() {
        let tree = Tree::of([
            (
                ".github/workflows/ci.yml",
                "on: push\njobs:\n  a:\n    steps:\n      - run: pytest\n        working-directory: sub\n",
            ),
            (".github/workflows/broken.yml", "a: [\n"),
            ("Dockerfile", "FROM python:3\n"),
            (".dockerignore", ".git\n"),
            ("docker-compose.yml", "services:\n  a:\n    build: .\n"),
            ("requirements.txt", "x==1\n"),
            (
                "pyproject.toml",
                "[project]\nname='a'\n[tool.pytest.ini_options]\npythonpath=['lib']\n",
            ),
            ("Procfile", "web: python a.py\n"),
            ("venv/requirements.txt", "y\n"),
            ("runtime.txt", "python-3.9.1\n"),
        ]);
        let project = Project::read(&tree);
        assert_eq!(
            (
                project.workflows.len(),
                project.dockerfiles.len(),
                project.compose.len()
            ),
            (1, 1, 1)
        );
        assert_eq!(
            (
                project.requirements.len(),
                project.manifests.len(),
                project.starts.len()
            ),
            (1, 1, 1)
        );
        assert_eq!(project.unread[0].what, ".github/workflows/broken.yml");
        assert!(project.dockerfiles[0].ignores.is_some());
        assert_eq!(project.roots(), ["lib".into()]);
        let scripts = project.scripts();
        assert_eq!(
            (
                scripts.len(),
                scripts[0].line,
                scripts[0].directory.as_deref()
            ),
            (2, 5, Some("sub"))
        );
        assert_eq!(project.python_pins[0].1.value.as_ref(), "3.9.1");
    }
}
