//! The doors of streams: Server-Sent Events read as text, WebSockets through the house's own client.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tradewind_host::egress::{DirectEgress, Egress as _, Method, Request};
use tradewind_host::socket::{Received, Socket, SocketError};

use crate::streams::World;

/// Upper bound on waiting for one message. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The doors of a world, on a socket.
struct Doors {
    world: World,
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Doors {
    async fn new(factor: i32, key: &str) -> Self {
        let world = World::new(factor, key).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = tradewind_market::http::router(world.service.clone(), world.pass.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            world,
            address,
            _task: task,
        }
    }

    async fn send(&self, query: &str, header: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET /v1/stream?{query} HTTP/1.1\r\nHost: {}\r\n{header}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn events(&self, query: &str, header: &str) -> Events {
        let mut lines = BufReader::new(self.send(query, header).await).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        assert!(status.contains("200"), "{status}");
        Events(lines)
    }

    async fn socket(&self, query: &str) -> Socket {
        let url = format!("ws://{}/v1/stream?{query}", self.address);
        let request = Request::new(Method::GET, url.parse().unwrap());
        let wire = DirectEgress::loopback().unwrap();
        wire.open(request).await.unwrap()
    }

    async fn refused(&self, query: &str) -> (String, Value) {
        let mut stream = self.send(query, "Connection: close\r\n").await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/problem+json"), "{head}");
        (
            head.lines().next().unwrap().to_owned(),
            serde_json::from_str(body).unwrap(),
        )
    }
}

struct Events(tokio::io::Lines<BufReader<TcpStream>>);

impl Events {
    /// Returns the next event: its type, its id, its object.
    async fn next(&mut self) -> (String, String, Value) {
        let (mut event, mut id) = (String::new(), String::new());
        loop {
            let line = tokio::time::timeout(PATIENCE, self.0.next_line()).await;
            let line = line.unwrap().unwrap().unwrap();
            match line.split_once(": ") {
                Some(("event", text)) => text.clone_into(&mut event),
                Some(("id", text)) => text.clone_into(&mut id),
                Some(("data", text)) => return (event, id, serde_json::from_str(text).unwrap()),
                _ => {}
            }
        }
    }

    async fn trade(&mut self) -> (String, Value) {
        loop {
            let (event, id, object) = self.next().await;
            assert_eq!(object["type"], event.as_str());
            assert_eq!(object["id"], id.as_str());
            if event == "trade" {
                return (id, object);
            }
        }
    }
}

async fn message(socket: &mut Socket) -> Result<Value, SocketError> {
    loop {
        let received = tokio::time::timeout(PATIENCE, socket.next())
            .await
            .unwrap()?;
        if let Received::Text(text) = received {
            return Ok(serde_json::from_str(&text).unwrap());
        }
    }
}

const TRADES: &str = "instrument=BTC%2FUSDT@binance&kind=trades&numbers=decimal";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_doors_tell_the_same_in_the_same_words() {
    let doors = Doors::new(300, "right").await;
    let mut socket = doors.socket(TRADES).await;
    let mut events = doors.events(TRADES, "").await;
    let mut by_socket = Vec::new();
    let (first, object) = events.trade().await;
    let mut by_events = vec![object];
    while by_events.len() < 20 {
        by_events.push(events.trade().await.1);
    }
    while by_socket.len() < 20 {
        let object = message(&mut socket).await.unwrap();
        if !by_socket.is_empty() || object["id"] == first.as_str() {
            by_socket.push(object);
        }
    }
    assert_eq!(by_socket, by_events);
    let trade = &by_events[0];
    assert_eq!(trade["instrument"], "BTC/USDT@binance");
    assert_eq!(trade["provider"], "binance");
    assert!(trade["price"].as_str().unwrap().contains('.'), "{trade}");
    assert!(["buy", "sell"].contains(&trade["taker"].as_str().unwrap()));
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_of_the_last_event_is_where_a_listener_goes_on() {
    let doors = Doors::new(300, "right").await;
    let mut trades = Vec::new();
    let mut header = String::new();
    for _ in 0..3 {
        let mut events = doors.events(TRADES, &header).await;
        for _ in 0..5 {
            let (id, object) = events.trade().await;
            header = format!("Last-Event-ID: {id}\r\n");
            let number = object["trade_id"].as_str().unwrap().parse::<i64>().unwrap();
            trades.push(number);
        }
    }
    let first = trades[0];
    let whole: Vec<i64> = (first..first + 15).collect();
    assert_eq!(trades, whole, "nothing twice and nothing left out");
    let mut events = doors.events(TRADES, "Last-Event-ID: 42\r\n").await;
    let (event, _, object) = events.next().await;
    assert_eq!(
        (event.as_str(), &object["what"]),
        ("notice", &"not_held".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_is_let_go() {
    let doors = Doors::new(30_000, "right").await;
    let _mute = doors.send(TRADES, "").await;
    let url = format!("ws://{}/v1/stream?{TRADES}", doors.address);
    let request = Request::new(Method::GET, url.parse().unwrap());
    let _mute_too = DirectEgress::loopback()
        .unwrap()
        .open(request)
        .await
        .unwrap();
    let mut has_listened = false;
    let gone = async {
        loop {
            let listeners = doors.world.service.streams().listeners();
            has_listened |= listeners == 2;
            if has_listened && listeners == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_wrong_is_answered_with_the_choices() {
    let doors = Doors::new(300, "right").await;
    for (query, status, word) in [
        ("kind=trades", "400", "instrument=BTC/USDT"),
        ("instrument=AAPL&kind=ticks", "400", "trades, quotes, bars"),
        ("instrument=AAPL&kind=bars", "400", "interval=1s"),
        ("instrument=AAPL&interval=1m", "400", "kind=bars"),
        ("instrument=AAPL&kind=bars&interval=7m", "400", "interval"),
        (
            "instrument=AAPL&since=now",
            "400",
            "There are instrument, kind",
        ),
        ("instrument=AAPL&numbers=roman", "400", "float, decimal"),
        ("instrument=AAPL&provider=nobody", "404", "provider"),
        ("instrument=AAPL&provider=tiingo", "404", "provider"),
        ("instrument=BTC%2FUSD@nowhere", "404", "provider"),
        ("instrument=AAPL&kind=bars&interval=1d", "404", "provider"),
    ] {
        let (line, problem) = doors.refused(query).await;
        assert!(line.contains(status), "{query}: {line}");
        let text = problem.to_string();
        assert!(text.contains(word), "{query}: {text}");
    }
    let (_, problem) = doors.refused("instrument=AAPL&provider=tiingo").await;
    let title = problem["title"].as_str().unwrap();
    assert!(
        title.contains("it has no stream that is catalogued"),
        "{title}"
    );
    assert_eq!(doors.world.service.streams().listeners(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_ends_a_websocket_with_its_own_code() {
    let doors = Doors::new(300, "wrong").await;
    let mut socket = doors.socket("instrument=AAPL").await;
    let end = loop {
        let object = message(&mut socket).await.unwrap();
        if object["type"] == "end" {
            break object;
        }
    };
    assert_eq!(
        (&end["reason"], &end["class"]),
        (&"provider".into(), &"auth".into())
    );
    let Err(SocketError::Closed { code, .. }) = message(&mut socket).await else {
        panic!("it was not closed")
    };
    assert_eq!(code, 4401);
    let (line, problem) = doors.refused("instrument=MSFT").await;
    assert!(line.contains("502"), "{line}");
    assert_eq!(problem["class"], "auth");
}
