//! Notices on the user's desktop, through the platform's own program.
//!
//! Linux and BSD: `notify-send`; macOS: `osascript`; Windows: `powershell`. Title and body may come
//! from outside (a commit's title): they travel as an argument or a variable, never as script text.
//! Not here: whether a notice is worth sending.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{self, CommandSpec, Env, ExitOutcome, ProcessError};

/// Longest title and body that are shown, in characters.
pub const MAX_CHARS: usize = 500;

/// Why no notice was shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DesktopError {
    /// The platform's program is missing or cannot be run.
    #[error("desktop notices are not available")]
    Program(#[source] ProcessError),
    /// The program ran and refused, as without a desktop session.
    #[error("desktop notice was refused ({status}): {message}")]
    Refused {
        /// How the program ended.
        status: ExitOutcome,
        /// What it said.
        message: String,
    },
}

/// Shows a notice.
///
/// # Errors
/// [`DesktopError::Program`] where no program for it exists, [`DesktopError::Refused`] where no
/// desktop listens.
pub async fn notify(title: &str, body: &str) -> Result<(), DesktopError> {
    let finished = process::run(spec(title, body), CancellationToken::new())
        .await
        .map_err(DesktopError::Program)?;
    if finished.status.is_success() {
        return Ok(());
    }
    let message = finished
        .stderr
        .text()
        .trim()
        .chars()
        .take(MAX_CHARS)
        .collect();
    Err(DesktopError::Refused {
        status: finished.status,
        message,
    })
}

fn spec(title: &str, body: &str) -> CommandSpec {
    let (title, body) = (printable(title), printable(body));
    let dir = std::env::temp_dir();
    let mut spec = if cfg!(target_os = "macos") {
        let script = "display notification (system attribute \"TRADEWIND_BODY\") \
                      with title (system attribute \"TRADEWIND_TITLE\")";
        CommandSpec::new("osascript", dir).args(["-e", script])
    } else if cfg!(windows) {
        let script = "Add-Type -AssemblyName System.Windows.Forms; \
            $icon = New-Object System.Windows.Forms.NotifyIcon; \
            $icon.Icon = [System.Drawing.SystemIcons]::Information; $icon.Visible = $true; \
            $icon.ShowBalloonTip(5000, $env:TRADEWIND_TITLE, $env:TRADEWIND_BODY, 'Info'); \
            Start-Sleep -Seconds 5; $icon.Dispose()";
        let flags = ["-NoProfile", "-NonInteractive", "-Command"];
        CommandSpec::new("powershell", dir).args(flags).arg(script)
    } else {
        CommandSpec::new("notify-send", dir)
            .args(["--app-name=tradewind", "--"])
            .args([&title, &body])
    };
    spec.env = Env::inherit()
        .with("TRADEWIND_TITLE", title)
        .with("TRADEWIND_BODY", body);
    spec.within(Duration::from_secs(15))
}

/// Cuts text to a bound and replaces control characters; an empty one becomes a space, because
/// `notify-send` refuses an empty title.
fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let text: String = text.chars().take(MAX_CHARS).map(clean).collect();
    if text.is_empty() {
        " ".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_cut_and_has_no_control_characters() {
        let text = printable(&format!("a\u{1b}[31m\0{}", "x".repeat(1000)));
        assert_eq!(text.chars().count(), MAX_CHARS);
        assert!(!text.chars().any(char::is_control));
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn text_that_looks_like_an_option_stays_text() {
        let spec = spec("--help", "$(reboot)");
        let args: Vec<_> = spec.args.iter().map(|arg| arg.to_string_lossy()).collect();
        assert_eq!(args, ["--app-name=tradewind", "--", "--help", "$(reboot)"]);
    }
}
