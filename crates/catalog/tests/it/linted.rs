//! Each rule of the lint fires on a catalog that has just that mistake.

use tradewind_catalog::lint::{Rule, lint};
use tradewind_catalog::{Finding, Provider};

/// A provider without a contradiction; each case below changes one thing in it.
const SOUND: &str = r#"
name = "quotehut"
title = "Quotehut"
summary = "Prices of huts."
site = "https://quotehut.example"
basis = { confirmed = true, source = "its documentation", as_of = "2026-11-23" }

[[host]]
id = "rest"
role = "data"
names = ["api.quotehut.example"]

[[credential]]
id = "key"
env = ["QUOTEHUT_KEY"]
shape = "^[a-z]{8}$"

[[authentication]]
how = { kind = "query", parameter = "key", credential = "key" }

[[plan]]
id = "free"
title = "Free"
free = true

[[plan.window]]
id = "minute"
counts = "weight"
limit = 10
per = "1 minute"
scope = "key"

[[plan]]
id = "paid"
title = "Paid"
free = false

[[counter]]
header = "X-Left"
says = "remaining"
window = "minute"

[[endpoint]]
id = "bars"
summary = "Bars of one hut."
use_case = "bars"
on = ["rest"]
path = "/v1/{symbol}/bars"
parameter = [
  { name = "symbol", in = "path", role = "symbol", required = true },
  { name = "limit", role = "limit", default = "10", max = 50 },
]
cost = { kind = "by_limit", parameter = "limit", bands = [{ max = 10, weight = 1 }, { max = 50, weight = 5 }] }
plans = ["free"]
success = { present = ["/bars"] }

[[refusal]]
class = "throttled"
status = [429]

[[quirk]]
text = "Huts are closed in winter."
endpoints = ["bars"]

[[sdk]]
distribution = "quotehut"
import = "quotehut"
calls = [{ call = "Client.bars", endpoints = ["bars"] }]
"#;

/// A second provider, for what two must not share.
const OTHER: &str = r#"
name = "barnshop"
title = "Barnshop"
summary = "Prices of barns."
site = "https://barnshop.example"
basis = { confirmed = true, source = "its documentation" }

[[host]]
id = "rest"
role = "data"
names = ["api.barnshop.example"]

[[credential]]
id = "key"
env = ["BARNSHOP_KEY"]

[[authentication]]
how = { kind = "query", parameter = "key", credential = "key" }

[[plan]]
id = "free"
title = "Free"
free = true

[[endpoint]]
id = "bars"
summary = "Bars of one barn."
use_case = "bars"
on = ["rest"]
path = "/bars"
success = { shape = "array" }
"#;

