//! Which calls reach the network or a live database, by the dotted name of what is called.

/// Says whether a call of that resolved name sends something over the network.
pub(crate) fn is_network(callee: &str) -> bool {
    let (top, last) = (
        callee.split('.').next().unwrap_or(callee),
        callee.rsplit('.').next().unwrap_or(callee),
    );
    match top {
        "requests" | "httpx" | "cloudscraper" => matches!(
            last,
            "get" | "post" | "put" | "delete" | "patch" | "head" | "request" | "options" | "stream"
        ),
        "urllib" => matches!(
            callee,
            "urllib.request.urlopen" | "urllib.request.urlretrieve"
        ),
        "urllib3" => last == "request" || last == "urlopen",
        "aiohttp" => matches!(last, "get" | "post" | "request" | "ws_connect"),
        "websocket" => matches!(last, "create_connection" | "run_forever"),
        "websockets" => last == "connect",
        "yfinance" => matches!(last, "download" | "history" | "get_info" | "option_chain"),
        "ccxt" => {
            last.starts_with("fetch")
                || matches!(last, "load_markets" | "create_order" | "cancel_order")
        }
        "pandas_datareader" => matches!(last, "DataReader" | "get_data_yahoo"),
        "alpaca_trade_api" => {
            last.starts_with("get_") || last.starts_with("submit") || last.starts_with("list_")
        }
        "alpaca" => last.starts_with("get_") && callee.contains("Client") || last == "submit_order",
        "binance" => {
            last.starts_with("get_") || last.starts_with("futures_") || last.starts_with("order_")
        }
        "finnhub" | "polygon" | "alpha_vantage" => {
            callee.matches('.').count() > 1 && last.starts_with(|c: char| c.is_ascii_lowercase())
        }
        "smtplib" => matches!(last, "sendmail" | "send_message" | "login"),
        _ => false,
    }
}

/// Says whether a call of that resolved name opens a database that other programs use too.
pub(crate) fn is_live_database(callee: &str) -> bool {
    matches!(
        callee,
        "psycopg2.connect"
            | "psycopg.connect"
            | "pymysql.connect"
            | "mysql.connector.connect"
            | "MySQLdb.connect"
            | "pyodbc.connect"
            | "asyncpg.connect"
            | "redis.Redis"
            | "redis.StrictRedis"
            | "pymongo.MongoClient"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_send_are_told_from_names_that_make() {
        assert!(is_network("requests.get"));
        assert!(is_network("requests.Session.post"));
        assert!(!is_network("requests.Session"));
        assert!(!is_network("bot.requests.get"));
        assert!(is_network("ccxt.binance.fetch_ohlcv"));
    }
}
