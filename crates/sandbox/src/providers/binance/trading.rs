//! Binance's orders: signed calls, a client's id that works once, the account.
//!
//! Simplified: a signature must be there and is not checked, as the sandbox knows no secrets.

use axum::http::Method;
use rust_decimal::Decimal;

use super::super::Handler;
use super::{missing, refusal, symbol, text};
use crate::call::{Call, Reply};
use crate::venue::{Order, OrderState, Rejected};
use crate::wire::{Json, list, object};

const NAME: &str = "binance";
/// How old a call may be, in milliseconds, unless it says otherwise.
const WINDOW_MS: i64 = 5_000;

/// Returns what a call to the trading interface does.
pub(super) fn route(call: &Call<'_>) -> Option<(&'static str, Handler)> {
    let pieces = call.pieces();
    Some(match (call.method, pieces.as_slice()) {
        (&Method::POST, ["api", "v3", "order"]) => ("submit-order", submit),
        (&Method::GET, ["api", "v3", "order"]) => ("order", one),
        (&Method::DELETE, ["api", "v3", "order"]) => ("cancel-order", cancel),
        (&Method::GET, ["api", "v3", "openOrders"]) => ("open-orders", open),
        (&Method::GET, ["api", "v3", "account"]) => ("account", account),
        _ => return None,
    })
}

/// Returns a parameter of the query or, when it is not there, of the body.
fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    let in_query = call.get(name).map(str::to_owned);
    in_query.or_else(|| {
        let body = String::from_utf8_lossy(call.body);
        let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(key, value)| *key == name && !value.is_empty());
        found.next().map(|(_, value)| value.to_owned())
    })
}

/// Returns whose call it is, when it is signed and not too old.
fn signed(call: &Call<'_>) -> Result<String, Reply> {
    let key = call.header("X-MBX-APIKEY").unwrap_or_default();
    if !call.is_right(key) {
        return Err(refusal(
            401,
            -2015,
            "Invalid API-key, IP, or permissions for action.",
        ));
    }
    let at = parameter(call, "timestamp").ok_or_else(|| missing("timestamp"))?;
    parameter(call, "signature").ok_or_else(|| missing("signature"))?;
    let at: i64 = at.parse().map_err(|_no_number| missing("timestamp"))?;
    let window = parameter(call, "recvWindow").and_then(|text| text.parse().ok());
    let now = call.now.as_millisecond();
    if at > now + 1_000 {
        let msg = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(refusal(400, -1021, msg));
    }
    if at < now - window.unwrap_or(WINDOW_MS) {
        let msg = "Timestamp for this request is outside of the recvWindow.";
        return Err(refusal(400, -1021, msg));
    }
    Ok(key.to_owned())
}

fn status(order: &Order) -> &'static str {
    match order.state {
        OrderState::Open => "NEW",
        OrderState::Filled => "FILLED",
        OrderState::Cancelled => "CANCELED",
    }
}

/// The members that every answer about an order has.
fn told(order: &Order) -> Json {
    let executed = if order.price.is_some() {
        order.size
    } else {
        Decimal::ZERO
    };
    let cost = order.price.unwrap_or_default() * executed;
    object! {
        "symbol" => order.symbol.as_str(),
        "orderId" => order.number,
        "orderListId" => -1_i64,
        "clientOrderId" => order.client_id.as_str(),
        "price" => text(order.limit.unwrap_or_default()),
        "origQty" => text(order.size),
        "executedQty" => text(executed),
        "cummulativeQuoteQty" => text(cost),
        "status" => status(order),
        "timeInForce" => "GTC",
        "type" => if order.limit.is_some() { "LIMIT" } else { "MARKET" },
        "side" => if order.is_buy { "BUY" } else { "SELL" },
    }
}

fn submit(call: &Call<'_>) -> Result<Reply, Reply> {
    let key = signed(call)?;
    let (name, listing) = named(call)?;
    let is_buy = match parameter(call, "side").as_deref() {
        Some("BUY") => true,
        Some("SELL") => false,
        Some(_) => return Err(refusal(400, -1117, "Invalid side.")),
        None => return Err(missing("side")),
    };
    let number = |name: &str| parameter(call, name).and_then(|text| text.parse::<Decimal>().ok());
    let size = number("quantity").filter(|size| *size > Decimal::ZERO);
    let size = size.ok_or_else(|| missing("quantity"))?;
    let limit = match parameter(call, "type").as_deref() {
        Some("MARKET") => None,
        Some("LIMIT") => Some(number("price").ok_or_else(|| missing("price"))?),
        Some(_) => return Err(refusal(400, -1116, "Invalid orderType.")),
        None => return Err(missing("type")),
    };
    let query = call
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let query = query.collect::<Vec<_>>().join("&");
    let received = query + &String::from_utf8_lossy(call.body);
    let client_id = parameter(call, "newClientOrderId").unwrap_or_else(|| {
        let count = call.venue().all().len();
        format!("sandbox{count}x{}", call.now.as_millisecond())
    });
    let order = Order {
        number: 0,
        provider: NAME,
        key,
        client_id,
        symbol: name,
        canonical: listing,
        is_buy,
        size,
        limit,
        at: call.now,
        state: OrderState::Open,
        done_at: None,
        price: None,
        received,
        seen_ns: 0,
    };
    let placed = call.venue().place(order, call.market);
    let order = placed.map_err(|rejected| match rejected {
        Rejected::Duplicate => refusal(400, -2010, "Duplicate order sent."),
        Rejected::Full => refusal(400, -2010, "Too many orders."),
    })?;
    let fills = order.price.map(|price| {
        object! {
            "price" => text(price),
            "qty" => text(order.size),
            "commission" => text(Decimal::ZERO),
            "commissionAsset" => "BNB",
            "tradeId" => order.number,
        }
    });
    let json = told(&order)
        .with("transactTime", order.at.as_millisecond())
        .with("fills", fills.into_iter().collect::<Vec<Json>>());
    Ok(Reply::json(&json))
}