/// Rule, what is replaced, by what, and the place of the finding.
const CASES: &[(Rule, &str, &str, &str)] = &[
    (
        Rule::BadName,
        "name = \"quotehut\"",
        "name = \"Quote-Hut\"",
        "name",
    ),
    (
        Rule::Incomplete,
        "[[authentication]]\nhow = { kind = \"query\", parameter = \"key\", credential = \"key\" }",
        "",
        "authentication",
    ),
    (
        Rule::DuplicateId,
        "id = \"paid\"",
        "id = \"free\"",
        "plan.1.id",
    ),
    (
        Rule::DuplicateId,
        "{ name = \"limit\",",
        "{ name = \"limit\", role = \"limit\" },\n  { name = \"limit\",",
        "endpoint.0.parameter.2",
    ),
    (
        Rule::DuplicateId,
        "[\"QUOTEHUT_KEY\"]",
        "[\"QUOTEHUT_KEY\", \"QUOTEHUT_KEY\"]",
        "credential.0.env.1",
    ),
    (
        Rule::DuplicateId,
        "path = \"/v1",
        "where = { limit = \"5\" }\npath = \"/v1",
        "endpoint.0.parameter.1",
    ),
    (
        Rule::UndeclaredHost,
        "on = [\"rest\"]",
        "on = [\"rest\", \"stream\"]",
        "endpoint.0.on.1",
    ),
    (
        Rule::UndeclaredHost,
        "on = [\"rest\"]",
        "on = []",
        "endpoint.0.on",
    ),
    (
        Rule::UndeclaredHost,
        "scope = \"key\"",
        "scope = \"key\"\non = [\"x\"]",
        "plan.0.window.0.on.0",
    ),
    (
        Rule::UnknownReference,
        "how = { kind = \"query\", parameter = \"key\", credential = \"key\" }",
        "how = { kind = \"signed\", header = \"K\", credential = \"key\", secret = \"secret\" }",
        "authentication.0.how",
    ),
    (
        Rule::UnknownReference,
        "window = \"minute\"",
        "window = \"day\"",
        "counter.0.window",
    ),
    (
        Rule::UnknownReference,
        "plans = [\"free\"]",
        "plans = [\"gold\"]",
        "endpoint.0.plans.0",
    ),
    (
        Rule::UnknownReference,
        "calls = [{ call = \"Client.bars\", endpoints = [\"bars\"] }]",
        "calls = [{ call = \"Client.bars\", endpoints = [\"candles\"] }]",
        "sdk.0.calls.0",
    ),
    (
        Rule::UnknownReference,
        "winter.\"\nendpoints = [\"bars\"]",
        "winter.\"\nendpoints = [\"candles\"]",
        "quirk.0.endpoints",
    ),
    (
        Rule::UnknownReference,
        "plans = [\"free\"]",
        "answer = { span = [{ intervals = [\"1m\"], call = \"8 days\" }] }",
        "endpoint.0.answer.span.0",
    ),
    (
        Rule::SharedHost,
        "names = [\"api.quotehut.example\"]",
        "names = [\"api.quotehut.example\", \"*.quotehut.example\"]",
        "host.0.names.1",
    ),
    (
        Rule::SharedHost,
        "names = [\"api.quotehut.example\"]",
        "names = [\"*.barnshop.example\"]",
        "host.0.names.0",
    ),
    (
        Rule::SharedVariable,
        "[\"QUOTEHUT_KEY\"]",
        "[\"QUOTEHUT_KEY\", \"BARNSHOP_KEY\"]",
        "credential.0.env.1",
    ),
    (
        Rule::ZeroWindow,
        "limit = 10\n",
        "limit = 0\n",
        "plan.0.window.0.limit",
    ),
    (
        Rule::ZeroWindow,
        "\"1 minute\"",
        "\"0 minutes\"",
        "plan.0.window.0.per",
    ),
    (
        Rule::ZeroWindow,
        "scope = \"key\"",
        "scope = \"key\"\nburst = 0",
        "plan.0.window.0.burst",
    ),
    (
        Rule::LimitWithoutScope,
        "scope = \"key\"",
        "",
        "plan.0.window.0.id",
    ),
    (
        Rule::PaidBeforeFree,
        "title = \"Paid\"\nfree = false",
        "title = \"Paid\"\nfree = false\n\n[[plan]]\nid = \"late\"\ntitle = \"Late\"\nfree = true",
        "plan.2.free",
    ),
    (
        Rule::UncountedWeight,
        "counts = \"weight\"",
        "counts = \"requests\"",
        "endpoint.0.cost",
    ),
    (
        Rule::Unaffordable,
        "{ max = 10, weight = 1 }, { max = 50, weight = 5 }",
        "{ max = 50, weight = 11 }",
        "endpoint.0.cost",
    ),
    (
        Rule::BadBands,
        "{ max = 10, weight = 1 }, { max = 50, weight = 5 }",
        "{ max = 50, weight = 5 }, { max = 10, weight = 1 }",
        "endpoint.0.cost",
    ),
    (
        Rule::BadBands,
        "{ max = 10, weight = 1 }, { max = 50, weight = 5 }",
        "",
        "endpoint.0.cost",
    ),
    (
        Rule::UnknownParameter,
        "kind = \"by_limit\", parameter = \"limit\"",
        "kind = \"by_limit\", parameter = \"count\"",
        "endpoint.0.cost",
    ),
    (
        Rule::UnknownParameter,
        "plans = [\"free\"]",
        "pages = { kind = \"number\", parameter = \"page\", size = \"limit\" }",
        "endpoint.0.pages",
    ),
    (
        Rule::PathParameter,
        "in = \"path\", ",
        "",
        "endpoint.0.path",
    ),
    (
        Rule::PathParameter,
        "{ name = \"limit\",",
        "{ name = \"limit\", in = \"path\",",
        "endpoint.0.parameter.1",
    ),
    (
        Rule::UnreachableEndpoint,
        "[[refusal]]",
        "[[endpoint]]\nid = \"again\"\nsummary = \"The same again.\"\nuse_case = \"bars\"\non = [\"rest\"]\npath = \"/v1/{hut}/bars/\"\nparameter = [{ name = \"hut\", in = \"path\" }]\nsuccess = {}\n\n[[refusal]]",
        "endpoint.1.path",
    ),
    (
        Rule::MissingSuccess,
        "success = { present = [\"/bars\"] }",
        "",
        "endpoint.0.id",
    ),
    (
        Rule::BadDefault,
        "default = \"10\", max = 50",
        "default = \"60\", max = 50",
        "endpoint.0.parameter.1.default",
    ),
    (
        Rule::BadDefault,
        "default = \"10\", max = 50",
        "default = \"10\", values = [\"20\"]",
        "endpoint.0.parameter.1.default",
    ),
    (
        Rule::BadDefault,
        "plans = [\"free\"]",
        "answer = { rows = { max = 5, default = 10 } }",
        "endpoint.0.answer.rows",
    ),
    (
        Rule::UnconfirmedWithoutNote,
        "scope = \"key\"",
        "scope = \"key\"\nbasis = { confirmed = false }",
        "plan.0.window.0.basis",
    ),
    (
        Rule::UnconfirmedWithoutNote,
        "basis = { confirmed = true,",
        "basis = { confirmed = false,",
        "basis",
    ),
    (
        Rule::BadShape,
        "^[a-z]{8}$",
        "^[a-z{8}$",
        "credential.0.shape",
    ),
    (
        Rule::IdleCredential,
        "[[authentication]]\nhow = { kind = \"query\", parameter = \"key\", credential = \"key\" }",
        "[[authentication]]\nhow = { kind = \"none\" }",
        "credential.0.id",
    ),
    (
        Rule::NoSentence,
        "Huts are closed in winter.",
        "Huts are closed in winter",
        "quirk.0.text",
    ),
    (
        Rule::NoSentence,
        "Bars of one hut.",
        "bars of one hut.",
        "endpoint.0.summary",
    ),
    (Rule::BoundlessRefusal, "status = [429]", "", "refusal.0"),
];

