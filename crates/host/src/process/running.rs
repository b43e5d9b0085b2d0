//! A child on its way: one thread per pipe, one that waits, one loop that decides.
//!
//! Threads and no async machinery, because the same code serves blocking callers (the git runner)
//! and async ones; a thread costs some 20 µs, a child some milliseconds.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::capture::Capture;
use super::{
    CommandSpec, ExitOutcome, Finished, GRACE, LINGER, MAX_STDIN_BYTES, ProcessError, group,
};

/// Time for a killed process to vanish.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Size of one piece of streamed output.
const PIECE_BYTES: usize = 64 * 1024;

/// What the loop hears of.
#[derive(Debug)]
pub(super) enum Event {
    /// The child is over.
    Exited(std::io::Result<ExitStatus>),
    /// One output stream is closed.
    Closed,
    /// A piece of output, when streaming.
    Piece(Vec<u8>),
    /// The caller wants it to end.
    Cancel,
}

/// What a receiver of streamed output wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// More.
    Continue,
    /// No more; end the child.
    Stop,
}

/// Which output is handed on while the child runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streaming {
    /// None: it is kept.
    Off,
    /// Standard output, which is not kept then.
    Output,
    /// Both streams as they come; they are kept too, as one, with standard output.
    Both,
}

/// Makes the inbox: one exit, two closings, one cancellation, and up to four pieces wait in it.
pub(super) fn channel() -> (SyncSender<Event>, Receiver<Event>) {
    sync_channel(4)
}

