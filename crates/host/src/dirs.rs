//! Where the user's durable state, caches and service files live.
//!
//! `TRADEWIND_STATE` wins; otherwise the platform's convention. Not here: making the folders
//! ([`crate::files::ensure_private_dir`]).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Why no folder can be named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirsError {
    /// Neither the variable nor a home folder is set.
    #[error("no home folder is known; set {variable} to the folder to use")]
    NoHome {
        /// Variable that would answer the question.
        variable: &'static str,
    },
    /// The variable holds a path that depends on where the program was started.
    #[error("{variable} is {}, which is not an absolute path", path.display())]
    Relative {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        path: PathBuf,
    },
}

/// Name of the variable that moves all durable state.
pub const STATE_VARIABLE: &str = "TRADEWIND_STATE";

/// Returns the user's state folder: `TRADEWIND_STATE`, else `$XDG_STATE_HOME/tradewind` or
/// `~/.local/state/tradewind`, on macOS `~/Library/Application Support/tradewind`, on Windows
/// `%LOCALAPPDATA%\tradewind`. It need not exist.
///
/// # Errors
/// [`DirsError::NoHome`] when nothing names a home, [`DirsError::Relative`] when
/// `TRADEWIND_STATE` is not absolute.
pub fn state_dir() -> Result<PathBuf, DirsError> {
    Places::of_this_machine().state_dir()
}

/// Returns the folder for what may be deleted at any time: `$TRADEWIND_STATE/cache` when that
/// variable is set, else the platform's cache folder.
///
/// # Errors
/// As for [`state_dir`].
pub fn cache_dir() -> Result<PathBuf, DirsError> {
    Places::of_this_machine().cache_dir()
}

/// Returns the folder of the user's own configuration (`~/.config/tradewind` and its like).
///
/// # Errors
/// As for [`state_dir`].
pub fn config_dir() -> Result<PathBuf, DirsError> {
    Places::of_this_machine().config_dir()
}

/// Returns the folder of systemd user units, `~/.config/systemd/user`.
///
/// # Errors
/// As for [`state_dir`].
pub fn service_dir() -> Result<PathBuf, DirsError> {
    let places = Places::of_this_machine();
    Ok(places
        .xdg("XDG_CONFIG_HOME", ".config")?
        .join("systemd")
        .join("user"))
}

/// What the environment says; a struct of its own so that tests need not change the process.
struct Places {
    variable: Lookup,
    platform: Platform,
}

type Lookup = Box<dyn Fn(&str) -> Option<OsString>>;

#[derive(Clone, Copy)]
enum Platform {
    Xdg,
    Mac,
    Windows,
}

impl Places {
    fn of_this_machine() -> Self {
        let platform = if cfg!(windows) {
            Platform::Windows
        } else if cfg!(target_os = "macos") {
            Platform::Mac
        } else {
            Platform::Xdg
        };
        Self {
            variable: Box::new(|name| std::env::var_os(name)),
            platform,
        }
    }

    fn state_dir(&self) -> Result<PathBuf, DirsError> {
        if let Some(path) = self.override_dir()? {
            return Ok(path);
        }
        Ok(match self.platform {
            Platform::Xdg => self
                .xdg("XDG_STATE_HOME", ".local/state")?
                .join("tradewind"),
            Platform::Mac => self.home()?.join("Library/Application Support/tradewind"),
            Platform::Windows => self.local_app_data()?.join("tradewind"),
        })
    }

    fn cache_dir(&self) -> Result<PathBuf, DirsError> {
        if let Some(path) = self.override_dir()? {
            return Ok(path.join("cache"));
        }
        Ok(match self.platform {
            Platform::Xdg => self.xdg("XDG_CACHE_HOME", ".cache")?.join("tradewind"),
            Platform::Mac => self.home()?.join("Library/Caches/tradewind"),
            Platform::Windows => self.local_app_data()?.join("tradewind").join("cache"),
        })
    }

    fn config_dir(&self) -> Result<PathBuf, DirsError> {
        Ok(match self.platform {
            Platform::Xdg => self.xdg("XDG_CONFIG_HOME", ".config")?.join("tradewind"),
            Platform::Mac => self.home()?.join("Library/Application Support/tradewind"),
            Platform::Windows => self.local_app_data()?.join("tradewind"),
        })
    }

    fn override_dir(&self) -> Result<Option<PathBuf>, DirsError> {
        match self.non_empty(STATE_VARIABLE) {
            Some(path) if path.is_absolute() => Ok(Some(path)),
            Some(path) => Err(DirsError::Relative {
                variable: STATE_VARIABLE,
                path,
            }),
            None => Ok(None),
        }
    }

    fn non_empty(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    fn home(&self) -> Result<PathBuf, DirsError> {
        self.non_empty("HOME")
            .filter(|path| path.is_absolute())
            .ok_or(DirsError::NoHome {
                variable: STATE_VARIABLE,
            })
    }

    /// The XDG rules say that a relative value is to be ignored.
    fn xdg(&self, name: &str, below_home: &str) -> Result<PathBuf, DirsError> {
        match self.non_empty(name).filter(|path| path.is_absolute()) {
            Some(path) => Ok(path),
            None => Ok(self.home()?.join(Path::new(below_home))),
        }
    }

    fn local_app_data(&self) -> Result<PathBuf, DirsError> {
        self.non_empty("LOCALAPPDATA")
            .or_else(|| Some(self.non_empty("USERPROFILE")?.join("AppData").join("Local")))
            .ok_or(DirsError::NoHome {
                variable: STATE_VARIABLE,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(platform: Platform, variables: &'static [(&'static str, &'static str)]) -> Places {
        let variable = move |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Places {
            variable: Box::new(variable),
            platform,
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_variable_wins_over_the_platform() {
        let places = places(Platform::Xdg, &[("TRADEWIND_STATE", "/s"), ("HOME", "/h")]);
        assert_eq!(places.state_dir().unwrap(), Path::new("/s"));
        assert_eq!(places.cache_dir().unwrap(), Path::new("/s/cache"));
    }

    #[cfg(unix)]
    #[test]
    fn each_platform_keeps_its_convention() {
        let xdg = places(
            Platform::Xdg,
            &[("HOME", "/h"), ("XDG_STATE_HOME", "relative")],
        );
        assert_eq!(
            xdg.state_dir().unwrap(),
            Path::new("/h/.local/state/tradewind")
        );
        assert_eq!(xdg.config_dir().unwrap(), Path::new("/h/.config/tradewind"));
        let mac = places(Platform::Mac, &[("HOME", "/h")]);
        assert_eq!(
            mac.state_dir().unwrap(),
            Path::new("/h/Library/Application Support/tradewind")
        );
        let windows = places(Platform::Windows, &[("LOCALAPPDATA", "/l")]);
        assert_eq!(windows.state_dir().unwrap(), Path::new("/l/tradewind"));
    }

    #[test]
    fn no_home_and_a_relative_variable_are_refused() {
        assert!(matches!(
            places(Platform::Xdg, &[]).state_dir(),
            Err(DirsError::NoHome { .. })
        ));
        assert!(matches!(
            places(Platform::Xdg, &[("TRADEWIND_STATE", "state")]).state_dir(),
            Err(DirsError::Relative { .. })
        ));
    }
}
