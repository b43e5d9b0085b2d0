//! What is a credential and what only looks like one.
//!
//! Every value is put together from pieces, so that this file itself holds none.

use tradewind_repo::secrets::{SecretHit, find, rule_names};

/// Random-looking text that belongs to nobody, by alphabet.
const UPPER: &str = concat!("Q3EG7V", "ZJ5TXL", "P4NWKD", "2RHYSB", "6CMAUF");
const MIXED: &str = concat!(
    "t7Kq2mZr", "9LwXv4Bn", "8HsYp3Jd", "6GfRc5Tk", "1QzWb0Nx", "Vm2Ch7Pl", "Ej4Ug9Sa", "Do5Ir6Fy",
    "k8Tz3Mb1", "Lc6Vn0Qw", "Hx2Rj9Gp", "Ys4Kd7Uf",
);
const HEX: &str = concat!(
    "9fa31c7b", "e02d486f", "5b17ca90", "3ed824f6", "71b0c5ea", "26d93f48", "a8c1075e", "d4b26f93"
);

fn upper(count: usize) -> &'static str {
    &UPPER[..count]
}

fn mixed(count: usize) -> &'static str {
    &MIXED[..count]
}

fn hex(count: usize) -> &'static str {
    &HEX[..count]
}

/// Cases: rule, path, text before the value, the value in pieces, text behind it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn positives() -> Vec<(&'static str, &'static str, String, String, &'static str)> {
    let case = |rule, path, before: &[&str], value: &[&str], after| {
        (rule, path, before.concat(), value.concat(), after)
    };
    vec![
        case(
            "aws-access-key",
            "bot.py",
            &["key = '"],
            &["AK", "IA", upper(16)],
            "'",
        ),
        case(
            "aws-access-key",
            "x.json",
            &["{\"id\": \""],
            &["AS", "IA", upper(16)],
            "\"}",
        ),
        case(
            "aws-secret-key",
            ".env",
            &["AWS_SECRET_", "ACCESS_KEY="],
            &[mixed(40)],
            "\n",
        ),
        case(
            "aws-secret-key",
            "c.py",
            &["aws_secret_", "key = \""],
            &[mixed(30), "/+", mixed(8)],
            "\"",
        ),
        case(
            "github-token",
            "ci.yml",
            &["run: push "],
            &["gh", "p_", mixed(36)],
            "",
        ),
        case(
            "github-token",
            "a.sh",
            &["export T="],
            &["gh", "s_", mixed(40)],
            "\n",
        ),
        case(
            "github-token",
            "a.txt",
            &[""],
            &["github_", "pat_", mixed(22), "_", mixed(59)],
            " ",
        ),
        case(
            "gitlab-token",
            "a.txt",
            &[""],
            &["gl", "pat-", mixed(20)],
            "\n",
        ),
        case(
            "slack-token",
            "bot.py",
            &["slack("],
            &["xo", "xb-", "2048151296-", mixed(24)],
            ")",
        ),
        case(
            "slack-webhook",
            "n.yml",
            &["url: https://hooks.slack", ".com/services/"],
            &["T", upper(9), "/B", upper(9), "/", mixed(24)],
            "",
        ),
        case(
            "discord-webhook",
            "n.py",
            &["'https://discord", ".com/api/webhooks/"],
            &["918273645546372819", "/", mixed(68)],
            "'",
        ),
        case(
            "stripe-key",
            "pay.js",
            &["Stripe('"],
            &["sk_", "live_", mixed(24)],
            "')",
        ),
        case(
            "stripe-webhook-secret",
            "pay.js",
            &["h('"],
            &["wh", "sec_", mixed(32)],
            "')",
        ),
        case(
            "google-api-key",
            "maps.html",
            &["?k="],
            &["AI", "za", mixed(35)],
            "&",
        ),
        case(
            "google-oauth-secret",
            "g.json",
            &["\""],
            &["GOC", "SPX-", mixed(28)],
            "\"",
        ),
        case(
            "anthropic-key",
            "a.py",
            &["'"],
            &["sk-", "ant-", "api03-", mixed(90)],
            "'",
        ),
        case(
            "openai-key",
            "a.py",
            &["client('"],
            &["s", "k-", mixed(48)],
            "')",
        ),
        case(
            "openai-key",
            "a.py",
            &["client('"],
            &["s", "k-", "proj-", mixed(60)],
            "')",
        ),
        case(
            "openrouter-key",
            "a.py",
            &["('"],
            &["s", "k-or-", "v1-", hex(64)],
            "')",
        ),
        case(
            "huggingface-token",
            "a.py",
            &["('"],
            &["h", "f_", mixed(34)],
            "')",
        ),
        case(
            "npm-token",
            ".npmrc",
            &["//registry/:_a="],
            &["np", "m_", mixed(36)],
            "\n",
        ),
        case(
            "pypi-token",
            ".pypirc",
            &["x = "],
            &["py", "pi-", "AgEIcHlwaS5vcmc", mixed(60)],
            "\n",
        ),
        case(
            "digitalocean-token",
            "a.tf",
            &["\""],
            &["do", "p_v1_", hex(64)],
            "\"",
        ),
        case(
            "sendgrid-key",
            "a.py",
            &["'"],
            &["S", "G.", mixed(22), ".", mixed(43)],
            "'",
        ),
        case(
            "telegram-bot-token",
            "bot.py",
            &["Bot('"],
            &["9182736455", ":A", "A", mixed(33)],
            "')",
        ),
        case(
            "json-web-token",
            "a.txt",
            &["Bearer "],
            &["ey", "J", mixed(30), ".ey", "J", mixed(50), ".", mixed(43)],
            "",
        ),
        case(
            "alpaca-key",
            "bot.py",
            &["REST('"],
            &["P", "K", upper(18)],
            "')",
        ),
        case(
            "alpaca-key",
            ".env",
            &["APCA_API_KEY_", "ID="],
            &["A", "K", upper(18)],
            "\n",
        ),
        case(
            "alpaca-secret",
            "bot.py",
            &["APCA_", "SECRET = '"],
            &[mixed(40)],
            "'",
        ),
        case(
            "oanda-token",
            "o.py",
            &["('"],
            &[hex(32), "-", &HEX[32..]],
            "')",
        ),
        case(
            "session-cookie",
            "c.py",
            &["'Coo", "kie': 'lang=en; session", "id="],
            &[mixed(32)],
            "; a=b'",
        ),
        case(
            "assigned-secret",
            "d.py",
            &["os.getenv('POLYGON_", "KEY', '"],
            &[mixed(32)],
            "')",
        ),
        case("iex-key", "i.py", &["('"], &["s", "k_", hex(32)], "')"),
        case(
            "url-key",
            "f.py",
            &["'https://api.x.io/v1?sym=A&", "apikey="],
            &[mixed(20)],
            "'",
        ),
        case(
            "url-password",
            "c.py",
            &["'postgres://trader:"],
            &["k9", "!vQz", "31b"],
            "@db.prod:5432'",
        ),
        case(
            "assigned-secret",
            "bot.py",
            &["API_", "KEY = \""],
            &[hex(32)],
            "\"",
        ),
        case(
            "assigned-secret",
            ".env",
            &["POLYGON_API_", "KEY="],
            &[mixed(32)],
            "\n",
        ),
        case(
            "assigned-secret",
            "c.yml",
            &["finnhub_", "token: "],
            &["c8q2bq4k", "2l0rh5rf", "7mzg"],
            "\n",
        ),
        case(
            "assigned-secret",
            "c.toml",
            &["client_", "secret = \""],
            &[mixed(40)],
            "\"",
        ),
        case(
            "assigned-secret",
            "a.js",
            &["const api", "Key: '"],
            &[mixed(32)],
            "'",
        ),
        case(
            "assigned-secret",
            "a.py",
            &["os.environ['X_", "TOKEN'] = '"],
            &[mixed(24)],
            "'",
        ),
        case(
            "assigned-secret",
            "Dockerfile",
            &["ENV BINANCE_", "SECRET="],
            &[mixed(64)],
            "\n",
        ),
        case(
            "assigned-secret",
            "db.ini",
            &["pass", "word = "],
            &["k9!vQz", "31bWd"],
            "\n",
        ),
        case(
            "assigned-secret",
            "kraken.json",
            &["{\"pass", "phrase\": \""],
            &["k9!vQz", "31bWd"],
            "\"}",
        ),
    ]
}

