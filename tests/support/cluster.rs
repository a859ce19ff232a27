//! A cluster of Valkey masters that share all slots.

use std::time::Duration;

use redis::FromRedisValue;

use crate::options::SECOND_PORT;
use crate::{Server, eventually_blocking};

/// How long the nodes may take to agree.
const BOUND: Duration = Duration::from_secs(30);

const SLOTS: usize = 16_384;

/// A running cluster. Its nodes end with it.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// `masters` nodes without replicas; returns when every node says that the cluster is complete.
    pub fn valkey(masters: usize) -> Cluster {
        let nodes: Vec<Server> = (0..masters).map(|_| start_node()).collect();
        for (index, node) in nodes.iter().enumerate() {
            let first = SLOTS * index / masters;
            let last = SLOTS * (index + 1) / masters - 1;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            // Masters that meet with the same epoch have to settle a conflict first.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        let (first, others) = nodes.split_first().expect("a cluster has at least one node");
        for node in others {
            let (port, bus) = (node.port().to_string(), node.second_port().to_string());
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Cluster { nodes };
        cluster.wait_until_complete();
        cluster
    }

    fn wait_until_complete(&self) {
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        for node in &self.nodes {
            let what = format!("the node on port {} says cluster_state:ok", node.port());
            eventually_blocking(&what, BOUND, || {
                let info = String::from_redis_value(node.command(&["CLUSTER", "INFO"])).expect("CLUSTER INFO is text");
                let complete = ["cluster_state:ok\r", "cluster_slots_ok:16384\r", &known];
                complete.iter().all(|line| info.contains(line)).then_some(())
            });
        }
    }

    /// The nodes, in the order of their slots.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The nodes, to end or freeze one.
    pub fn nodes_mut(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    /// The URLs of all nodes; a client needs only one that lives.
    pub fn seeds(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }
}

fn start_node() -> Server {
    Server::valkey()
        .config("cluster-enabled yes")
        .config(format!("cluster-port {SECOND_PORT}"))
        .config("cluster-node-timeout 2000")
        .config("cluster-announce-ip 127.0.0.1")
        .start()
}
