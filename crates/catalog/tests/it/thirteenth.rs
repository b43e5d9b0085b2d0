//! The provider of `docs/how-to/add-a-provider.md`: the page's own file works as it stands.

use tradewind_catalog::refusal::FailureClass;
use tradewind_catalog::{Catalog, Loaded, Method};

const PAGE: &str = include_str!("../../../../docs/how-to/add-a-provider.md");

fn with_the_thirteenth() -> Loaded {
    let file = PAGE
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    Catalog::builtin().overlay([("quotehut.toml".into(), file)])
}

#[test]
fn the_file_of_the_how_to_page_is_put_in_force() {
    let loaded = with_the_thirteenth();
    assert_eq!(loaded.mistakes, []);
    assert_eq!(loaded.catalog.providers().count(), 13);
    let url = "https://api.quotehut.example/v1/bars/valais?huts=monte-rosa,britannia";
    let target = loaded.catalog.target(Method::Get, url, &[]).unwrap();
    let matched = target.matched.unwrap();
    assert_eq!(matched.endpoint.id, "bars");
    assert_eq!(matched.endpoint.weigh(&matched.arguments).0, 2);
    assert_eq!(
        loaded.catalog.by_variable("QUOTEHUT_API_KEY").unwrap().name,
        "quotehut"
    );
    assert_eq!(loaded.catalog.by_import("quotehut").len(), 1);
}

#[test]
fn its_refusals_are_told_from_its_data() {
    let loaded = with_the_thirteenth();
    let provider = loaded.catalog.provider("quotehut").unwrap();
    let bars = provider.endpoint("bars").unwrap();
    assert_eq!(
        provider.classify(bars, 200, r#"{"bars":[],"next":null}"#),
        None
    );
    let refused = provider.classify(bars, 200, r#"{"error":"Please come back tomorrow."}"#);
    assert_eq!(refused, Some(FailureClass::QuotaGone));
}

#[test]
fn its_answer_becomes_rows() {
    use tradewind_catalog::UseCase;
    use tradewind_catalog::mapping::{Body, Cell};
    use tradewind_catalog::offer::{VARIABLES, fields};

    let loaded = with_the_thirteenth();
    let provider = loaded.catalog.provider("quotehut").unwrap();
    let offer = &provider.endpoint("bars").unwrap().offers[0];
    let program = offer.rows.compile(&VARIABLES).unwrap();
    let answer = r#"{"bars":[{"hut":"MONTE-R","day":"2026-07-01","first":1.50,"most":"2","least":1,"last":1.75,"nights":null},
        {"hut":"BRIT","day":"2026-07-01"}]}"#;
    let symbol = offer.symbol.spell("MONTE.R");
    let body = Body::read(answer.as_bytes()).unwrap();
    let names = fields(UseCase::Bars).unwrap();
    let rows = program.rows(&body, &[&symbol, "none"], names).unwrap();
    let text = |text: &str| Cell::Text(text.to_owned());
    let wanted = ["2026-07-01", "1.50", "2", "1", "1.75"].map(text);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][..5], wanted);
    assert_eq!(rows[0][5], Cell::Nothing);
}

#[test]
fn the_page_names_every_key_of_an_offer_and_every_field_of_a_row() {
    use tradewind_catalog::UseCase;
    use tradewind_catalog::offer::fields;

    let schema: serde_json::Value = tradewind_catalog::schema().into();
    let properties = schema["$defs"]["Offering"]["properties"]
        .as_object()
        .unwrap();
    for key in properties
        .keys()
        .filter(|key| !matches!(key.as_str(), "note" | "basis"))
    {
        assert!(PAGE.contains(&format!("`{key}`")), "{key}");
    }
    // Lines are broken where they are long.
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    for use_case in UseCase::ALL {
        if let Some(names) = fields(use_case) {
            let start = names.iter().take(4).copied().collect::<Vec<_>>().join(", ");
            assert!(page.contains(&start), "{start}");
        }
    }
}

#[test]
fn every_table_that_the_page_explains_is_in_the_schema() {
    let schema: serde_json::Value = tradewind_catalog::schema().into();
    for line in PAGE.lines().filter(|line| line.starts_with("| `[[")) {
        for name in line
            .split("`[[")
            .skip(1)
            .map(|rest| rest.split(']').next().unwrap())
        {
            let first = name.split('.').next().unwrap();
            assert!(schema["properties"][first].is_object(), "{name}");
        }
    }
}
