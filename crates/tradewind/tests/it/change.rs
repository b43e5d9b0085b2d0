//! `tradewind change` as a user types it, on real repositories.

use serde_json::Value;

use crate::support::{Repo, User};

fn bot(user: &User) -> Repo {
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("bot/__init__.py", "");
    repo.write("bot/risk.py", "LIMIT = 1\n");
    repo.write("bot/broker.py", "from .risk import LIMIT\n");
    repo.write("README.md", "# Bot\n");
    repo.commit("feat: a bot");
    repo
}

#[test]
fn a_plan_shows_commits_with_messages_and_what_stays_out() {
    let user = User::new();
    let repo = bot(&user);
    assert_eq!(
        user.ok(&repo.path, &["change", "plan"]),
        "There is nothing to commit.\n"
    );
    repo.write(
        "bot/trailing.py",
        "def trailing_stop(price):\n    return price * 0.9\n",
    );
    repo.write(
        "tests/test_trailing.py",
        "from bot.trailing import trailing_stop\n",
    );
    repo.write(".venv/pyvenv.cfg", "home = /usr\n");
    std::fs::remove_file(repo.path.join("bot/risk.py")).unwrap();
    assert_eq!(
        user.ok(&repo.path, &["change", "plan", "--explain"]),
        "\
1 commit from 2 changed paths.

1  feat(bot): add trailing.py
     A  bot/trailing.py  +2 -0
     A  tests/test_trailing.py  +1 -0
     because tests/test_trailing.py uses trailing_stop, which bot/trailing.py defines or drops
     | - bot/trailing.py: new; adds trailing_stop
     | - tests/test_trailing.py: new

Stays out:
  .venv/: a Python environment belongs into no commit.
      printf '%s\\n' .venv/ >> .gitignore
  bot/risk.py: the guard stops it: bot/risk.py is deleted, and 1 place still leads to it.
      tradewind guard allow bot/risk.py --reason \"…\"
"
    );
    let below = repo.path.join("bot");
    let json = user.ok(&below, &["change", "plan", "../tests", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(
        json["groups"][0]["parts"][0]["path"],
        "tests/test_trailing.py"
    );
    assert_eq!(json["groups"].as_array().unwrap().len(), 1);
    let outside = user.run(&repo.path, &["change", "plan", "../elsewhere"]);
    assert_eq!(outside.code, Some(2), "{outside:#?}");
}
