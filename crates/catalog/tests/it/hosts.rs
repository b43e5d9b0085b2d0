//! No host outside the lists is anybody's.

use proptest::prelude::*;
use tradewind_catalog::{Catalog, Method};

fn listed() -> Vec<String> {
    let catalog = Catalog::builtin();
    catalog
        .providers()
        .flat_map(|provider| &provider.hosts)
        .flat_map(|host| &host.names)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_built_in_lists_hold_whole_names_only() {
    assert!(listed().iter().all(|name| !name.contains('*')));
}

#[test]
fn every_listed_name_is_found_in_any_case() {
    let catalog = Catalog::builtin();
    for name in listed() {
        assert!(catalog.by_host(&name).is_some(), "{name}");
        assert!(catalog.by_host(&name.to_uppercase()).is_some(), "{name}");
    }
}

/// Text that is near a listed name: something before, after or within it.
fn near() -> impl Strategy<Value = String> {
    let parts = "[a-z0-9.@:/\\\\%#?_ -]{0,6}";
    (
        prop::sample::select(listed()),
        parts,
        parts,
        any::<prop::sample::Index>(),
        parts,
    )
        .prop_map(|(name, before, after, at, within)| {
            let at = at.index(name.len() + 1);
            format!("{before}{}{within}{}{after}", &name[..at], &name[at..])
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_host_outside_the_lists_is_nobodys(text in prop_oneof![near(), "\\PC{0,40}", "[a-z.]{1,30}"]) {
        let catalog = Catalog::builtin_shared();
        if let Some((_, host)) = catalog.by_host(&text) {
            let name = text.to_ascii_lowercase();
            let name = name.strip_suffix('.').unwrap_or(&name);
            prop_assert!(host.names.iter().any(|known| known.to_string() == name), "{text:?}");
        }
    }

    #[test]
    fn an_address_belongs_to_the_host_that_a_client_would_ask(text in near()) {
        let url = format!("https://{text}/v2/account");
        if Catalog::builtin_shared().target(Method::Get, &url, &[]).is_some() {
            // What every client agrees on: up to the first slash, question mark or hash; then the port.
            let authority = text.split(['/', '?', '#']).next().unwrap().to_ascii_lowercase();
            let (host, port) = authority.split_once(':').unwrap_or((&authority, ""));
            prop_assert!(listed().iter().any(|name| name == host.strip_suffix('.').unwrap_or(host)), "{url}");
            prop_assert!(port.bytes().all(|b| b.is_ascii_digit()), "{url}");
        }
    }
}
