//! Which server a call goes to: the only one, or the node of a cluster that has its keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;
use redis::aio::PubSubStream;

use super::node::{Node, Way};
use super::request::{Malformed, Request};
use super::slot::slot_of;
use super::target::Target;
use super::{CONNECT_LIMIT, Fault, Redirect};

/// Most servers to which one call is sent, one after the other.
const MAX_HOPS: usize = 8;
/// How long a call looks for a server that can be reached before it gives up.
const SEARCH_LIMIT: Duration = CONNECT_LIMIT.saturating_mul(2);
/// Most nodes that are remembered; a cluster has at most about as many.
const MAX_NODES: usize = 1_000;
/// How long answers are waited for.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Of a command that is answered at once.
    pub(crate) answer: Duration,
    /// Of a command that blocks, from its beginning on.
    pub(crate) block: Duration,
    /// Whether that is so also of a server that is known to be slow: for callers who have a deadline of their own, and
    /// would drop each call before it is known that its connection is of no use.
    pub(crate) firm: bool,
}

/// The servers of one URL, and the nodes that they name.
///
/// All keys of a call share one slot, so that one node of a cluster has all of them; one of them, or
/// their hash tag, is named with it. The first call of a slot goes to any node, and the answer `MOVED`
/// teaches which one it is. A server that stands alone never says that, and pays for a look into an
/// empty table.
///
/// A call is sent again only if nothing happened; whoever gets an error decides about it.
pub(crate) struct Servers {
    limits: Limits,
    known: Mutex<Known>,
}

struct Known {
    /// The seeds, then the nodes that were learned; at least one.
    nodes: Vec<Arc<Node>>,
    seeds: usize,
    /// The node to which a slot without a route goes; one that can be reached, as far as is known.
    first: usize,
    /// By slot; empty for a server that stands alone.
    routes: HashMap<u16, Arc<Node>>,
}

impl Servers {
    /// The servers at `target`; nothing is connected before the first call.
    pub(crate) fn new(target: &Target, limits: Limits) -> Self {
        let nodes: Vec<_> = target.seeds().iter().map(|seed| Arc::new(Node::new(seed.clone(), limits))).collect();
        let known = Known { seeds: nodes.len(), nodes, first: 0, routes: HashMap::new() };
        Self { limits, known: Mutex::new(known) }
    }

    /// Sends a request whose keys are in the slot of `key`, and has `read` read what comes.
    pub(crate) async fn send<T>(
        &self,
        key: &str,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        self.reach(key, request, Way::Shared, &read).await
    }

    /// The same with a command that blocks, over a connection of its own.
    ///
    /// # Cancel safety
    /// When the future is dropped the server forgets the request.
    pub(crate) async fn block<T>(
        &self,
        key: &str,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        self.reach(key, request, Way::Own, &read).await
    }

    /// The messages on `channel`, which every node of a cluster hears of.
    pub(crate) async fn subscribe(&self, channel: &str) -> Result<PubSubStream, Fault> {
        self.search(|node| async move { node.subscribe(channel).await }).await
    }