/// What makes an offer of the sound provider's endpoint.
const OFFER: &str = r#"
success = { present = ["/bars"] }

[endpoint.answer]
time = { means = "start", form = "date" }

[[endpoint.offer]]
class = "us_stock"
intervals = { "1h" = { limit = "20" }, "1d" = {} }
adjust = { none = {} }
arguments = { limit = "30" }
day = { zone = "America/New_York" }
rows = ".bars[] | {at: .t, open: .o}"
"#;

/// The same for mistakes in an offer.
const OFFER_CASES: &[(Rule, &str, &str, &str)] = &[
    (
        Rule::BadMapping,
        ".bars[] | {at: .t, open: .o}",
        ".bars[] | {at: .t",
        "endpoint.0.offer.0.rows",
    ),
    (
        Rule::BadMapping,
        ".bars[] | {at: .t, open: .o}",
        "now",
        "endpoint.0.offer.0.rows",
    ),
    (
        Rule::BadInterval,
        "\"1d\" = {}",
        "\"1D\" = {}",
        "endpoint.0.offer.0.intervals",
    ),
    (
        Rule::BadInterval,
        "\"1d\" = {}",
        "\"60m\" = {}",
        "endpoint.0.offer.0.intervals",
    ),
    (
        Rule::BadInterval,
        "intervals = { \"1h\" = { limit = \"20\" }, \"1d\" = {} }",
        "",
        "endpoint.0.offer.0.intervals",
    ),
    (
        Rule::UnknownParameter,
        "\"1d\" = {}",
        "\"1d\" = \"1440\"",
        "endpoint.0.offer.0.intervals",
    ),
    (
        Rule::UnknownParameter,
        "limit = \"30\"",
        "length = \"30\"",
        "endpoint.0.offer.0.arguments",
    ),
    (
        Rule::BadValue,
        "limit = \"30\"",
        "limit = \"51\"",
        "endpoint.0.offer.0.arguments",
    ),
    (
        Rule::BadZone,
        "America/New_York",
        "America/Gotham",
        "endpoint.0.offer.0.day",
    ),
    (
        Rule::BadZone,
        "\"1d\" = {}",
        "\"4h\" = {}",
        "endpoint.0.offer.0.day",
    ),
    (
        Rule::NoSentence,
        "class = \"us_stock\"",
        "class = \"us_stock\"\nnote = \"in short\"",
        "endpoint.0.offer.0.note",
    ),
    (
        Rule::UnconfirmedWithoutNote,
        "class = \"us_stock\"",
        "class = \"us_stock\"\nbasis = { confirmed = false }",
        "endpoint.0.offer.0.basis",
    ),
    (
        Rule::UnusableOffer,
        "day = { zone = \"America/New_York\" }",
        "",
        "endpoint.0.offer.0.day",
    ),
    (
        Rule::UnusableOffer,
        "adjust = { none = {} }",
        "",
        "endpoint.0.offer.0.adjust",
    ),
    (
        Rule::UnusableOffer,
        "means = \"start\"",
        "means = \"end\"",
        "endpoint.0.offer.0.stamp",
    ),
    (
        Rule::UnusableOffer,
        "class = \"us_stock\"",
        "",
        "endpoint.0.offer.0.class",
    ),
    (
        Rule::UnusableOffer,
        "arguments = {",
        "symbol = { form = \"AAPL\" }\narguments = {",
        "endpoint.0.offer.0.symbol",
    ),
];

