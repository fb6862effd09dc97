//! Health checks of the proxy and the policy engine: commands that ask the
//! very process beside them and nothing behind it. A service that is down
//! leaves nginx healthy, and a policy that denies leaves OPA healthy.

use std::time::Duration;

use crate::domain::Routes;
use crate::domain::stack::HealthSpec;

/// Time between two checks. One takes the engine about 80 ms of one processor
/// (measured with Engine 20.10), so the two cost about 3 % of one.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest time of one check, with what a busy engine takes to begin it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer, so that a check ends with words of its own.
const ANSWER_SECONDS: u64 = 3;
/// Failures in a row that count: a look from outside tells at once, and one
/// check that failed on a busy machine means nothing.
const RETRIES: u32 = 3;
/// Failures so soon after the start do not count.
const START_PERIOD: Duration = Duration::from_secs(10);

/// nginx answers the marker itself. The official images have a shell and curl
/// (Debian) or busybox' wget (Alpine), which not every busybox lets give up by
/// itself. 127 is a shell's word for "there is no
/// such program": by it the runtime learns that the image cannot be asked so.
pub(super) fn proxy(port: u16) -> HealthSpec {
    let url = format!("http://127.0.0.1:{port}{}", Routes::MARKER_PATH);
    // Never through a proxy that the environment may name.
    let script = format!(
        "unset http_proxy; \
         if command -v curl >/dev/null; \
         then exec curl -sSf --noproxy '*' -m {ANSWER_SECONDS} -o /dev/null {url}; fi; \
         if command -v wget >/dev/null; \
         then exec timeout {ANSWER_SECONDS} wget -q -O /dev/null {url}; fi; \
         echo 'neither curl nor wget is in this image'; exit 127"
    );
    check(["sh", "-c", &script])
}

/// OPA's image has no shell, but OPA itself can ask: 20 ms and 30 MB, which a
/// limit of its memory would have to allow for. `= 200` and not `== 200`: the
/// value `false` is a result as good as another, only none makes it fail.
pub(super) fn policy(port: u16) -> HealthSpec {
    let query = format!(
        r#"http.send({{"method": "get", "url": "http://127.0.0.1:{port}/health"}}).status_code = 200"#
    );
    let timeout = format!("{ANSWER_SECONDS}s");
    check([
        "/opa",
        "eval",
        "--fail",
        // With the reason of a failure in the place of "undefined".
        "--strict-builtin-errors",
        "--timeout",
        &timeout,
        "--format",
        "pretty",
        &query,
    ])
}

fn check<const N: usize>(command: [&str; N]) -> HealthSpec {
    HealthSpec {
        command: command.map(str::to_owned).into(),
        interval: INTERVAL,
        timeout: TIMEOUT,
        retries: RETRIES,
        start_period: START_PERIOD,
    }
}
