//! The map of provider calls, on small repositories.

use std::sync::Arc;

use tradewind_catalog::Catalog;
use tradewind_repo::api_map::{ApiCall, ApiMap, Client, KeyFrom};
use tradewind_repo::project::Project;
use tradewind_repo::python::{Code, SourceFile};
use tradewind_repo::tree::Tree;

fn map(files: &[(&str, &str)]) -> ApiMap {
    let tree = Tree::of(files.iter().map(|(path, text)| (*path, *text)));
    let modules = files
        .iter()
        .map(|(path, text)| Arc::clone(&SourceFile::parse(*path, *text).module))
        .collect();
    let code = Code::join(modules, &tree);
    ApiMap::build(
        &code,
        &Project::read(&tree),
        Catalog::builtin_shared(),
        &tree,
    )
}

/// Each call as `path:line provider/endpoint`.
fn told(map: &ApiMap) -> Vec<String> {
    let endpoint = |call: &ApiCall| call.endpoint.as_deref().unwrap_or("?").to_owned();
    map.calls
        .iter()
        .map(|call| {
            format!(
                "{}:{} {}/{}",
                call.path,
                call.line,
                call.provider,
                endpoint(call)
            )
        })
        .collect()
}

#[test]
fn an_address_is_joined_from_constants_of_other_files() {
    let map = map(&[
        ("bot/__init__.py", ""),
        (
            "bot/settings.py",
            "BASE = \"https://api.polygon.io\"\nclass S:\n    DATA = 'https://data.alpaca.markets'\n",
        ),
        (
            "bot/fetch.py",
            "import requests\nfrom bot.settings import BASE, S\nfrom bot import settings\n\
             def bars(t, a, b):\n    return requests.get(f\"{BASE}/v2/aggs/ticker/{t}/range/1/day/{a}/{b}\")\n\
             def prev(t):\n    return requests.get(settings.BASE + '/v2/aggs/ticker/' + t + '/prev')\n\
             def last(t):\n    return requests.get('%s/v2/stocks/%s/trades/latest' % (S.DATA, t))\n",
        ),
    ]);
    assert_eq!(
        told(&map),
        [
            "bot/fetch.py:5 polygon/aggregates",
            "bot/fetch.py:7 polygon/previous-day",
            "bot/fetch.py:9 alpaca/latest-trade-one",
        ]
    );
}

#[test]
fn a_selector_in_the_parameters_tells_the_endpoint() {
    let text = "import requests\nURL = 'https://www.alphavantage.co/query'\n\
        def quote(s):\n    params = {'function': 'GLOBAL_QUOTE', 'symbol': s, 'apikey': KEY}\n    return requests.get(URL, params=params)\n\
        def daily(s):\n    return requests.get(URL, {'function': 'TIME_SERIES_DAILY', 'symbol': s})\n\
        def weekly(s):\n    return requests.get(f'{URL}?function=TIME_SERIES_WEEKLY&symbol={s}')\n";
    assert_eq!(
        told(&map(&[("a.py", text)])),
        [
            "a.py:5 alphavantage/quote",
            "a.py:7 alphavantage/daily",
            "a.py:9 alphavantage/weekly"
        ]
    );
}

#[test]
fn a_helper_is_followed_back_to_who_names_the_path() {
    let text = "import requests\nclass Alpaca:\n    base = 'https://paper-api.alpaca.markets'\n\
        \x20   def _request(self, method, path, **options):\n        return requests.request(method, self.base + path, timeout=5, **options)\n\
        \x20   def account(self):\n        return self._request('GET', '/v2/account')\n\
        \x20   def buy(self, order):\n        return self._request('POST', '/v2/orders', json=order)\n";
    let told = told(&map(&[("a.py", text)]));
    assert!(
        told.contains(&"a.py:7 alpaca/account".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"a.py:9 alpaca/submit-order".to_owned()),
        "{told:?}"
    );
}