/// Returns the pair as it is written here, and its canonical symbol.
fn named(call: &Call<'_>) -> Result<(String, String), Reply> {
    let name = parameter(call, "symbol").ok_or_else(|| missing("symbol"))?;
    let listing = match call.get("symbol") {
        Some(_) => Some(symbol(call)?),
        None => super::listing(call, &name),
    };
    let listing = listing.ok_or_else(|| refusal(400, -1121, "Invalid symbol."))?;
    Ok((name, listing.symbol))
}

fn mine(call: &Call<'_>, key: &str) -> Vec<Order> {
    call.venue().of(NAME, key, call.market, call.now)
}

/// Finds the order that a call names by its number or by the client's id.
fn found(call: &Call<'_>, key: &str) -> Result<Order, Reply> {
    let (name, _) = named(call)?;
    let number = parameter(call, "orderId").and_then(|text| text.parse::<i64>().ok());
    let client = parameter(call, "origClientOrderId");
    if number.is_none() && client.is_none() {
        let msg = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
        return Err(refusal(400, -1102, msg));
    }
    let mut orders = mine(call, key).into_iter();
    let is_meant = |order: &Order| {
        order.symbol == name
            && number.is_none_or(|number| order.number == number)
            && client
                .as_ref()
                .is_none_or(|client| order.client_id == *client)
    };
    orders
        .find(is_meant)
        .ok_or_else(|| refusal(400, -2013, "Order does not exist."))
}

fn one(call: &Call<'_>) -> Result<Reply, Reply> {
    let key = signed(call)?;
    let order = found(call, &key)?;
    let done = order.done_at.unwrap_or(order.at).as_millisecond();
    let json = told(&order)
        .with("time", order.at.as_millisecond())
        .with("updateTime", done)
        .with("isWorking", true);
    Ok(Reply::json(&json))
}

fn cancel(call: &Call<'_>) -> Result<Reply, Reply> {
    let key = signed(call)?;
    let order = found(call, &key).map_err(|_missing| refusal(400, -2011, "Unknown order sent."))?;
    let cancelled = call.venue().cancel(NAME, &key, order.number, call.now);
    let order = cancelled.ok_or_else(|| refusal(400, -2011, "Unknown order sent."))?;
    Ok(Reply::json(&told(&order)))
}

fn open(call: &Call<'_>) -> Result<Reply, Reply> {
    let key = signed(call)?;
    let mut orders = mine(call, &key);
    orders.retain(|order| order.state == OrderState::Open);
    Ok(Reply::json(&Json::List(orders.iter().map(told).collect())))
}

fn account(call: &Call<'_>) -> Result<Reply, Reply> {
    let key = signed(call)?;
    let mut coins: Vec<(String, Decimal)> = vec![("USDT".to_owned(), Decimal::from(100_000))];
    for order in mine(call, &key) {
        let Some(price) = order.price else { continue };
        let Some((base, quote)) = order.canonical.split_once('/') else {
            continue;
        };
        let size = if order.is_buy {
            order.size
        } else {
            -order.size
        };
        for (coin, change) in [(base, size), (quote, -size * price)] {
            match coins.iter_mut().find(|row| row.0 == coin) {
                Some(row) => row.1 += change,
                None => coins.push((coin.to_owned(), change)),
            }
        }
    }
    let coins = coins.into_iter().map(|(coin, free)| {
        object! { "asset" => coin, "free" => text(free), "locked" => text(Decimal::ZERO) }
    });
    Ok(Reply::json(&object! {
        "makerCommission" => 0_i64,
        "takerCommission" => 0_i64,
        "canTrade" => true,
        "accountType" => "SPOT",
        "balances" => coins.collect::<Vec<Json>>(),
        "permissions" => list!["SPOT"],
    }))
}
