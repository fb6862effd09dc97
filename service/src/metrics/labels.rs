//! The values that the labels of a request can have. They are few and known
//! beforehand; what a client makes up is counted together.

use axum::http::Method;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/`, the application.
    Root,
    /// `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// `/chaos`.
    Chaos,
    /// Every other path.
    Other,
}

impl Endpoint {
    /// The endpoint of a request's path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        match path {
            "/" => Self::Root,
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            "/chaos" => Self::Chaos,
            _ => Self::Other,
        }
    }

    /// The value of the label `path`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Health => "/healthz",
            Self::Metrics => "/metrics",
            Self::Chaos => "/chaos",
            Self::Other => "/*",
        }
    }

    /// Whether it is the application that chaos may break. Health, metrics
    /// and chaos itself tell and end what is going on, so they stay whole.
    #[must_use]
    pub const fn is_application(self) -> bool {
        match self {
            Self::Root | Self::Other => true,
            Self::Health | Self::Metrics | Self::Chaos => false,
        }
    }
}

/// The value of the label `method`; `other` for methods that HTTP does not
/// define.
#[must_use]
pub fn method_label(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::HEAD, "HEAD"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::CONNECT, "CONNECT"),
        (Method::TRACE, "TRACE"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("other", |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/", "/")]
    #[case("/healthz", "/healthz")]
    #[case("/metrics", "/metrics")]
    #[case("/chaos", "/chaos")]
    #[case("/healthz/", "/*")]
    #[case("//", "/*")]
    #[case("*", "/*")]
    #[case("/a\"b", "/*")]
    fn paths_are_counted_under_a_fixed_set_of_labels(#[case] path: &str, #[case] label: &str) {
        assert_eq!(Endpoint::of(path).label(), label);
    }

    #[rstest]
    #[case("GET", "GET")]
    #[case("TRACE", "TRACE")]
    #[case("BREW", "other")]
    #[case("get", "other")]
    fn methods_are_counted_under_a_fixed_set_of_labels(#[case] method: &str, #[case] label: &str) {
        assert_eq!(method_label(&Method::from_bytes(method.as_bytes()).unwrap()), label);
    }
}
