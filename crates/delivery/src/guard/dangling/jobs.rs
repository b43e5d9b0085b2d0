//! What CI, containers, services, packaging and test settings name.

use tradewind_repo::project::commands::{Mention, Use, mentions};
use tradewind_repo::project::compose::{Service, Started};
use tradewind_repo::project::data::At;
use tradewind_repo::project::dockerfile::{Dockerfile, glob};
use tradewind_repo::project::image::{Image, quoted, script_of};
use tradewind_repo::project::presence::Presence;
use tradewind_repo::project::requirement::join;
use tradewind_repo::project::shell::Origin;
use tradewind_repo::project::workflow::{Forge, Workflow};
use tradewind_repo::python::{Code, Resolution};

use super::{Found, How, Worlds};

/// Finds what the commit breaks in files that say how the project is built and run.
pub(super) fn find(worlds: &Worlds, found: &mut Found) {
    scripts(worlds, found);
    for workflow in worlds
        .project
        .workflows
        .iter()
        .filter(|workflow| stays(worlds, &workflow.path))
    {
        folders(worlds, workflow, found);
    }
    for file in worlds
        .project
        .dockerfiles
        .iter()
        .filter(|file| stays(worlds, &file.path))
    {
        image(worlds, file, found);
    }
    compose(worlds, found);
    packaging(worlds, found);
}

fn stays(worlds: &Worlds, path: &str) -> bool {
    worlds.without.get(path).is_some()
}

/// Tells a path of the repository that is lost.
fn path(worlds: &Worlds, to: &str, from: &str, line: u32, how: How, found: &mut Found) {
    if worlds.has_lost(to) {
        found.add(worlds, to.trim_end_matches('/'), from, line, how);
    }
}

fn how(from: &str) -> How {
    let is_ci = from.starts_with(".github/")
        || from.starts_with(".gitlab")
        || from.starts_with(".circleci/");
    if is_ci { How::Job } else { How::Starts }
}

fn scripts(worlds: &Worlds, found: &mut Found) {
    let roots = worlds.project.roots();
    for script in worlds.project.scripts() {
        if !stays(worlds, script.path) {
            continue;
        }
        let origin = Origin {
            line: script.line,
            directory: script.directory.as_deref(),
            own_names: &[],
        };
        for mention in mentions(script.text, origin) {
            if mention.may_be_made
                || mention.presence(&worlds.with, &roots) != Presence::Here
                || mention.presence(&worlds.without, &roots) == Presence::Here
            {
                continue;
            }
            if let Some(gone) = blame(worlds, &mention) {
                found.add(worlds, gone, script.path, mention.line, how(script.path));
            }
        }
    }
}

/// Returns what went and what a command needs.
pub(super) fn blame<'w>(worlds: &'w Worlds, mention: &'w Mention) -> Option<&'w str> {
    if mention.usage == Use::StartsModule {
        return worlds.lost_module(&mention.written);
    }
    mention
        .place
        .as_deref()
        .map(|place| place.trim_end_matches('/'))
}

/// Folders and actions that a workflow names beside its scripts.
fn folders(worlds: &Worlds, workflow: &Workflow, found: &mut Found) {
    if workflow.forge == Forge::GitLab {
        return;
    }
    let from = workflow.path.as_ref();
    let mut ask = |written: &str, line: u32| {
        if let Some(to) =
            join("", written).filter(|to| !to.is_empty() && !written.contains(['$', '*', '{']))
        {
            path(worlds, &to, from, line, How::Job, found);
        }
    };
    for job in &workflow.jobs {
        let uses = job
            .uses
            .iter()
            .chain(job.steps.iter().filter_map(|step| step.uses.as_ref()));
        for uses in uses.filter(|uses| uses.value.starts_with("./")) {
            ask(&uses.value, uses.line);
        }
        for step in &job.steps {
            if let Some(folder) = &step.directory {
                ask(folder, step.run.as_ref().map_or(step.line, |_| step.line));
            }
        }
    }
}

