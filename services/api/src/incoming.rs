//! Connections: accepted, shaken hands with and counted, one independent of the other.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use rustls_pki_types::CertificateDer;

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::TaskTracker,
};
use tonic::transport::server::Connected;

use crate::{
    Limits,
    tls::{Gate, Peer, Tls},
};

/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open connection whose bearer is known. Gives its place back when it is dropped.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    /// Ready once the caller would be let in no longer.
    shut: Pin<Box<WaitForCancellationFutureOwned>>,
    _entry: Entry,
    _place: OwnedSemaphorePermit,
}

/// A caller's certificate and those between it and its authority, and what shuts its connection.
type Let = (Vec<CertificateDer<'static>>, CancellationToken);

/// The open connections, by number.
#[derive(Clone, Default)]
struct Opened(Arc<Mutex<(u64, BTreeMap<u64, Let>)>>);

impl Opened {
    fn enter(&self, chain: Vec<CertificateDer<'static>>) -> (Entry, CancellationToken) {
        let shut = CancellationToken::new();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, (chain, shut.clone()));
        (Entry { of: self.clone(), number }, shut)
    }

    /// Shuts the connections of callers who would be let in no longer.
    fn shut(&self, gate: &Gate) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = all.1.values().filter(|(chain, _)| !gate.admits(chain));
        let count = gone.inspect(|(_, shut)| shut.cancel()).count();
        tracing::info!(connections.shut = count, "certificates have changed");
    }
}

/// A place in the list of open connections, given back when dropped.
struct Entry {
    of: Opened,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.of.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

/// Accepts connections until `stop`. Handshakes go on beside each other; what fails in one is nobody else's matter. A change of `tls` holds from the next
/// connection, and shuts those of callers whom it no longer admits; one that cannot be used changes nothing.
pub(crate) fn accept(
    listener: TcpListener,
    (mut gate, mut tls): (Gate, watch::Receiver<Tls>),
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
        let opened = Opened::default();
        let mut can_change = true;
        loop {
            let (under_way, stream) = tokio::select! {
                () = stop.cancelled() => return,
                changed = tls.changed(), if can_change => {
                    can_change = changed.is_ok();
                    if can_change {
                        renew(&mut gate, &tls.borrow_and_update(), &opened);
                    }
                    continue;
                }
                next = next(&listener, &handshakes) => match next {
                    Some(next) => next,
                    None => return,
                },
            };
            let (gate, places, accepted) = (gate.clone(), Arc::clone(&places), accepted.clone());
            let (stop, opened) = (stop.clone(), opened.clone());
            tasks.spawn(async move {
                let connection = tokio::select! {
                    () = stop.cancelled() => return,
                    connection = timeout(limit, open(stream, &gate, places, &opened)) => connection,
                };
                drop(under_way);
                match connection {
                    // The receiver is gone only when the server is: then there is nothing to hand over.
                    Ok(Ok(connection)) => drop(accepted.send(Ok(connection)).await),
                    Ok(Err(error)) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was refused");
                    }
                    Err(_) => tracing::debug!("a handshake took too long"),
                }
            });
        }
    });
    incoming
}

fn renew(gate: &mut Gate, tls: &Tls, opened: &Opened) {
    match tls.gate() {
        Ok(changed) => {
            *gate = changed;
            opened.shut(gate);
        }
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the certificates cannot be used; those from before still are"
        ),
    }
}

/// The next connection, once a handshake may begin.
async fn next(listener: &TcpListener, handshakes: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, TcpStream)> {
    // Cannot fail: the semaphore is never closed.
    let under_way = Arc::clone(handshakes).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((under_way, stream)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn open(stream: TcpStream, gate: &Gate, places: Arc<Semaphore>, opened: &Opened) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = gate.acceptor.accept(stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = chain.first().and_then(Peer::of).ok_or_else(|| io::Error::other("the certificate cannot be read"))?;
    let place = places.try_acquire_owned().map_err(|_| io::Error::other("there are too many connections"))?;
    let (entry, shut) = opened.enter(chain.iter().map(|certificate| certificate.clone().into_owned()).collect());
    let shut = Box::pin(shut.cancelled_owned());
    Ok(Connection { stream, peer: Arc::new(peer), shut, _entry: entry, _place: place })
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.shut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
        }
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
