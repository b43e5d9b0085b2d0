//! Environment variables: which ones code reads, which ones pages name, and which of them belong to others.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::python::{Code, TextRole};

use crate::rule::Context;

/// Where a variable is read.
pub(super) type Reads = BTreeMap<Box<str>, Vec<(Box<str>, u32)>>;

/// Beginnings of variables that programs other than the repository's own read.
const FOREIGN: &[&str] = &[
    "ANDROID_",
    "APPDATA",
    "AWS_",
    "AZURE_",
    "BUILDKIT",
    "CARGO_",
    "CI_",
    "CIRCLE",
    "COMPOSE_",
    "CONDA_",
    "CUDA_",
    "DD_",
    "DISPLAY",
    "DJANGO_",
    "DOCKER",
    "DOTNET_",
    "FLASK_",
    "GCP_",
    "GIT_",
    "GITHUB_",
    "GITLAB_",
    "GOOGLE_APPLICATION",
    "GRAFANA_",
    "GF_",
    "GUNICORN_",
    "HEROKU_",
    "HF_",
    "HTTP",
    "HTTPS",
    "INFLUXDB_",
    "JAVA_",
    "JUPYTER_",
    "KUBE",
    "LANGCHAIN_",
    "LANGSMITH_",
    "LC_",
    "LD_",
    "LOCALAPPDATA",
    "MKL_",
    "MLFLOW_",
    "MONGO_INITDB",
    "JPY_",
    "MPL",
    "MYSQL_",
    "NEXT_PUBLIC_",
    "NODE_",
    "NO_",
    "NPM_",
    "NUMBA_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "OTEL_",
    "GTK_",
    "SDL_",
    "TK_",
    "WAYLAND_",
    "XLA_",
    "JAX_",
    "TRANSFORMERS_",
    "TOKENIZERS_",
    "NVIDIA_",
    "FLY_",
    "K_SERVICE",
    "KUBERNETES_",
    "SYSTEMD_",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "WSL_",
    "ANSI_",
    "COLORTERM",
    "NO_COLOR",
    "VSCODE_",
    "CODESPACE",
    "DYNO",
    "PG",
    "PIP_",
    "PLAYWRIGHT_",
    "POETRY_",
    "POSTGRES_",
    "PREFECT_",
    "PY_",
    "PYTORCH_",
    "PYTEST_",
    "PYTHON",
    "QT_",
    "RABBITMQ_",
    "RAILWAY_",
    "RAY_",
    "READTHEDOCS",
    "RENDER_",
    "RUST",
    "SENTRY_",
    "SHELL",
    "SSH_",
    "STREAMLIT_",
    "SUPABASE_",
    "TA_INCLUDE",
    "TA_LIBRARY",
    "TF_",
    "TORCH_",
    "TQDM_",
    "TRAVIS",
    "UV_",
    "UVICORN_",
    "VERCEL_",
    "VIRTUAL_ENV",
    "VITE_",
    "WANDB_",
    "WERKZEUG_",
    "XDG_",
    "KERAS_",
    "VOL_",
];

/// Variables that packages read by themselves.
const READ_BY_PACKAGES: &[&str] = &[
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "OPENAI_ORG_ID",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "COHERE_API_KEY",
    "TAVILY_API_KEY",
    "SERPAPI_API_KEY",
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "APCA_API_BASE_URL",
    "APCA_API_DATA_URL",
    "APCA_API_VERSION",
    "APCA_RETRY_MAX",
    "POLYGON_API_KEY",
    "QUANDL_API_KEY",
    "ALPHAVANTAGE_API_KEY",
    "TIINGO_API_KEY",
    "FRED_API_KEY",
    "IEX_TOKEN",
    "IEX_API_KEY",
    "HUGGINGFACEHUB_API_TOKEN",
    "DATABASE_URL",
    "REDIS_URL",
    "LOG_LEVEL",
    "DEBIAN_FRONTEND",
    "TERM_PROGRAM",
    "PROGRAMFILES",
    "USER_ID",
    "GROUP_ID",
    "NAME_OF",
];

/// Says whether programs or packages of others read a variable.
pub(super) fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|prefix| name.starts_with(prefix)) || !name.contains('_') && name.len() < 12
}

/// Says whether a name stands for whichever one the reader means: `export VARIABLE_NAME=VALUE`.
pub(super) fn is_stand_in(name: &str) -> bool {
    matches!(
        name,
        "VARIABLE_NAME"
            | "VAR_NAME"
            | "ENV_VAR"
            | "ENV_VAR_NAME"
            | "ENV_NAME"
            | "KEY_NAME"
            | "SOME_VARIABLE"
            | "SOME_VAR"
            | "MY_VARIABLE"
            | "MY_VAR"
            | "YOUR_VARIABLE"
            | "YOUR_VAR"
            | "VARIABLE"
            | "ENVIRONMENT_VARIABLE"
            | "FOO_BAR"
    )
}

