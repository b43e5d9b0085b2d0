//! Addresses as they stand in bots' code, and the endpoint that each asks.

use tradewind_catalog::host::Role;
use tradewind_catalog::{Catalog, Method};

/// Address and `provider/endpoint`.
const ADDRESSES: &[(&str, &str)] = &[
    (
        "https://www.alphavantage.co/query?function=TIME_SERIES_INTRADAY&symbol=IBM&interval=5min&apikey=demo",
        "alphavantage/intraday",
    ),
    (
        "https://www.alphavantage.co/query?function=TIME_SERIES_DAILY&symbol={symbol}&apikey={key}",
        "alphavantage/daily",
    ),
    (
        "https://www.alphavantage.co/query?function=TIME_SERIES_DAILY_ADJUSTED&symbol=IBM&outputsize=full&apikey=demo",
        "alphavantage/daily-adjusted",
    ),
    (
        "https://www.alphavantage.co/query?apikey=demo&symbol=IBM&function=GLOBAL_QUOTE",
        "alphavantage/quote",
    ),
    (
        "https://www.alphavantage.co/query?function=NEWS_SENTIMENT&tickers=AAPL",
        "alphavantage/news",
    ),
    (
        "https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2023-01-09/2023-02-10?adjusted=true&sort=asc&apiKey=x",
        "polygon/aggregates",
    ),
    (
        "https://api.massive.com/v2/aggs/ticker/O:SPY251219C00650000/range/1/minute/1673308800000/1673395200000",
        "polygon/aggregates",
    ),
    (
        "https://api.polygon.io/v2/aggs/ticker/AAPL/prev?apiKey=x",
        "polygon/previous-day",
    ),
    (
        "https://api.polygon.io/v2/aggs/grouped/locale/us/market/stocks/2023-01-09",
        "polygon/grouped-daily",
    ),
    (
        "https://api.polygon.io/v3/trades/AAPL?timestamp.gte=2023-01-09&limit=50000",
        "polygon/trades",
    ),
    (
        "https://api.polygon.io/v3/reference/tickers?ticker=AAPL",
        "polygon/tickers",
    ),
    (
        "https://finnhub.io/api/v1/quote?symbol=AAPL&token=x",
        "finnhub/quote",
    ),
    (
        "https://finnhub.io/api/v1/stock/candle?symbol=AAPL&resolution=D&from=1&to=2",
        "finnhub/candles",
    ),
    (
        "https://api.finnhub.io/api/v1/company-news?symbol=AAPL&from=2024-01-01&to=2024-01-31",
        "finnhub/company-news",
    ),
    (
        "https://finnhub.io/api/v1/news?category=general",
        "finnhub/market-news",
    ),
    (
        "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL,MSFT&timeframe=1Day&start=2022-01-03T00:00:00Z",
        "alpaca/bars",
    ),
    (
        "https://data.alpaca.markets/v2/stocks/AAPL/bars?timeframe=1Min",
        "alpaca/bars-one",
    ),
    (
        "https://data.alpaca.markets/v2/stocks/bars/latest?symbols=AAPL",
        "alpaca/latest-bars",
    ),
    (
        "https://data.alpaca.markets/v2/stocks/AAPL/trades/latest",
        "alpaca/latest-trade-one",
    ),
    (
        "https://data.alpaca.markets/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&timeframe=1Hour",
        "alpaca/crypto-bars",
    ),
    (
        "https://paper-api.alpaca.markets/v2/account",
        "alpaca/account",
    ),
    (
        "https://paper-api.alpaca.markets/v2/positions/AAPL",
        "alpaca/position",
    ),
    (
        "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?interval=1d&range=1mo",
        "yahoo/chart",
    ),
    (
        "https://query2.finance.yahoo.com/v8/finance/chart/%5EGSPC?period1=0&period2=9999999999&interval=1d",
        "yahoo/chart",
    ),
    (
        "https://query1.finance.yahoo.com/v8/finance/chart/{symbol}",
        "yahoo/chart",
    ),
    (
        "https://newsapi.org/v2/everything?q=tesla&from=2024-01-01&sortBy=publishedAt&apiKey=x",
        "newsapi/everything",
    ),
    (
        "https://newsapi.org/v2/top-headlines?country=us&category=business",
        "newsapi/top-headlines",
    ),
    (
        "https://newsapi.org/v2/top-headlines/sources",
        "newsapi/sources",
    ),
    (
        "https://api.twelvedata.com/time_series?symbol=AAPL&interval=1min&apikey=x",
        "twelvedata/time-series",
    ),
    (
        "https://api.twelvedata.com/price?symbol=AAPL,EUR/USD&apikey=x",
        "twelvedata/price",
    ),
    (
        "https://api.twelvedata.com/eod?symbol=VXX",
        "twelvedata/eod",
    ),
    (
        "https://api.tiingo.com/tiingo/daily/googl/prices?startDate=2018-01-01&resampleFreq=weekly",
        "tiingo/daily-prices",
    ),
    (
        "https://api.tiingo.com/tiingo/daily/googl",
        "tiingo/daily-meta",
    ),
    (
        "https://api.tiingo.com/iex/?tickers=aapl,spy&token=x",
        "tiingo/iex-quote",
    ),
    (
        "https://api.tiingo.com/iex/aapl/prices?resampleFreq=5min",
        "tiingo/iex-prices",
    ),
    (
        "https://api.tiingo.com/tiingo/crypto/prices?tickers=btcusd",
        "tiingo/crypto-prices",
    ),
    (
        "https://api.stlouisfed.org/fred/series/observations?series_id=DGS10&api_key=x&file_type=json",
        "fred/observations",
    ),
    (
        "https://api.stlouisfed.org/fred/series?series_id=GNPCA",
        "fred/series",
    ),
    (
        "https://api.stlouisfed.org/fred/series/search?search_text=monetary",
        "fred/series-search",
    ),
    (
        "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=1000",
        "binance/klines",
    ),
    (
        "https://data-api.binance.vision/api/v3/aggTrades?symbol=BTCUSDT&fromId=1",
        "binance/agg-trades",
    ),
    (
        "https://api3.binance.com/api/v3/ticker/24hr",
        "binance/ticker-24h",
    ),
    (
        "https://api.binance.com/api/v3/exchangeInfo",
        "binance/exchange-info",
    ),
    (
        "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity=3600",
        "coinbase/candles",
    ),
    (
        "https://api.exchange.coinbase.com/products/BTC-USD/ticker",
        "coinbase/ticker",
    ),
    (
        "https://api.exchange.coinbase.com/products/",
        "coinbase/products",
    ),
    (
        "https://api.exchange.coinbase.com/products/BTC-USD/trades",
        "coinbase/trades",
    ),
    (
        "https://api.kraken.com/0/public/OHLC?pair=XBTUSD&interval=60",
        "kraken/ohlc",
    ),
    (
        "https://api.kraken.com/0/public/Ticker?pair=XBTUSD,ETHUSD",
        "kraken/ticker",
    ),
    (
        "https://api.kraken.com/0/public/Trades?pair=XBTUSD&since=1710327959173746878",
        "kraken/trades",
    ),
];

