//! Compose files: services with what starts, watches and restarts them.

use super::data::{At, Node, TextAt};
use super::dockerfile::{exec_text, list_of_words};

/// One compose file.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Its path.
    pub path: Box<str>,
    /// Its services.
    pub services: Vec<Service>,
    /// Whether `include` brings in other files.
    pub has_includes: bool,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: Box<str>,
    /// Line of its name.
    pub line: u32,
    /// `image`.
    pub image: Option<TextAt>,
    /// `build`.
    pub build: Option<Build>,
    /// `command`.
    pub command: Option<At<Started>>,
    /// `entrypoint`.
    pub entrypoint: Option<At<Started>>,
    /// Published ports.
    pub ports: Vec<At<Port>>,
    /// Files with variables, and whether they must be there.
    pub env_files: Vec<(TextAt, bool)>,
    /// Variables: name and value.
    pub environment: Vec<(TextAt, Option<Box<str>>)>,
    /// Sources of mounted folders, volumes or files, as written.
    pub volumes: Vec<TextAt>,
    /// Line of `healthcheck` where it is not switched off.
    pub healthcheck: Option<u32>,
    /// `restart`, or the condition under `deploy: restart_policy`.
    pub restart: Option<TextAt>,
    /// Whether something is taken from elsewhere (`extends`), so that absence says nothing.
    pub is_extended: bool,
    /// Profiles; services with one start only when asked for.
    pub profiles: Vec<TextAt>,
    /// `user`.
    pub user: Option<TextAt>,
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Line.
    pub line: u32,
    /// The folder, as written.
    pub context: Box<str>,
    /// The Dockerfile, relative to the folder.
    pub dockerfile: Option<TextAt>,
    /// The stage that is taken.
    pub target: Option<Box<str>>,
}

/// What a container starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// Words.
    Words(Vec<Box<str>>),
    /// One text; compose splits it like a shell and starts no shell.
    Line(Box<str>),
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port inside; `None` where it is a variable or range.
    pub container: Option<u16>,
    /// As written.
    pub written: Box<str>,
}

/// Says whether a file is a compose file, by its name.
pub(super) fn is_compose(name: &str) -> bool {
    let Some(stem) = name
        .strip_suffix(".yml")
        .or_else(|| name.strip_suffix(".yaml"))
    else {
        return false;
    };
    ["docker-compose", "compose", "podman-compose"]
        .iter()
        .any(|known| {
            stem == *known
                || stem
                    .strip_prefix(known)
                    .is_some_and(|rest| rest.starts_with(['.', '-', '_']))
        })
}

/// Reads a compose file; the old form without `services` is read as services at the top.
pub(super) fn parse(path: &str, root: &Node) -> Compose {
    let services = match root.get("services") {
        Some(services) => services.map(),
        None if root.get("version").is_none()
            && root
                .map()
                .iter()
                .any(|(_, node)| node.get("image").or(node.get("build")).is_some()) =>
        {
            root.map()
        }
        None => &[],
    };
    Compose {
        path: path.into(),
        services: services
            .iter()
            .filter_map(|(key, node)| Some(service(key.text()?, key.line, node)))
            .collect(),
        has_includes: root.get("include").is_some(),
    }
}

fn text_at(node: &Node, key: &str) -> Option<TextAt> {
    let value = node.get(key)?;
    Some(At::new(value.line, value.text()?.into()))
}

fn started(node: &Node, key: &str) -> Option<At<Started>> {
    let value = node.get(key)?;
    let started = match (list_of_words(value), value.text()) {
        (Some(words), _) => Started::Words(words),
        (None, Some(text)) => {
            exec_text(text).map_or_else(|| Started::Line(text.into()), Started::Words)
        }
        (None, None) => return None,
    };
    Some(At::new(value.line, started))
}

