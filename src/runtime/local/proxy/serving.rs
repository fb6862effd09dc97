//! A configuration in force: the shares planned, a client with kept
//! connections for each upstream. Never changed, only replaced as a whole.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use axum_reverse_proxy::{HostBehaviour, ProxyPolicy, ReverseProxy, XForwardedFor, proxy_request_on_stream};
use tokio::net::TcpStream;

use super::balance::Balance;
use super::config::ProxyConfig;
use crate::domain::Slot;

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What the proxy serves.
pub struct Serving {
    pub config: ProxyConfig,
    balance: Balance,
    upstreams: BTreeMap<Slot, Upstream>,
}

/// Where a slot listens.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    policy: ProxyPolicy,
    /// The client's type belongs to a crate that we do not depend on.
    client: Arc<dyn Fn(Request) -> Answering + Send + Sync>,
}

impl Serving {
    /// Makes a configuration ready. An upstream that `old` knows already keeps
    /// its connections.
    pub fn new(config: ProxyConfig, old: Option<&Self>) -> Self {
        let limit = Duration::from_millis(config.rules.timeout_ms);
        let upstreams = config
            .upstreams
            .iter()
            .map(|(slot, address)| {
                let known = old
                    .filter(|old| old.config.rules.timeout_ms == config.rules.timeout_ms)
                    .and_then(|old| old.upstreams.values().find(|upstream| upstream.address == *address));
                (*slot, known.cloned().unwrap_or_else(|| Upstream::new(*address, limit)))
            })
            .collect();
        Self { balance: Balance::new(&config.routes.shares), config, upstreams }
    }

    /// The slot for the next request.
    pub fn pick(&self) -> Option<Slot> {
        self.balance.pick()
    }

    /// Where a slot listens, if it does.
    pub fn upstream(&self, slot: Slot) -> Option<&Upstream> {
        self.upstreams.get(&slot)
    }
}

impl Upstream {
    fn new(address: SocketAddr, limit: Duration) -> Self {
        let policy = ProxyPolicy::new()
            .with_host_behaviour(HostBehaviour::Preserve)
            // Ours are stricter, see `headers`.
            .with_x_forwarded_for(XForwardedFor::Preserve)
            .with_websocket_connect_timeout(limit);
        let proxy = ReverseProxy::new("/", format!("http://{address}")).with_policy(policy.clone());
        let client = Arc::new(move |request| -> Answering {
            let proxy = proxy.clone();
            Box::pin(async move {
                let Ok(response) = proxy.proxy_request(request).await;
                response
            })
        });
        Self { address, policy, client }
    }

    /// Forwards a request, over a kept connection if there is one.
    pub async fn send(&self, request: Request) -> Response {
        (self.client)(request).await
    }

    /// Forwards a request over a connection made for it; gives it back unsent
    /// when there is no connection to be had.
    pub async fn send_fresh(&self, request: Request) -> Result<Response, Request> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://{}{path}", self.address).parse::<Uri>();
        let (Ok(uri), Ok(stream)) = (uri, TcpStream::connect(self.address).await) else {
            return Err(request);
        };
        // Small requests go out at once; without it they only come later.
        let _ = stream.set_nodelay(true);
        let Ok(response) = proxy_request_on_stream(uri, request, stream, &self.policy).await;
        Ok(response)
    }
}
