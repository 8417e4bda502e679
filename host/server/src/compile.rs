//! `cofferdam compile-component`: compiles one component, from standard input to standard output, and nothing else. The
//! server starts it for engines that did not come with it.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cofferdam_sandbox::Compiler;
use rustix::process::{Resource, Rlimit, setrlimit};

/// What the process is told to do.
pub(crate) const COMMAND: &str = "compile-component";
/// Seconds on the processor. A large engine takes ten.
const CPU_SECONDS: u64 = 60;
/// MiB of memory that is written to.
const MEMORY_MIB: u64 = 2_048;
/// Until a process that does not end is killed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the server looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// The most that is read of what it says is wrong.
const MAX_MESSAGE: u64 = 4_096;

/// The child's side: `arguments` are the limits (seconds, MiB). Answers the exit code.
pub(crate) fn main(arguments: &[String]) -> i32 {
    let limits: Option<Vec<u64>> = arguments.iter().map(|text| text.parse().ok()).collect();
    let compiled = match limits.as_deref() {
        Some(&[cpu, memory]) => alone(cpu, memory),
        _ => Err("wanted are seconds and MiB".to_owned()),
    };
    match compiled {
        Ok(()) => 0,
        Err(why) => {
            let _ = writeln!(io::stderr(), "{why}");
            1
        }
    }
}

fn alone(cpu_seconds: u64, memory_mib: u64) -> Result<(), String> {
    let own = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    own(Resource::Core, 0)
        .and_then(|()| own(Resource::Cpu, cpu_seconds))
        .and_then(|()| own(Resource::Data, memory_mib << 20))
        .and_then(|()| own(Resource::Fsize, 0))
        .map_err(|e| format!("its limits cannot be set: {e}"))?;
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component).map_err(|e| format!("the component cannot be read: {e}"))?;
    let code = cofferdam_sandbox::compile(&component)?;
    io::stdout().lock().write_all(&code).map_err(|e| format!("nobody takes the code: {e}"))
}

/// The server's side.
pub(crate) struct Outside {
    program: std::path::PathBuf,
}

impl Outside {
    /// With this very program.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { program: std::env::current_exe()? }))
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .args([COMMAND, &CPU_SECONDS.to_string(), &MEMORY_MIB.to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

impl Compiler for Outside {
    fn compile(&self, component: &[u8]) -> Result<Vec<u8>, String> {
        let mut child = self.start().map_err(|e| format!("its compiler does not start: {e}"))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(mut stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err("its compiler has no pipes".to_owned());
        };
        thread::scope(|scope| {
            // All pipes at once: neither side waits for the other.
            scope.spawn(move || {
                // One that ended early says why on its own.
                let _ = stdin.write_all(component);
            });
            let code = scope.spawn(move || {
                let mut code = Vec::new();
                stdout.read_to_end(&mut code).map(|_| code)
            });
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                let _ = stderr.take(MAX_MESSAGE).read_to_end(&mut said);
                String::from_utf8_lossy(&said).trim().to_owned()
            });
            let ended = wait(&mut child);
            let (code, said) = (code.join(), said.join().unwrap_or_default());
            match (ended, code) {
                (Ok(Some(status)), Ok(Ok(code))) if status.success() => Ok(code),
                (Ok(None), _) => Err("compiling it takes too long".to_owned()),
                (Ok(Some(_)), _) if !said.is_empty() => Err(said),
                (Ok(Some(status)), _) => Err(format!("its compiler was ended: {status}")),
                (Err(e), _) => Err(format!("its compiler is lost: {e}")),
            }
        })
    }
}

/// None: it was killed.
fn wait(child: &mut Child) -> io::Result<Option<std::process::ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}
