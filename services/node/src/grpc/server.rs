//! The gRPC server: services, health, reflection v1 and v1alpha, TLS where it is configured.

use super::desk::Desk;
use super::node_service::Ops;
use super::refused_layer::RefusedLayer;
use super::trace_layer::TraceLayer;
use crate::boot::BootError;
use lienthong_proto::DESCRIPTORS;
use lienthong_proto::v1::dossier_service_server::DossierServiceServer;
use lienthong_proto::v1::node_service_server::NodeServiceServer;
use lienthong_runtime::Readiness;
use lienthong_runtime::config::GrpcSection;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// Calls in progress on one connection: an integrator's pool, not a flood.
const CALLS_PER_CONNECTION: usize = 1_024;
/// A silent peer is asked after this long whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A server that is set up and not yet serving.
pub(crate) struct Prepared {
    router: Router<
        tower::layer::util::Stack<
            TraceLayer,
            tower::layer::util::Stack<RefusedLayer, tower::layer::util::Identity>,
        >,
    >,
    incoming: TcpIncoming,
}

/// Sets the server up on a bound socket.
pub(crate) async fn prepare(
    config: &GrpcSection,
    listener: TcpListener,
    desk: Desk,
    ops: Ops,
    readiness: &Readiness,
) -> Result<Prepared, BootError> {
    let grpc = |e: &dyn std::fmt::Display| BootError::Grpc(e.to_string());
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(report_health(reporter, readiness.clone(), ops.desk.stop.clone()));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Each version knows itself; it lists the other too.
    let (old, new) =
        (tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET, tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET);
    let v1 = reflection().register_encoded_file_descriptor_set(old).build_v1().map_err(|e| grpc(&e))?;
    let v1alpha =
        reflection().register_encoded_file_descriptor_set(new).build_v1alpha().map_err(|e| grpc(&e))?;
    let mut server = Server::builder();
    if let Some(tls) = tls(config)? {
        server = server.tls_config(tls).map_err(|e| grpc(&e))?;
    }
    let limit = config.max_message_bytes;
    let router = server
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(RefusedLayer)
        .layer(TraceLayer)
        .add_service(DossierServiceServer::new(desk).max_decoding_message_size(limit))
        .add_service(NodeServiceServer::new(ops).max_decoding_message_size(limit))
        .add_service(health)
        .add_service(v1)
        .add_service(v1alpha);
    Ok(Prepared { router, incoming: at_once(listener) })
}

/// Connections on which a small answer leaves at once: behind another it would wait for the caller's system to acknowledge
/// that one, which takes its time, 40 ms. The server's own setting does not reach sockets that it is given.
fn at_once(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

impl Prepared {
    /// Serves until `stop`; then lets calls in progress finish.
    pub(crate) async fn serve(self, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        self.router.serve_with_incoming_shutdown(self.incoming, async move { stop.cancelled().await }).await
    }
}

fn tls(config: &GrpcSection) -> Result<Option<ServerTlsConfig>, BootError> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(None) };
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|source| BootError::Io { attempted: "read a TLS file of [grpc]", source })
    };
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(read(certificate)?, read(key)?));
    if let Some(ca) = &config.tls_client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(read(ca)?));
    }
    Ok(Some(tls))
}

async fn report_health(
    reporter: tonic_health::server::HealthReporter,
    readiness: Readiness,
    stop: CancellationToken,
) {
    loop {
        let ready = readiness.is_ready();
        let status = if ready {
            tonic_health::ServingStatus::Serving
        } else {
            tonic_health::ServingStatus::NotServing
        };
        for service in ["", "lienthong.v1.DossierService", "lienthong.v1.NodeService"] {
            reporter.set_service_status(service, status).await;
        }
        tokio::select! {
            _ = readiness.changed_from(ready) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;
    use tokio_stream::StreamExt;

    #[tokio::test]
    async fn small_answers_leave_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut incoming = at_once(listener);
        let (caller, accepted) = tokio::join!(TcpStream::connect(at), incoming.next());
        assert!(accepted.unwrap().unwrap().nodelay().unwrap());
        drop(caller);
    }
}