#[test]
fn each_mistake_of_an_offer_is_found_at_its_place_and_nothing_else() {
    let offered = SOUND.replacen("success = { present = [\"/bars\"] }", OFFER, 1);
    assert_eq!(findings(&offered), []);
    for (rule, from, to, place) in OFFER_CASES {
        assert!(offered.contains(from), "{rule}: {from}");
        let found = findings(&offered.replacen(from, to, 1));
        let found: Vec<_> = found.iter().map(|f| (f.rule, f.path.join("."))).collect();
        assert_eq!(found, [(*rule, (*place).to_owned())], "{rule}: {to}");
    }
}

#[test]
fn a_parameter_that_nothing_fills_is_told() {
    let needed = "{ name = \"limit\", required = true,";
    let offered = SOUND
        .replacen("success = { present = [\"/bars\"] }", OFFER, 1)
        .replacen("{ name = \"limit\",", needed, 1)
        .replacen("arguments = { limit = \"30\" }\n", "", 1);
    let found = findings(&offered);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, Rule::UnusableOffer);
    assert_eq!(found[0].message, "nothing says what `limit` is");
}

/// A stream without a contradiction, and the host that it is on.
const STREAM: &str = r#"
[[host]]
id = "push"
role = "stream"
names = ["push.quotehut.example"]

[[stream]]
id = "live"
on = "push"
path = "/live"
class = "crypto"
authenticate = '{"key":{key}}'
max_items = 5
silence = "30 seconds"
time = "epoch_millis"
trade_ids = "unique"
messages = '.[] | {is: "trade", symbol: .s, at: .t, price: .p, size: .q}'

[[stream.channel]]
use_case = "trades"
subscribe = '{"add":[{items}],"id":{id}}'
unsubscribe = '{"drop":[{items}]}'
"#;

