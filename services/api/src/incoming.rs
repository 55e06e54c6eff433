//! Connections: accepted, shaken hands with and counted, one independent of the other.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::transport::server::Connected;

use crate::{Limits, tls::Peer};

/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open connection whose bearer is known. Gives its place back when it is dropped.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    _place: OwnedSemaphorePermit,
}

/// Accepts connections until `stop`. Handshakes go on beside each other; what fails in one is nobody else's matter.
pub(crate) fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    limits: &Limits,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> mpsc::Receiver<io::Result<Connection>> {
    let (accepted, incoming) = mpsc::channel(1);
    let handshakes = Arc::new(Semaphore::new(limits.handshakes_max));
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let limit = Duration::from_millis(limits.handshake_timeout_ms);
    let tasks = tracker.clone();
    tracker.spawn(async move {
        let ends = stop.clone();
        let accepting = async {
            // Cannot fail: the semaphore is never closed.
            while let Ok(under_way) = Arc::clone(&handshakes).acquire_owned().await {
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let (acceptor, places, accepted) = (acceptor.clone(), Arc::clone(&places), accepted.clone());
                let stop = stop.clone();
                tasks.spawn(async move {
                    let opened = tokio::select! {
                        () = stop.cancelled() => return,
                        opened = timeout(limit, open(stream, &acceptor, places)) => opened,
                    };
                    drop(under_way);
                    match opened {
                        // The receiver is gone only when the server is: then there is nothing to hand over.
                        Ok(Ok(connection)) => drop(accepted.send(Ok(connection)).await),
                        Ok(Err(error)) => {
                            tracing::debug!(error = &error as &dyn std::error::Error, "a connection was refused");
                        }
                        Err(_) => tracing::debug!("a handshake took too long"),
                    }
                });
            }
        };
        tokio::select! {
            () = ends.cancelled() => {}
            () = accepting => {}
        }
    });
    incoming
}

async fn open(stream: TcpStream, acceptor: &TlsAcceptor, places: Arc<Semaphore>) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = certificate.and_then(Peer::of).ok_or_else(|| io::Error::other("the certificate cannot be read"))?;
    let place = places.try_acquire_owned().map_err(|_| io::Error::other("there are too many connections"))?;
    Ok(Connection { stream, peer: Arc::new(peer), _place: place })
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
