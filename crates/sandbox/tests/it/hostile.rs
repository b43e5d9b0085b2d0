//! Numbers and texts that nobody should send: there is always an answer, and never a lost connection.

use crate::asking;

/// Addresses with a place for a value.
const PLACES: &[&str] = &[
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2&startTime={}",
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=2&endTime={}",
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1s&startTime=0&endTime=9&limit={}",
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval={}",
    "https://api.binance.com/api/v3/aggTrades?symbol=BTCUSDT&limit=2&fromId={}",
    "https://api.binance.com/api/v3/aggTrades?symbol=BTCUSDT&limit=2&startTime={}",
    "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit={}",
    "https://api.binance.com/api/v3/ticker/price?symbols={}",
    "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&limit=2&start={}",
    "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&limit=2&start=2025-06-02&end={}",
    "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe={}",
    "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&page_token={}",
    "https://data.alpaca.markets/v1beta1/news?symbols=AAPL&limit=2&start={}",
    "https://api.massive.com/v2/aggs/ticker/AAPL/range/{}/minute/2025-06-02/2025-06-03?apiKey=k&limit=5",
    "https://api.massive.com/v2/aggs/ticker/AAPL/range/{}/month/2025-06-02/2025-06-03?apiKey=k&limit=5",
    "https://api.massive.com/v2/aggs/ticker/AAPL/range/{}/week/2025-06-02/2025-06-03?apiKey=k&limit=5",
    "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/{}/2025-06-03?apiKey=k&limit=5",
    "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/2025-06-02/{}?apiKey=k&limit=5",
    "https://api.massive.com/v3/trades/AAPL?apiKey=k&limit=2&timestamp.gte={}",
    "https://api.massive.com/v3/trades/AAPL?apiKey=k&limit=2&timestamp={}",
    "https://api.massive.com/v3/trades/AAPL?apiKey=k&limit=2&cursor={}",
    "https://api.massive.com/v2/reference/news?ticker=AAPL&apiKey=k&limit=2&published_utc.gte={}",
    "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity={}",
    "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity=60&start={}&end=2025-06-03",
    "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity=60&start=-99999999999&end={}",
    "https://api.exchange.coinbase.com/products/BTC-USD/trades?limit=2&after={}",
    "https://finnhub.io/api/v1/stock/candle?symbol=META&resolution=D&from={}&to=1400000000",
    "https://finnhub.io/api/v1/stock/candle?symbol=AAPL&resolution=M&from=1748000000&to={}",
    "https://finnhub.io/api/v1/company-news?symbol=AAPL&from={}&to=2025-06-03",
    "https://api.stlouisfed.org/fred/series/observations?series_id=GDP&api_key=k&observation_start={}",
    "https://api.stlouisfed.org/fred/series/observations?series_id=DGS10&api_key=k&realtime_end={}",
    "https://api.stlouisfed.org/fred/series/observations?series_id=GDP&api_key=k&offset={}&limit=2",
    "https://api.kraken.com/0/public/OHLC?pair=XBTUSD&interval=1&since={}",
    "https://api.kraken.com/0/public/Trades?pair=XBTUSD&count=2&since={}",
    "https://newsapi.org/v2/everything?q=Apple&pageSize=2&page={}",
    "https://newsapi.org/v2/everything?q=Apple&pageSize=2&from={}",
    "https://newsapi.org/v2/everything?q=Apple&pageSize=2&to={}",
    "https://api.tiingo.com/tiingo/daily/AAPL/prices?token=k&startDate={}&endDate=2025-01-03",
    "https://api.tiingo.com/tiingo/daily/AAPL/prices?token=k&startDate=2025-01-01&endDate={}",
    "https://api.tiingo.com/iex/AAPL/prices?token=k&resampleFreq={}",
    "https://api.tiingo.com/tiingo/news?token=k&limit=2&offset={}",
    "https://api.tiingo.com/tiingo/crypto/prices?token=k&tickers=btcusd&startDate=2025-06-12&endDate={}",
    "https://api.twelvedata.com/time_series?symbol=AAPL&interval=1day&outputsize=2&apikey=k&end_date={}",
    "https://api.twelvedata.com/time_series?symbol=AAPL&interval=1day&apikey=k&outputsize=2&dp={}",
    "https://api.twelvedata.com/time_series?symbol=AAPL&interval=1day&apikey=k&outputsize={}",
    "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?interval=1m&period1={}&period2=1749843000",
    "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?interval=1mo&period1=1748000000&period2={}&events=div,splits",
    "https://www.alphavantage.co/query?function=TIME_SERIES_INTRADAY&symbol=AAPL&interval=60min&apikey=k&month={}",
    "https://www.alphavantage.co/query?function=NEWS_SENTIMENT&apikey=k&tickers=AAPL&time_from={}",
];

const VALUES: &[&str] = &[
    "",
    "0",
    "-1",
    "x",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999999",
    "1e9",
    "9999-12-31",
    "-009999-01-01",
    "2025-06-03T25:61:00Z",
    "99991231T2359",
    "%00%ff",
    "[\"BTCUSDT\"]",
    "YXQ9LTE",
];

#[tokio::test]
async fn there_is_always_an_answer() {
    let running = asking::generous().await;
    let detour = running.detour().unwrap();
    for place in PLACES {
        for value in VALUES {
            let url = place.replace("{}", value);
            let answer = asking::send(&detour, &url).await;
            let answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
            let status = answer.status.as_u16();
            assert!(status < 500, "{url}: {status}");
        }
    }
}