/// What a Dockerfile copies and starts.
fn image(worlds: &Worlds, file: &Dockerfile, found: &mut Found) {
    let Some(folder) = worlds.project.build_context(&worlds.with, file) else {
        return;
    };
    let from = file.path.as_ref();
    // From which folder an image is built is guessed by what it copies: a commit may change the answer.
    let other = worlds
        .project
        .build_context(&worlds.without, file)
        .filter(|other| *other != folder);
    let is_elsewhere = |source: &str| {
        let there = other
            .as_deref()
            .and_then(|other| join(other, source.trim_start_matches('/')));
        there.is_some_and(|there| worlds.without.has(&there))
    };
    for (_, copy) in file.copies().iter().filter(|(_, copy)| copy.from.is_none()) {
        for source in &copy.sources {
            if source.contains("://")
                || source.contains(['$', '[', '?', '*'])
                || is_elsewhere(source)
            {
                continue;
            }
            if let Some(to) =
                join(&folder, source.trim_start_matches('/')).filter(|to| !to.is_empty())
            {
                path(worlds, &to, from, copy.line, How::Copies, found);
            }
        }
    }
    patterns(worlds, file, &folder, found);
    let shipped = file.shipped();
    for keyword in ["ENTRYPOINT", "CMD"] {
        let last = shipped
            .iter()
            .rev()
            .find(|instruction| instruction.keyword.as_ref() == keyword);
        if let Some(instruction) = last {
            started(
                worlds,
                &Image::of(file, &folder),
                from,
                &script_of(instruction),
                found,
            );
        }
    }
}

/// Copies that name files by patterns alone, and find none any more. Beside a plain name a pattern is the usual
/// way to say "if it is there" (`COPY package.json yarn.lock* ./`), and one of several may come to nothing.
fn patterns(worlds: &Worlds, file: &Dockerfile, folder: &str, found: &mut Found) {
    let is_pattern =
        |source: &str| source.contains(['*', '?', '[']) && !source.contains(['$', ':']);
    for (_, copy) in file.copies().iter().filter(|(_, copy)| copy.from.is_none()) {
        if copy.sources.is_empty() || !copy.sources.iter().all(|source| is_pattern(source)) {
            continue;
        }
        let wanted: Vec<String> = copy
            .sources
            .iter()
            .filter_map(|source| join(folder, source.trim_start_matches('/')))
            .collect();
        let is_named = |path: &str| {
            // A pattern may name a folder, and then all that is below it comes.
            let ends = path.match_indices('/').map(|(at, _)| at);
            ends.chain([path.len()])
                .filter_map(|end| path.get(..end))
                .any(|part| wanted.iter().any(|pattern| glob(pattern, part)))
        };
        if worlds.without.tracked().any(|file| is_named(&file.path)) {
            continue;
        }
        for gone in worlds.gone.iter().filter(|gone| is_named(gone)) {
            path(
                worlds,
                gone,
                file.path.as_ref(),
                copy.line,
                How::Copies,
                found,
            );
        }
    }
}

fn started(worlds: &Worlds, image: &Image, from: &str, script: &At<String>, found: &mut Found) {
    let with = image.started(&worlds.with, script);
    let without = image.started(&worlds.without, script);
    for ((mention, before), (_, after)) in with.iter().zip(&without) {
        if *before != Presence::Here || *after == Presence::Here {
            continue;
        }
        let written = if mention.usage == Use::StartsModule {
            format!("{}.py", mention.written.replace('.', "/"))
        } else {
            mention.written.to_string()
        };
        for source in image.sources(&worlds.with, &written) {
            path(worlds, &source, from, script.line, How::Starts, found);
        }
    }
}

