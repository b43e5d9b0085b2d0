//! Hostile answers: each ends in a typed error, soon, and none takes the process with it.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tradewind_catalog::mapping::{BodyError, MAX_BYTES, MappingError};
use tradewind_catalog::refusal::FailureClass;
use tradewind_catalog::{Catalog, UseCase};
use tradewind_market::adapter::{AdapterError, Adapters, Note, Page, Proven};

use crate::answers::{LATE, at, bars, lines, offer, request, response, rows_of, span};

fn try_read(body: impl Into<Vec<u8>>) -> Result<Page, AdapterError> {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z");
    let prepared = request(&offer, &asked, None, LATE);
    offer.read(&prepared, &response(200, body), at(LATE))
}

fn body_error(body: impl Into<Vec<u8>>) -> BodyError {
    match try_read(body).unwrap_err() {
        AdapterError::Body { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_bodies_have_their_names() {
    assert_eq!(body_error("[".repeat(1_000_000)), BodyError::TooDeep);
    assert_eq!(body_error("{\"a\":".repeat(1_000_000)), BodyError::TooDeep);
    assert_eq!(
        body_error(b"[[1782864000000,\"M\xfcnchen\"]]".to_vec()),
        BodyError::Charset(18)
    );
    assert_eq!(
        body_error("[[1782864000000,\"1\",\"2\""),
        BodyError::Truncated
    );
    assert_eq!(body_error(""), BodyError::Truncated);
    assert_eq!(body_error(vec![b'['; 20 * 1024 * 1024]), BodyError::TooLong);
    assert_eq!(body_error("[1,2,]"), BodyError::NotJson(5));
    assert_eq!(body_error("b\"\""), BodyError::NotJson(0));
}

#[test]
fn another_form_is_an_error_and_no_empty_answer() {
    for body in ["[7]", "[\"a\"]", "[[[1],{},{},{},{},{}]]"] {
        match try_read(body).unwrap_err() {
            AdapterError::Mapping { source, .. } => {
                assert!(
                    matches!(source, MappingError::Form | MappingError::NoRow(_)),
                    "{body}"
                );
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    assert_eq!(
        try_read("{\"code\":0}").unwrap_err().class(),
        Some(FailureClass::Malformed)
    );
    // jq finds nothing at a place that is not there, so these are rows without a time or a price.
    for body in [
        "[{\"a\":1}]",
        "[[1782864000000,\"1\"]]",
        "[[\"soon\",1,1,1,1,1],[]]",
    ] {
        let error = try_read(body).unwrap_err();
        let is_form =
            matches!(&error, AdapterError::Mapping { source, .. } if *source == MappingError::Form);
        assert!(is_form, "{body}: {error:?}");
    }
}

#[test]
fn the_largest_answer_is_read_in_bounded_time() {
    let row =
        "[1782864000000,\"1\",\"1\",\"1\",\"1\",\"1\",1782864059999,\"1\",1,\"1\",\"1\",\"0\"],";
    let rows = row.repeat(190_000);
    let body = format!("[{}]", rows.trim_end_matches(','));
    assert!(body.len() < MAX_BYTES);
    let begun = Instant::now();
    let error = try_read(body);
    // 2.3 million values are refused, not held; a build without optimisation on a busy machine needs most of this.
    assert!(
        matches!(
            error,
            Err(AdapterError::Body {
                source: BodyError::TooMany,
                ..
            })
        ),
        "{:?}",
        error.err()
    );
    let many = "[1782864000000,\"1\",\"1\",\"1\",\"1\",\"1\"],".repeat(201_000);
    let error = try_read(format!("[{}]", many.trim_end_matches(',')));
    assert!(matches!(
        error,
        Err(AdapterError::Mapping {
            source: MappingError::TooManyRows,
            ..
        })
    ));
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_number_of_a_million_digits_is_left_out_soon() {
    let digits = "9".repeat(1_000_000);
    let begun = Instant::now();
    let body = format!(
        "[[1782864000000,{digits},2,1,2,5],[{digits},1,2,1,2,5],[1782864060000,1,2,1,1e{digits},5],[1782864120000,1,2,1,2,5]]"
    );
    let page = try_read(body).unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.notes, [Note::Inexact(2), Note::BadTime(1)]);
    let Proven::Bars(pieces) = &page.proven else {
        panic!("{:?}", page.proven)
    };
    // A row without a time may be any of them.
    assert!(
        pieces.iter().all(|piece| piece.vouched.is_empty()),
        "{pieces:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn texts_of_strangers_stay_texts() {
    let offer = offer("polygon", &rows_of(UseCase::News, "AAPL"));
    let asked = span(&offer, "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z");
    let prepared = request(&offer, &asked, None, LATE);
    let body = r#"{"results":[{"published_utc":"2026-11-10T00:00:00Z","title":"\\(env) $ENV {{ ${IFS}","article_url":"javascript:1"}]}"#;
    let page = offer
        .read(&prepared, &response(200, body), at(LATE))
        .unwrap();
    assert_eq!(
        lines(&page.rows),
        ["2026-11-10T00:00:00Z javascript:1 - - \\(env) $ENV {{ ${IFS}"]
    );
}

#[test]
fn a_mapping_that_did_not_come_with_tradewind_is_not_run() {
    let files = Catalog::builtin_files();
    let (_, text) = files.iter().find(|(name, _)| *name == "binance").unwrap();
    let own = |text: String| {
        let loaded = Catalog::builtin().overlay([("binance.toml".into(), text)]);
        assert_eq!(loaded.mistakes, []);
        let adapters = Adapters::new(&loaded.catalog).unwrap();
        let offers = adapters
            .offers("binance", &bars("BTC/USDT@binance", "1m"))
            .unwrap();
        let offer = offers.into_iter().next().unwrap();
        let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z");
        let prepared = request(&offer, &asked, None, LATE);
        offer.read(&prepared, &response(200, "[]"), at(LATE))
    };
    // It compiles and would never end.
    let forever = text.replace(
        ".[] | {at: .[0], open: .[1]",
        "def f: f; f | {at: .[0], open: .[1]",
    );
    let error = own(forever).unwrap_err();
    assert!(
        matches!(error, AdapterError::ForeignMapping { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the mapping of binance for klines did not come with Tradewind, and mappings of others are not run yet"
    );
    // A file that changes limits only keeps the mappings that a person has read.
    let limits = text.replace("limit = 6000", "limit = 3000");
    assert_ne!(&limits, text);
    assert!(own(limits).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(page) = try_read(body) {
            prop_assert!(page.rows.is_empty());
        }
    }

    #[test]
    fn a_price_with_any_digits_survives(
        whole in "(0|[1-9][0-9]{0,13})", fraction in "[0-9]{0,13}[1-9]", quoted in any::<bool>(),
    ) {
        let price = format!("{whole}.{fraction}");
        let written = if quoted { format!("\"{price}\"") } else { price.clone() };
        let page = try_read(format!("[[1782864000000,{written},{written},{written},{written},{written}]]")).unwrap();
        prop_assert_eq!(lines(&page.rows), [format!("2026-07-01T00:00:00Z {price} {price} {price} {price} {price}")]);
    }

    #[test]
    fn broken_recordings_are_read_or_refused(cut in 0..4_000_usize, byte in any::<u8>(), is_cut in any::<bool>()) {
        let mut bytes = crate::answers::payload("binance-OHLCV.json").into_bytes();
        let at = cut % bytes.len();
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        if let Ok(page) = try_read(bytes) {
            prop_assert!(page.rows.len() <= 3);
        }
    }
}
