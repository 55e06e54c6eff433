//! Connections: accepted, shaken hands with and counted, one independent of the other.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use model::ConsumerId;
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
    measure::{self, OpenConnection},
    shared::Shared,
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
    _open: OpenConnection,
}

/// A connection that was let in.
struct Let {
    /// The caller's certificate and those between it and its authority.
    chain: Vec<CertificateDer<'static>>,
    /// For whom it speaks; those whom no agreement names are one.
    consumer: Option<ConsumerId>,
    shut: CancellationToken,
}

/// The open connections, by number.
#[derive(Clone, Default)]
struct Opened(Arc<Mutex<(u64, BTreeMap<u64, Let>)>>);

impl Opened {
    /// None: the consumer has `most` already.
    fn enter(
        &self,
        chain: Vec<CertificateDer<'static>>,
        consumer: Option<ConsumerId>,
        most: usize,
    ) -> Option<(Entry, CancellationToken)> {
        let shut = CancellationToken::new();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.1.values().filter(|one| one.consumer == consumer).count() >= most {
            return None;
        }
        all.0 += 1;
        let number = all.0;
        all.1.insert(number, Let { chain, consumer, shut: shut.clone() });
        Some((Entry { of: self.clone(), number }, shut))
    }

    /// Shuts the connections of callers who would be let in no longer.
    fn shut(&self, gate: &Gate) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = all.1.values().filter(|one| !gate.admits(&one.chain));
        let count = gone.inspect(|one| one.shut.cancel()).count();
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

/// Handshakes under way, by the address they come from.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Addresses {
    /// None: the address has `most` already.
    fn take(&self, address: IpAddr, most: usize) -> Option<OfAddress> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(OfAddress { of: self.clone(), address })
    }
}

/// A handshake under way, counted until it is dropped.
struct OfAddress {
    of: Addresses,
    address: IpAddr,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// Accepts connections until `stop`. Handshakes go on beside each other; what fails in one is nobody else's matter. A change of `tls` holds from the next
/// connection, and shuts those of callers whom it no longer admits; one that cannot be used changes nothing.
pub(crate) fn accept(
    listener: TcpListener,
    (mut gate, mut tls): (Gate, watch::Receiver<Tls>),
    shared: &Arc<Shared>,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> mpsc::Receiver<io::Result<Connection>> {
    let (accepted, incoming) = mpsc::channel(1);
    let limits = &shared.limits;
    let handshakes = Arc::new(Semaphore::new(limits.handshakes_max));
    let (addresses, per_address) = (Addresses::default(), limits.handshakes_per_address_max);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let limit = Duration::from_millis(limits.handshake_timeout_ms);
    let (tasks, shared) = (tracker.clone(), Arc::clone(shared));
    tracker.spawn(async move {
        let opened = Opened::default();
        let mut can_change = true;
        loop {
            let (under_way, (stream, address)) = tokio::select! {
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
            let Some(of_address) = addresses.take(address.ip(), per_address) else {
                measure::turned_away("too_many_of_one_address");
                tracing::debug!("an address has as many handshakes under way as it may");
                continue;
            };
            let (gate, places, accepted) = (gate.clone(), Arc::clone(&places), accepted.clone());
            let (stop, opened, shared) = (stop.clone(), opened.clone(), Arc::clone(&shared));
            tasks.spawn(async move {
                let connection = tokio::select! {
                    () = stop.cancelled() => return,
                    connection = timeout(limit, open(stream, &gate, places, (&opened, &shared))) => connection,
                };
                drop((under_way, of_address));
                match connection {
                    // The receiver is gone only when the server is: then there is nothing to hand over.
                    Ok(Ok(connection)) => drop(accepted.send(Ok(connection)).await),
                    Ok(Err(error)) => {
                        measure::turned_away("refused");
                        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was refused");
                    }
                    Err(_) => {
                        measure::turned_away("too_slow");
                        tracing::debug!("a handshake took too long");
                    }
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
async fn next(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, (TcpStream, SocketAddr))> {
    // Cannot fail: the semaphore is never closed.
    let under_way = Arc::clone(handshakes).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok(accepted) => return Some((under_way, accepted)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn open(
    stream: TcpStream,
    gate: &Gate,
    places: Arc<Semaphore>,
    (opened, shared): (&Opened, &Shared),
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = gate.acceptor.accept(stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = chain.first().and_then(Peer::of).ok_or_else(|| io::Error::other("the certificate cannot be read"))?;
    let peer = Arc::new(peer);
    let place = places.try_acquire_owned().map_err(|_| io::Error::other("there are too many connections"))?;
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let (entry, shut) = opened
        .enter(chain, shared.consumer_of(&peer), shared.limits.connections_per_consumer_max)
        .ok_or_else(|| io::Error::other("the consumer has too many connections"))?;
    let shut = Box::pin(shut.cancelled_owned());
    Ok(Connection { stream, peer, shut, _entry: entry, _place: place, _open: OpenConnection::new() })
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
