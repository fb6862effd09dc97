//! A request's way through the proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State};
use axum::http::header::UPGRADE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Version};
use axum::response::Response;
use axum::serve::IncomingStream;
use axum_reverse_proxy::{ProxyError as Failure, TunnelGuard};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::access_log::{AccessLog, Entry, Sending};
use super::answer::{Told, marker, problem};
use super::download::watched;
use super::headers::{complete_request, complete_response};
use super::operator::{is_operator_path, may_operate};
use super::serving::{Serving, Upstream};
use super::upload::Upload;
use crate::clock::SharedClock;
use crate::domain::{Routes, Slot};

/// Both ends of a client's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    peer: IpAddr,
    local: IpAddr,
}

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        // A response in pieces must not wait for the client's acknowledgements.
        let _ = stream.io().set_nodelay(true);
        let peer = stream.remote_addr().ip();
        // Unknown counts as somebody else's.
        let local = stream.io().local_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
        Self { peer, local }
    }
}

/// What every request needs.
#[derive(Clone)]
pub struct Gateway {
    routes: watch::Receiver<Arc<Serving>>,
    log: AccessLog,
    clock: SharedClock,
}

/// Answers a request.
pub async fn handle(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    // Asked for often and by nobody but us: it stays out of the log, as in the
    // generated nginx configuration.
    if request.uri().path() == Routes::MARKER_PATH {
        let told = may_operate("host", peer.peer, peer.local).then(|| gateway.told());
        let mut response = marker(&gateway.serving().config.routes.generation, told.as_ref());
        complete_response(response.headers_mut());
        return response;
    }
    let entry = gateway.log.enter(&request, &gateway.clock);
    let mut response = gateway.answer(peer, request, &entry).await;
    complete_response(response.headers_mut());
    // The service's protocol version says nothing about this connection.
    *response.version_mut() = Version::HTTP_11;
    entry.answered(response.status());
    response
}

impl Gateway {
    pub const fn new(routes: watch::Receiver<Arc<Serving>>, log: AccessLog, clock: SharedClock) -> Self {
        Self { routes, log, clock }
    }

    /// The configuration in force now.
    fn serving(&self) -> Arc<Serving> {
        self.routes.borrow().clone()
    }

    fn told(&self) -> Told {
        let now = self.clock.instant();
        Told {
            account: self.log.account(),
            waiting: self.log.waiting().now(now),
            under_way: self.log.under_way().now(now),
        }
    }

    async fn answer(&self, peer: Peer, mut request: Request, entry: &Arc<Entry>) -> Response {
        let serving = self.serving();
        let rules = &serving.config.rules;
        if request.method() == Method::CONNECT {
            return problem(StatusCode::NOT_IMPLEMENTED, rules);
        }
        if is_operator_path(request.uri().path(), &rules.operator_paths)
            && !may_operate(&rules.operator, peer.peer, peer.local)
        {
            return problem(StatusCode::FORBIDDEN, rules);
        }
        let Some(slot) = serving.pick() else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, rules);
        };
        entry.is_for(slot);
        if serving.upstream(slot).is_none() {
            entry.unanswered_by(slot, None);
        }
        let Some(upstream) = serving.upstream(slot).or_else(|| serving.upstream(slot.other())) else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, rules);
        };
        complete_request(request.headers_mut(), peer.peer);

        let (parts, body) = request.into_parts();
        let upload = Upload::new(self.clock.clone());
        let sends = !body.is_end_stream();
        let body = if sends {
            upload.watch(body, Sending(Arc::clone(entry)))
        } else {
            entry.waits();
            body
        };
        let way = Way { gateway: self, slot, upstream, entry };
        let answering = way.pass(Request::from_parts(parts, body));
        let limit = Duration::from_millis(rules.timeout_ms);
        match upload.wait(answering, limit).await {
            None => {
                entry.unanswered_by(slot, Some(upstream.address));
                problem(StatusCode::GATEWAY_TIMEOUT, rules)
            }
            Some(Ok(response)) => {
                if response.status().is_server_error() {
                    entry.fails(slot);
                }
                watched(response, entry, limit, sends.then_some(upload))
            }
            Some(Err(_)) if upload.broke() => {
                entry.is_the_clients_fault();
                problem(StatusCode::BAD_REQUEST, rules)
            }
            Some(Err(status)) => problem(status, rules),
        }
    }
}