/// Says whether a package may read a variable without the code naming it.
pub(super) fn is_read_by_packages(name: &str) -> bool {
    READ_BY_PACKAGES.contains(&name)
}

/// Collects the variables that Python code reads; tests apart.
pub(super) fn reads(code: &Code) -> Reads {
    let mut reads = Reads::new();
    for module in &code.modules {
        if Code::is_test(&module.path) {
            continue;
        }
        for text in &module.texts {
            if text.role == TextRole::Variable {
                let places = reads.entry(text.text.clone()).or_default();
                places.push((module.path.clone(), text.line));
            }
        }
    }
    reads
}

/// Longer pages are dumps.
const MAX_PAGE_BYTES: u64 = 1_000_000;

/// Collects the names in capitals that pages and example settings speak of.
pub(super) fn documented(context: &Context<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let is_example = |path: &str| {
        let name = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        name.contains("env")
            && ["example", "sample", "template", "dist", "default"]
                .iter()
                .any(|word| name.contains(word))
    };
    let examples = context
        .tree
        .tracked()
        .map(|file| file.path.as_ref())
        .filter(|path| is_example(path));
    // A compose file lists what its owner sets, beside the value.
    for service in context
        .project
        .compose
        .iter()
        .flat_map(|file| &file.services)
    {
        names.extend(
            service
                .environment
                .iter()
                .map(|(name, _)| name.value.to_string()),
        );
    }
    // Any page that is kept counts, also one beside the code that is no page of the project's manual.
    let is_page = |path: &&str| {
        let end = path
            .rsplit_once('.')
            .map_or("", |(_, end)| end)
            .to_ascii_lowercase();
        matches!(end.as_str(), "md" | "rst" | "adoc" | "mdx")
    };
    let kept = context
        .tree
        .tracked()
        .filter(|file| file.size < MAX_PAGE_BYTES);
    let pages = kept.map(|file| file.path.as_ref()).filter(is_page);
    for path in pages.chain(examples) {
        let Some(text) = context.tree.text(path) else {
            continue;
        };
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        names.extend(words.filter(|word| is_name(word)).map(str::to_owned));
        names.extend(listed(&text));
    }
    names
}

/// Returns the names that stand in short for others: `REDIS_HOST/PORT/DB` names three.
fn listed(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_/".contains(letter);
    let runs = text.split(|letter: char| !is_part(letter));
    let mut names = Vec::new();
    for run in runs.filter(|run| run.contains('/')) {
        let mut parts = run.split('/');
        let first = parts.next().filter(|first| is_name(first));
        let Some((family, _)) = first.and_then(|first| first.rsplit_once('_')) else {
            continue;
        };
        let others = parts.take_while(|part| is_name(part));
        names.extend(others.map(|part| format!("{family}_{part}")));
    }
    names
}

fn is_name(word: &str) -> bool {
    (2..=64).contains(&word.len())
        && word.starts_with(|first: char| first.is_ascii_uppercase())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Returns the variable that was probably meant by a name that nothing reads: the same words but for
/// one, or a slip of one or two letters.
pub(super) fn meant<'r>(name: &str, reads: &'r Reads) -> Option<&'r str> {
    let words: Vec<&str> = name.split('_').collect();
    let is_near = |other: &&str| {
        let others: Vec<&str> = other.split('_').collect();
        let shared = words.iter().filter(|word| others.contains(word)).count();
        let has_same_first = words.first() == others.first();
        let is_subset = has_same_first
            && shared >= 2
            && shared == words.len().min(others.len())
            && words.len().abs_diff(others.len()) == 1;
        is_subset || name.len() >= 8 && distance(name, other) <= 2
    };
    let mut near = reads.keys().map(AsRef::as_ref).filter(is_near);
    let first = near.next()?;
    // Two candidates are a guess.
    near.next().is_none().then_some(first)
}

/// Letters to add, drop or change; 3 for anything more than 2.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.bytes().enumerate() {
        let mut before = at;
        let mut last = at + 1;
        for (to, right) in b.bytes().enumerate() {
            let above = row.get(to + 1).copied().unwrap_or(3);
            let cost = (before + usize::from(left != right))
                .min(above + 1)
                .min(last + 1);
            if let Some(cell) = row.get_mut(to) {
                *cell = last;
            }
            before = above;
            last = cost;
        }
        if let Some(cell) = row.last_mut() {
            *cell = last;
        }
    }
    row.last().copied().unwrap_or(3).min(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_read_is_told() {
        let reads: Reads = ["POLYGON_API_KEY", "FINNHUB_TOKEN", "ALPACA_KEY_ID"]
            .into_iter()
            .map(|name| (name.into(), Vec::new()))
            .collect();
        assert_eq!(meant("POLYGON_KEY", &reads), Some("POLYGON_API_KEY"));
        assert_eq!(meant("FINHUB_TOKEN", &reads), Some("FINNHUB_TOKEN"));
        assert_eq!(meant("TIINGO_TOKEN", &reads), None);
    }
}
