//! The shapes of credentials.
//!
//! A new kind is one line in [`SHAPES`] and one case in the tests. In each pattern the first group
//! that takes part is the value.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::lead::{self, DOTS, HYPHEN, KEY, Lead, Leads, any_case, text, unbounded};
use super::plausible;

/// How a value that has the right shape is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    /// The shape is proof; only placeholders are let go.
    Shape,
    /// The shape fits other things too: the value must look random.
    Random,
    /// As before, and only where the file or line talks of it.
    RandomNear(&'static str),
    /// As `Random`, but for the numbers that programs give their own runs (UUIDs).
    Session,
    /// A block of a private key, from its first to its last line.
    KeyBlock,
    /// A password in a URL.
    UrlPassword,
    /// Text assigned to a telling name.
    Assignment,
}

/// Parameters of addresses that hold a key.
const URL_KEY: Lead = any_case(
    &[
        "?api", "&api", "?access", "&access", "?token", "&token", "?secret", "&secret",
    ],
    0,
    230,
);
/// Names that hold a session, in quotes.
const SESSION: Lead = any_case(
    &[
        "sessionid",
        "session_id",
        "sessid",
        "phpsessid",
        "jsessionid",
        "connect.sid",
        "tv_ecuid",
        "li_at",
        "auth_token",
    ],
    3,
    660,
);
/// Calls that read the environment.
const GETENV: Lead = any_case(
    &["env(", "config(", "environ.get(", "environ.setdefault("],
    6,
    400,
)
.checked(lead::quoted);
/// Names of what is secret.
const NAMED: Lead = any_case(
    &[
        "apikey",
        "api_key",
        "api-key",
        "api_-key",
        "authkey",
        "auth_key",
        "auth-key",
        "auth_-key",
        "accesskey",
        "access_key",
        "access-key",
        "access_-key",
        "privatekey",
        "private_key",
        "private-key",
        "private_-key",
        "secret",
        "token",
        "passwd",
        "password",
        "passphrase",
        "credential",
    ],
    44,
    300,
)
.checked(lead::assigned);