fn asked(method: Method, url: &str) -> Option<String> {
    let catalog = Catalog::builtin_shared();
    let target = catalog.target(method, url, &[])?;
    let endpoint = target
        .matched
        .map_or_else(|| "?".to_owned(), |matched| matched.endpoint.id.clone());
    Some(format!("{}/{endpoint}", target.provider.name))
}

#[test]
fn addresses_of_bots_lead_to_their_endpoints() {
    for (url, expected) in ADDRESSES {
        assert_eq!(asked(Method::Get, url).as_deref(), Some(*expected), "{url}");
    }
    for provider in Catalog::builtin().providers() {
        let of = ADDRESSES
            .iter()
            .filter(|(_, name)| name.starts_with(&format!("{}/", provider.name)));
        assert!(of.count() >= 3, "{}", provider.name);
    }
}

#[test]
fn the_method_tells_reading_orders_from_placing_them() {
    let url = "https://paper-api.alpaca.markets/v2/orders";
    assert_eq!(asked(Method::Get, url).as_deref(), Some("alpaca/orders"));
    assert_eq!(
        asked(Method::Post, url).as_deref(),
        Some("alpaca/submit-order")
    );
    assert_eq!(asked(Method::Put, url).as_deref(), Some("alpaca/?"));
    assert_eq!(
        asked(Method::Delete, "https://api.binance.com/api/v3/order").as_deref(),
        Some("binance/cancel-order")
    );
}

