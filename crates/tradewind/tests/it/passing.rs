//! What passes straight through, and what a hostile or dead other side can do: an order is sent once whatever
//! happens, a redirect is followed by nobody, and no answer takes the gateway with it.

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::exec::{BARS, words};
use crate::origin::{Came, Origin, reply};
use crate::support::{Answer, Daemon, PATIENCE, Repo, Said, User, program, skipped};

const ORDERS: &str = "https://paper-api.alpaca.markets/v2/orders";
const ORDER: &str =
    r#"{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}"#;

/// A user whose providers are all `origin`.
fn user(origin: &Origin) -> User {
    let mut user = User::new();
    user.set("TRADEWIND_SANDBOX", &origin.address.to_string());
    user.set("APCA_API_KEY_ID", "a-key-of-ours");
    user.set("APCA_API_SECRET_KEY", "a-secret-of-ours");
    user
}

fn up(user: &User) -> Daemon {
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("bot.py", "print(1)\n");
    repo.commit("feat: a bot");
    user.up(&repo.path)
}

fn exec(user: &User, command: &[OsString]) -> Said {
    let mut exec = user.tradewind(user.home.path());
    exec.args(["exec", "--"]).args(command);
    Said::from(exec.output().unwrap())
}

fn curl(options: &[&str]) -> Option<Vec<OsString>> {
    let curl = program(&["curl"])?;
    Some([vec![curl.into_os_string()], words(&["-sS"]), words(options)].concat())
}

fn ask(daemon: &Daemon, path: &str) -> Answer {
    let token = format!("X-Tradewind-Token: {}", daemon.token);
    daemon.ask("GET", path, &[&token], "")
}

fn count(origin: &Origin, of: impl Fn(&Came) -> bool) -> usize {
    origin.came().iter().filter(|came| of(came)).count()
}

#[test]
fn an_order_whose_answer_is_lost_was_sent_once_and_the_program_hears_of_it() {
    // Whatever is no GET is taken and never answered.
    let origin = Origin::start(|came, stream| {
        if came.line().starts_with("GET") {
            reply(stream, "200 OK", &[], b"[]");
        }
    });
    let user = user(&origin);
    let status = ["-w", "%{http_code}", "-o", "answer"];
    let methods = ["POST", "PATCH", "DELETE", "PUT"];
    let orders = || -> Option<Vec<Said>> {
        let all = methods.iter().map(|method| {
            let order = curl(&[&["-X", method, "-d", ORDER, ORDERS][..], &status[..]].concat())?;
            Some(exec(&user, &order))
        });
        all.collect()
    };
    let Some(alone) = orders() else {
        return skipped("curl", "there is no curl");
    };
    let daemon = up(&user);
    let through_daemon = orders().unwrap();
    for said in alone.iter().chain(&through_daemon) {
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(0), "502"),
            "{said:#?}"
        );
        let answer = std::fs::read_to_string(user.home.path().join("answer")).unwrap();
        assert!(answer.contains("alpaca was not heard"), "{answer}");
    }
    for method in methods {
        let came = count(&origin, |came| {
            came.line().starts_with(method) && came.body == ORDER
        });
        assert_eq!(came, 2, "{method}: once without a daemon and once with one");
    }
    drop(daemon);
}

#[cfg(unix)]
#[test]
fn a_program_that_gives_up_on_an_order_does_not_make_it_twice() {
    let Some(curl) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let home = tempfile::tempdir().unwrap();
    let sign = home.path().join("came");
    let came = sign.clone();
    // It is never answered, and the connection stays open for as long as the test.
    let origin = Origin::start(move |_, _| {
        std::fs::write(&came, "").unwrap();
        std::thread::sleep(PATIENCE);
    });
    let user = user(&origin);
    let bot = format!(
        "'{}' -sS -X POST -d '{ORDER}' {ORDERS} & order=$!; while [ ! -e '{}' ]; do sleep 0.05; done; kill $order; wait $order",
        curl.display(),
        sign.display()
    );
    let said = exec(&user, &words(&["sh", "-c", &bot]));
    assert_eq!(said.code, Some(128 + 15), "curl was told to end: {said:#?}");
    assert_eq!(origin.came().len(), 1);
}