/// Name, judgement, where it can lie, pattern; the most certain first.
const SHAPES: &[(&str, Judge, Lead, &str)] = &[
    (
        "private-key",
        Judge::KeyBlock,
        unbounded(&["-----BEGIN "]),
        r"(-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)",
    ),
    (
        "aws-access-key",
        Judge::Shape,
        text(&["AKIA", "ASIA", "ABIA", "ACCA"], 0, 24),
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
    ),
    (
        "aws-secret-key",
        Judge::Random,
        any_case(&["aws"], 0, 120),
        r#"(?i)aws[\w.-]{0,20}(?:secret|key)[\w.-]{0,20}["']?\]?\s{0,4}[:=]\s{0,4}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
    ),
    (
        "github-token",
        Judge::Shape,
        text(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 0, 264),
        r"\b(gh[pousr]_[A-Za-z0-9]{36,255})\b",
    ),
    (
        "github-token",
        Judge::Shape,
        text(&["github_pat_"], 0, 100),
        r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
    ),
    (
        "gitlab-token",
        Judge::Shape,
        text(&["glpat-", "glrt-", "gldt-", "glptt-"], 0, 80),
        r"\b(gl(?:pat|rt|dt|ptt)-[A-Za-z0-9_-]{20,64})\b",
    ),
    (
        "slack-token",
        Judge::Shape,
        unbounded(&["xox"]),
        r"\b(xox[abeoprs]-[A-Za-z0-9]{4,}-?[A-Za-z0-9-]{10,250})\b",
    ),
    (
        "slack-webhook",
        Judge::Shape,
        text(&["hooks.slack.com/"], 0, 110),
        r"hooks\.slack\.com/(?:services|workflows)/([A-Z0-9]{8,14}/[A-Z0-9]{8,14}/[A-Za-z0-9]{20,30})",
    ),
    (
        "discord-webhook",
        Judge::Shape,
        text(&["/api/webhooks/"], 20, 130),
        r"discord(?:app)?\.com/api/webhooks/(\d{17,20}/[A-Za-z0-9_-]{60,80})",
    ),
    (
        "discord-token",
        Judge::Random,
        DOTS,
        r"\b([MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,38})\b",
    ),
    (
        "stripe-key",
        Judge::Shape,
        text(&["_live_"], 4, 264),
        r"\b((?:sk|rk)_live_[A-Za-z0-9]{16,247})\b",
    ),
    (
        "stripe-webhook-secret",
        Judge::Shape,
        text(&["whsec_"], 0, 80),
        r"\b(whsec_[A-Za-z0-9+/=]{32,64})",
    ),
    (
        "google-api-key",
        Judge::Shape,
        text(&["AIza"], 0, 48),
        r"\b(AIza[0-9A-Za-z_-]{35})(?:[^0-9A-Za-z_-]|$)",
    ),
    (
        "google-oauth-secret",
        Judge::Shape,
        text(&["GOCSPX-"], 0, 48),
        r"\b(GOCSPX-[A-Za-z0-9_-]{28})(?:[^0-9A-Za-z_-]|$)",
    ),
    (
        "anthropic-key",
        Judge::Shape,
        text(&["sk-ant-"], 0, 150),
        r"\b(sk-ant-[a-z]{3,6}\d\d-[A-Za-z0-9_-]{80,120})",
    ),
    (
        "openai-key",
        Judge::Random,
        text(&["sk-proj-", "sk-svcacct-", "sk-admin-"], 0, 230),
        r"\b(sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,200})",
    ),
    (
        "openai-key",
        Judge::Random,
        text(&["sk-"], 0, 64).checked(lead::long_token),
        r"\b(sk-[A-Za-z0-9]{48})\b",
    ),
    (
        "openrouter-key",
        Judge::Random,
        text(&["sk-or-v1-"], 0, 80),
        r"\b(sk-or-v1-[0-9a-f]{64})\b",
    ),
    (
        "huggingface-token",
        Judge::Random,
        text(&["hf_"], 0, 56),
        r"\b(hf_[A-Za-z0-9]{34,40})\b",
    ),
    (
        "npm-token",
        Judge::Random,
        text(&["npm_"], 0, 56),
        r"\b(npm_[A-Za-z0-9]{36})\b",
    ),
    (
        "pypi-token",
        Judge::Shape,
        text(&["pypi-AgEIcHlwaS5vcmc"], 0, 340),
        r"\b(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,300})",
    ),
    (
        "docker-token",
        Judge::Shape,
        text(&["dckr_pat_", "dckr_oat_"], 0, 90),
        r"\b(dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64})",
    ),
    (
        "digitalocean-token",
        Judge::Shape,
        text(&["doo_v1_", "dop_v1_", "dor_v1_"], 0, 90),
        r"\b(do[opr]_v1_[0-9a-f]{64})\b",
    ),
    (
        "sendgrid-key",
        Judge::Shape,
        text(&["SG."], 0, 90),
        r"\b(SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,46})(?:[^0-9A-Za-z_-]|$)",
    ),
    (
        "telegram-bot-token",
        Judge::Random,
        text(&[":AA"], 12, 44),
        r"\b(\d{8,10}:AA[A-Za-z0-9_-]{33})(?:[^0-9A-Za-z_-]|$)",
    ),
    (
        "json-web-token",
        Judge::Random,
        text(&[".eyJ"], 2010, 5020),
        r"\b(eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000})",
    ),
    (
        "alpaca-secret",
        Judge::Random,
        KEY,
        r#"\b[PA]K[A-Z0-9]{18,24}["']?\s{0,4},\s{0,20}(?:[\w.]{1,40}\s{0,4}=\s{0,4})?["']([A-Za-z0-9/+]{40,44})["']"#,
    ),
    (
        "alpaca-secret",
        Judge::Random,
        any_case(&["alpaca", "apca"], 0, 140),
        r#"(?i)(?:alpaca|apca)[\w.-]{0,30}secret[\w.-]{0,20}["']?\]?\s{0,4}[:=,]\s{0,4}["']?([A-Za-z0-9/+]{40,44})(?:[^A-Za-z0-9/+=]|$)"#,
    ),
    (
        "alpaca-key",
        Judge::Random,
        KEY,
        r"\b(PK[A-Z0-9]{18}(?:[A-Z0-9]{6})?)\b",
    ),
    (
        "alpaca-key",
        Judge::RandomNear(r"(?i)alpaca|apca"),
        KEY,
        r"\b(AK[A-Z0-9]{18}(?:[A-Z0-9]{6})?)\b",
    ),
    (
        "oanda-token",
        Judge::Random,
        HYPHEN,
        r"\b([0-9a-f]{32}-[0-9a-f]{32})\b",
    ),
    (
        "iex-key",
        Judge::Random,
        text(&["sk_"], 0, 48),
        r"\b(sk_[0-9a-f]{32})\b",
    ),
    (
        "url-key",
        Judge::Random,
        URL_KEY,
        r"(?i)[?&](?:api_?key|api-key|apitoken|access_?key|access_?token|token|secret)=([A-Za-z0-9_.~-]{12,200})",
    ),
    (
        "url-password",
        Judge::UrlPassword,
        text(&["://"], 26, 180).checked(lead::user),
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@"'<>]{1,60}:([^\s/@"'<>]{6,100})@[A-Za-z0-9.-]"#,
    ),
    (
        "session-cookie",
        Judge::Random,
        any_case(&["cookie"], 3, 2180).checked(lead::given),
        r#"(?i)["']?\bcookie["']?\s{0,4}[:=]\s{0,4}["'][^"'\n]{0,1500}?(?:sess|sid|auth|token|login)[\w.-]{0,30}=([A-Za-z0-9%+/_.~|:-]{20,600})"#,
    ),
    (
        "session-cookie",
        Judge::Session,
        SESSION,
        r#"(?i)["'](?:sessionid|session_id|sessid|phpsessid|jsessionid|connect\.sid|tv_ecuid|li_at|auth_token)["']\s{0,4}[:=]\s{0,4}["']([A-Za-z0-9%+/_.~|-]{20,600})["']"#,
    ),
    // `os.getenv("POLYGON_KEY", "…")`: a default is as good as an assignment.
    (
        "assigned-secret",
        Judge::Assignment,
        GETENV,
        r#"(?i)(?:getenv|environ\.get|env|config|environ\.setdefault)\(\s{0,20}["'](\w{0,40}(?:key|secret|token|passwd|password|passphrase)\w{0,20})["']\s{0,4},\s{0,20}(?:default\s{0,4}=\s{0,4})?[rbu]?["']([^\s"']{8,200})["']()"#,
    ),
    (
        "assigned-secret",
        Judge::Assignment,
        NAMED,
        r#"(?i)([\w.-]{0,40}(?:api_?-?key|secret|token|passwd|password|passphrase|auth_?-?key|access_?-?key|private_?-?key|credential)[\w.-]{0,30})["']?\]?[ \t]{0,8}(?::=|=>|=|:)[ \t]{0,8}(?:[rbu]?["'`]([^\s"'`]{8,200})["'`]|([^\s"'`,;(){}\[\]<>]{8,200}))"#,
    ),
];