#[test]
fn credentials_are_found_where_they_are() {
    for (rule, path, before, value, after) in positives() {
        let text = format!("first line\n{before}{value}{after}");
        let hits = find(path, text.as_bytes());
        let start = "first line\n".len() + before.len();
        let expected = SecretHit {
            rule,
            line: 2,
            start,
            end: start + value.len(),
        };
        assert_eq!(hits, [expected], "{rule} in {path} after {before:?}");
    }
}

#[test]
fn every_rule_has_a_case() {
    let cases = positives();
    let untested: Vec<_> = rule_names()
        .filter(|name| !matches!(*name, "private-key" | "docker-token" | "discord-token"))
        .filter(|name| !cases.iter().any(|case| case.0 == *name))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
    let docker = ["dck", "r_pat_", mixed(27)].concat();
    assert_eq!(find("a", docker.as_bytes())[0].rule, "docker-token");
    let discord = ["M", mixed(23), ".", &mixed(36)[30..], ".", &mixed(80)[50..]].concat();
    assert_eq!(find("a", discord.as_bytes())[0].rule, "discord-token");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn placeholders_references_words_and_dummies_are_no_hits() {
    let hash = format!("sha256:{HEX}");
    let commit = hex(40);
    let cases: Vec<(&str, String)> = vec![
        ("a.py", ["key = 'AK", "IAIOSFODNN7EXAMPLE'"].concat()),
        (
            "a.py",
            [
                "aws_secret_",
                "key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'",
            ]
            .concat(),
        ),
        (".env", ["API_", "KEY=YOUR_API_KEY_HERE"].concat()),
        (".env", ["API_", "KEY=changeme"].concat()),
        (".env", ["API_", "KEY=xxxxxxxxxxxxxxxxxxxxxxxx"].concat()),
        (".env", ["API_", "KEY=${POLYGON_KEY_2}"].concat()),
        (".env", ["API_", "KEY=$POLYGON_KEY_123456789"].concat()),
        (".env", ["API_", "KEY="].concat()),
        (".env", ["API_", "KEY=1234567890abcdef1234567890"].concat()),
        (
            "a.py",
            ["API_", "KEY = os.environ[\"POLYGON_API_KEY_2\"]"].concat(),
        ),
        (
            "a.py",
            ["api_", "key = config.get('polygon', 'key1')"].concat(),
        ),
        (
            "a.py",
            ["token = ", "client.fetch_token(url1, scope2)"].concat(),
        ),
        ("a.py", ["def f(pass", "word: str = None): ..."].concat()),
        (
            "a.py",
            ["TOKEN", "_URL = \"https://auth.x.io/oauth2/token\""].concat(),
        ),
        (
            "a.py",
            ["secret", "_name = 'prod/db/Main-2024-creds'"].concat(),
        ),
        ("a.py", ["max_tok", "ens = '4096-8192-16384-x'"].concat()),
        (
            "a.py",
            ["grant = 'x'; token_", "type = 'urn2ietf3params4oauth'"].concat(),
        ),
        (
            "ci.yml",
            ["token: ", "${{ secrets.GITHUB_TOKEN }}"].concat(),
        ),
        (
            "ci.yml",
            ["pass", "word: {{ vault_db_password1 }}"].concat(),
        ),
        ("a.ts", ["pass", "word: z.string().min(8)"].concat()),
        ("a.py", "tokenizer = 'gpt2-medium-en-v15'".to_owned()),
        ("a.toml", ["pass", "word = \"env:DB_PASSWORD_1\""].concat()),
        (
            "a.toml",
            ["key_", "file = \"/etc/keys/id2024rsa\""].concat(),
        ),
        ("README.md", "-----BEGIN RSA PRIVATE KEY-----".to_owned()),
        (
            "README.md",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----".to_owned(),
        ),
        ("poetry.lock", ["token", " = \"", HEX, "\""].concat()),
        (
            "package-lock.json",
            ["\"secret", "\": \"", HEX, "\""].concat(),
        ),
        ("a.py", format!("commit = '{commit}'")),
        ("a.py", format!("digest = '{hash}'")),
        ("a.yml", format!("image: bot@{hash}")),
        (
            "a.py",
            "uuid = '123e4567-e89b-12d3-a456-426614174000'".to_owned(),
        ),
        (
            "a.css",
            ".sk-circle-fade-dot:nth-child(12) { animation: sk-fade 1s }".to_owned(),
        ),
        (
            "a.py",
            "import sk-learn-contrib-extra-models-classification-2".to_owned(),
        ),
        (
            "c.py",
            "'postgres://postgres:postgres@localhost/db'".to_owned(),
        ),
        (
            "c.py",
            "'postgres://user:password1@localhost/db'".to_owned(),
        ),
        ("c.py", "f'redis://app:{REDIS_PW1}@cache:6379'".to_owned()),
        ("c.yml", "url: http://user:$PASSWORD1@host/".to_owned()),
        (
            "f.py",
            ["'https://www.x.co/query?", "apikey=demo'"].concat(),
        ),
        ("f.py", ["f'https://x.io?", "token={token}'"].concat()),
        (
            "tests/test_bot.py",
            ["api_", "key = 'abc123def456ghi7'"].concat(),
        ),
        ("tests/test_bot.py", ["pass", "word = 's3cr3t-pw'"].concat()),
        ("a.py", ["pass", "word = 'correct-horse-battery'"].concat()),
        ("a.py", ["secret = ", "'MyServiceAccountProvider'"].concat()),
        (
            "a.py",
            "AKQUISITIONSPROZESSE und PKWFAHRERINNENREISEN".to_owned(),
        ),
        ("data.csv", format!("id\n{}-{}\n", hex(32), &HEX[32..])),
        (
            "jwt.md",
            [
                "ey",
                "JhbGciOiJIUzI1NiJ9.ey",
                "JzdWIiOiJleGFtcGxlIn0.",
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ]
            .concat(),
        ),
    ];
    for (path, text) in cases {
        assert_eq!(find(path, text.as_bytes()), [], "{path}: {text}");
    }
}

#[test]
fn a_private_key_block_is_one_hit_from_first_to_last_line() {
    let body = (0..12)
        .map(|n| &MIXED[n..n + 64])
        .collect::<Vec<_>>()
        .join("\n");
    let block = [
        "-----BEGIN OPENSSH PRIV",
        "ATE KEY-----\n",
        &body,
        "\n-----END OPENSSH PRIV",
        "ATE KEY-----",
    ]
    .concat();
    let text = format!("x\n\n{block}\nrest");
    let hits = find("id", text.as_bytes());
    assert_eq!(hits.len(), 1, "{hits:?}");
    assert_eq!(
        (hits[0].rule, hits[0].line, hits[0].start),
        ("private-key", 3, 3)
    );
    assert_eq!(hits[0].end, 3 + block.len());
    let json = format!("{{\"k\": \"{}\"}}", block.replace('\n', "\\n"));
    assert_eq!(find("sa.json", json.as_bytes()).len(), 1);
}

#[test]
fn hits_are_in_order_and_do_not_overlap() {
    let lines = positives()
        .into_iter()
        .map(|(_, _, b, v, a)| [&b, &v, a, "\n"].concat());
    let all = lines.collect::<Vec<_>>().concat();
    let hits = find("all.env", all.as_bytes());
    assert!(hits.len() >= 38, "{}", hits.len());
    assert!(
        hits.windows(2)
            .all(|pair| pair[0].end <= pair[1].start && pair[0].line <= pair[1].line)
    );
}

#[test]
fn any_bytes_are_taken_without_complaint() {
    for bytes in [
        b"".as_slice(),
        b"\xff\x00\xfe",
        &vec![b'='; 100_000],
        "é=\u{1f511}".as_bytes(),
    ] {
        assert!(find("", bytes).is_empty());
    }
}

#[test]
fn the_room_itself_holds_no_credential() {
    for (path, bytes) in [
        ("secrets.rs", include_bytes!("secrets.rs").as_slice()),
        ("rules.rs", include_bytes!("../../src/secrets/rules.rs")),
        (
            "plausible.rs",
            include_bytes!("../../src/secrets/plausible.rs"),
        ),
    ] {
        assert_eq!(find(path, bytes), [], "{path}");
    }
}
