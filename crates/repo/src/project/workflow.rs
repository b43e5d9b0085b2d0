//! CI workflows: GitHub's and GitLab's files as jobs and steps with lines.
//!
//! What is not understood is left out, not guessed; a file that is no YAML is in `unread`.

use super::data::{At, Data, Node, TextAt};

/// Where a workflow runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// A file in `.github/workflows/`.
    GitHub,
    /// `.gitlab-ci.yml`.
    GitLab,
}

/// One workflow file.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Its path.
    pub path: Box<str>,
    /// Where it runs.
    pub forge: Forge,
    /// Line of `on`, or 1.
    pub on_line: u32,
    /// What starts it: `push`, `pull_request`, …, with what is said about it. Empty for GitLab.
    pub triggers: Vec<(TextAt, Node)>,
    /// Line of `permissions`.
    pub permissions: Option<u32>,
    /// Line of `concurrency`.
    pub concurrency: Option<u32>,
    /// `defaults: run: working-directory`.
    pub directory: Option<Box<str>>,
    /// `env` of the whole file.
    pub env: Vec<(Node, Node)>,
    /// Its jobs.
    pub jobs: Vec<Job>,
}

/// An action of the repository's own that is made of steps; workflows run it with `uses: ./…`.
#[derive(Clone, Debug)]
pub struct CompositeAction {
    /// Path of its description.
    pub path: Box<str>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name in the file.
    pub id: Box<str>,
    /// Line of its name.
    pub line: u32,
    /// `runs-on`, as written.
    pub runs_on: Vec<TextAt>,
    /// `container` or GitLab's `image`.
    pub image: Option<TextAt>,
    /// The reusable workflow that it calls.
    pub uses: Option<TextAt>,
    /// Line of `permissions`.
    pub permissions: Option<u32>,
    /// Line of `timeout-minutes`.
    pub timeout: Option<u32>,
    /// Line of `concurrency`.
    pub concurrency: Option<u32>,
    /// `if`.
    pub condition: Option<TextAt>,
    /// The axes of the matrix, `include` and `exclude` among them.
    pub matrix: Vec<(TextAt, Node)>,
    /// `env`.
    pub env: Vec<(Node, Node)>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line where it starts.
    pub line: u32,
    /// `name`.
    pub name: Option<Box<str>>,
    /// The action, as written: `actions/checkout@v4`.
    pub uses: Option<TextAt>,
    /// What the action is given.
    pub with: Vec<(Node, Node)>,
    /// The script and the line where its text begins.
    pub run: Option<TextAt>,
    /// `shell`, its own or the default.
    pub shell: Option<Box<str>>,
    /// Folder that it runs in, its own or the default.
    pub directory: Option<Box<str>>,
    /// `if`.
    pub condition: Option<TextAt>,
    /// Line of `timeout-minutes`.
    pub timeout: Option<u32>,
    /// `env`.
    pub env: Vec<(Node, Node)>,
    /// Whether its failure is ignored.
    pub may_fail: bool,
}

impl Step {
    /// Returns what the action is given under a name.
    pub fn given(&self, name: &str) -> Option<&Node> {
        self.with
            .iter()
            .find(|(key, _)| key.text() == Some(name))
            .map(|(_, value)| value)
    }

    /// Returns the action's name without version, in small letters: `actions/checkout`.
    pub fn action(&self) -> Option<String> {
        let uses = self.uses.as_ref()?;
        Some(uses.value.split('@').next()?.trim().to_ascii_lowercase())
    }
}

impl Workflow {
    /// Says whether something of this name starts it.
    pub fn is_started_by(&self, name: &str) -> bool {
        self.triggers
            .iter()
            .any(|(trigger, _)| trigger.value.as_ref() == name)
    }
}

impl Workflow {
    /// Says whether a step brings files that are not in git: another checkout, artefacts, caches.
    pub fn brings_files(&self) -> bool {
        let mut steps = self.jobs.iter().flat_map(|job| &job.steps);
        steps.any(|step| match step.action().as_deref() {
            Some("actions/checkout") => {
                step.given("repository").is_some() || step.given("path").is_some()
            }
            Some("actions/download-artifact" | "actions/cache" | "actions/cache/restore") => {
                step.given("path").is_some()
            }
            _ => false,
        })
    }
}

/// Says whether a file of this name describes an action.
pub(super) fn is_action(name: &str) -> bool {
    matches!(name, "action.yml" | "action.yaml")
}