    /// A connection of the crate `redis` to the server that has `key`.
    #[cfg(feature = "cli")]
    pub(crate) async fn bare(&self, key: &str) -> Result<redis::aio::MultiplexedConnection, Fault> {
        // The answer teaches which one that is.
        self.send(key, &Request::plain(redis::cmd("EXISTS").arg(key).take()), |_| Ok(())).await?;
        let node = self.known().node_of(key);
        let config = redis::AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(CONNECT_LIMIT)).set_response_timeout(Some(self.limits.block));
        let connect = node.address().client().get_multiplexed_async_connection_with_config(&config).await;
        connect.map_err(|error| Fault::Away(error.to_string()))
    }

    /// Sends a request that any of the servers can answer, and tells which one did.
    #[cfg(feature = "cache")]
    pub(super) async fn any<T>(
        &self,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<(Arc<Node>, Result<T, Fault>), Fault> {
        let read = &read;
        self.search(|node| async move {
            match node.send(request, Way::Shared, false, read).await {
                Err(fault @ (Fault::Away(_) | Fault::Lost(_) | Fault::Elsewhere(_))) => Err(fault),
                answer => Ok((node, answer)),
            }
        })
        .await
    }

    /// Asks one server after the other, until one is of use.
    async fn search<T, F>(&self, ask: impl Fn(Arc<Node>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let started = Instant::now();
        let mut hops = 1;
        loop {
            let node = self.known().first();
            match ask(Arc::clone(&node)).await {
                Err(fault) => {
                    self.known().lost(&node);
                    hops += 1;
                    if hops > self.known().nodes.len().min(MAX_HOPS) || started.elapsed() >= SEARCH_LIMIT {
                        return Err(fault);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Sends to the node of `key`, wherever that is by now.
    async fn reach<T>(
        &self,
        key: &str,
        request: &Request,
        way: Way,
        read: &impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let started = Instant::now();
        let (mut node, mut asking) = (self.known().node_of(key), false);
        let mut away: Vec<(Arc<Node>, String)> = Vec::new();
        for _ in 1..MAX_HOPS {
            let fault = match node.send(request, way, asking, read).await {
                Err(fault) => fault,
                answer => return answer,
            };
            let next = match &fault {
                Fault::Moved(redirect) => self.follow(key, &node, redirect),
                Fault::Away(reason) => {
                    self.known().lost(&node);
                    away.push((Arc::clone(&node), reason.clone()));
                    (started.elapsed() < SEARCH_LIMIT).then(|| self.known().node_of(key))
                }
                Fault::Lost(_) | Fault::Elsewhere(_) => {
                    self.known().lost(&node);
                    None
                }
                _ => None,
            };
            asking = matches!(&fault, Fault::Moved(redirect) if redirect.asking);
            let Some(next) = next else { return Err(fault) };
            if let Some((_, reason)) = away.iter().find(|(node, _)| Arc::ptr_eq(node, &next)) {
                return Err(Fault::Away(reason.clone()));
            }
            node = next;
        }
        node.send(request, way, asking, read).await
    }

    /// The node that a redirect names; one that is to stay is remembered.
    fn follow(&self, key: &str, from: &Node, redirect: &Redirect) -> Option<Arc<Node>> {
        let node = self.node_at(from, &redirect.place)?;
        if !redirect.asking {
            self.known().routes.insert(slot_of(key), Arc::clone(&node));
        }
        Some(node)
    }

    /// The node at `place`, `host:port` as another node writes it.
    pub(super) fn node_at(&self, from: &Node, place: &str) -> Option<Arc<Node>> {
        let address = from.address().beside(place)?;
        let mut known = self.known();
        let there = known.nodes.iter().find(|node| node.address().is(&address)).cloned();
        Some(there.unwrap_or_else(|| known.learn(Node::new(address, self.limits))))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn first(&self) -> Arc<Node> {
        Arc::clone(&self.nodes[self.first])
    }

    fn node_of(&self, key: &str) -> Arc<Node> {
        let route = if self.routes.is_empty() { None } else { self.routes.get(&slot_of(key)) };
        route.map_or_else(|| self.first(), Arc::clone)
    }

    fn learn(&mut self, node: Node) -> Arc<Node> {
        if self.nodes.len() >= self.seeds + MAX_NODES {
            // Most of them are gone for long; those that are not are learned again.
            self.nodes.truncate(self.seeds);
            self.first = 0;
        }
        let node = Arc::new(node);
        self.nodes.push(Arc::clone(&node));
        node
    }

    /// Has the next call of each slot of `node` ask another one: the node may have a successor.
    fn lost(&mut self, node: &Arc<Node>) {
        self.routes.retain(|_, there| !Arc::ptr_eq(there, node));
        if Arc::ptr_eq(&self.nodes[self.first], node) {
            self.first = (self.first + 1) % self.nodes.len();
        }
    }
}