const STREAM_CASES: &[(Rule, &str, &str, &str)] = &[
    (
        Rule::UndeclaredHost,
        "on = \"push\"",
        "on = \"none\"",
        "stream.0.on",
    ),
    (
        Rule::UnusableStream,
        "on = \"push\"",
        "on = \"rest\"",
        "stream.0.on",
    ),
    (
        Rule::UnusableStream,
        "path = \"/live\"",
        "path = \"live?x\"",
        "stream.0.path",
    ),
    (
        Rule::BadMapping,
        "'.[] | {is",
        "'.[ | {is",
        "stream.0.messages",
    ),
    (
        Rule::UnknownReference,
        ":{key}}",
        ":{password}}",
        "stream.0.authenticate",
    ),
    (
        Rule::UnusableStream,
        ":{key}}",
        ":{key}",
        "stream.0.authenticate",
    ),
    (
        Rule::UnusableStream,
        "max_items = 5",
        "max_items = 0",
        "stream.0.max_items",
    ),
    (
        Rule::UnusableStream,
        "30 seconds",
        "0 seconds",
        "stream.0.silence",
    ),
    (
        Rule::UnusableStream,
        "use_case = \"trades\"",
        "use_case = \"bars\"",
        "stream.0.channel",
    ),
    (
        Rule::UnusableStream,
        "{\"add\":[{items}]",
        "{\"add\":[]",
        "stream.0.channel",
    ),
    (
        Rule::UnusableStream,
        "\"id\":{id}",
        "\"id\":{number}",
        "stream.0.channel",
    ),
    (
        Rule::UnusableStream,
        "use_case = \"trades\"",
        "use_case = \"trades\"\nitem = \"all\"",
        "stream.0.channel",
    ),
    (
        Rule::UnusableStream,
        "use_case = \"trades\"",
        "use_case = \"trades\"\nitems_per_message = 0",
        "stream.0.channel",
    ),
    (
        Rule::UnknownReference,
        "trade_ids",
        "query = { token = \"nobody\" }\ntrade_ids",
        "stream.0.authenticate",
    ),
    (
        Rule::UnconfirmedWithoutNote,
        "trade_ids",
        "basis = { confirmed = false }\ntrade_ids",
        "stream.0.basis",
    ),
];

#[test]
fn each_mistake_of_a_stream_is_found_at_its_place_and_nothing_else() {
    let streamed = format!("{SOUND}{STREAM}");
    assert_eq!(findings(&streamed), []);
    for (rule, from, to, place) in STREAM_CASES {
        assert!(streamed.contains(from), "{rule}: {from}");
        let found = findings(&streamed.replacen(from, to, 1));
        let found: Vec<_> = found.iter().map(|f| (f.rule, f.path.join("."))).collect();
        assert_eq!(found, [(*rule, (*place).to_owned())], "{rule}: {to}");
    }
    let twice = format!(
        "{streamed}{}",
        STREAM
            .split_once("[[stream]]")
            .map_or(String::new(), |(_, rest)| format!("[[stream]]{rest}"))
    );
    let found: Vec<_> = findings(&twice).iter().map(|f| f.rule).collect();
    assert_eq!(found, [Rule::DuplicateId]);
}

fn findings(text: &str) -> Vec<Finding> {
    let provider: Provider = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let other: Provider = toml::from_str(OTHER).unwrap();
    lint([&provider, &other])
        .into_iter()
        .filter(|finding| finding.provider == provider.name)
        .collect()
}

#[test]
fn a_sound_provider_has_no_finding() {
    assert_eq!(findings(SOUND), []);
}

#[test]
fn each_mistake_is_found_at_its_place_and_nothing_else() {
    for (rule, from, to, place) in CASES {
        assert!(SOUND.contains(from), "{rule}: {from}");
        let found = findings(&SOUND.replacen(from, to, 1));
        let found: Vec<_> = found.iter().map(|f| (f.rule, f.path.join("."))).collect();
        assert_eq!(found, [(*rule, (*place).to_owned())], "{rule}: {to}");
    }
}

#[test]
fn every_rule_has_a_case_that_fires() {
    for rule in Rule::ALL {
        let mut all = CASES.iter().chain(OFFER_CASES).chain(STREAM_CASES);
        assert!(all.any(|(fires, ..)| fires == rule), "{rule}");
    }
}

#[test]
fn both_sides_of_a_shared_name_are_told() {
    let provider: Provider =
        toml::from_str(&SOUND.replace("QUOTEHUT_KEY", "BARNSHOP_KEY")).unwrap();
    let other: Provider = toml::from_str(OTHER).unwrap();
    let found = lint([&provider, &other]);
    let names: Vec<_> = found.iter().map(|f| f.provider.as_str()).collect();
    assert_eq!(names, ["barnshop", "quotehut"]);
}