/// Says whether a path is a workflow of GitHub.
pub(super) fn is_github(path: &str) -> bool {
    path.strip_prefix(".github/workflows/")
        .is_some_and(|name| !name.contains('/') && super::has_suffix(name, &[".yml", ".yaml"]))
}

fn line_of(node: &Node, key: &str) -> Option<u32> {
    node.entry(key).map(|(name, _)| name.line)
}

fn text_at(node: &Node, key: &str) -> Option<TextAt> {
    let value = node.get(key)?;
    Some(At::new(value.line, value.text()?.into()))
}

fn text_of(node: &Node, keys: &[&str]) -> Option<Box<str>> {
    node.path(keys)?.text().map(Into::into)
}

fn pairs(node: &Node, key: &str) -> Vec<(Node, Node)> {
    node.get(key)
        .map_or_else(Vec::new, |map| map.map().to_vec())
}

fn named(node: &Node) -> Vec<(TextAt, Node)> {
    node.map()
        .iter()
        .filter_map(|(key, value)| Some((At::new(key.line, key.text()?.into()), value.clone())))
        .collect()
}

fn steps(node: &Node, directory: Option<&str>, shell: Option<&str>) -> Vec<Step> {
    let list = node.get("steps").map_or(&[][..], Node::list).iter();
    list.map(|step| Step {
        line: step.line,
        name: text_of(step, &["name"]),
        uses: text_at(step, "uses"),
        with: pairs(step, "with"),
        run: text_at(step, "run"),
        shell: text_of(step, &["shell"]).or(shell.map(Into::into)),
        directory: text_of(step, &["working-directory"]).or(directory.map(Into::into)),
        condition: text_at(step, "if"),
        timeout: line_of(step, "timeout-minutes"),
        env: pairs(step, "env"),
        may_fail: step.get("continue-on-error").and_then(Node::truth) == Some(true),
    })
    .collect()
}

/// Reads an action of the repository's own; `None` for one that is a program and has no steps.
pub(super) fn composite(path: &str, root: &Node) -> Option<CompositeAction> {
    let runs = root.get("runs")?;
    (runs.get("using")?.text()? == "composite").then(|| CompositeAction {
        path: path.into(),
        steps: steps(runs, None, None),
    })
}

/// Reads a workflow of GitHub.
pub(super) fn github(path: &str, root: &Node) -> Workflow {
    let on = root.entry("on");
    let triggers = match on.map(|(_, value)| value) {
        Some(value) if !value.map().is_empty() => named(value),
        Some(value) => value
            .texts()
            .into_iter()
            .map(|name| {
                let nothing = Node {
                    line: name.line,
                    column: 1,
                    data: Data::Plain("".into()),
                };
                (name, nothing)
            })
            .collect(),
        None => Vec::new(),
    };
    let directory = text_of(root, &["defaults", "run", "working-directory"]);
    let shell = text_of(root, &["defaults", "run", "shell"]);
    let jobs = root.get("jobs").map_or(&[][..], Node::map);
    Workflow {
        path: path.into(),
        forge: Forge::GitHub,
        on_line: on.map_or(1, |(key, _)| key.line),
        triggers,
        permissions: line_of(root, "permissions"),
        concurrency: line_of(root, "concurrency"),
        env: pairs(root, "env"),
        jobs: jobs
            .iter()
            .filter_map(|(key, job)| {
                Some(github_job(
                    key.line,
                    key.text()?,
                    job,
                    directory.as_deref(),
                    shell.as_deref(),
                ))
            })
            .collect(),
        directory,
    }
}

fn github_job(
    line: u32,
    id: &str,
    job: &Node,
    directory: Option<&str>,
    shell: Option<&str>,
) -> Job {
    let directory =
        text_of(job, &["defaults", "run", "working-directory"]).or(directory.map(Into::into));
    let shell = text_of(job, &["defaults", "run", "shell"]).or(shell.map(Into::into));
    let image = text_at(job, "container").or_else(|| text_at(job.get("container")?, "image"));
    let runs_on = match job.get("runs-on") {
        Some(node) if !node.map().is_empty() => {
            node.get("labels").map_or_else(Vec::new, Node::texts)
        }
        Some(node) => node.texts(),
        None => Vec::new(),
    };
    Job {
        id: id.into(),
        line,
        runs_on,
        image,
        uses: text_at(job, "uses"),
        permissions: line_of(job, "permissions"),
        timeout: line_of(job, "timeout-minutes"),
        concurrency: line_of(job, "concurrency"),
        condition: text_at(job, "if"),
        matrix: job
            .path(&["strategy", "matrix"])
            .map_or_else(Vec::new, named),
        env: pairs(job, "env"),
        steps: steps(job, directory.as_deref(), shell.as_deref()),
    }
}

