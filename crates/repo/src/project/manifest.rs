//! What a repository says about itself as a package: `pyproject.toml`, `setup.cfg`, `setup.py`, `Pipfile`,
//! `environment.yml`, in one shape.

use super::data::{At, Data, Node, TextAt};
use super::ini::Ini;
use super::requirement::Requirement;
use super::version::Specifiers;

/// One file that declares a package or its dependencies.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// Its path.
    pub path: Box<str>,
    /// The distribution's name.
    pub name: Option<TextAt>,
    /// Its version, where it is a literal.
    pub version: Option<TextAt>,
    /// The Python versions it promises, as written: `>=3.10`.
    pub python: Option<TextAt>,
    /// The same, read; `None` where absent or unreadable.
    pub python_versions: Option<Specifiers>,
    /// What it depends on, all groups.
    pub requirements: Vec<Requirement>,
    /// Whether dependencies (or some of them) are computed or read from elsewhere, so that the list is not
    /// all.
    pub is_open: bool,
    /// Requirements files that it reads its dependencies from (`dynamic`, `file:`).
    pub reads: Vec<TextAt>,
    /// Commands that are installed: name and `module:function`.
    pub scripts: Vec<(TextAt, Box<str>)>,
    /// Packages and modules listed by name.
    pub packages: Vec<TextAt>,
    /// Folders that hold packages (`package_dir`, `where`, `package-dir`).
    pub roots: Vec<Box<str>>,
    /// Packages needed to build it.
    pub build_requirements: Vec<Requirement>,
    /// Line of the licence, and the text or file name.
    pub license: Option<TextAt>,
    /// Line and name of the README file.
    pub readme: Option<TextAt>,
}

fn text_at(node: Option<&Node>) -> Option<TextAt> {
    let node = node?;
    Some(At::new(node.line, node.text()?.into()))
}

fn requirements(node: Option<&Node>, group: Option<&str>) -> impl Iterator<Item = Requirement> {
    let texts = node.map_or_else(Vec::new, Node::texts);
    let group = group.map(str::to_owned);
    texts.into_iter().filter_map(move |text| {
        Some(Requirement::parse(text.line, &text.value)?.in_group(group.as_deref()))
    })
}

fn scripts(node: Option<&Node>) -> Vec<(TextAt, Box<str>)> {
    let pairs = node.map_or(&[][..], Node::map);
    pairs
        .iter()
        .filter_map(|(key, value)| {
            // Poetry also writes `{ reference = "module:function" }` or `{ callable = … }`.
            let value = value
                .text()
                .or_else(|| value.get("callable").or(value.get("reference"))?.text())?;
            Some((At::new(key.line, key.text()?.into()), value.into()))
        })
        .collect()
}

/// Reads `pyproject.toml`. `None` where it declares nothing (only settings of tools).
pub(super) fn pyproject(path: &str, root: &Node) -> Option<Manifest> {
    let mut manifest = Manifest {
        path: path.into(),
        ..Manifest::default()
    };
    let mut is_manifest = false;
    if let Some(project) = root.get("project") {
        is_manifest = true;
        manifest.name = text_at(project.get("name"));
        manifest.version = text_at(project.get("version"));
        manifest.python = text_at(project.get("requires-python"));
        manifest.python_versions = manifest
            .python
            .as_ref()
            .and_then(|text| Specifiers::parse(&text.value));
        manifest
            .requirements
            .extend(requirements(project.get("dependencies"), None));
        for (key, list) in project
            .get("optional-dependencies")
            .map_or(&[][..], Node::map)
        {
            manifest
                .requirements
                .extend(requirements(Some(list), key.text().or(Some("extra"))));
        }
        for key in ["scripts", "gui-scripts"] {
            manifest.scripts.extend(scripts(project.get(key)));
        }
        let dynamic = project.get("dynamic").map_or_else(Vec::new, Node::texts);
        manifest.is_open = dynamic
            .iter()
            .any(|name| name.value.as_ref() == "dependencies");
        manifest.license =
            text_at(project.get("license")).or_else(|| text_at(project.path(&["license", "text"])));
        manifest.license = manifest
            .license
            .or_else(|| text_at(project.path(&["license", "file"])));
        manifest.readme =
            text_at(project.get("readme")).or_else(|| text_at(project.path(&["readme", "file"])));
    }
    if let Some(build) = root.get("build-system") {
        manifest
            .build_requirements
            .extend(requirements(build.get("requires"), Some("build")));
    }
    for (key, list) in root.get("dependency-groups").map_or(&[][..], Node::map) {
        is_manifest = true;
        manifest
            .requirements
            .extend(requirements(Some(list), key.text().or(Some("dev"))));
    }
    if let Some(tool) = root.get("tool") {
        is_manifest |= poetry(&mut manifest, tool.get("poetry"));
        {
            let list = tool.path(&["uv", "dev-dependencies"]);
            manifest
                .requirements
                .extend(requirements(list, Some("dev")));
        }
        for (key, list) in tool
            .path(&["pdm", "dev-dependencies"])
            .map_or(&[][..], Node::map)
        {
            manifest
                .requirements
                .extend(requirements(Some(list), key.text().or(Some("dev"))));
        }
        for (key, environment) in tool.path(&["hatch", "envs"]).map_or(&[][..], Node::map) {
            manifest.requirements.extend(requirements(
                environment.get("dependencies"),
                key.text().or(Some("dev")),
            ));
        }
        setuptools(&mut manifest, tool.get("setuptools"));
        let hatch = tool.path(&["hatch", "build", "targets", "wheel", "packages"]);
        manifest
            .packages
            .extend(hatch.map_or_else(Vec::new, Node::texts));
    }
    is_manifest.then_some(manifest)
}

