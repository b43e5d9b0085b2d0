//! The way in for a bot inside a container, as `docs/how-to/reach-it-from-a-container.md` says.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tradewind_sandbox::{Sandbox, Settings};

use crate::support::{Repo, Said, User, program, skipped};

const PAGE: &str = include_str!("../../../../docs/how-to/reach-it-from-a-container.md");

/// An image with nothing but a shell and a small HTTP client, which no registry is needed for.
struct Image {
    docker: PathBuf,
    id: String,
}

impl Image {
    /// Makes it; says what is missing otherwise.
    fn make(dir: &Path) -> Result<Self, &'static str> {
        let docker = program(&["docker"]).ok_or("there is no docker")?;
        let busybox =
            program(&["busybox"]).ok_or("there is no busybox, which the image is made of")?;
        let engine = Command::new(&docker).arg("info").output().unwrap();
        if !engine.status.success() {
            return Err("no engine answers");
        }
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::copy(busybox, dir.join("bin/busybox")).unwrap();
        let mut tar = Command::new("tar")
            .arg("-C")
            .arg(dir)
            .args(["-c", "bin"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let made = Command::new(&docker)
            .args(["import", "-"])
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        tar.wait().unwrap();
        assert!(made.status.success(), "{made:?}");
        let id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Ok(Self { docker, id })
    }

    fn run(&self, options: &[&str], command: &[&str]) -> Said {
        let mut run = Command::new(&self.docker);
        run.args(["run", "--rm"]).args(options).arg(&self.id);
        Said::from(run.args(command).output().unwrap())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let removed = Command::new(&self.docker)
            .args(["rmi", "-f", &self.id])
            .output();
        drop(removed);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_bot_in_a_container_gets_bars_with_the_token_and_nothing_without() {
    let folder = tempfile::tempdir().unwrap();
    let image = match Image::make(folder.path()) {
        Ok(image) => image,
        Err(why) => return skipped("docker", why),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sandbox = runtime
        .block_on(Sandbox::start(Settings::generous()))
        .unwrap();
    let mut user = User::new();
    user.set("TRADEWIND_SANDBOX", &sandbox.address().to_string());
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("bot.py", "print(1)\n");
    repo.commit("feat: a bot");
    // As the page says, on any free port.
    assert!(PAGE.contains("tradewind up --listen 0.0.0.0:8420 --host-name host.docker.internal"));
    let daemon = user.up_on(
        &repo.path,
        &[
            "--listen",
            "0.0.0.0:0",
            "--host-name",
            "host.docker.internal",
        ],
    );
    let token = user.ok(&repo.path, &["status", "--token-file"]);
    let mount = format!("{}:/run/tradewind.token:ro", token.trim());
    let host = "host.docker.internal:host-gateway";
    assert!(PAGE.contains("--add-host host.docker.internal:host-gateway"));
    assert!(PAGE.contains(":/run/tradewind.token:ro"));
    let url = format!(
        "http://host.docker.internal:{}/v1/bars/BTC%2FUSD@kraken.csv",
        daemon.address.port()
    );
    let get = |header: &str| {
        let script = format!("busybox wget -q -O - {header} '{url}'");
        image.run(
            &["--add-host", host, "-v", &mount],
            &["/bin/busybox", "sh", "-c", &script],
        )
    };
    let told = get("--header \"X-Tradewind-Token: $(busybox cat /run/tradewind.token)\"");
    assert_eq!(told.code, Some(0), "{told:#?}");
    assert!(
        told.out.starts_with("start,open,high,low,close,volume"),
        "{told:#?}"
    );
    assert!(told.out.lines().count() > 200, "{told:#?}");
    let refused = get("");
    assert_ne!(refused.code, Some(0), "{refused:#?}");
    assert!(refused.err.contains("401"), "{refused:#?}");
}
