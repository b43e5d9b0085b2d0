//! Alpaca's trading with play money: orders, positions, the account.
//!
//! A `client_order_id` works once; without one, a repeated call is a second order.

use axum::http::Method;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::Handler;
use super::refusal;
use crate::call::{Call, Reply};
use crate::venue::{Order, OrderState, Rejected};
use crate::wire::{Json, list, object, rfc3339};

const NAME: &str = "alpaca";

/// Returns what a call to the trading interface does.
pub(super) fn route(call: &Call<'_>) -> Option<(&'static str, Handler)> {
    let is = |method: &Method| call.method == method;
    Some(match call.pieces().as_slice() {
        ["v2", "orders"] if is(&Method::POST) => ("submit-order", submit),
        ["v2", "orders"] if is(&Method::GET) => ("orders", |call| Ok(orders(call))),
        ["v2", "orders:by_client_order_id"] | ["v2", "orders", _] if is(&Method::GET) => {
            ("order", one)
        }
        ["v2", "orders", _] if is(&Method::DELETE) => ("cancel-order", cancel),
        ["v2", "account"] if is(&Method::GET) => ("account", |call| Ok(account(call))),
        ["v2", "positions"] if is(&Method::GET) => ("positions", |call| Ok(positions(call))),
        _ => return None,
    })
}

fn key(call: &Call<'_>) -> String {
    call.header("APCA-API-KEY-ID")
        .unwrap_or_default()
        .to_owned()
}

fn problem(status: u16, code: i64, message: &str) -> Reply {
    Reply::refusal(status, &object! { "code" => code, "message" => message })
}

fn id(order: &Order) -> String {
    format!("00000000-0000-4000-8000-{:012x}", order.number)
}

fn told(order: &Order) -> Json {
    let time = |at: Timestamp| rfc3339(at.as_nanosecond());
    let done = |state: OrderState| order.done_at.filter(|_| order.state == state).map(time);
    let kind = if order.limit.is_some() {
        "limit"
    } else {
        "market"
    };
    let filled = if order.state == OrderState::Filled {
        order.size
    } else {
        Decimal::ZERO
    };
    object! {
        "id" => id(order),
        "client_order_id" => order.client_id.as_str(),
        "created_at" => time(order.at),
        "updated_at" => time(order.done_at.unwrap_or(order.at)),
        "submitted_at" => time(order.at),
        "filled_at" => done(OrderState::Filled),
        "expired_at" => Json::Null,
        "canceled_at" => done(OrderState::Cancelled),
        "failed_at" => Json::Null,
        "replaced_at" => Json::Null,
        "asset_class" => if order.symbol.contains('/') { "crypto" } else { "us_equity" },
        "symbol" => order.symbol.as_str(),
        "notional" => Json::Null,
        "qty" => order.size.to_string(),
        "filled_qty" => filled.to_string(),
        "filled_avg_price" => order.price.map(|price| price.to_string()),
        "order_class" => "",
        "order_type" => kind,
        "type" => kind,
        "side" => if order.is_buy { "buy" } else { "sell" },
        "time_in_force" => "day",
        "limit_price" => order.limit.map(|limit| limit.to_string()),
        "stop_price" => Json::Null,
        "status" => match order.state {
            OrderState::Open => "new",
            OrderState::Filled => "filled",
            OrderState::Cancelled => "canceled",
        },
        "extended_hours" => false,
        "legs" => Json::Null,
    }
}

