//! Reference pages: the same data gives the same bytes, and all of it is on the page.

use tradewind_catalog::Catalog;
use tradewind_catalog::page::{index, page};

#[test]
fn a_page_has_every_limit_endpoint_variable_and_quirk() {
    for provider in Catalog::builtin().providers() {
        let text = page(provider);
        for endpoint in &provider.endpoints {
            assert!(
                text.contains(&format!("#### `{}`", endpoint.id)),
                "{}",
                endpoint.id
            );
            assert!(text.contains(&endpoint.summary));
        }
        for window in provider.plans.iter().flat_map(|plan| &plan.windows) {
            assert!(text.contains(&format!(
                "{} {} in {}",
                window.limit,
                window.counts.as_words(window.limit),
                window.per
            )));
        }
        for name in provider.variables() {
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
        for quirk in &provider.quirks {
            assert!(text.contains(&quirk.text));
        }
        assert!(text.starts_with(&format!("# {}\n", provider.title)));
    }
}

#[test]
fn the_same_data_gives_the_same_page() {
    for provider in Catalog::builtin().providers() {
        let again: tradewind_catalog::Provider =
            toml::from_str(&toml::to_string(provider).unwrap()).unwrap();
        assert_eq!(page(provider), page(&again));
    }
}

#[test]
fn what_is_not_confirmed_is_marked() {
    let catalog = Catalog::builtin();
    let text = page(catalog.provider("fred").unwrap());
    assert!(
        text.contains(
            "  - 120 requests in 1 minute, per key †. † The number is reported by third parties."
        ),
        "{text}"
    );
}

#[test]
fn tables_are_whole() {
    for provider in Catalog::builtin().providers() {
        let mut columns = None;
        for line in page(provider).lines() {
            let bars = line.replace("\\|", "").matches('|').count();
            columns = if line.starts_with('|') {
                columns.or(Some(bars))
            } else {
                None
            };
            assert!(
                columns.is_none_or(|columns| columns == bars),
                "{}: {line}",
                provider.name
            );
        }
    }
}

#[test]
fn the_index_links_every_page() {
    let text = index(Catalog::builtin().providers());
    for provider in Catalog::builtin().providers() {
        assert!(text.contains(&format!("({}.md)", provider.name)));
    }
    assert!(text.contains("| [Kraken](kraken.md) | bars, quote, trades, depth, reference, account, order | not for public data | 1 request in 1 second, per address † |"), "{text}");
}