fn service(name: &str, line: u32, node: &Node) -> Service {
    let health = node.entry("healthcheck").filter(|(_, check)| {
        check.get("disable").and_then(Node::truth) != Some(true)
            && check
                .get("test")
                .is_none_or(|test| test.items().first().and_then(Node::text) != Some("NONE"))
    });
    let policy = node.path(&["deploy", "restart_policy"]);
    let restart = text_at(node, "restart").or_else(|| {
        let policy = policy?;
        Some(text_at(policy, "condition").unwrap_or(At::new(policy.line, "any".into())))
    });
    Service {
        name: name.into(),
        line,
        image: text_at(node, "image"),
        build: node.get("build").and_then(build),
        command: started(node, "command"),
        entrypoint: started(node, "entrypoint"),
        ports: node
            .get("ports")
            .map_or(&[][..], Node::list)
            .iter()
            .filter_map(port)
            .collect(),
        env_files: env_files(node),
        environment: environment(node),
        volumes: node
            .get("volumes")
            .map_or(&[][..], Node::list)
            .iter()
            .filter_map(|volume| match volume.text() {
                Some(text) => Some(At::new(volume.line, text.split(':').next()?.into())),
                None => text_at(volume, "source"),
            })
            .collect(),
        healthcheck: health.map(|(key, _)| key.line),
        restart,
        is_extended: node.get("extends").is_some(),
        profiles: node.get("profiles").map_or_else(Vec::new, Node::texts),
        user: text_at(node, "user"),
    }
}

fn build(node: &Node) -> Option<Build> {
    match node.text() {
        Some(context) => Some(Build {
            line: node.line,
            context: context.into(),
            dockerfile: None,
            target: None,
        }),
        // A Dockerfile written into the compose file itself is not read.
        None if node.map().is_empty() || node.get("dockerfile_inline").is_some() => None,
        None => Some(Build {
            line: node.line,
            context: node
                .get("context")
                .and_then(Node::text)
                .unwrap_or(".")
                .into(),
            dockerfile: text_at(node, "dockerfile"),
            target: node.get("target").and_then(Node::text).map(Into::into),
        }),
    }
}

fn port(node: &Node) -> Option<At<Port>> {
    let written: Box<str> = match node.text() {
        Some(text) => text.into(),
        None => node.get("target")?.text()?.into(),
    };
    let last = written.rsplit(':').next().unwrap_or(&written);
    let container = last.split('/').next().and_then(|port| port.parse().ok());
    Some(At::new(node.line, Port { container, written }))
}

fn env_files(node: &Node) -> Vec<(TextAt, bool)> {
    let files = node.get("env_file").map_or(&[][..], Node::items);
    files
        .iter()
        .filter_map(|file| {
            if let Some(text) = file.text() {
                Some((At::new(file.line, text.into()), true))
            } else {
                let required = file.get("required").and_then(Node::truth) != Some(false);
                Some((text_at(file, "path")?, required))
            }
        })
        .collect()
}

fn environment(node: &Node) -> Vec<(TextAt, Option<Box<str>>)> {
    let Some(environment) = node.get("environment") else {
        return Vec::new();
    };
    let listed = environment.list().iter().filter_map(|item| {
        let text = item.text()?;
        let (name, value) = text
            .split_once('=')
            .map_or((text, None), |(name, value)| (name, Some(value)));
        Some((At::new(item.line, name.into()), value.map(Into::into)))
    });
    let mapped = environment.map().iter().filter_map(|(key, value)| {
        Some((
            At::new(key.line, key.text()?.into()),
            value.text().map(Into::into),
        ))
    });
    listed.chain(mapped).collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::yaml;
    use super::*;

    #[test]
    fn services_are_read_in_both_writings() {
        let text = "services:\n  bot:\n    build: .\n    env_file: .env\n    ports: [\"127.0.0.1:80:8080/tcp\", {target: 9}]\n    command: [python, -m, bot]\n  db:\n    image: postgres\n    command: run it\n    deploy: {restart_policy: {condition: on-failure}}\n    healthcheck: {disable: true}\n    environment:\n      - A=1\n      - B\n";
        let compose = parse("c.yml", &yaml(text).unwrap()[0]);
        let (bot, db) = (&compose.services[0], &compose.services[1]);
        assert_eq!(bot.ports[0].value.container, Some(8080));
        assert_eq!(bot.ports[1].value.container, Some(9));
        assert_eq!(bot.env_files[0].0, At::new(4, ".env".into()));
        assert!(
            matches!(&bot.command.as_ref().unwrap().value, Started::Words(words) if words.len() == 3)
        );
        assert!(matches!(
            &db.command.as_ref().unwrap().value,
            Started::Line(_)
        ));
        assert_eq!(db.restart.as_ref().unwrap().value.as_ref(), "on-failure");
        assert_eq!(db.healthcheck, None);
        assert_eq!(db.environment[1].1, None);
        assert!(
            is_compose("docker-compose.prod.yml")
                && is_compose("compose.yaml")
                && !is_compose("composer.yml")
        );
    }
}