/// One kind of credential.
pub(super) struct Rule {
    pub(super) name: &'static str,
    judge: Judge,
    pattern: Pattern,
    near: Option<Pattern>,
}

/// A pattern that is compiled when it is asked for the first time: most programs hold what only two or three of them
/// look for, and a hook that runs for some milliseconds cannot wait twenty for all.
pub(super) struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(source: &'static str) -> Self {
        Self {
            source,
            compiled: OnceLock::new(),
        }
    }

    /// Returns the compiled pattern; a test proves that there always is one.
    fn regex(&self) -> Option<&Regex> {
        let build = || RegexBuilder::new(self.source).unicode(false).build().ok();
        self.compiled.get_or_init(build).as_ref()
    }

    pub(super) fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(bytes))
    }
}

/// All kinds.
pub(super) struct Rules {
    rules: Vec<Rule>,
    leads: Leads,
}

/// What is known about a file beyond its bytes.
pub(super) struct Place {
    /// Values stand without quotes here: `.env`, YAML, ini.
    is_config: bool,
    /// Random-looking text is expected here: lock files, minified code, binary data.
    is_noisy: bool,
    /// Dummies are expected here.
    is_test: bool,
}

const CONFIG_EXTENSIONS: &[&str] = &[
    "env",
    "ini",
    "cfg",
    "conf",
    "config",
    "toml",
    "yml",
    "yaml",
    "properties",
    "sh",
    "bash",
    "zsh",
    "envrc",
    "netrc",
    "pypirc",
    "npmrc",
    "service",
    "dockerfile",
    "tfvars",
    "ps1",
    "txt",
    "md",
    "log",
];
const NOISY_EXTENSIONS: &[&str] = &[
    "lock", "svg", "map", "pem", "crt", "csv", "parquet", "arrow", "sum", "min.js", "min.css",
];
const NOISY_NAMES: &[&str] = &[
    // Hashes of what a scanner of secrets knows already.
    ".secrets.baseline",
    ".gitleaks.toml",
    ".gitleaksignore",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "pnpm-lock.yaml",
];

impl Place {
    pub(super) fn of(path: &str, bytes: &[u8]) -> Self {
        let path = path.to_ascii_lowercase();
        let name = path.rsplit('/').next().unwrap_or_default();
        let has_extension = |list: &[&str]| {
            list.iter().any(|extension| {
                name.strip_suffix(extension)
                    .is_some_and(|stem| stem.ends_with('.'))
            })
        };
        let is_config = has_extension(CONFIG_EXTENSIONS)
            || name.starts_with(".env")
            || name.contains("dockerfile")
            || name == "credentials"
            || name == "makefile";
        let is_binary = bytes.get(..8000).unwrap_or(bytes).contains(&0);
        let is_test = path.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or_default();
            matches!(
                stem,
                "test" | "tests" | "testdata" | "fixtures" | "cassettes" | "conftest"
            ) || stem.starts_with("test_")
                || stem.ends_with("_test")
        });
        let is_noisy = is_binary || has_extension(NOISY_EXTENSIONS) || NOISY_NAMES.contains(&name);
        Self {
            is_config,
            is_noisy,
            is_test,
        }
    }
}