#[test]
fn packages_are_known_by_their_objects() {
    let text = "import yfinance as yf\nimport ccxt\nfrom binance.client import Client\n\
        client = Client('', '')\n\
        def a():\n    yf.download('AAPL')\n    yf.Ticker('AAPL').history()\n    ccxt.kraken().fetch_ohlcv('BTC/USD')\n    ccxt.bybit().fetch_ohlcv('BTC/USD')\n    client.get_klines(symbol='X')\n\
        def b(exchange):\n    exchange.get_historical_klines('X')\n";
    assert_eq!(
        told(&map(&[("a.py", text)])),
        [
            "a.py:6 yahoo/chart",
            "a.py:7 yahoo/chart",
            "a.py:8 kraken/ohlc",
            "a.py:10 binance/klines",
            "a.py:12 binance/klines",
        ]
    );
}

#[test]
fn what_is_asked_of_an_answer_is_no_call() {
    let text = "import requests\nanswer = requests.get('https://finnhub.io/api/v1/quote').json()\n\
        print(answer.get('c'), requests.get('https://x.example').headers.get('a'))\n{}.get('https://y.example')\n";
    let map = map(&[("a.py", text)]);
    let lines: Vec<u32> = map.outgoing.iter().map(|call| call.line).collect();
    // The last is a call of a method `get` on an address: a client of unknown kind, as far as one can tell.
    assert_eq!(lines, [2, 3, 4]);
    assert_eq!(map.unknown_hosts().len(), 2);
}

#[test]
fn the_key_is_traced_to_its_variable() {
    let map = map(&[
        (
            "config.py",
            "import os\nclass Settings:\n    def __init__(self):\n        self.token = os.getenv('FINNHUB_TOKEN')\n",
        ),
        (
            "a.py",
            "import os\nimport requests\nKEY = os.getenv('MY_KEY', 'x1')\n\
             def one(settings):\n    return requests.get(f'https://finnhub.io/api/v1/quote?symbol=A&token={settings.token}')\n\
             def two():\n    return requests.get('https://www.alphavantage.co/query', params={'function': 'GLOBAL_QUOTE', 'apikey': KEY})\n\
             def three():\n    return requests.get('https://api.polygon.io/v2/last/trade/A', headers={'Authorization': f'Bearer {os.environ[\"P\"]}'})\n\
             def four():\n    return requests.get('https://api.kraken.com/0/public/Ticker')\n",
        ),
    ]);
    let keys: Vec<Option<&str>> = map.calls.iter().map(|call| call.key.words()).collect();
    assert_eq!(keys[..2], [Some("FINNHUB_TOKEN"), Some("MY_KEY")]);
    assert_eq!(
        map.calls[1].key,
        KeyFrom::Variable {
            name: "MY_KEY".into(),
            has_default: true
        }
    );
    assert_eq!(map.calls[3].key, KeyFrom::Public);
}

#[test]
fn what_starts_a_call_is_told_also_through_tables_and_objects() {
    let map = map(&[
        (
            "fetch.py",
            "import requests\ndef daily(s):\n    return requests.get('https://finnhub.io/api/v1/quote')\n\
             def dead(s):\n    return requests.get('https://finnhub.io/api/v1/quote')\n\
             class Broker:\n    def held(self):\n        return requests.get('https://finnhub.io/api/v1/quote')\n\
             TABLE = {'daily': daily}\ndef bars(name):\n    return TABLE[name]('A')\n",
        ),
        (
            "run.py",
            "from fetch import Broker, bars\ndef trade(broker):\n    return broker.held(), bars('daily')\n\
             if __name__ == '__main__':\n    b = Broker()\n    trade(b)\n",
        ),
    ]);
    let reach: Vec<(u32, Option<bool>)> = map
        .calls
        .iter()
        .map(|call| (call.line, call.is_reachable))
        .collect();
    assert_eq!(reach, [(3, Some(true)), (5, Some(false)), (8, Some(true))]);
    assert_eq!(map.calls[0].entry_points, ["run.py".into()]);
}