#[test]
fn placeholders_and_the_query_become_arguments() {
    let catalog = Catalog::builtin_shared();
    let url = "https://query1.finance.yahoo.com/v8/finance/chart/%5EGSPC?interval=1d";
    let target = catalog
        .target(Method::Get, url, &[("events", "div")])
        .unwrap();
    let arguments = target.matched.unwrap().arguments;
    let pairs: Vec<_> = arguments
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [("events", "div"), ("interval", "1d"), ("symbol", "^GSPC")]
    );
}

#[test]
fn parameters_beside_the_address_select_the_endpoint() {
    let catalog = Catalog::builtin_shared();
    let target = catalog
        .target(
            Method::Get,
            "https://www.alphavantage.co/query",
            &[("function", "TIME_SERIES_WEEKLY")],
        )
        .unwrap();
    assert_eq!(target.matched.unwrap().endpoint.id, "weekly");
    let unknown = catalog
        .target(Method::Get, "https://www.alphavantage.co/query", &[])
        .unwrap();
    assert!(unknown.matched.is_none() && unknown.elsewhere.is_none());
}

#[test]
fn a_call_to_the_wrong_host_of_a_provider_is_seen() {
    let catalog = Catalog::builtin_shared();
    let url = "https://paper-api.alpaca.markets/v2/stocks/AAPL/trades/latest";
    let target = catalog.target(Method::Get, url, &[]).unwrap();
    assert_eq!(target.host.role, Role::Sandbox);
    assert!(target.matched.is_none());
    let right = target.elsewhere.unwrap().endpoint;
    assert_eq!(
        (right.id.as_str(), right.on.as_slice()),
        ("latest-trade-one", &["data".to_owned()][..])
    );
}

#[test]
fn an_address_of_nobody_has_no_target() {
    for url in [
        "https://evil-api.polygon.io.example/v2/aggs/ticker/AAPL/prev",
        "https://api.polygon.io.example/v2/aggs/ticker/AAPL/prev",
        "https://api.polygon.io@evil.example/v2/aggs/ticker/AAPL/prev",
        "https://example.com/?u=https://api.polygon.io/v2/aggs/ticker/AAPL/prev",
        "https://fapi.binance.com/fapi/v1/klines",
        "file:///etc/passwd",
        "api.polygon.io/v2/aggs/ticker/AAPL/prev",
    ] {
        assert_eq!(asked(Method::Get, url), None, "{url}");
    }
}

#[test]
fn a_stream_is_its_providers() {
    let catalog = Catalog::builtin_shared();
    for (url, name) in [
        ("wss://stream.binance.com:9443/ws/btcusdt@trade", "binance"),
        ("wss://socket.massive.com/stocks", "polygon"),
        ("wss://ws.finnhub.io?token=x", "finnhub"),
        ("wss://ws.kraken.com/v2", "kraken"),
        ("wss://ws-feed.exchange.coinbase.com", "coinbase"),
    ] {
        let target = catalog.target(Method::Get, url, &[]).unwrap();
        assert_eq!(
            (target.provider.name.as_str(), target.host.role),
            (name, Role::Stream),
            "{url}"
        );
    }
}
