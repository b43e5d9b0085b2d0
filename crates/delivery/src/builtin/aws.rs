//! `detect-aws-credentials`: none of *your* keys, as they stand in your own configuration, is in a file.

use std::sync::OnceLock;

use memchr::memmem;

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, PLAIN, Report, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "detect-aws-credentials",
    name: "detect aws credentials",
    what: "Stops files that hold a secret of your own AWS configuration; nothing of it is printed or kept.",
    types: &["text"],
    arguments: &[
        (
            "--credentials-file=PATH",
            "reads this file too; may be given several times",
        ),
        (
            "--allow-missing-credentials",
            "passes where no secret is configured",
        ),
    ],
    differs: &[
        "no character of the secret is printed; the script prints the first four",
        "a broken configuration file is read as far as it goes; the script ends with a traceback",
    ],
    make: |args| {
        let parsed = OPTIONS.parse(args)?;
        Ok::<_, ArgError>(Check::files(Aws {
            files: parsed.all("--credentials-file").to_vec(),
            allows_none: parsed.has("--allow-missing-credentials"),
            secrets: OnceLock::new(),
        }))
    },
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--allow-missing-credentials"]],
    values: &[&["--credentials-file"]],
};
const FILES: [&str; 4] = [
    "~/.aws/config",
    "~/.aws/credentials",
    "/etc/boto.cfg",
    "~/.boto",
];
const FILE_VARIABLES: [&str; 4] = [
    "AWS_CONFIG_FILE",
    "AWS_CREDENTIAL_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "BOTO_CONFIG",
];
const SECRET_VARIABLES: [&str; 3] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
];
const SECRET_KEYS: [&str; 3] = [
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
];

struct Aws {
    files: Vec<String>,
    allows_none: bool,
    secrets: OnceLock<Vec<String>>,
}

impl Aws {
    fn secrets(&self, around: &dyn Surroundings) -> &[String] {
        self.secrets.get_or_init(|| {
            let named = FILE_VARIABLES
                .iter()
                .filter_map(|name| around.variable(name));
            let files = FILES.iter().map(|file| (*file).to_owned());
            let mut secrets: Vec<String> = files
                .chain(self.files.iter().cloned())
                .chain(named)
                .filter_map(|file| around.machine_file(&file))
                .flat_map(|bytes| of_file(&String::from_utf8_lossy(&bytes)))
                .chain(
                    SECRET_VARIABLES
                        .iter()
                        .filter_map(|name| around.variable(name)),
                )
                .filter(|secret| !secret.is_empty())
                .collect();
            secrets.sort_unstable();
            secrets.dedup();
            secrets
        })
    }
}

/// Reads the secrets of an ini file.
fn of_file(text: &str) -> Vec<String> {
    let mut is_in_section = false;
    let mut secrets = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('[') && line.contains(']') {
            is_in_section = true;
        } else if is_in_section
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once(['=', ':'])
        {
            let key = key.trim().to_lowercase();
            if SECRET_KEYS.contains(&key.as_str()) {
                secrets.push(value.trim().to_owned());
            }
        }
    }
    secrets
}

impl FileCheck for Aws {
    fn settles_at_once(&self, around: &dyn Surroundings) -> Option<Report> {
        if !self.secrets(around).is_empty() {
            return None;
        }
        if self.allows_none {
            return Some(Report::default());
        }
        Some(Report {
            exit_code: 2,
            lines: vec![
                "No AWS keys were found in the configured credential files and environment variables.".to_owned(),
                "Please ensure you have the correct setting for --credentials-file".to_owned(),
            ],
        })
    }

    fn check(&self, file: &File<'_>, around: &dyn Surroundings) -> Verdict {
        let secrets = self.secrets(around);
        let found = secrets
            .iter()
            .any(|secret| memmem::find(file.bytes, secret.as_bytes()).is_some());
        if found {
            let line = format!("AWS secret found in {}", file.shown());
            Verdict::broken(line).for_now()
        } else {
            Verdict::clean().for_now()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::super::tests::{Around, made, on_with};
    use crate::staged::Mode;

    #[test]
    fn your_own_secrets_are_found() {
        let around = Around {
            machine: vec![
                (
                    "~/.aws/credentials",
                    "[default]\naws_secret_access_key = s3cr3t\n",
                ),
                ("/x", "[a]\nAWS_SESSION_TOKEN: tok\n"),
            ],
            variables: vec![("AWS_CONFIG_FILE", "/x"), ("AWS_SECURITY_TOKEN", "env")],
            ..Around::default()
        };
        for (text, lines) in [("a s3cr3t b", 1), ("tok", 1), ("env", 1), ("clean", 0)] {
            let verdict = on_with(
                "detect-aws-credentials",
                &[],
                "a",
                Mode::Regular,
                text.as_bytes(),
                &around,
            );
            assert_eq!(verdict.lines.len(), lines, "{text}");
            assert!(!verdict.is_lasting);
            assert!(!verdict.lines.concat().contains("s3c"));
        }
        let settled = |args: &[&str]| match made("detect-aws-credentials", args) {
            Check::Files(check) => check
                .settles_at_once(&Around::default())
                .map(|report| report.exit_code),
            Check::Change(_) => None,
        };
        assert_eq!(settled(&[]), Some(2));
        assert_eq!(settled(&["--allow-missing-credentials"]), Some(0));
    }
}
