//! What providers cost, as a user gets told: limits with a forecast, workflows, keys, and a reference of what is used.

use tradewind_sandbox::{Running, Sandbox, Settings};

use crate::support::{Repo, User};

const KEY: &str = "canary-51c0-never-to-be-seen";

struct Practice {
    user: User,
    _sandbox: Running,
    _runtime: tokio::runtime::Runtime,
}

impl Practice {
    fn new(settings: Settings) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(settings)).unwrap();
        let mut user = User::new();
        user.set("TRADEWIND_SANDBOX", &sandbox.address().to_string());
        user.set("ALPHAVANTAGE_API_KEY", KEY);
        Self {
            user,
            _sandbox: sandbox,
            _runtime: runtime,
        }
    }

    fn bot(&self) -> Repo {
        let repo = Repo::new(self.user.home.path().join("bot"));
        repo.write(
            "bot/feed.py",
            "import os\nimport requests\n\n\ndef latest(symbol):\n    \
             params = {\"function\": \"GLOBAL_QUOTE\", \"symbol\": symbol, \"apikey\": os.environ[\"ALPHAVANTAGE_API_KEY\"]}\n    \
             return requests.get(\"https://www.alphavantage.co/query\", params=params, timeout=10).json()\n\n\n\
             if __name__ == \"__main__\":\n    print(latest(\"AAPL\"))\n",
        );
        repo.commit("feat: a feed");
        repo
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_quick_pace_is_told_with_its_end_and_a_plan_that_would_last() {
    let practice = Practice::new(Settings::generous());
    let home = practice.user.home.path();
    for symbol in ["AAPL", "MSFT", "IBM", "NVDA", "TSLA", "AMD"] {
        practice
            .user
            .ok(home, &["get", "quote", symbol, "-p", "alphavantage"]);
    }
    let told = practice.user.ok(home, &["usage", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let limits = told["limits"].as_array().unwrap();
    let day = limits.iter().find(|limit| limit["per"] == "1 day").unwrap();
    assert_eq!(
        (&day["used"], &day["limit"]),
        (&6.into(), &25.into()),
        "{day}"
    );
    assert!(day["runs_out"].is_string(), "{day}");
    assert_eq!(day["other_plans"][0]["title"], "Premium", "{day}");
    assert_eq!(day["other_plans"][0]["is_enough"], true, "{day}");
    let shown = practice.user.ok(home, &["usage", "--svg", "usage.svg"]);
    assert!(
        shown.contains("6 of 25 requests in 1 day (Free)"),
        "{shown}"
    );
    assert!(shown.contains("runs out at "), "{shown}");
    assert!(shown.contains("on Premium it would last"), "{shown}");
    let picture = std::fs::read_to_string(home.join("usage.svg")).unwrap();
    assert!(
        picture.starts_with("<svg ") && picture.contains("6 of 25"),
        "{picture}"
    );
    assert!(!format!("{told}{shown}{picture}").contains(KEY));
}

#[test]
fn a_call_in_the_providers_words_is_told_by_the_function_that_makes_it() {
    let practice = Practice::new(Settings::generous());
    let repo = practice.bot();
    let daemon = practice.user.up(&repo.path);
    let path = "/p/alphavantage/query?function=GLOBAL_QUOTE&symbol=AAPL";
    let token = daemon
        .bearer()
        .replace("Authorization: Bearer", "X-Tradewind-Token:");
    let answer = daemon.ask("GET", path, &[&token], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let metrics = daemon.ask("GET", "/metrics", &[], "").body;
    let fetched = "tradewind_http_cache_answers_total{how=\"fetched\"} 1";
    assert!(metrics.contains(fetched), "{metrics}");
    let told = practice.user.until("the count", || {
        let told = practice.user.ok(&repo.path, &["usage", "--by", "workflow"]);
        told.contains("questions needed").then_some(told)
    });
    assert!(told.contains("bot/feed.py:latest"), "{told}");
    let told = practice.user.ok(
        &repo.path,
        &["usage", "--by", "workflow", "--format", "json"],
    );
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["usage"][0]["workflow"], "bot/feed.py:latest", "{told}");
}

#[test]
fn the_reference_of_a_repository_says_who_uses_what() {
    let practice = Practice::new(Settings::generous());
    let repo = practice.bot();
    practice
        .user
        .ok(&repo.path, &["catalog", "docs", "-o", "docs/providers"]);
    let page = std::fs::read_to_string(repo.path.join("docs/providers/alphavantage.md")).unwrap();
    assert!(page.contains("## Limits"), "{page}");
    let row = page
        .lines()
        .find(|line| line.contains("`latest` in `bot/feed.py:"))
        .unwrap();
    assert!(row.contains("ALPHAVANTAGE_API_KEY"), "{row}");
    let index = std::fs::read_to_string(repo.path.join("docs/providers/README.md")).unwrap();
    assert_eq!(
        index.matches(".md)").count(),
        1,
        "only what is used: {index}"
    );
    let outside = practice
        .user
        .run(practice.user.home.path(), &["catalog", "docs"]);
    assert_eq!(outside.code, Some(2), "{outside:#?}");
}

#[test]
fn a_key_is_told_valid_or_refused_and_never_shown() {
    let practice = Practice::new(Settings::generous());
    let home = practice.user.home.path();
    let valid = practice.user.ok(home, &["doctor", "--keys"]);
    assert!(
        valid.contains("alphavantage: valid; counted as plan Free"),
        "{valid}"
    );
    assert_eq!(
        valid.lines().count(),
        1,
        "who needs no key is not asked: {valid}"
    );
    let missing = practice.user.run(home, &["doctor", "--keys", "finnhub"]);
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    assert!(missing.out.contains("set FINNHUB_API_KEY"), "{missing:#?}");
    let unknown = practice.user.run(home, &["doctor", "--keys", "finhub"]);
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    let wrong = Practice::new(Settings {
        wrong_keys: vec![KEY.to_owned()],
        ..Settings::generous()
    });
    let refused = wrong
        .user
        .run(wrong.user.home.path(), &["doctor", "--keys"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.out.contains("alphavantage refuses it"),
        "{refused:#?}"
    );
    assert!(!format!("{valid}{missing:?}{refused:?}").contains(KEY));
}

#[test]
fn without_a_journal_nothing_has_drifted() {
    let practice = Practice::new(Settings::generous());
    let told = practice
        .user
        .ok(practice.user.home.path(), &["catalog", "drift"]);
    assert!(told.starts_with("ok "), "{told}");
}