/// Keys of `.gitlab-ci.yml` that name no job.
const GITLAB_WORDS: &[&str] = &[
    "after_script",
    "before_script",
    "cache",
    "default",
    "image",
    "include",
    "pages",
    "services",
    "spec",
    "stages",
    "variables",
    "workflow",
];

/// Reads `.gitlab-ci.yml`; each script line becomes a step.
pub(super) fn gitlab(path: &str, root: &Node) -> Workflow {
    let image =
        |node: &Node| text_at(node, "image").or_else(|| text_at(node.get("image")?, "name"));
    let default = root.get("default");
    let default_image = image(root).or_else(|| image(default?));
    let jobs = root
        .map()
        .iter()
        .filter_map(|(key, job)| {
            let id = key.text()?;
            if (GITLAB_WORDS.contains(&id) && id != "pages") || job.get("script").is_none() {
                return None;
            }
            let scripts = ["before_script", "script", "after_script"]
                .into_iter()
                .filter_map(|name| {
                    job.get(name).or_else(|| {
                        if name == "script" {
                            None
                        } else {
                            root.get(name).or_else(|| default?.get(name))
                        }
                    })
                });
            Some(Job {
                id: id.into(),
                line: key.line,
                runs_on: Vec::new(),
                image: image(job).or_else(|| default_image.clone()),
                uses: None,
                permissions: None,
                timeout: line_of(job, "timeout"),
                concurrency: line_of(job, "interruptible"),
                condition: None,
                matrix: Vec::new(),
                env: pairs(job, "variables"),
                steps: scripts.flat_map(gitlab_steps).collect(),
            })
        })
        .collect();
    Workflow {
        path: path.into(),
        forge: Forge::GitLab,
        on_line: 1,
        triggers: Vec::new(),
        permissions: None,
        concurrency: None,
        directory: None,
        env: pairs(root, "variables"),
        jobs,
    }
}

/// One step for a whole list, because `cd` in one line holds for the next.
fn gitlab_steps(script: &Node) -> Vec<Step> {
    let step = |run: TextAt| Step {
        line: run.line,
        name: None,
        uses: None,
        with: Vec::new(),
        run: Some(run),
        shell: None,
        directory: None,
        condition: None,
        timeout: None,
        env: Vec::new(),
        may_fail: false,
    };
    script.texts().into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::yaml;
    use super::*;

    #[test]
    fn a_workflow_has_triggers_jobs_and_steps_with_lines() {
        let text = "on:\n  push:\n  schedule:\n    - cron: '1'\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v2\n      - run: |\n          pytest\n        working-directory: sub\n";
        let workflow = github("w.yml", &yaml(text).unwrap()[0]);
        assert_eq!(workflow.triggers[1].0, At::new(3, "schedule".into()));
        let job = &workflow.jobs[0];
        assert_eq!(
            (job.line, job.runs_on[0].value.as_ref()),
            (6, "ubuntu-latest")
        );
        assert_eq!(job.steps[0].action().as_deref(), Some("actions/checkout"));
        assert_eq!(job.steps[1].run, Some(At::new(11, "pytest\n".into())));
        assert_eq!(job.steps[1].directory.as_deref(), Some("sub"));
        let short = github("w.yml", &yaml("on: [push, pull_request]\n").unwrap()[0]);
        assert!(short.is_started_by("pull_request"));
        let odd = github("w.yml", &yaml("- a\n").unwrap()[0]);
        assert!(odd.jobs.is_empty());
    }

    #[test]
    fn gitlab_jobs_are_what_has_a_script() {
        let text = "image: python:3.11\nstages: [a]\n.t: {script: [x]}\ntest:\n  script:\n    - pip install -r r.txt\n    - pytest\n";
        let workflow = gitlab(".gitlab-ci.yml", &yaml(text).unwrap()[0]);
        assert_eq!(workflow.jobs.len(), 2);
        assert_eq!(
            workflow.jobs[1].steps[1].run,
            Some(At::new(7, "pytest".into()))
        );
        assert_eq!(
            workflow.jobs[1].image.as_ref().unwrap().value.as_ref(),
            "python:3.11"
        );
    }
}
