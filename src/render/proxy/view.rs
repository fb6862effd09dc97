//! What the template of nginx' configuration is filled with.

use serde::Serialize;
use serde_json::json;

use super::super::{GENERATED, safe};
use super::{Duration, Manifest, OperatorAccess, ProxyAbilities, RenderError, Routes, operator_paths, stack};
use crate::domain::{Share, Slot};
use crate::manifest::Split as SplitBy;
use crate::runtime::{KEPT_OVER_RELOAD, LONGEST_REQUEST, SlotServer, SlotServers};

/// Longest wait for a connection while another slot can take over. A slot on
/// the same host accepts within a millisecond or not at all. Short, because a
/// request that waits while nginx learns that the slot's name is gone cannot
/// be handed over any more (measured with 1.28.3).
const TAKEOVER_TIMEOUT: Duration = Duration::from_millis(500);

/// Every value of the template.
#[derive(Serialize)]
pub(super) struct View {
    generated: &'static str,
    generation: String,
    marker_path: &'static str,
    shutdown_timeout: String,
    connect_timeout: String,
    proxy_timeout: String,
    /// How long a reload keeps idle client connections, where nginx can.
    keepalive_min_timeout: Option<String>,
    resolve: bool,
    upstreams: Vec<Upstream>,
    split: Option<Split>,
    /// What `proxy_pass` names; none while nothing runs.
    target: Option<String>,
    /// Whose answers these are, in the log of errors: a slot's, or those of
    /// several together.
    server_name: String,
    /// The regular expression of a request that is cut in the log of failures.
    long_request: String,
    operator: Operator,
    port: u16,
    ipv6: bool,
    errors: Vec<ErrorPage>,
    /// The answer while nothing runs.
    idle: String,
}

/// A group of servers: the slot that serves, and who stands in for it.
#[derive(Serialize)]
struct Upstream {
    name: String,
    server: String,
    backup: Option<String>,
}

/// How requests are spread over more than one slot.
#[derive(Serialize)]
struct Split {
    key: &'static str,
    cookie: bool,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    /// A percentage, or `*` for the rest.
    part: String,
    upstream: String,
}

/// Who may reach the operator's paths.
#[derive(Serialize)]
struct Operator {
    /// As regular expressions; empty when everybody may.
    paths: Vec<String>,
    /// Whether the host itself may; otherwise nobody.
    host: bool,
    /// Whether the host is known by the gateway of a bridge network.
    bridge: bool,
    /// The answer for everybody else.
    forbidden: String,
}

#[derive(Serialize)]
struct ErrorPage {
    code: u16,
    body: String,
}

