//! The pages under `docs/reference/`, generated from the code they describe.
//!
//! They are built by tests: `TRADEWIND_UPDATE=1 cargo test -p tradewind reference` writes them, any other
//! run fails when one differs. So a page cannot say what the program does not do.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use tradewind_core::EventKind;

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(name);
    if std::env::var_os("TRADEWIND_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let page = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        page == text,
        "docs/reference/{name} is not what the code says; run TRADEWIND_UPDATE=1 cargo test -p tradewind reference"
    );
}

#[test]
fn the_command_line_page_is_true() {
    let mut out = String::from(
        "# Command line\n\nGenerated from the program; every command also answers `--help`. Exit codes: 0 done, 1 found something, 2 wrong usage,\n3 wrong configuration, 4 daemon not reachable, 5 the outside world failed, 70 a bug in Tradewind.\n",
    );
    let mut command = crate::cli::command();
    command.build();
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        page(sub, "tradewind", 2, &mut out);
    }
    compare("cli.md", &out);
}

fn page(command: &clap::Command, parent: &str, level: usize, out: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    writeln!(
        out,
        "\n{} `{name}`\n\n{}.",
        "#".repeat(level),
        command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default()
    )
    .unwrap();
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|a| !matches!(a.get_id().as_str(), "help" | "version" | "directory"))
        .collect();
    if !arguments.is_empty() {
        writeln!(out, "\n| Argument | Meaning |\n|---|---|").unwrap();
    }
    for argument in arguments {
        let value = argument
            .get_value_names()
            .map(|names| {
                names
                    .iter()
                    .map(|n| format!("<{n}>"))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .unwrap_or_default();
        let takes_value = argument.get_action().takes_values();
        let mut forms = Vec::new();
        if let Some(short) = argument.get_short() {
            forms.push(format!("-{short}"));
        }
        if let Some(long) = argument.get_long() {
            forms.push(format!("--{long}"));
        }
        let mut form = forms.join(", ");
        if takes_value {
            form = format!("{form} {value}").trim().to_owned();
        }
        let mut help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|v| v.to_string_lossy().into_owned())
            .filter(|v| !v.is_empty())
            .collect();
        if takes_value && !defaults.is_empty() {
            help = format!("{help}. Default `{}`", defaults.join(" "));
        }
        writeln!(out, "| `{form}` | {} |", help.replace('|', "\\|")).unwrap();
    }
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        page(sub, &name, level + 1, out);
    }
}

#[test]
fn the_events_page_is_true() {
    let mut out = String::from(
        "# Events\n\nEverything that can stand in the journal. Patterns in rules and in `tradewind log --kind` use `*` for any characters.\nThe bodies are the types of the same name in `crates/core/src/payload.rs`.\n\n| Kind | Schema | Meaning |\n|---|---|---|\n",
    );
    for kind in EventKind::ALL {
        writeln!(
            out,
            "| `{kind}` | {} | {} |",
            kind.schema(),
            kind.doc().trim()
        )
        .unwrap();
    }
    compare("events.md", &out);
}

#[test]
fn the_configuration_pages_are_true() {
    let schema = crate::wire::schema();
    compare(
        "tradewind.schema.json",
        &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()),
    );
    let mut out = String::from(
        "# tradewind.toml\n\nGenerated from the program. Unknown keys are mistakes; `tradewind config check` reports every mistake with line and column;\n`tradewind config schema` prints the JSON schema (also in this folder) for editors.\n",
    );
    for (section, title) in [
        ("EngineSection", "[engine]"),
        ("UndoSection", "[engine.undo]"),
        ("RuleSection", "[rules.<name>]"),
        ("Limit", "limit = { … }"),
        ("WatchSection", "[watch]"),
        ("AuditSection", "[audit]"),
        ("SuppressSection", "[[audit.suppress]]"),
        ("GuardSection", "[guard]"),
        ("CheckSection", "[checks.<name>]"),
        ("HooksSection", "[hooks]"),
        ("PerFile", "[hooks.per_file.<id>]"),
    ] {
        let definition = &schema["$defs"][section];
        assert!(definition.is_object(), "{section} is not in the schema");
        table(title, definition, &mut out);
    }
    for action in crate::wire::registry().iter() {
        let schema: Value = action.schema().into();
        writeln!(
            out,
            "\n## Action `{}`\n\n{}\n",
            action.name(),
            action.about()
        )
        .unwrap();
        rows(&schema, &mut out);
    }
    compare("config.md", &out);
}

#[test]
fn the_schema_of_the_audit_is_true() {
    let schema = serde_json::to_string_pretty(&tradewind_insight::report::contract::schema());
    compare("audit.schema.json", &format!("{}\n", schema.unwrap()));
}

#[test]
fn the_provider_pages_are_true() {
    let catalog = tradewind_catalog::Catalog::builtin();
    let index = tradewind_catalog::page::index(catalog.providers());
    compare("providers/README.md", &index);
    for provider in catalog.providers() {
        compare(
            &format!("providers/{}.md", provider.name),
            &tradewind_catalog::page::page(provider),
        );
    }
}

fn table(title: &str, definition: &Value, out: &mut String) {
    writeln!(out, "\n## `{title}`\n\n{}\n", text(definition)).unwrap();
    rows(definition, out);
}

fn rows(definition: &Value, out: &mut String) {
    writeln!(out, "| Key | Meaning |\n|---|---|").unwrap();
    for (key, property) in definition["properties"].as_object().into_iter().flatten() {
        writeln!(out, "| `{key}` | {} |", text(property)).unwrap();
    }
}

fn text(value: &Value) -> String {
    value["description"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
