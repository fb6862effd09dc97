//! The operator's paths: which they are, and who may reach them.
//!
//! A service may decode, collapse or clean up a path before it looks at it, so
//! what is compared is what is left after all of that. Of who asks only the
//! connection counts; a header such as `X-Forwarded-For` can be written by
//! anybody.

use std::net::IpAddr;

/// Whether a request's path is one of `operator_paths`, in any spelling that
/// some service takes for the same.
pub fn is_operator_path(path: &str, operator_paths: &[String]) -> bool {
    let wanted = normal(path);
    operator_paths.iter().any(|operator| normal(operator) == wanted)
}

/// Percent-decoded once, in lower case, without empty, `.` and `..` segments,
/// path parameters and a slash at the end.
fn normal(path: &str) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let decoded = decode(path.as_bytes());
    for segment in decoded.split(|byte| *byte == b'/') {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        match name {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            name => segments.push(name.to_ascii_lowercase()),
        }
    }
    segments
}

fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(hexadecimal);
        if let Some(byte) = escaped {
            decoded.push(byte);
            rest = &tail[2..];
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u8::from_str_radix(digits, 16).ok()
}

/// Whether a peer may reach the operator's paths. `local` is the address of
/// this machine to which the peer connected.
pub fn may_operate(rule: &str, peer: IpAddr, local: IpAddr) -> bool {
    match rule {
        "open" => true,
        "host" => is_this_machine(peer.to_canonical(), local.to_canonical()),
        _ => false,
    }
}

/// A machine that talks to one of its own addresses does so from that very
/// address, or from loopback. Nobody else can: the handshake's answer would
/// never reach them.
fn is_this_machine(peer: IpAddr, local: IpAddr) -> bool {
    peer.is_loopback() || peer == local
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::itself("/metrics", true)]
    #[case::escaped("/%6detrics", true)]
    #[case::doubled("//metrics", true)]
    #[case::escaped_slash("/%2Fmetrics", true)]
    #[case::dotted("/./metrics", true)]
    #[case::climbing("/public/../metrics", true)]
    #[case::above_the_root("/../metrics", true)]
    #[case::slash_at_the_end("/metrics/", true)]
    #[case::upper_case("/Metrics", true)]
    #[case::with_parameters("/metrics;v=1", true)]
    #[case::longer("/metricsx", false)]
    #[case::below("/metrics/app", false)]
    #[case::elsewhere("/app/metrics", false)]
    #[case::broken_escape("/%6", false)]
    #[case::signed_escape("/%+6etrics", false)]
    #[case::root("/", false)]
    fn spelling_does_not_matter(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_operator_path(path, &["/metrics".into(), "/chaos".into()]), expected);
    }

    #[rstest]
    #[case::loopback("host", "127.0.0.1", "127.0.0.1", true)]
    #[case::other_loopback("host", "127.8.8.8", "127.0.0.1", true)]
    #[case::loopback_v6("host", "::1", "::1", true)]
    #[case::mapped_loopback("host", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true)]
    #[case::own_address("host", "10.0.0.5", "10.0.0.5", true)]
    #[case::own_address_mapped("host", "::ffff:10.0.0.5", "10.0.0.5", true)]
    #[case::neighbour("host", "10.0.0.6", "10.0.0.5", false)]
    #[case::far("host", "203.0.113.9", "10.0.0.5", false)]
    #[case::closed_to_all("closed", "127.0.0.1", "127.0.0.1", false)]
    #[case::open_to_all("open", "203.0.113.9", "10.0.0.5", true)]
    #[case::unknown_rule("", "127.0.0.1", "127.0.0.1", false)]
    fn the_connection_decides(
        #[case] rule: &str,
        #[case] peer: &str,
        #[case] local: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(may_operate(rule, peer.parse().unwrap(), local.parse().unwrap()), expected);
    }
}