impl View {
    pub fn new(
        manifest: &Manifest,
        routes: &Routes,
        abilities: ProxyAbilities,
        servers: &SlotServers,
    ) -> Result<Self, RenderError> {
        safe::name("services.name", &manifest.services.name)?;
        safe::text("contact", &manifest.contact)?;
        let generation = safe::name("the generation", &routes.generation)?.to_owned();
        let shares = checked_shares(routes)?;
        let split = (shares.len() > 1).then(|| Split::new(manifest.canary.split, &shares));
        let target = match (&split, shares.first()) {
            (Some(_), _) => Some("$swiftdeploy_upstream".to_owned()),
            (None, Some(share)) => Some(upstream_name(share.slot)),
            (None, None) => None,
        };
        let server_name = match shares.as_slice() {
            [] => "_".to_owned(),
            [share] => upstream_name(share.slot),
            _ => "swiftdeploy_slots".to_owned(),
        };
        let error = |code, text| error_body(manifest, code, text);
        let errors = [(502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")];
        Ok(Self {
            generated: GENERATED,
            generation,
            marker_path: Routes::MARKER_PATH,
            shutdown_timeout: nginx_time(super::shutdown_timeout(manifest)),
            connect_timeout: nginx_time(connect_timeout(manifest, &shares)),
            proxy_timeout: nginx_time(manifest.nginx.proxy_timeout),
            keepalive_min_timeout: abilities.keepalive_min_timeout.then(|| nginx_time(KEPT_OVER_RELOAD)),
            resolve: abilities.resolve,
            upstreams: upstreams(manifest, &shares, servers)?,
            split,
            target,
            server_name,
            long_request: format!("~^(?<swiftdeploy_beginning>.{{{LONGEST_REQUEST}}})."),
            operator: Operator::new(manifest, abilities)?,
            port: manifest.nginx.port,
            ipv6: manifest.nginx.bind.is_ipv6(),
            errors: errors.map(|(code, text)| ErrorPage { code, body: error(code, text) }).into(),
            idle: error(503, "Service Unavailable: no release is running"),
        })
    }
}

/// The slots with traffic; each is the other's backup.
fn upstreams(
    manifest: &Manifest,
    shares: &[Share],
    servers: &SlotServers,
) -> Result<Vec<Upstream>, RenderError> {
    let server = |slot| match servers.get(&slot) {
        Some(SlotServer { service, port }) => {
            safe::name("the service of a slot", service).map(|service| format!("{service}:{port}"))
        }
        None => Ok(format!("{}:{}", stack::app_service(manifest, slot), manifest.services.port)),
    };
    let upstream = |share: &Share| {
        let other = shares.iter().find(|other| other.slot != share.slot);
        Ok(Upstream {
            name: upstream_name(share.slot),
            server: server(share.slot)?,
            backup: other.map(|other| server(other.slot)).transpose()?,
        })
    };
    shares.iter().map(upstream).collect()
}

impl Split {
    fn new(by: SplitBy, shares: &[Share]) -> Self {
        let last = shares.len().saturating_sub(1);
        let parts = shares.iter().enumerate().map(|(position, share)| Part {
            part: if position == last { "*".to_owned() } else { format!("{}%", share.percent) },
            upstream: upstream_name(share.slot),
        });
        Self {
            key: match by {
                SplitBy::Request => "$request_id",
                SplitBy::Cookie => "$swiftdeploy_client",
                SplitBy::Ip => "$remote_addr",
            },
            cookie: by == SplitBy::Cookie,
            parts: parts.collect(),
        }
    }
}

impl Operator {
    fn new(manifest: &Manifest, abilities: ProxyAbilities) -> Result<Self, RenderError> {
        // Callers by IPv6 come through the engine's own userland proxy, which
        // hides their addresses; on the loopback address only the host calls.
        let bind = manifest.nginx.bind;
        let hides = abilities.hides_client_addresses || (bind.is_ipv6() && !bind.is_loopback());
        let access = manifest.nginx.operator;
        let host = access == OperatorAccess::Host && !hides;
        let text = if host { "Forbidden: only for the host itself" } else { "Forbidden: closed" };
        let paths = match access {
            OperatorAccess::Open => Vec::new(),
            OperatorAccess::Host | OperatorAccess::Closed => operator_paths(manifest)
                .into_iter()
                .map(|path| safe::url_path("metrics.path", path).map(as_regex))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            paths,
            host,
            // The gateway of another kind of network may be a router, behind
            // which anybody can be.
            bridge: manifest.network.driver_type == "bridge",
            forbidden: error_body(manifest, 403, text),
        })
    }
}

/// A checked path as a regular expression, without its final slash.
fn as_regex(path: &str) -> String {
    path.trim_end_matches('/').replace('.', r"\.")
}

fn upstream_name(slot: Slot) -> String {
    format!("swiftdeploy_{slot}")
}

/// The shares in the fixed order of the slots, if they make sense.
fn checked_shares(routes: &Routes) -> Result<Vec<Share>, RenderError> {
    let refuse = |reason: String| Err(RenderError::Routes { generation: routes.generation.clone(), reason });
    let mut shares = routes.shares.clone();
    shares.sort_by_key(|share| share.slot);
    if let Some(pair) = shares.windows(2).find(|pair| pair[0].slot == pair[1].slot) {
        return refuse(format!("slot {} has two shares", pair[0].slot));
    }
    if let Some(share) = shares.iter().find(|share| share.percent == 0) {
        return refuse(format!("slot {} has a share of 0 percent", share.slot));
    }
    let sum: u32 = shares.iter().map(|share| u32::from(share.percent)).sum();
    if !shares.is_empty() && sum != 100 {
        return refuse(format!("its shares add up to {sum} percent"));
    }
    Ok(shares)
}

/// The JSON body of an error. Its values have passed [`safe::text`], so it
/// holds nothing that ends a single-quoted string.
fn error_body(manifest: &Manifest, code: u16, text: &str) -> String {
    let service = &manifest.services.name;
    let contact = &manifest.contact;
    // Written out, since the order of the keys is part of the promise.
    format!(
        r#"{{"error":{},"code":{code},"service":{},"contact":{}}}"#,
        json!(text),
        json!(service),
        json!(contact)
    )
}

/// How long to wait for a connection. Where another slot can take over, a slot
/// that is gone (its address answers nothing, not even a refusal) is given up
/// in time for the second try.
fn connect_timeout(manifest: &Manifest, shares: &[Share]) -> Duration {
    let limit = manifest.nginx.proxy_timeout;
    if shares.len() > 1 { limit.min(TAKEOVER_TIMEOUT) } else { limit }
}

/// A duration as nginx reads it: whole seconds, or milliseconds.
fn nginx_time(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn routes(shares: &[(Slot, u8)]) -> Routes {
        let shares = shares.iter().map(|&(slot, percent)| Share { slot, percent }).collect();
        Routes { generation: "g-1".into(), shares }
    }

    #[rstest]
    #[case::too_little(&[(Slot::Blue, 90)], "its shares add up to 90 percent")]
    #[case::too_much(&[(Slot::Blue, 90), (Slot::Green, 90)], "its shares add up to 180 percent")]
    #[case::twice(&[(Slot::Green, 50), (Slot::Green, 50)], "slot green has two shares")]
    #[case::nothing(&[(Slot::Blue, 100), (Slot::Green, 0)], "slot green has a share of 0 percent")]
    fn shares_that_make_no_sense_are_refused(#[case] shares: &[(Slot, u8)], #[case] reason: &str) {
        let error = checked_shares(&routes(shares)).unwrap_err();
        assert_eq!(error.to_string(), format!("the routing state g-1 cannot be used: {reason}"));
    }

    #[test]
    fn shares_stand_in_the_order_of_the_slots_whatever_order_they_came_in() {
        let one = checked_shares(&routes(&[(Slot::Green, 10), (Slot::Blue, 90)])).unwrap();
        let other = checked_shares(&routes(&[(Slot::Blue, 90), (Slot::Green, 10)])).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.first().map(|share| share.slot), Some(Slot::Blue));
    }

    #[rstest]
    #[case(Duration::from_secs(30), "30s")]
    #[case(Duration::from_millis(1500), "1500ms")]
    #[case(Duration::from_mins(5), "300s")]
    fn durations_are_written_as_nginx_reads_them(#[case] duration: Duration, #[case] expected: &str) {
        assert_eq!(nginx_time(duration), expected);
    }

    #[test]
    fn path_becomes_a_pattern_of_itself() {
        assert_eq!(as_regex("/internal/metrics.txt/"), r"/internal/metrics\.txt");
    }
}