fn setuptools(manifest: &mut Manifest, tool: Option<&Node>) {
    let Some(tool) = tool else { return };
    for key in ["packages", "py-modules"] {
        manifest
            .packages
            .extend(tool.get(key).map_or_else(Vec::new, Node::texts));
    }
    for place in tool
        .path(&["packages", "find", "where"])
        .map_or_else(Vec::new, Node::texts)
    {
        manifest.roots.push(place.value);
    }
    for (_, place) in tool.get("package-dir").map_or(&[][..], Node::map) {
        manifest.roots.extend(place.text().map(Into::into));
    }
    if let Some(files) = tool.path(&["dynamic", "dependencies", "file"]) {
        manifest.reads.extend(files.texts());
        manifest.is_open = false;
    }
}

/// Reads Poetry's tables. Answers whether there were any.
fn poetry(manifest: &mut Manifest, tool: Option<&Node>) -> bool {
    let Some(tool) = tool else { return false };
    manifest.name = manifest.name.take().or_else(|| text_at(tool.get("name")));
    manifest.version = manifest
        .version
        .take()
        .or_else(|| text_at(tool.get("version")));
    manifest.license = manifest
        .license
        .take()
        .or_else(|| text_at(tool.get("license")));
    manifest.readme = manifest
        .readme
        .take()
        .or_else(|| text_at(tool.get("readme")));
    let mut take = |node: Option<&Node>, group: Option<&str>| {
        for (key, value) in node.map_or(&[][..], Node::map) {
            let Some(name) = key.text() else { continue };
            if name.eq_ignore_ascii_case("python") {
                if manifest.python.is_none() {
                    manifest.python = text_at(Some(value));
                    manifest.python_versions = value.text().and_then(Specifiers::parse_poetry);
                }
                continue;
            }
            manifest
                .requirements
                .push(poetry_requirement(key.line, name, value).in_group(group));
        }
    };
    take(tool.get("dependencies"), None);
    take(tool.get("dev-dependencies"), Some("dev"));
    for (key, group) in tool.get("group").map_or(&[][..], Node::map) {
        take(group.get("dependencies"), key.text().or(Some("dev")));
    }
    manifest.scripts.extend(scripts(tool.get("scripts")));
    for package in tool.get("packages").map_or(&[][..], Node::list) {
        if let Some(include) = text_at(package.get("include")) {
            manifest.packages.push(include);
        }
        manifest
            .roots
            .extend(package.get("from").and_then(Node::text).map(Into::into));
    }
    true
}

fn poetry_requirement(line: u32, name: &str, value: &Node) -> Requirement {
    let mut requirement = Requirement::named(line, name);
    // Several tables under conditions: what holds when is not read.
    let table = if let Data::List(items) = &value.data {
        requirement.marker = Some("several".into());
        items.first().unwrap_or(value)
    } else {
        value
    };
    let version = table.text().or_else(|| table.get("version")?.text());
    requirement.versions = Specifiers::parse_poetry(version.unwrap_or(""));
    requirement.written = version.map_or_else(
        || name.into(),
        |version| format!("{name} = \"{version}\"").into(),
    );
    requirement.extras = table.get("extras").map_or_else(Vec::new, |list| {
        list.texts().into_iter().map(|extra| extra.value).collect()
    });
    if let Some(marker) = table
        .get("markers")
        .or(table.get("python"))
        .and_then(Node::text)
    {
        requirement.marker = Some(marker.into());
    }
    requirement.url = ["git", "url", "path", "file"]
        .iter()
        .find_map(|key| table.get(key)?.text())
        .map(Into::into);
    requirement
}