#[test]
fn orders_are_neither_shared_nor_kept_nor_held_back() {
    let number = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(move |came, stream| {
        if came.line().contains("/v2/stocks/") {
            return reply(
                stream,
                "429 Too Many Requests",
                &["retry-after: 600"],
                b"{}",
            );
        }
        let mine = number.fetch_add(1, Ordering::SeqCst) + 1;
        let begun = Instant::now();
        // The first two are under way at once, before either is answered.
        while number.load(Ordering::SeqCst) < 2 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let body = format!("{{\"id\":{mine}}}\n");
        reply(
            stream,
            "200 OK",
            &["cache-control: max-age=600"],
            body.as_bytes(),
        );
    });
    let user = user(&origin);
    let Some(twice) = curl(&[
        "-Z",
        "--parallel-immediate",
        "-X",
        "POST",
        "-d",
        ORDER,
        ORDERS,
        ORDERS,
    ]) else {
        return skipped("curl", "there is no curl");
    };
    let daemon = up(&user);
    let said = exec(&user, &twice);
    let mut ids: Vec<_> = said.out.lines().collect();
    ids.sort_unstable();
    assert_eq!(ids, ["{\"id\":1}", "{\"id\":2}"], "{said:#?}");
    // What is kept for ten minutes by its own word is asked for again: it is about an account.
    let list = curl(&[ORDERS]).unwrap();
    assert_eq!(
        (exec(&user, &list).out, exec(&user, &list).out),
        ("{\"id\":3}\n".to_owned(), "{\"id\":4}\n".to_owned())
    );
    // Data is told to wait for ten minutes; an order is not.
    let data = exec(
        &user,
        &curl(&["-o", "answer", "-w", "%{http_code}", BARS]).unwrap(),
    );
    assert_eq!(data.out, "429", "{data:#?}");
    let asked = count(&origin, |came| came.line().contains("/v2/stocks/"));
    let data = exec(
        &user,
        &curl(&["-o", "answer", "-w", "%{http_code}", BARS]).unwrap(),
    );
    assert_eq!(data.out, "429", "{data:#?}");
    assert_eq!(
        count(&origin, |came| came.line().contains("/v2/stocks/")),
        asked,
        "it was held back"
    );
    let order = exec(&user, &curl(&["-X", "POST", "-d", ORDER, ORDERS]).unwrap());
    assert_eq!(order.out, "{\"id\":5}\n", "{order:#?}");
    drop(daemon);
}

#[test]
fn how_urgent_a_program_is_the_daemon_hears_too() {
    // The first answer says to come again in 15 s: longer than a live call waits, not longer than others do.
    let times = AtomicUsize::new(0);
    let origin = Origin::start(move |_, stream| {
        if times.fetch_add(1, Ordering::SeqCst) == 0 {
            return reply(stream, "429 Too Many Requests", &["retry-after: 15"], b"{}");
        }
        reply(stream, "200 OK", &[], b"{\"bars\":{}}");
    });
    let user = user(&origin);
    let Some(bars) = curl(&["-o", "answer", "-w", "%{http_code}", BARS]) else {
        return skipped("curl", "there is no curl");
    };
    let _daemon = up(&user);
    let mut exec = user.tradewind(user.home.path());
    exec.args(["exec", "--priority", "live", "--"]).args(bars);
    let said = Said::from(exec.output().unwrap());
    assert_eq!(said.out, "429", "{said:#?}");
    assert_eq!(origin.came().len(), 1);
}

