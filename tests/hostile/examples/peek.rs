//! Tells everything that it can see.

use std::time::SystemTime;

use hostile_guests::bindings::cofferdam::engine::{call, caller};
use hostile_guests::{Attack, Failure, Outcome, Request, Route, route, told};
use serde_json::json;

struct Peek;

impl Attack for Peek {
    const NAME: &'static str = "peek";

    fn routes() -> Vec<Route> {
        vec![route("attack/{how}", None)]
    }

    fn handle(request: &Request) -> Result<Outcome, Failure> {
        let listed = |path: &str| {
            std::fs::read_dir(path)
                .map(|entries| entries.flatten().map(|e| e.path().display().to_string()).collect::<Vec<_>>())
                .map_err(|e| e.to_string())
        };
        let files: Vec<String> = ["/", ".", "/etc", "/proc/self", "/tmp"]
            .into_iter()
            .flat_map(|path| listed(path).unwrap_or_default())
            .collect();
        let read = ["/etc/passwd", "/proc/self/environ", "server.hcl", "data/cofferdam.db"]
            .into_iter()
            .filter(|path| std::fs::read(path).is_ok())
            .collect::<Vec<_>>();
        let written = std::fs::write("/tmp/peek", "x").is_ok() || std::fs::write("peek", "x").is_ok();
        told(json!({
            "request": format!("{request:?}"),
            "mount": format!("{:?}", call::mount()),
            "target": format!("{:?}", call::target()),
            "caller": format!("{:?}", caller::who()),
            "environment": std::env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
            "arguments": std::env::args().collect::<Vec<_>>(),
            "files": files,
            "read": read,
            "written": written,
            "clock_works": SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).is_ok(),
        }))
    }
}

hostile_guests::bindings::export_engine!(Peek with_types_in hostile_guests::bindings);