#[test]
fn the_wrong_host_is_seen_with_the_endpoint_that_is_meant() {
    let map = map(&[(
        "a.py",
        "import requests\nrequests.get('https://paper-api.alpaca.markets/v2/stocks/AAPL/trades/latest')\n",
    )]);
    assert_eq!(map.calls[0].endpoint, None);
    assert_eq!(map.calls[0].elsewhere.as_deref(), Some("latest-trade-one"));
    assert_eq!(map.entries()[0].calls[0].reachable, Some(false));
}

#[test]
fn time_outs_are_known_by_client() {
    let text = "import requests\nimport httpx\nimport urllib.request as u\n\
        requests.get('https://finnhub.io/a')\nrequests.get('https://finnhub.io/a', timeout=1)\n\
        httpx.get('https://finnhub.io/a')\nhttpx.get('https://finnhub.io/a', timeout=None)\n\
        u.urlopen('https://finnhub.io/a')\nu.urlopen('https://finnhub.io/a', None, 3)\n";
    let map = map(&[("a.py", text)]);
    let found: Vec<(Client, Option<bool>)> = map
        .outgoing
        .iter()
        .map(|call| (call.client, call.has_timeout))
        .collect();
    assert_eq!(
        found,
        [
            (Client::Requests, Some(false)),
            (Client::Requests, Some(true)),
            (Client::Httpx, None),
            (Client::Httpx, Some(false)),
            (Client::Urllib, Some(false)),
            (Client::Urllib, Some(true)),
        ]
    );
}

#[test]
fn a_request_object_says_method_and_address() {
    let text = "from urllib.request import Request, urlopen\n\
        def send(url, body, method='POST'):\n    request = Request(url, data=body, method='POST')\n    return urlopen(request, timeout=5)\n\
        def buy(order):\n    return send('https://api.alpaca.markets/v2/orders', order)\n";
    assert_eq!(
        told(&map(&[("a.py", text)])),
        ["a.py:6 alpaca/submit-order"]
    );
}

#[test]
fn what_stops_a_call_is_told() {
    let map = map(&[
        ("bot/__init__.py", ""),
        (
            "bot/a.py",
            "import requests\nfrom bot.gone import x\nrequests.get('https://finnhub.io/api/v1/quote')\n",
        ),
        (
            "b.py",
            "import requests\nrequests.get('https://finnhub.io/api/v1/quote')\ndef f(:\n",
        ),
    ]);
    let obstacles: Vec<&str> = map
        .calls
        .iter()
        .flat_map(|c| &c.obstacles)
        .map(String::as_str)
        .collect();
    assert_eq!(obstacles.len(), 2, "{obstacles:?}");
    assert!(obstacles.iter().any(|text| text.contains("bot.gone")));
    assert!(
        map.entries()[0]
            .calls
            .iter()
            .all(|call| call.reachable == Some(false))
    );
}

/// Once, each way on which functions hand one object round was followed anew: a file of 44,700 lines took 12 s of the 16 s
/// of an audit. With twelve functions that call each other there are more ways than can be walked in a day.
#[test]
fn an_object_that_many_functions_hand_round_is_followed_once() {
    let mut text = String::from("import requests\n");
    for at in 0..24 {
        text.push_str(&format!("def step_{at}(broker):\n    broker.fetch()\n"));
        for other in 0..24 {
            text.push_str(&format!("    step_{other}(broker)\n"));
        }
    }
    text.push_str(
        "class Broker:\n    def fetch(self):\n        \
         return requests.get('https://api.polygon.io/v2/aggs/ticker/A/prev')\n\
         if __name__ == '__main__':\n    step_0(Broker())\n",
    );
    let map = map(&[("bot.py", &text)]);
    let call = map.calls.first().unwrap();
    assert_eq!(call.is_reachable, Some(true));
    assert!(
        call.entry_points
            .iter()
            .any(|name| name.as_ref() == "bot.py")
    );
}