/// Returns all rules, made once.
pub(super) fn rules() -> &'static Rules {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::new);
    &RULES
}

impl Rules {
    fn new() -> Self {
        let rule = |(name, judge, lead, pattern): &(&'static str, Judge, Lead, &'static str)| {
            let near = match judge {
                Judge::RandomNear(near) => Some(Pattern::new(near)),
                _ => None,
            };
            let rule = Rule {
                name,
                judge: *judge,
                pattern: Pattern::new(pattern),
                near,
            };
            (rule, *lead)
        };
        let (rules, leads) = SHAPES.iter().map(rule).unzip();
        Self {
            rules,
            leads: Leads::new(leads),
        }
    }

    /// Returns the rules that may find something, each with the stretches where, in one pass for all.
    pub(super) fn matching(
        &self,
        bytes: &[u8],
    ) -> impl Iterator<Item = (&Rule, Vec<Range<usize>>)> {
        self.rules
            .iter()
            .zip(self.leads.stretches(bytes))
            .filter(|(_, stretches)| !stretches.is_empty())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let mut last = "";
        let names = self.rules.iter().map(|rule| rule.name);
        names.filter(move |name| std::mem::replace(&mut last, name) != *name)
    }
}

impl Rule {
    /// Returns where the values of this kind lie within these stretches.
    pub(super) fn spans(
        &self,
        place: &Place,
        bytes: &[u8],
        stretches: &[Range<usize>],
    ) -> Vec<(usize, usize)> {
        if self.near.as_ref().is_some_and(|near| !near.is_match(bytes)) {
            return Vec::new();
        }
        let mut spans = Vec::new();
        for stretch in stretches {
            let part = bytes.get(stretch.clone()).unwrap_or_default();
            let Some(pattern) = self.pattern.regex() else {
                continue;
            };
            let found = pattern.captures_iter(part);
            let values = found.filter_map(|captures| self.judge(place, part, &captures));
            spans.extend(values.map(|(from, to)| (from + stretch.start, to + stretch.start)));
        }
        spans
    }

    fn judge(
        &self,
        place: &Place,
        bytes: &[u8],
        captures: &Captures<'_>,
    ) -> Option<(usize, usize)> {
        let first = captures.get(1)?;
        let value = first.as_bytes();
        let span = (first.start(), first.end());
        match self.judge {
            Judge::Shape => (!plausible::is_placeholder(value)).then_some(span),
            Judge::Random | Judge::RandomNear(_) => {
                (!place.is_noisy && plausible::is_random(value)).then_some(span)
            }
            Judge::Session => {
                let is_random = !place.is_noisy && plausible::is_random(value);
                (is_random && !plausible::is_uuid(value) && !plausible::is_numbered_name(value))
                    .then_some(span)
            }
            Judge::KeyBlock => key_block(bytes, span),
            Judge::UrlPassword => plausible::is_password(value).then_some(span),
            Judge::Assignment => {
                let quoted = captures.get(2);
                let bare = captures.get(3).filter(|_| place.is_config);
                let value = quoted.or(bare).filter(|_| !place.is_noisy)?;
                let bound = if place.is_test {
                    plausible::Bound::High
                } else {
                    plausible::Bound::Usual
                };
                plausible::is_assigned_secret(first.as_bytes(), value.as_bytes(), bound)
                    .then_some((value.start(), value.end()))
            }
        }
    }
}

/// Longest private key block, 16384-bit RSA with room to spare.
const MAX_KEY_BLOCK: usize = 20_000;

/// Finds the end of a block; a mere mention of the first line is no key.
fn key_block(bytes: &[u8], (start, header_end): (usize, usize)) -> Option<(usize, usize)> {
    let rest = bytes.get(header_end..)?;
    let rest = rest.get(..MAX_KEY_BLOCK).unwrap_or(rest);
    let marker = b"-----END ";
    let end = rest
        .windows(marker.len())
        .position(|window| window == marker)?;
    let body = rest.get(..end)?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let longest = body
        .split(|byte| !is_base64(byte))
        .max_by_key(|run| run.len())?;
    let has_body = longest.len() >= 40 && !plausible::is_placeholder(longest);
    let tail = rest.get(end + marker.len()..)?;
    let close = tail
        .windows(5)
        .position(|window| window == b"-----")
        .map_or(0, |at| at + 5);
    has_body.then_some((start, header_end + end + marker.len() + close))
}

#[cfg(test)]
mod differential;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for rule in &rules().rules {
            assert!(rule.pattern.regex().is_some(), "{}", rule.name);
            assert!(rule.near.as_ref().is_none_or(|near| near.regex().is_some()));
        }
    }
}
