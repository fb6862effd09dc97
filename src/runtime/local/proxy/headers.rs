//! What the proxy tells the service about a request, and clients about itself.

use std::net::IpAddr;

use axum::http::header::{EXPECT, HOST, HeaderMap, HeaderName, HeaderValue};

use crate::runtime::local::record::unique;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const DEPLOYED_BY: HeaderName = HeaderName::from_static("x-deployed-by");
/// Some services take it for the variable `HTTP_PROXY` and obey it.
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// Longest request id that is taken over from a client.
const REQUEST_ID_LIMIT: usize = 128;

/// Completes a request's headers, as the generated nginx configuration does.
/// What a client says about the host and its own address is replaced; its chain
/// of addresses is continued, and its word on the protocol is taken, since
/// something before this proxy may have ended TLS.
pub fn complete_request(headers: &mut HeaderMap, peer: IpAddr) {
    let mut chain: Vec<u8> = Vec::new();
    for value in headers.get_all(FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    let peer = peer.to_canonical().to_string();
    chain.extend_from_slice(peer.as_bytes());
    for (name, value) in [(FORWARDED_FOR, chain), (REAL_IP, peer.into_bytes())] {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.insert(name, value);
        }
    }
    if !headers.get(FORWARDED_PROTO).is_some_and(|proto| proto == "http" || proto == "https") {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    match headers.get(HOST).cloned() {
        Some(host) => headers.insert(FORWARDED_HOST, host),
        None => headers.remove(FORWARDED_HOST),
    };
    if !headers.get(REQUEST_ID).is_some_and(is_sound_id)
        && let Ok(id) = HeaderValue::from_str(&unique())
    {
        headers.insert(REQUEST_ID, id);
    }
    // Answered here, when the body is first read.
    headers.remove(EXPECT);
    headers.remove(PROXY);
}

/// Marks a response as ours.
pub fn complete_response(headers: &mut HeaderMap) {
    headers.insert(DEPLOYED_BY, HeaderValue::from_static("swiftdeploy"));
}

/// An id that can be written into any log.
fn is_sound_id(id: &HeaderValue) -> bool {
    (1..=REQUEST_ID_LIMIT).contains(&id.len())
        && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(given: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        complete_request(&mut headers, "192.0.2.7".parse().unwrap());
        headers
    }

    #[test]
    fn the_chain_of_addresses_is_continued() {
        let headers = completed(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "10.0.0.1")]);
        assert_eq!(headers["x-forwarded-for"], "198.51.100.1, 10.0.0.1, 192.0.2.7");
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    }

    #[test]
    fn a_client_cannot_claim_another_host_or_address() {
        let headers = completed(&[
            ("host", "shop.example"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-host", "evil.example"),
            ("proxy", "evil.example"),
        ]);
        assert_eq!(headers["x-real-ip"], "192.0.2.7");
        assert!(!headers.contains_key("proxy"));
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers["host"], "shop.example");
        assert!(!completed(&[("x-forwarded-host", "evil.example")]).contains_key("x-forwarded-host"));
    }

    #[test]
    fn the_protocol_is_one_of_two_words() {
        assert_eq!(completed(&[])["x-forwarded-proto"], "http");
        assert_eq!(completed(&[("x-forwarded-proto", "https")])["x-forwarded-proto"], "https");
        assert_eq!(completed(&[("x-forwarded-proto", "gopher")])["x-forwarded-proto"], "http");
    }

    #[test]
    fn a_request_keeps_a_sound_id_and_otherwise_gets_one() {
        assert_eq!(completed(&[("x-request-id", "abc-1")])["x-request-id"], "abc-1");
        let (first, second) = (completed(&[]), completed(&[("x-request-id", "two words")]));
        assert_eq!(first["x-request-id"].len(), 32);
        assert_ne!(first["x-request-id"], second["x-request-id"]);
    }
}
