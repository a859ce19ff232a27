//! Every server that has keys of its own, for what no key tells where to go.

use std::sync::Arc;

use redis::Value;

use super::Fault;
use super::node::{Node, Way};
use super::request::{Malformed, Request};
use super::servers::Servers;

/// What a server that stands alone says of the slots of a cluster.
const ALONE: &str = "cluster support disabled";

/// A server that has keys of its own.
pub(crate) struct Primary {
    /// Its host and port in a cluster, and empty for a server that stands alone.
    name: String,
    node: Arc<Node>,
}

impl Primary {
    /// By which it is found again, as long as it is one.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request to this server and to no other, and has `read` read what comes.
    pub(crate) async fn send<T>(
        &self,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        self.node.send(request, Way::Shared, false, read).await
    }
}

impl Servers {
    /// The primaries of a cluster, in the order of their names, or the server that stands alone.
    pub(crate) async fn primaries(&self) -> Result<Vec<Primary>, Fault> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let (node, answer) = self.any(&Request::plain(command), places).await?;
        let mut places = match answer {
            Ok(places) => places,
            Err(Fault::Broken(reason)) if reason.contains(ALONE) => {
                return Ok(vec![Primary { name: String::new(), node }]);
            }
            Err(fault) => return Err(fault),
        };
        places.sort_unstable();
        places.dedup();
        let known = |name: String| {
            let node = self.node_at(&node, &name)?;
            Some(Primary { name, node })
        };
        Ok(places.into_iter().filter_map(known).collect())
    }
}

/// `host:port` of the primary of each range of slots.
fn places(answer: Value) -> Result<Vec<String>, Malformed> {
    let malformed = || Malformed("`CLUSTER SLOTS` answers no list of ranges".into());
    let place = |range: Value| {
        let Value::Array(range) = range else { return None };
        let Some(Value::Array(node)) = range.into_iter().nth(2) else { return None };
        let mut node = node.into_iter();
        match (node.next()?, node.next()?) {
            (Value::BulkString(host), Value::Int(port)) => Some(format!("{}:{port}", String::from_utf8(host).ok()?)),
            (Value::Nil, Value::Int(port)) => Some(format!(":{port}")),
            _ => None,
        }
    };
    let Value::Array(ranges) = answer else { return Err(malformed()) };
    ranges.into_iter().map(|range| place(range).ok_or_else(malformed)).collect()
}