/// What compose files build from, read and start.
fn compose(worlds: &Worlds, found: &mut Found) {
    for compose in worlds
        .project
        .compose
        .iter()
        .filter(|compose| stays(worlds, &compose.path))
    {
        let from = compose.path.as_ref();
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut ask = |written: &str, line: u32, how: How| {
            let to = join(folder, written).filter(|to| !to.is_empty() && !written.contains('$'));
            if let Some(to) = to {
                path(worlds, &to, from, line, how, found);
            }
        };
        for service in &compose.services {
            if let Some(build) = &service.build {
                ask(&build.context, build.line, How::Copies);
                if let Some(file) = &build.dockerfile {
                    ask(
                        &format!("{}/{}", build.context, file.value),
                        file.line,
                        How::Copies,
                    );
                }
            }
            for (file, _) in service.env_files.iter().filter(|(_, must)| *must) {
                ask(&file.value, file.line, How::Starts);
            }
            for volume in service
                .volumes
                .iter()
                .filter(|volume| volume.value.starts_with("./"))
            {
                // A folder that is not there is made empty; a file that is not there becomes a folder.
                ask(&volume.value, volume.line, How::Starts);
            }
        }
        for service in &compose.services {
            commands(worlds, from, folder, service, found);
        }
    }
}

fn commands(worlds: &Worlds, from: &str, folder: &str, service: &Service, found: &mut Found) {
    let Some(build) = &service.build else { return };
    let name = build
        .dockerfile
        .as_ref()
        .map_or("Dockerfile", |file| &file.value);
    let Some(context) = join(folder, &build.context) else {
        return;
    };
    let wanted = join(&context, name);
    let file = worlds
        .project
        .dockerfiles
        .iter()
        .find(|file| Some(file.path.as_ref()) == wanted.as_deref());
    // A mounted folder may hold anything.
    let Some(file) = file.filter(|_| {
        !service
            .volumes
            .iter()
            .any(|volume| volume.value.starts_with('.'))
    }) else {
        return;
    };
    let image = Image::of(file, &context);
    for given in [&service.entrypoint, &service.command]
        .into_iter()
        .flatten()
    {
        let text = match &given.value {
            Started::Words(parts) => quoted(parts),
            Started::Line(line) => line.to_string(),
        };
        started(worlds, &image, from, &At::new(given.line, text), found);
    }
}

/// What packaging and test settings name.
fn packaging(worlds: &Worlds, found: &mut Found) {
    let with = Code::join(Vec::new(), &worlds.with);
    let without = Code::join(Vec::new(), &worlds.without);
    for manifest in worlds
        .project
        .manifests
        .iter()
        .filter(|manifest| stays(worlds, &manifest.path))
    {
        let from = manifest.path.as_ref();
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (name, target) in &manifest.scripts {
            let module = target.split(':').next().unwrap_or_default().trim();
            let is_here = |code: &Code| {
                matches!(
                    code.resolve_module(from, module),
                    Resolution::File { .. } | Resolution::Folder { .. }
                )
            };
            if is_here(&with)
                && !is_here(&without)
                && let Some(gone) = worlds.lost_module(module)
            {
                found.add(worlds, gone, from, name.line, How::Packaging);
            }
        }
        let files = manifest.reads.iter().chain(&manifest.readme);
        for file in files.chain(&manifest.packages) {
            let written = if manifest.packages.contains(file) {
                file.value.replace('.', "/")
            } else {
                file.value.to_string()
            };
            for root in std::iter::once("").chain(manifest.roots.iter().map(AsRef::as_ref)) {
                if let Some(to) = join(folder, format!("{root}/{written}").trim_start_matches('/'))
                    .filter(|to| !to.is_empty())
                {
                    path(worlds, &to, from, file.line, How::Packaging, found);
                }
            }
        }
    }
    for file in worlds
        .project
        .requirements
        .iter()
        .filter(|file| stays(worlds, &file.path))
    {
        for (written, to) in file.includes.iter().chain(&file.constraints) {
            if let Some(to) = to {
                path(worlds, to, &file.path, written.line, How::Packaging, found);
            }
        }
    }
    for settings in worlds
        .project
        .settings
        .iter()
        .filter(|settings| stays(worlds, &settings.path))
    {
        let folder = settings
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        for place in &settings.test_paths {
            if let Some(to) =
                join(folder, &place.value).filter(|to| !to.is_empty() && !place.value.contains('*'))
            {
                path(
                    worlds,
                    &to,
                    &settings.path,
                    place.line,
                    How::Packaging,
                    found,
                );
            }
        }
    }
}
