//! A wire on which the hosts of the catalog are the sandbox, and nobody else is there.
//!
//! Why: a test or a demo that could reach a real provider would one day. The real name stays in `Host`.
//! Not here: the sandbox itself, limits, retries.

use std::net::SocketAddr;

use tradewind_catalog::Catalog;
use tradewind_catalog::host::HostName;
use tradewind_host::egress::{
    BoxFuture, DirectEgress, Egress, EgressError, HeaderValue, Request, Response, header,
};
use tradewind_host::socket::Socket;

/// Sends requests for hosts of the catalog to a sandbox and holds all others back.
#[derive(Clone, Debug)]
pub struct Detour {
    to: SocketAddr,
    direct: DirectEgress,
}

impl Detour {
    /// Leads to the sandbox at `to`.
    ///
    /// # Errors
    /// [`EgressError::Client`] when no client can be built.
    pub fn new(to: SocketAddr) -> Result<Self, EgressError> {
        Ok(Self {
            to,
            direct: DirectEgress::loopback()?,
        })
    }

    fn led(&self, mut request: Request) -> Result<Request, EgressError> {
        let held = |host: &str, reason: &str| EgressError::Held {
            host: host.to_owned(),
            reason: reason.to_owned(),
            retry_after: None,
        };
        let name = request.url.host_str().unwrap_or_default().to_owned();
        let known = HostName::parse(&name).filter(|name| {
            let mut providers = Catalog::builtin_shared().providers();
            providers.any(|provider| provider.host_of(name).is_some())
        });
        if known.is_none() {
            return Err(held(&name, "no provider of the catalog has this host"));
        }
        let host = HeaderValue::from_str(&name)
            .map_err(|_not_ascii| held(&name, "the name does not fit a header"))?;
        let scheme = if request.url.scheme() == "wss" {
            "ws"
        } else {
            "http"
        };
        let whole = request
            .url
            .set_scheme(scheme)
            .and_then(|()| request.url.set_ip_host(self.to.ip()))
            .and_then(|()| request.url.set_port(Some(self.to.port())));
        whole.map_err(|()| held(&name, "the address cannot be changed"))?;
        request.headers.insert(header::HOST, host);
        Ok(request)
    }
}

impl Egress for Detour {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, EgressError>> {
        Box::pin(async move { self.direct.send(self.led(request)?).await })
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Socket, EgressError>> {
        Box::pin(async move { self.direct.open(self.led(request)?).await })
    }
}
