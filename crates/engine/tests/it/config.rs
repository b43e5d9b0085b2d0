//! Configuration mistakes: all of them, where they stand.

use tradewind_engine::action::Registry;
use tradewind_engine::config::{self, Mode};

fn mistakes(text: &str) -> Vec<String> {
    config::parse(text, &Registry::new())
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_whole_configuration_is_read() {
    let text = r#"
[engine]
max_depth = 4
proposal_ttl = "2d"

[engine.undo]
max_age = "10d"

[rules.tests]
on = "repo.commit.created"
when = "event.data.title != 'wip'"
do = "run"
with = { command = ["python", "-m", "pytest"], writes = [], time_limit = "2m" }
mode = "act"
limit = { max = 3, per = "1h" }
debounce = "5s"

[rules.tell]
on = ["repo.branch.*", "repo.files.deleted"]
do = "notify"
with = { url = "https://example.com/hook", secret = "env:HOOK" }
mode = "propose"

[rules.log]
on = "repo.**"
do = "log"
with = { message = "something" }
"#;
    let config = config::parse(text, &Registry::new()).unwrap();
    assert_eq!(config.engine.max_depth.get(), 4);
    assert_eq!(config.rules["tests"].mode, Mode::Act);
    assert_eq!(config.rules["tell"].kinds.len(), 5);
    assert_eq!(config.rules["log"].mode, Mode::Shadow);
    assert!(config.rules["log"].kinds.len() > 10);
}

#[test]
fn every_mistake_is_reported_with_line_and_column() {
    let text = r#"[engine]
max_dept = 3

[rules.a]
on = "repo.comit.created"
do = "rnu"

[rules.b]
on = "repo.branch.updated"
when = "event.data.brnach == 'main'"
do = "run"
with = { command = "pytest", writes = [] }

[rules.c]
on = "repo.branch.updated"
do = "run"
mode = "act"
with = { command = ["make", "deploy"] }

[rules.d]
on = "repo.branch.updated"
do = "log"
mod = "act"
limit = { max = 0, per = "1h" }
with = { mesage = "x" }

[rules.e]
on = []
when = """
event.seq > 1 &&
  event.subject == 3
"""
do = "log"
with = { message = "x" }
debounce = "0s"

[rulez]
"#;
    let found = mistakes(text);
    let expect = [
        ("2:1", "unknown field `max_dept`"),
        (
            "5:6",
            "no event kind matches `repo.comit.created`, did you mean `repo.commit.created`?",
        ),
        ("6:6", "unknown action `rnu`"),
        ("10:20", "unknown field `brnach`, did you mean `branch`?"),
        ("12:20", "invalid type: string"),
        ("17:8", "cannot be taken back"),
        ("23:1", "unknown field `mod`"),
        ("24:17", "nonzero"),
        ("25:10", "unknown field `mesage`"),
        ("28:6", "empty"),
        ("31:17", "a text is never a number"),
        ("35:12", "more than nothing"),
        ("37:2", "unknown section `rulez`"),
    ];
    for (place, message) in expect {
        assert!(
            found
                .iter()
                .any(|m| m.starts_with(&format!("{place}: ")) && m.contains(message)),
            "{place}: {message} is not in {found:#?}"
        );
    }
    // `log` without its message, and nothing else, comes on top.
    assert!(found.len() <= expect.len() + 1, "{found:#?}");
}

#[test]
fn consent_makes_an_irreversible_action_act() {
    let rule = |extra: &str| {
        format!(
            "[rules.x]\non = 'repo.tag.created'\ndo = 'run'\nmode = 'act'\n{extra}\n\
             with = {{ command = ['make', 'deploy'] }}\n"
        )
    };
    assert_eq!(mistakes(&rule("")).len(), 1);
    assert!(mistakes(&rule("irreversible = true")).is_empty());
}

#[test]
fn the_schema_of_every_section_and_action_is_generated() {
    let rule = schemars::schema_for!(config::RuleSection).to_value();
    assert!(rule["properties"]["debounce"].is_object(), "{rule:#}");
    assert!(
        rule["properties"]["when"]["description"]
            .as_str()
            .unwrap()
            .contains("CEL")
    );
    for action in Registry::new().iter() {
        assert!(action.schema().to_value()["properties"].is_object());
    }
}