#[test]
fn a_plain_call_is_carried_as_it_came_and_to_a_provider_by_tls() {
    let origin =
        Origin::start(|_, stream| reply(stream, "201 Created", &["x-answer: yes"], b"made"));
    let user = user(&origin);
    let Some(_) = program(&["curl"]) else {
        return skipped("curl", "there is no curl");
    };
    let to = format!("http://{}/a/b?c=d", origin.address);
    // This machine is off proxies by default; this asks the proxy for it all the same.
    let options = [
        "--noproxy",
        "none.invalid",
        "-i",
        "-X",
        "PUT",
        "-d",
        "body of mine",
        "-H",
        "X-Mine: 1",
        &to,
    ];
    let said = exec(&user, &curl(&options).unwrap());
    assert!(said.out.starts_with("HTTP/1.1 201"), "{said:#?}");
    assert!(
        said.out.contains("x-answer: yes") && said.out.ends_with("made"),
        "{said:#?}"
    );
    let came = origin.came();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].line(), "PUT /a/b?c=d HTTP/1.1");
    assert_eq!(came[0].body, "body of mine");
    let head = came[0].head.to_ascii_lowercase();
    assert!(
        head.contains("x-mine: 1") && !head.contains("proxy-"),
        "{head}"
    );
    assert!(
        said.err.contains("Carried unread: 1 hosts (127.0.0.1:"),
        "{said:#?}"
    );
    // A provider by its plain address: the gateway answers, and asks by TLS itself.
    let plain = BARS.replace("https://", "http://");
    let said = exec(&user, &curl(&["-i", &plain]).unwrap());
    assert!(
        said.out
            .to_ascii_lowercase()
            .contains("cache-status: tradewind"),
        "{said:#?}"
    );
    assert!(said.err.contains("1 to alpaca"), "{said:#?}");
}

#[test]
fn a_redirect_is_handed_on_and_followed_by_nobody() {
    let inner = Origin::start(|_, stream| reply(stream, "200 OK", &[], b"inner"));
    let to = Arc::new(std::sync::Mutex::new(String::new()));
    let told = Arc::clone(&to);
    let origin = Origin::start(move |_, stream| {
        let location = format!("location: {}", told.lock().unwrap());
        reply(stream, "302 Found", &[&location], b"");
    });
    for place in [
        format!("http://{}/latest/meta-data", inner.address),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://evil.example/".to_owned(),
        "https://api.alpaca.markets/v2/account".to_owned(),
    ] {
        to.lock().unwrap().clone_from(&place);
        // A user each: a provider that only redirects is soon taken for one that fails.
        let user = user(&origin);
        let daemon = up(&user);
        let passed = ask(
            &daemon,
            "/p/alpaca/v2/stocks/bars?symbols=AAPL&timeframe=1Day",
        );
        assert_eq!(passed.status, 302, "{passed:?}");
        assert!(passed.head.contains(&place), "{passed:?}");
        let bars = ask(
            &daemon,
            "/v1/bars/AAPL.csv?provider=alpaca&start=2024-03-01&end=2024-03-05",
        );
        assert!(bars.status >= 400, "{bars:?}");
        if let Some(curl) = curl(&["-o", "answer", "-w", "%{http_code}", BARS]) {
            assert_eq!(exec(&self::user(&origin), &curl).out, "302");
        }
    }
    assert!(inner.came().is_empty());
    assert_eq!(count(&origin, |came| came.head.contains("/v2/account")), 0);
}

/// Writes a body without an end until nobody takes it; says how many bytes were taken.
fn pour(stream: &mut std::net::TcpStream, taken: &AtomicUsize) {
    let piece = vec![b'x'; 1 << 16];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let mut sent = stream.write_all(head.as_bytes());
    while sent.is_ok() && taken.load(Ordering::SeqCst) < 1 << 30 {
        sent = stream.write_all(&piece);
        taken.fetch_add(piece.len(), Ordering::SeqCst);
    }
}

/// Zeros, compressed: some hundred kilobytes that unpack to a hundred million.
fn bomb() -> Vec<u8> {
    // A plain gzip header, then one last block with fixed codes.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];
    let (mut bits, mut byte) = (0_u32, 0_u8);
    let mut push = |pattern: &str| {
        for bit in pattern.bytes() {
            byte |= (bit - b'0') << (bits % 8);
            bits += 1;
            if bits % 8 == 0 {
                bytes.push(byte);
                byte = 0;
            }
        }
    };
    // Last block, fixed codes; the literal 0; then its repetition, 258 at a time.
    push("110");
    push("00110000");
    for _ in 0..400_000 {
        push("1100010100000");
    }
    push("00000000000000");
    bytes
}

