//! The files that are compiled in.

use std::path::{Path, PathBuf};

use tradewind_catalog::Catalog;
use tradewind_catalog::lint::lint;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog")
}

#[test]
fn every_file_is_in_force() {
    let files = Catalog::builtin_files()
        .iter()
        .map(|(name, text)| (PathBuf::from(format!("{name}.toml")), *text));
    let loaded = Catalog::default().overlay(files);
    let mistakes: Vec<_> = loaded.mistakes.iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
    let names: Vec<_> = loaded
        .catalog
        .providers()
        .map(|p| p.name.as_str())
        .collect();
    let all = [
        "alpaca",
        "alphavantage",
        "binance",
        "coinbase",
        "finnhub",
        "fred",
        "kraken",
        "newsapi",
        "polygon",
        "tiingo",
        "twelvedata",
        "yahoo",
    ];
    assert_eq!(names, all);
    assert_eq!(Catalog::builtin(), loaded.catalog);
}

#[test]
fn every_file_of_the_folder_is_built_in_and_none_else() {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let builtin: Vec<_> = Catalog::builtin_files()
        .iter()
        .map(|(name, _)| format!("{name}.toml"))
        .collect();
    assert_eq!(names, builtin);
}

#[test]
fn the_built_in_catalog_has_no_contradiction() {
    let findings: Vec<_> = lint(Catalog::builtin().providers())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn every_provider_reads_back_what_it_writes() {
    for provider in Catalog::builtin().providers() {
        let text = toml::to_string(provider).unwrap();
        let again: tradewind_catalog::Provider = toml::from_str(&text).unwrap();
        assert_eq!(&again, provider, "{}", provider.name);
        let json = serde_json::to_string(provider).unwrap();
        assert_eq!(
            &serde_json::from_str::<tradewind_catalog::Provider>(&json).unwrap(),
            provider
        );
    }
}

#[test]
fn every_doubt_is_explained_and_every_provider_names_a_source() {
    for provider in Catalog::builtin().providers() {
        assert!(
            provider.basis.source.is_some() && provider.basis.as_of.is_some(),
            "{}",
            provider.name
        );
    }
}

#[test]
fn only_yahoo_judges_the_fingerprint_and_is_unofficial() {
    let catalog = Catalog::builtin();
    let strange: Vec<_> = catalog
        .providers()
        .filter(|p| p.judges_tls_fingerprint || !p.official)
        .collect();
    assert_eq!(
        strange.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["yahoo"]
    );
}

#[test]
fn the_schema_knows_the_keys_of_a_file() {
    let schema: serde_json::Value = tradewind_catalog::schema().into();
    for key in [
        "name",
        "host",
        "credential",
        "authentication",
        "plan",
        "counter",
        "endpoint",
        "refusal",
        "quirk",
        "sdk",
    ] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["$defs"]["Window"]["properties"]["per"]["$ref"],
        "#/$defs/Period"
    );
}

#[test]
fn variables_of_every_provider_lead_back_to_it() {
    let catalog = Catalog::builtin();
    for provider in catalog.providers() {
        for variable in provider.variables() {
            assert_eq!(
                catalog.by_variable(variable).map(|p| p.name.as_str()),
                Some(provider.name.as_str())
            );
        }
    }
    assert!(catalog.by_variable("ALPHA_VANTAGE_API_KEY_OLD").is_none());
    assert!(catalog.by_variable("PATH").is_none());
}

#[test]
fn packages_lead_to_their_providers() {
    let catalog = Catalog::builtin();
    let names = |module: &str| {
        let mut names: Vec<_> = catalog
            .by_import(module)
            .iter()
            .map(|(p, _)| p.name.clone())
            .collect();
        names.dedup();
        names
    };
    assert_eq!(names("yfinance"), ["yahoo"]);
    assert_eq!(names("alpaca.data.historical"), ["alpaca"]);
    assert_eq!(names("alpaca_trade_api"), ["alpaca"]);
    assert_eq!(names("polygon"), ["polygon"]);
    assert_eq!(names("massive"), ["polygon"]);
    assert_eq!(
        names("ccxt.async_support"),
        ["binance", "coinbase", "kraken"]
    );
    assert_eq!(names("binance.spot"), ["binance"]);
    assert_eq!(names("ccxt.kraken"), ["kraken"]);
    assert_eq!(names("ccxt.async_support.binance"), ["binance"]);
    assert!(names("requests").is_empty());
    let connector = catalog.by_import("binance.spot");
    assert_eq!(connector.len(), 1);
    assert_eq!(connector[0].1.distribution, "binance-connector");
    let (_, sdk) = catalog.by_import("yfinance")[0];
    assert_eq!(sdk.endpoints_of("download"), ["chart"]);
    assert_eq!(sdk.endpoints_of("Ticker.history"), ["chart"]);
}

#[test]
fn a_call_costs_what_its_arguments_say() {
    let catalog = Catalog::builtin();
    let cost = |url: &str| {
        let target = catalog
            .target(tradewind_catalog::Method::Get, url, &[])
            .unwrap();
        let matched = target.matched.unwrap_or_else(|| panic!("{url}"));
        matched.endpoint.weigh(&matched.arguments).0
    };
    for (url, weight) in [
        (
            "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m",
            2,
        ),
        ("https://api.binance.com/api/v3/depth?symbol=BTCUSDT", 5),
        (
            "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=101",
            25,
        ),
        (
            "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000",
            250,
        ),
        ("https://api.binance.com/api/v3/ticker/24hr", 80),
        (
            "https://api.binance.com/api/v3/ticker/24hr?symbol=BTCUSDT",
            2,
        ),
        ("https://api.binance.com/api/v3/ticker/bookTicker", 4),
        (
            "https://api.twelvedata.com/time_series?symbol=AAPL,MSFT,IBM&interval=1day",
            3,
        ),
        ("https://finnhub.io/api/v1/quote?symbol=AAPL", 1),
    ] {
        assert_eq!(cost(url), weight, "{url}");
    }
}

#[test]
fn how_far_back_bars_go_depends_on_the_interval() {
    let chart = Catalog::builtin_shared()
        .provider("yahoo")
        .unwrap()
        .endpoint("chart")
        .unwrap();
    let spans = &chart.answer.as_ref().unwrap().spans;
    let bound = |interval: &str| {
        let bound = spans.iter().find(|span| span.holds_for(interval));
        bound.map(|b| (b.call.map(|c| c.to_string()), b.back.map(|b| b.to_string())))
    };
    assert_eq!(
        bound("1m"),
        Some((Some("8 days".to_owned()), Some("30 days".to_owned())))
    );
    assert_eq!(bound("1h"), Some((None, Some("730 days".to_owned()))));
    assert_eq!(bound("1d"), None);
}