/// The way of one request to the service. A second try is made only where
/// nothing was sent, or where sending twice does no harm.
struct Way<'a> {
    gateway: &'a Gateway,
    slot: Slot,
    upstream: &'a Upstream,
    entry: &'a Arc<Entry>,
}

impl Way<'_> {
    /// An error is a status that the proxy answers by itself.
    async fn pass(&self, request: Request) -> Result<Response, StatusCode> {
        let (parts, body) = request.into_parts();
        let may_repeat =
            body.is_end_stream() && parts.method.is_idempotent() && !parts.headers.contains_key(UPGRADE);
        if may_repeat {
            self.pass_repeatable(parts).await
        } else {
            self.pass_once(Request::from_parts(parts, body)).await
        }
    }

    /// Over a kept connection. The service may be closing it at this very
    /// moment, so a failure is followed by a connection made for the request.
    async fn pass_repeatable(&self, parts: Parts) -> Result<Response, StatusCode> {
        let again = parts.clone();
        let response = self.upstream.send(self.watched(parts, Body::empty(), self.upstream)).await;
        let Some(failure) = response.extensions().get::<Failure>() else {
            return Ok(response);
        };
        let second = if failure.is_connect() {
            self.gives_no_answer();
            self.stand_in()
        } else {
            Some(self.upstream.clone())
        };
        let second = second.ok_or(StatusCode::BAD_GATEWAY)?;
        let answer = second.send_fresh(self.watched(again, Body::empty(), &second)).await;
        self.settled(answer.map_err(|_| StatusCode::BAD_GATEWAY))
    }

    /// What must not be sent twice never goes over a kept connection.
    async fn pass_once(&self, request: Request) -> Result<Response, StatusCode> {
        let (parts, body) = request.into_parts();
        let unsent = match self.upstream.send_fresh(self.watched(parts, body, self.upstream)).await {
            Ok(response) => return self.settled(Ok(response)),
            Err(unsent) => unsent,
        };
        self.gives_no_answer();
        let second = self.stand_in().ok_or(StatusCode::BAD_GATEWAY)?;
        let (parts, body) = unsent.into_parts();
        let answer = second.send_fresh(self.watched(parts, body, &second)).await;
        self.settled(answer.map_err(|_| StatusCode::BAD_GATEWAY))
    }

    /// An answer of the service, or why there is none, which is noted: of two
    /// tries the first is the slot's own, and the second decides.
    fn settled(&self, answer: Result<Response, StatusCode>) -> Result<Response, StatusCode> {
        let answer = answer.and_then(|response| match response.extensions().get::<Failure>() {
            None => Ok(response),
            Some(_) => Err(response.status()),
        });
        if answer.is_err() {
            self.gives_no_answer();
        }
        answer
    }

    /// The slot that was picked did not answer, whoever does in its place.
    fn gives_no_answer(&self) {
        self.entry.unanswered_by(self.slot, Some(self.upstream.address));
    }

    /// Who takes over a request that could not be delivered: the slot where it
    /// is by now, else the other slot if it has a share.
    fn stand_in(&self) -> Option<Upstream> {
        let now = self.gateway.serving();
        [self.slot, self.slot.other()]
            .into_iter()
            .filter(|slot| now.config.routes.percent(*slot) > 0)
            .filter_map(|slot| now.upstream(slot))
            .find(|upstream| upstream.address != self.upstream.address)
            .cloned()
    }

    /// A request whose log entry stays open until the last byte of the answer
    /// has gone, or the tunnel has closed.
    fn watched(&self, parts: Parts, body: Body, to: &Upstream) -> Request {
        self.entry.goes_to(to.address);
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(TunnelGuard::new(Arc::clone(self.entry)));
        request
    }
}

/// For logs.
pub fn address_text(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "-".into(), |address| address.to_string())
}