/// Returns the most memory that a process had, in MiB, where the system says it.
fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

#[test]
fn hostile_bodies_end_in_a_plain_error_within_bounded_memory() {
    let taken = Arc::new(AtomicUsize::new(0));
    let poured = Arc::clone(&taken);
    let bomb = bomb();
    let deep = "[".repeat(5_000_000);
    let origin = Origin::start(move |came, stream| {
        let json = "content-type: application/json; charset=utf-8";
        match came.line() {
            line if line.contains("ENDL") => pour(stream, &poured),
            line if line.contains("ANNO") => {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\nx";
                drop(stream.write_all(head.as_bytes()));
            }
            line if line.contains("BOMB") => {
                reply(stream, "200 OK", &["content-encoding: gzip", json], &bomb);
            }
            line if line.contains("DEEP") => reply(stream, "200 OK", &[json], deep.as_bytes()),
            line if line.contains("CHAR") => {
                reply(stream, "200 OK", &[json], b"{\"bars\": \"M\xfcnchen\"}");
            }
            _ => reply(stream, "200 OK", &[json], b"{\"bars\":{}}"),
        }
    });
    // A user each: a provider that answers so is soon taken for one that fails.
    for symbol in ["ENDL", "ANNO", "BOMB", "DEEP", "CHAR"] {
        let user = user(&origin);
        let daemon = up(&user);
        let path = format!("/p/alpaca/v2/stocks/bars?symbols={symbol}&timeframe=1Day");
        let passed = ask(&daemon, &path);
        if ["DEEP", "CHAR"].contains(&symbol) {
            // What is only strange is the program's to judge, and no bars to us.
            assert_eq!(passed.status, 200, "{symbol}: {}", passed.head);
        } else {
            assert_eq!(passed.status, 502, "{symbol}: {}", passed.head);
            let why = &passed.body;
            assert!(why.contains("has more than"), "{symbol}: {why}");
        }
        let path = format!("/v1/bars/{symbol}.csv?provider=alpaca&start=2024-03-01&end=2024-03-05");
        let bars = ask(&daemon, &path);
        assert_eq!(bars.status, 502, "{symbol}: {bars:?}");
        assert!(bars.head.contains("problem+json"), "{symbol}: {bars:?}");
        if let Some(peak) = peak_mib(daemon.child.id()) {
            assert!(peak < 600, "{symbol}: {peak} MiB");
        }
        // And it still serves everybody else.
        let other = ask(&daemon, "/p/kraken/0/public/OHLC?pair=XBTUSD");
        assert_eq!(other.body, "{\"bars\":{}}", "{symbol}: {other:?}");
    }
    assert!(
        taken.load(Ordering::SeqCst) < 1 << 29,
        "of two gigabytes only a part was taken"
    );
}

#[test]
fn a_machine_without_certificate_authorities_says_so_and_still_runs_the_program() {
    let origin = Origin::start(|_, stream| reply(stream, "200 OK", &[], b"{\"bars\":{}}"));
    let mut user = user(&origin);
    let empty = user.home.path().join("none.pem");
    std::fs::write(&empty, "").unwrap();
    user.set("SSL_CERT_FILE", empty.to_str().unwrap());
    user.set(
        "SSL_CERT_DIR",
        user.home.path().join("none").to_str().unwrap(),
    );
    // With a sandbox nothing is missing: the program believes our authority, and nobody else is needed.
    let Some(bars) = curl(&["-w", "%{http_code}", "-o", "answer", BARS]) else {
        return skipped("curl", "there is no curl");
    };
    let said = exec(&user, &bars);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "200"),
        "{said:#?}"
    );
    // Without one no provider can be believed, so none is asked, and it is told what is missing.
    user.set("TRADEWIND_SANDBOX", "");
    let said = exec(&user, &bars);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "429"),
        "{said:#?}"
    );
    assert!(said.err.contains("ca-certificates"), "{said:#?}");
    assert_eq!(origin.came().len(), 1);
}