/// Reads `Pipfile`.
pub(super) fn pipfile(path: &str, root: &Node) -> Manifest {
    let mut manifest = Manifest {
        path: path.into(),
        ..Manifest::default()
    };
    for (key, group) in [("packages", None), ("dev-packages", Some("dev"))] {
        for (name, value) in root.get(key).map_or(&[][..], Node::map) {
            let Some(text) = name.text() else { continue };
            manifest
                .requirements
                .push(poetry_requirement(name.line, text, value).in_group(group));
        }
    }
    manifest.python = text_at(root.path(&["requires", "python_version"]));
    manifest.python = manifest
        .python
        .or_else(|| text_at(root.path(&["requires", "python_full_version"])));
    manifest.python_versions = manifest
        .python
        .as_ref()
        .and_then(|text| Specifiers::parse(&format!("=={}.*", text.value)));
    manifest
}

/// Reads conda's `environment.yml`.
pub(super) fn environment(path: &str, root: &Node) -> Option<Manifest> {
    let dependencies = root.get("dependencies")?;
    let mut manifest = Manifest {
        path: path.into(),
        ..Manifest::default()
    };
    for item in dependencies.list() {
        for pip in item.get("pip").map_or(&[][..], Node::list) {
            let Some(text) = pip.text() else { continue };
            match text
                .strip_prefix("-r")
                .or(text.strip_prefix("--requirement"))
            {
                Some(file) => manifest.reads.push(At::new(
                    pip.line,
                    file.trim_start_matches(['=', ' ']).into(),
                )),
                None => manifest
                    .requirements
                    .extend(Requirement::parse(pip.line, text)),
            }
        }
        let Some(text) = item.text() else { continue };
        let requirement = conda_requirement(item.line, text);
        if requirement.name.as_ref() == "python" {
            manifest.python = Some(At::new(item.line, text.into()));
            manifest.python_versions = requirement.versions;
        } else if requirement.name.as_ref() != "pip" {
            manifest.requirements.push(requirement);
        }
    }
    Some(manifest)
}

/// Reads `channel::name=1.2=build` or `name>=1`.
fn conda_requirement(line: u32, text: &str) -> Requirement {
    let spec = text.rsplit("::").next().unwrap_or(text).trim();
    let end = spec
        .find(['=', '<', '>', '!', ' ', '~'])
        .unwrap_or(spec.len());
    let (name, versions) = spec.split_at(end);
    let versions = versions.trim();
    let mut requirement = Requirement::named(line, name);
    requirement.written = text.into();
    requirement.versions = match versions.strip_prefix('=') {
        Some(rest) if !rest.starts_with('=') => {
            let number = rest
                .split('=')
                .next()
                .unwrap_or(rest)
                .trim_end_matches(".*")
                .trim_end_matches('*');
            Specifiers::parse(&format!("=={number}.*"))
        }
        _ if versions.starts_with(|c: char| c.is_ascii_digit()) => {
            Specifiers::parse(&format!("=={versions}"))
        }
        _ => Specifiers::parse(versions.replace(' ', "").as_str()),
    };
    requirement
}