pub(super) fn display(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

pub(super) struct Running {
    program: String,
    pid: u32,
    inbox: Receiver<Event>,
    stdout: Arc<Mutex<Capture>>,
    stderr: Arc<Mutex<Capture>>,
    started: Instant,
    deadline: Instant,
    exit: Option<std::io::Result<ExitStatus>>,
    // Output streams that are still open.
    open: u8,
}

impl Running {
    pub(super) fn start(
        mut spec: CommandSpec,
        events: SyncSender<Event>,
        inbox: Receiver<Event>,
        streaming: Streaming,
    ) -> Result<Self, ProcessError> {
        let program = display(&spec.program);
        if spec.stdin.len() > MAX_STDIN_BYTES {
            let actual_bytes = spec.stdin.len();
            return Err(ProcessError::StdinTooLarge {
                program,
                actual_bytes,
            });
        }
        let mut child = spawn(&spec)?;
        let pid = child.id();
        let started = Instant::now();
        let stdout = Arc::new(Mutex::new(Capture::new(spec.max_output_bytes)));
        let stderr = Arc::new(Mutex::new(Capture::new(spec.max_output_bytes)));
        if let (Some(pipe), input) = (child.stdin.take(), std::mem::take(&mut spec.stdin)) {
            std::thread::spawn(move || feed(pipe, &input));
        }
        if let Some(pipe) = child.stdout.take() {
            let (kept, events) = (Arc::clone(&stdout), events.clone());
            std::thread::spawn(move || match streaming {
                Streaming::Off => drain(pipe, &kept, &events),
                Streaming::Output => stream(pipe, None, &events),
                Streaming::Both => stream(pipe, Some(&kept), &events),
            });
        }
        if let Some(pipe) = child.stderr.take() {
            let events = events.clone();
            if streaming == Streaming::Both {
                let kept = Arc::clone(&stdout);
                std::thread::spawn(move || stream(pipe, Some(&kept), &events));
            } else {
                let kept = Arc::clone(&stderr);
                std::thread::spawn(move || drain(pipe, &kept, &events));
            }
        }
        std::thread::spawn(move || {
            let exit = child.wait();
            // Nobody listens any more only when the child was given up as unkillable.
            events.send(Event::Exited(exit)).unwrap_or_default();
        });
        let deadline = started + spec.time_limit;
        Ok(Self {
            program,
            pid,
            inbox,
            stdout,
            stderr,
            started,
            deadline,
            exit: None,
            open: 2,
        })
    }

    /// Returns the number of the process group.
    pub(super) fn group(&self) -> u32 {
        self.pid
    }

    /// Waits for the end.
    pub(super) fn finish(self) -> Result<Finished, ProcessError> {
        self.finish_with(&mut |_| Flow::Continue)
    }

    /// Waits for the end and hands streamed output on.
    pub(super) fn finish_with(
        mut self,
        on_output: &mut dyn FnMut(&[u8]) -> Flow,
    ) -> Result<Finished, ProcessError> {
        let mut stopped = None;
        let mut linger_until = None;
        // A child that exited but still has output under way is read to its end: `open` counts.
        while stopped.is_none() && !self.is_over() {
            let until = if self.exit.is_none() {
                self.deadline
            } else {
                let end = *linger_until.get_or_insert_with(|| Instant::now() + LINGER);
                self.deadline.min(end)
            };
            // One that never pauses would always have something in the inbox.
            if Instant::now() >= until {
                if self.exit.is_some() {
                    break;
                }
                stopped = Some(ExitOutcome::TimedOut);
                break;
            }
            match self.next(until) {
                Some(Event::Piece(piece)) => {
                    if on_output(&piece) == Flow::Stop {
                        stopped = Some(ExitOutcome::Cancelled);
                    }
                }
                Some(Event::Cancel) if self.exit.is_none() => {
                    stopped = Some(ExitOutcome::Cancelled);
                }
                Some(_) => {}
                None if self.exit.is_some() => break,
                None => stopped = Some(ExitOutcome::TimedOut),
            }
        }
        if stopped.is_some() {
            self.end_group()?;
        }
        self.answer(stopped)
    }

    fn is_over(&self) -> bool {
        self.exit.is_some() && self.open == 0
    }

    /// Takes the next event; `None` when `until` comes first.
    fn next(&mut self, until: Instant) -> Option<Event> {
        let wait = until.saturating_duration_since(Instant::now());
        match self.inbox.recv_timeout(wait) {
            Ok(Event::Exited(exit)) => {
                self.exit = Some(exit);
                Some(Event::Closed)
            }
            Ok(Event::Closed) => {
                self.open = self.open.saturating_sub(1);
                Some(Event::Closed)
            }
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // Every thread is gone without having told of an exit: one of them panicked.
                self.open = 0;
                let lost = std::io::Error::other("the thread that waits for it is gone");
                self.exit.get_or_insert(Err(lost));
                None
            }
        }
    }

    /// TERM, two seconds, KILL; returns when the child is over.
    fn end_group(&mut self) -> Result<(), ProcessError> {
        group::terminate(self.pid);
        let kill_at = Instant::now() + GRACE;
        loop {
            if self.exit.is_some() && !group::is_alive(self.pid) {
                break;
            }
            let now = Instant::now();
            if now >= kill_at {
                break;
            }
            // A member other than the child tells nobody that it ended: look again soon.
            let pause = if self.exit.is_some() {
                Duration::from_millis(10)
            } else {
                GRACE
            };
            self.next(kill_at.min(now + pause));
        }
        if group::is_alive(self.pid) || self.exit.is_none() {
            group::kill(self.pid);
        }
        let give_up_at = Instant::now() + KILL_WAIT;
        while self.exit.is_none() {
            if Instant::now() >= give_up_at {
                let program = std::mem::take(&mut self.program);
                return Err(ProcessError::Unkillable {
                    program,
                    pid: self.pid,
                });
            }
            self.next(give_up_at);
        }
        // What the pipes still hold is part of the story of why it had to be ended.
        let drained_at = Instant::now() + LINGER;
        while self.open > 0 && Instant::now() < drained_at {
            self.next(drained_at);
        }
        Ok(())
    }

    fn answer(self, stopped: Option<ExitOutcome>) -> Result<Finished, ProcessError> {
        let Self {
            program,
            stdout,
            stderr,
            started,
            exit,
            open,
            ..
        } = self;
        let status = match (stopped, exit) {
            (Some(outcome), _) => outcome,
            (None, Some(Ok(status))) => group::outcome(status),
            (None, Some(Err(source))) => return Err(ProcessError::Wait { program, source }),
            (None, None) => {
                let source = std::io::Error::other("no exit was seen");
                return Err(ProcessError::Wait { program, source });
            }
        };
        let take =
            |kept: &Mutex<Capture>| kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Finished {
            status,
            stdout: take(&stdout),
            stderr: take(&stderr),
            elapsed: started.elapsed(),
            left_running: open > 0,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the home of subprocesses"
)]
fn spawn(spec: &CommandSpec) -> Result<Child, ProcessError> {
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .current_dir(&spec.dir)
        .stdin(if spec.stdin.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    spec.env.apply(&mut command);
    group::isolate(&mut command);
    command.spawn().map_err(|source| start_error(spec, source))
}

/// Tells a missing program from a missing folder; the system says "not found" for both.
pub(super) fn start_error(spec: &CommandSpec, source: std::io::Error) -> ProcessError {
    let program = display(&spec.program);
    match source.kind() {
        _ if !spec.dir.is_dir() => ProcessError::NoDir {
            program,
            dir: spec.dir.clone(),
        },
        std::io::ErrorKind::NotFound => ProcessError::NotFound { program },
        _ => ProcessError::Start { program, source },
    }
}

fn feed(mut pipe: impl Write, input: &[u8]) {
    // A child may end without reading everything; its exit code says whether that was right.
    pipe.write_all(input).unwrap_or_default();
}

fn drain(pipe: impl Read, kept: &Mutex<Capture>, events: &SyncSender<Event>) {
    read_all(pipe, 16 * 1024, |piece| {
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(piece);
    });
    events.send(Event::Closed).unwrap_or_default();
}

fn stream(pipe: impl Read, kept: Option<&Mutex<Capture>>, events: &SyncSender<Event>) {
    // Once nobody listens, reading goes on so that a grandchild does not die of a broken pipe.
    read_all(pipe, PIECE_BYTES, |piece| {
        if let Some(kept) = kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(piece);
        }
        events
            .send(Event::Piece(piece.to_vec()))
            .unwrap_or_default();
    });
    events.send(Event::Closed).unwrap_or_default();
}

fn read_all(mut pipe: impl Read, piece_bytes: usize, mut with: impl FnMut(&[u8])) {
    let mut buffer = vec![0; piece_bytes];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => with(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A broken pipe is an end like any other: the exit status tells what happened.
            Err(_) => return,
        }
    }
}
