//! Three nats-servers as one cluster, so that one of them may be away.

use std::path::Path;

use lienthong_link::server::{NatsServer, StartOptions};

use crate::broker::options;
use crate::monitor::Monitor;
use crate::ports::Port;

/// The three servers and what each tells.
#[derive(Debug)]
pub struct Trio {
    /// The servers.
    pub servers: [NatsServer; 3],
    /// Their monitors, in the same order.
    pub monitors: [Monitor; 3],
    _routes: [Port; 3],
}

impl Trio {
    /// Starts them below `dir`. `None` when there is no nats-server, which is told.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn start(dir: &Path) -> Option<Self> {
        let routes = [Port::take(), Port::take(), Port::take()];
        let clients = [Port::take(), Port::take(), Port::take()];
        let monitors = [Monitor::take(), Monitor::take(), Monitor::take()];
        let all: Vec<String> = routes.iter().map(|p| format!("\"nats://127.0.0.1:{}\"", p.number)).collect();
        let mut options = [0, 1, 2].map(|n| options(&dir.join(format!("nats-{n}")))).into_iter();
        let mut with_cluster = |n: usize| -> Option<StartOptions> {
            let options = options.next()??;
            let own = format!(
                "{}server_name: \"n{n}\"\ncluster {{ name: lt, listen: \"127.0.0.1:{}\", routes: [ {} ] }}\n",
                monitors[n].config(),
                routes[n].number,
                all.join(", "),
            );
            Some(StartOptions { port: Some(clients[n].number), extra_config: own, ..options })
        };
        let (a, b, c) = (with_cluster(0)?, with_cluster(1)?, with_cluster(2)?);
        // Side by side: none has JetStream before two of them are there.
        let started = tokio::try_join!(NatsServer::start(a), NatsServer::start(b), NatsServer::start(c));
        let (a, b, c) = started.expect("three nats-servers start");
        Some(Self { servers: [a, b, c], monitors, _routes: routes })
    }

    /// All three, as a node is configured with them.
    pub fn url(&self) -> String {
        self.servers.each_ref().map(NatsServer::url).join(",")
    }
}