/// Reads `setup.cfg`. `None` where it declares nothing.
pub(super) fn setup_cfg(path: &str, ini: &Ini) -> Option<Manifest> {
    if ini.section("metadata").is_none() && ini.section("options").is_none() {
        return None;
    }
    let one = |section: &str, key: &str| {
        let entry = ini.get(section, key)?;
        Some(At::new(entry.line, entry.value.trim().into()))
    };
    let mut manifest = Manifest {
        path: path.into(),
        name: one("metadata", "name"),
        version: one("metadata", "version").filter(|version| !version.value.contains(':')),
        license: one("metadata", "license"),
        python: one("options", "python_requires"),
        ..Manifest::default()
    };
    manifest.python_versions = manifest
        .python
        .as_ref()
        .and_then(|text| Specifiers::parse(&text.value));
    let mut take = |key: &super::ini::Entry, group: Option<&str>| {
        for line in key.lines() {
            match line.value.strip_prefix("file:") {
                Some(file) => manifest.reads.push(At::new(line.line, file.trim().into())),
                None => manifest
                    .requirements
                    .extend(Requirement::parse(line.line, &line.value).map(|r| r.in_group(group))),
            }
        }
    };
    if let Some(list) = ini.get("options", "install_requires") {
        take(list, None);
    }
    for extra in ini
        .section("options.extras_require")
        .map_or(&[][..], |section| &section.entries)
    {
        take(extra, Some(&extra.key));
    }
    for group in ["console_scripts", "gui_scripts"] {
        for line in ini
            .get("options.entry_points", group)
            .map_or_else(Vec::new, super::ini::Entry::lines)
        {
            if let Some((name, target)) = line.value.split_once('=') {
                manifest
                    .scripts
                    .push((At::new(line.line, name.trim().into()), target.trim().into()));
            }
        }
    }
    for line in ini
        .get("options", "packages")
        .map_or_else(Vec::new, super::ini::Entry::lines)
    {
        if !line.value.contains("find") {
            manifest.packages.push(line);
        }
    }
    for line in ini
        .get("options", "package_dir")
        .map_or_else(Vec::new, super::ini::Entry::lines)
    {
        manifest.roots.extend(
            line.value
                .split_once('=')
                .map(|(_, place)| place.trim().into()),
        );
    }
    manifest
        .roots
        .extend(one("options.packages.find", "where").map(|place| place.value));
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use super::super::data::{toml, yaml};
    use super::*;

    fn fits(requirement: &Requirement, version: &str) -> bool {
        let version = super::super::version::Version::parse(version).unwrap();
        requirement.versions.as_ref().unwrap().allows(&version)
    }

    #[test]
    fn pyproject_in_its_writings() {
        let (root, _) = toml(
            "[project]\nname='a'\nrequires-python='>=3.10'\ndependencies=['x>=1']\n[project.optional-dependencies]\ndev=['pytest']\n[project.scripts]\nrun='a.cli:main'\n[tool.setuptools]\npackages=['a']\n",
        );
        let manifest = pyproject("pyproject.toml", &root).unwrap();
        assert_eq!(manifest.requirements[1].group.as_deref(), Some("dev"));
        assert_eq!(
            manifest.scripts[0],
            (At::new(8, "run".into()), "a.cli:main".into())
        );
        let (root, _) = toml(
            "[tool.poetry]\nname='a'\n[tool.poetry.dependencies]\npython='^3.9'\nPyYAML='^6.0'\nb={version='~1.2', optional=true}\n[tool.poetry.group.dev.dependencies]\nblack='*'\n",
        );
        let manifest = pyproject("pyproject.toml", &root).unwrap();
        assert_eq!(manifest.requirements[0].name.as_ref(), "pyyaml");
        assert!(fits(&manifest.requirements[1], "1.2.9"));
        assert!(
            manifest
                .python_versions
                .unwrap()
                .allows(&super::super::version::Version::of(&[3, 12]))
        );
        let (root, _) = toml("[tool.black]\nline-length=1\n");
        assert!(pyproject("pyproject.toml", &root).is_none());
    }

    #[test]
    fn conda_and_setup_cfg() {
        let root = yaml("dependencies:\n  - python=3.9\n  - numpy=1.21\n  - conda-forge::ta-lib\n  - pip:\n    - ccxt==4\n").unwrap();
        let manifest = environment("environment.yml", &root[0]).unwrap();
        let names: Vec<&str> = manifest
            .requirements
            .iter()
            .map(|r| r.name.as_ref())
            .collect();
        assert_eq!(names, ["numpy", "ta-lib", "ccxt"]);
        assert!(fits(&manifest.requirements[0], "1.21.6"));
        let ini = Ini::parse(
            "[metadata]\nname = a\n[options]\ninstall_requires =\n    x>=1\n    y ; python_version<'3'\n[options.entry_points]\nconsole_scripts =\n    go = a.b:c\n",
        );
        let manifest = setup_cfg("setup.cfg", &ini).unwrap();
        assert_eq!(manifest.requirements.len(), 2);
        assert_eq!(
            manifest.scripts[0],
            (At::new(9, "go".into()), "a.b:c".into())
        );
    }
}
