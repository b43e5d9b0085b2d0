//! The sandbox's own paths: what was counted, the orders that came, and the switches.
//!
//! No token is needed: only who uses a loopback name gets here, and nothing here is worth stealing. A page
//! in a browser is turned away, because it could be anybody's.

use axum::body::Bytes;
use axum::http::{Method, header};

use super::{Asked, Shared, check_fault};
use crate::call::Reply;
use crate::faults::{Fault, FaultKind};
use crate::wire::{Json, object};

/// Answers a request below `/_sandbox`.
pub(super) fn answer(shared: &Shared, asked: &Asked<'_>, body: &Bytes) -> Reply {
    if !asked.from.is_loopback() || asked.parts.headers.contains_key(header::ORIGIN) {
        return problem(403, "only programs on this machine may ask that");
    }
    let path: Vec<_> = asked.path.iter().map(String::as_str).collect();
    match (asked.parts.method.clone(), path.as_slice()) {
        (Method::GET, ["_sandbox", "stats"]) => Reply::json(&shared.state().stats.json()),
        (Method::GET, ["_sandbox", "orders"]) => orders(shared),
        (Method::GET, ["_sandbox", "faults"]) => listed(shared),
        (Method::POST, ["_sandbox", "faults"]) => match fault(asked, body) {
            Ok(fault) => {
                shared.state().faults.push(fault);
                listed(shared)
            }
            Err(why) => problem(400, &why),
        },
        (Method::DELETE, ["_sandbox", "faults"]) => {
            shared.state().faults.clear();
            listed(shared)
        }
        _ => problem(
            404,
            "there are /_sandbox/stats, /_sandbox/faults and /_sandbox/orders",
        ),
    }
}

/// Answers a request to nobody.
pub(super) fn lost(known: &[String]) -> Reply {
    let known = known.join(", ");
    problem(
        404,
        &format!("no provider is meant; the first piece of the path is one of {known}"),
    )
}

fn problem(status: u16, title: &str) -> Reply {
    let status_number = i64::from(status);
    let json = object! { "type" => "about:blank", "status" => status_number, "title" => title };
    Reply {
        content_type: "application/problem+json",
        ..Reply::refusal(status, &json)
    }
}

fn orders(shared: &Shared) -> Reply {
    let venue = shared.venue();
    let orders = venue.all().iter().map(|order| {
        object! {
            "number" => order.number,
            "provider" => order.provider,
            "client_id" => order.client_id.as_str(),
            "symbol" => order.symbol.as_str(),
            "side" => if order.is_buy { "buy" } else { "sell" },
            "size" => order.size.to_string(),
            "limit" => order.limit.map(|limit| limit.to_string()),
            "at" => order.at.to_string(),
            "state" => order.state.to_string(),
            "price" => order.price.map(|price| price.to_string()),
            "received" => order.received.as_str(),
        }
    });
    let orders: Vec<Json> = orders.collect();
    Reply::json(&object! { "schema_version" => 1_i64, "orders" => orders })
}

fn listed(shared: &Shared) -> Reply {
    let faults = shared.state().faults.clone();
    let faults: Vec<Json> = faults
        .iter()
        .map(|fault| {
            object! {
                "provider" => fault.provider.as_str(),
                "kind" => fault.kind.as_str(),
                "times" => fault.left.map(i64::from),
                "seconds" => fault.seconds,
            }
        })
        .collect();
    Reply::json(&object! { "schema_version" => 1_i64, "faults" => faults })
}

/// Reads a fault from the query or from a JSON object with the same names.
fn fault(asked: &Asked<'_>, body: &Bytes) -> Result<Fault, String> {
    let object: serde_json::Value = if body.is_empty() {
        serde_json::Value::Null
    } else {
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?
    };
    let get = |name: &str| {
        let in_query = asked.query.iter().find(|(key, _)| key == name);
        in_query
            .map(|(_, value)| value.clone())
            .or_else(|| match &object[name] {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
    };
    let whole = |name: &str| {
        get(name)
            .map(|text| {
                text.parse::<u32>()
                    .map_err(|_text| format!("{name} is no whole number"))
            })
            .transpose()
    };
    let kind = get("kind").ok_or("kind is missing")?;
    let kind: FaultKind = kind.parse().map_err(|error| format!("{error}"))?;
    let fault = Fault {
        provider: get("provider").ok_or("provider is missing")?,
        kind,
        left: whole("times")?,
        seconds: whole("seconds")?.map(i64::from),
    };
    check_fault(&fault).map_err(|error| error.to_string())?;
    Ok(fault)
}