fn submit(call: &Call<'_>) -> Result<Reply, Reply> {
    let received = String::from_utf8_lossy(call.body).into_owned();
    let body: Value = serde_json::from_str(&received)
        .map_err(|_no_json| problem(400, 40_010_000, "request body format is invalid"))?;
    let text = |name: &str| match &body[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let wrong = |what: &str| problem(422, 40_010_001, what);
    let symbol = text("symbol").ok_or_else(|| wrong("symbol is required"))?;
    call.market
        .listing(&symbol)
        .ok_or_else(|| wrong(&format!("asset \"{symbol}\" not found")))?;
    let is_buy = match text("side").as_deref() {
        Some("buy") => true,
        Some("sell") => false,
        _ => return Err(wrong("side must be buy or sell")),
    };
    let number = |name: &str| text(name).and_then(|text| text.parse::<Decimal>().ok());
    let size = number("qty").filter(|size| *size > Decimal::ZERO);
    let size = size.ok_or_else(|| wrong("qty must be > 0"))?;
    let limit = match text("type").as_deref() {
        Some("market") => None,
        Some("limit") => {
            Some(number("limit_price").ok_or_else(|| wrong("limit orders require a limit price"))?)
        }
        _ => return Err(wrong("the sandbox takes market and limit orders")),
    };
    let client_id = text("client_order_id").unwrap_or_else(|| {
        // Who gives no id gets one that nobody else has.
        let count = call.venue().all().len();
        format!("sandbox-{count}-{}", call.now.as_nanosecond())
    });
    let order = Order {
        number: 0,
        provider: NAME,
        key: key(call),
        client_id,
        canonical: symbol.clone(),
        symbol,
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
    match placed {
        Ok(order) => Ok(Reply::json(&told(&order))),
        Err(Rejected::Duplicate) => Err(wrong("client_order_id must be unique")),
        Err(Rejected::Full) => Err(refusal(403, "too many orders")),
    }
}

fn mine(call: &Call<'_>) -> Vec<Order> {
    call.venue().of(NAME, &key(call), call.market, call.now)
}

fn orders(call: &Call<'_>) -> Reply {
    let status = call.get_or("status", "open");
    let mut orders = mine(call);
    orders.retain(|order| match status {
        "open" => order.state == OrderState::Open,
        "closed" => order.state != OrderState::Open,
        _ => true,
    });
    // The newest come first.
    orders.reverse();
    Reply::json(&Json::List(orders.iter().map(told).collect()))
}

fn one(call: &Call<'_>) -> Result<Reply, Reply> {
    let wanted = call.path.last().cloned().unwrap_or_default();
    let client = call.get("client_order_id");
    let mut orders = mine(call).into_iter();
    let found = orders.find(|order| match client {
        Some(client) => order.client_id == client,
        None => id(order) == wanted,
    });
    let order = found.ok_or_else(|| problem(404, 40_410_000, "order not found"))?;
    Ok(Reply::json(&told(&order)))
}

fn cancel(call: &Call<'_>) -> Result<Reply, Reply> {
    let wanted = call.path.last().cloned().unwrap_or_default();
    let order = mine(call).into_iter().find(|order| id(order) == wanted);
    let order = order.ok_or_else(|| problem(404, 40_410_000, "order not found"))?;
    let cancelled = call
        .venue()
        .cancel(NAME, &order.key, order.number, call.now);
    if cancelled.is_none() {
        let text = "order is not cancelable";
        return Err(problem(422, 42_210_000, text));
    }
    Ok(Reply::text(204, "application/json", ""))
}

/// Returns what is held of each symbol, and what was paid for it.
fn held(call: &Call<'_>) -> Vec<(String, Decimal, Decimal)> {
    let mut held: Vec<(String, Decimal, Decimal)> = Vec::new();
    for order in mine(call) {
        let Some(price) = order.price else { continue };
        let size = if order.is_buy {
            order.size
        } else {
            -order.size
        };
        match held.iter_mut().find(|row| row.0 == order.symbol) {
            Some(row) => {
                row.1 += size;
                row.2 += size * price;
            }
            None => held.push((order.symbol, size, size * price)),
        }
    }
    held.retain(|row| !row.1.is_zero());
    held
}

fn positions(call: &Call<'_>) -> Reply {
    let rows = held(call).into_iter().map(|(symbol, size, cost)| {
        let listing = call.market.listing(&symbol);
        let last = listing.and_then(|listing| call.market.last_trade(&listing, call.now));
        let price = last.map_or(Decimal::ZERO, |trade| trade.price);
        object! {
            "symbol" => symbol,
            "exchange" => "NASDAQ",
            "asset_class" => "us_equity",
            "qty" => size.to_string(),
            "side" => if size > Decimal::ZERO { "long" } else { "short" },
            "avg_entry_price" => cost.checked_div(size).unwrap_or_default().round_dp(4).to_string(),
            "market_value" => (price * size).to_string(),
            "cost_basis" => cost.to_string(),
            "current_price" => price.to_string(),
        }
    });
    Reply::json(&Json::List(rows.collect()))
}

fn account(call: &Call<'_>) -> Reply {
    let paid: Decimal = held(call).iter().map(|row| row.2).sum();
    let cash = Decimal::from(100_000) - paid;
    Reply::json(&object! {
        "id" => "00000000-0000-4000-8000-000000000000",
        "account_number" => "PA0000000000",
        "status" => "ACTIVE",
        "currency" => "USD",
        "cash" => cash.to_string(),
        "buying_power" => cash.max(Decimal::ZERO).to_string(),
        "pattern_day_trader" => false,
        "trading_blocked" => false,
        "account_blocked" => false,
        "crypto_tiers" => list![],
    })
}
