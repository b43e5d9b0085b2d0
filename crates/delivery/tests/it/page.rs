//! `docs/reference/hooks-builtin.md` says what the checks say of themselves.

use std::path::Path;

use tradewind_delivery::builtin::{ALL, About};

fn page() -> String {
    let mut page = String::from(
        "# Checks inside the program\n\n\
        These run without Python and without a process of their own. They are the hooks of\n\
        [pre-commit-hooks](https://github.com/pre-commit/pre-commit-hooks) 6.0.0 and of `repo: meta`. A\n\
        `.pre-commit-config.yaml` that names them under that repository, whichever `rev` it pins, or under\n\
        `repo: builtin`, gets these; a `local` hook with such an id is what its `entry` says.\n\n\
        Exit code and resulting bytes are those of the scripts, compared on generated files by\n\
        `crates/delivery/tests/it/hooks.rs`; where they are not, \"Differs\" says so. What is printed may be worded\n\
        otherwise. File names among `args` are refused: `files:` says which files. Everything is read from what will be\n\
        committed, never from the work tree.\n\n\
        Hooks that pre-commit-hooks 6.0.0 has removed (`check-byte-order-marker`, `fix-encoding-pragma`) are not here.\n\n\
        | Id | What it does | Fixes | For |\n|---|---|---|---|\n",
    );
    for about in ALL {
        let fixes = if about.can_fix { "yes" } else { "" };
        let (id, what) = (about.id, about.what);
        page.push_str(&format!(
            "| [`{id}`](#{id}) | {what} | {fixes} | {} |\n",
            scope(about)
        ));
    }
    for about in ALL {
        page.push_str(&format!("\n## {}\n\n{}\n", about.id, about.what));
        if !about.files.is_empty() && about.files != "^$" {
            page.push_str(&format!("\nFiles: `{}`\n", about.files));
        }
        if !about.stages.is_empty() {
            let stages: Vec<String> = about
                .stages
                .iter()
                .map(|stage| format!("`{}`", stage.name()))
                .collect();
            page.push_str(&format!("\nStages: {}\n", stages.join(", ")));
        }
        if !about.arguments.is_empty() {
            page.push_str("\n| Argument | |\n|---|---|\n");
            for (argument, what) in about.arguments {
                page.push_str(&format!(
                    "| `{}` | {} |\n",
                    argument.replace('|', "\\|"),
                    what.replace('|', "\\|")
                ));
            }
        }
        if !about.differs.is_empty() {
            page.push_str("\nDiffers:\n");
            for differs in about.differs {
                page.push_str(&format!("- {differs}\n"));
            }
        }
    }
    page
}

fn scope(about: &About) -> String {
    if about.always_run {
        return "every run".to_owned();
    }
    let types: Vec<String> = about.types.iter().map(|tag| format!("`{tag}`")).collect();
    match about.files {
        "^$" => "files that `files:` names".to_owned(),
        "" => types.join(" and "),
        _ => "certain names".to_owned(),
    }
}

#[test]
fn the_page_of_checks_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/hooks-builtin.md");
    let page = page();
    if std::env::var_os("TRADEWIND_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written.replace("\r\n", "\n") == page,
        "run `TRADEWIND_UPDATE=1 cargo test -p tradewind-delivery --test it page`"
    );
}
