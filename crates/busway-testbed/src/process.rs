//! A server's process in a folder of its own, which both go when the process that started them goes.

use std::{
    fmt::Display,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::PermissionsExt,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::{account::Account, watcher::Watcher};

/// Crash recovery on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each line is a signal and the process that gets it at the end; an empty one takes that back. What has ended counts as
/// gone though nobody has waited for it yet: not every first process of a container does so soon.
const CLEAR_UP: &str = r#"
gone() {
  kill -0 "$server" || return 0
  case $(cat "/proc/$server/stat") in *') Z '*) return 0 ;; *) return 1 ;; esac
}
while read -r signal pid; do
  last=$signal server=$pid
done
if [ -n "$server" ]; then
  kill -"$last" "$server"
  tries=0
  until gone || [ "$tries" -gt 220 ]; do
    [ "$tries" -ne 200 ] || kill -KILL "$server"
    tries=$((tries + 1))
    sleep 0.05
  done
fi
rm -rf -- "$1"
"#;

/// The folder, and the process if it runs.
#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
    account: Option<Account>,
    running: Option<Child>,
    last: Signal,
    watcher: Watcher,
}

impl Process {
    /// Makes the folder.
    pub(crate) fn prepare(name: &str) -> io::Result<Self> {
        let account = Account::for_servers();
        let place = if account.is_some() { open_to_all() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix(&format!("busway-{name}-")).tempdir_in(place)?.keep();
        let watcher = Watcher::start(CLEAR_UP, &[&folder.to_string_lossy()]);
        if let Some(account) = account {
            account.become_owner(&folder)?;
        }
        Ok(Self { folder, account, running: None, last: Signal::KILL, watcher })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file that the server can read and nobody else.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        self.account.map_or(Ok(()), |account| account.become_owner(path))
    }

    /// A command to be run as the server's account, in the folder; what it says goes into the log.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let log = self.open_log()?;
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("LC_ALL", "C").env("TZ", "UTC").env("HOME", &self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        if let Some(account) = self.account {
            account.runs(&mut command);
        }
        Ok(command)
    }

    fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.folder.join("log"))
    }

    /// All that the server has said.
    pub(crate) fn log(&self) -> String {
        fs::read(self.folder.join("log")).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Starts the server and waits until it answers. It gets the signal `last` when this is dropped or the calling process
    /// ends.
    ///
    /// # Errors
    /// With the server's words when it ends instead; `AddrInUse` when somebody has its port.
    pub(crate) fn start_and_wait<E: Display>(
        &mut self,
        mut command: Command,
        last: Signal,
        mut answers: impl FnMut() -> Result<(), E>,
    ) -> io::Result<()> {
        let said = self.log().len();
        let child = command.spawn()?;
        self.watcher.tell(&format!("{} {}", last.as_raw(), child.id()));
        self.last = last;
        self.running = Some(child);
        let begun = Instant::now();
        while let Err(refusal) = answers() {
            if let Some(status) = self.ended()? {
                let words = self.log().split_off(said);
                let taken = words.contains("Address already in use");
                let kind = if taken { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
                return Err(io::Error::new(kind, format!("{status}\n{words}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("it does not answer: {refusal}\n{}", self.log())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// How the server ended, if it has ended by itself.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let ended = self.running.as_mut().map_or(Ok(None), Child::try_wait)?;
        if ended.is_some() {
            self.watcher.tell("");
            self.running = None;
        }
        Ok(ended)
    }

    /// Sends the signal and waits until the server has ended; nothing if none runs.
    pub(crate) fn stop(&mut self, signal: Signal) -> io::Result<()> {
        let Some(mut child) = self.running.take() else { return Ok(()) };
        kill_process(Pid::from_child(&child), signal)?;
        // Before its number can be given to another process.
        self.watcher.tell("");
        child.wait().map(drop)
    }

    pub(crate) fn runs(&self) -> bool {
        self.running.is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.stop(self.last);
    }
}

/// A folder for folders that any account can reach: the usual one may be closed to all but its owner.
fn open_to_all() -> PathBuf {
    let reachable = |path: &PathBuf| {
        path.ancestors().all(|part| fs::metadata(part).is_ok_and(|found| found.permissions().mode() & 0o1 != 0))
    };
    [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()]
        .into_iter()
        .find(reachable)
        .unwrap_or_else(|| panic!("no temporary directory that an account without rights can reach"))
}
