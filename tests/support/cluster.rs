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
                let info = text(node, &["CLUSTER", "INFO"]);
                let complete = ["cluster_state:ok\r", "cluster_slots_ok:16384\r", &known];
                complete.iter().all(|line| info.contains(line)).then_some(())
            });
        }
    }

    /// The slot of a hash tag.
    pub fn slot(&self, tag: &str) -> usize {
        let slot = self.nodes[0].command(&["CLUSTER", "KEYSLOT", tag]);
        usize::from_redis_value(slot).expect("a slot is a number")
    }

    /// The index of the node that says that `slot` is its own.
    pub fn owner(&self, slot: usize) -> usize {
        let within = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            matches!((first.parse(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
        };
        let owns = |node: &Server| {
            let nodes = text(node, &["CLUSTER", "NODES"]);
            let own = nodes.lines().find(|line| line.contains("myself")).expect("a node knows itself");
            own.split(' ').skip(8).any(within)
        };
        self.nodes.iter().position(owns).expect("every slot has a node")
    }

    /// The id of a node.
    pub fn id(&self, index: usize) -> String {
        text(&self.nodes[index], &["CLUSTER", "MYID"])
    }

    /// Gives a slot without keys to the node `to`; its new node is the first to know.
    pub fn move_slot(&self, slot: usize, to: usize) {
        let (slot, id, count) = (slot.to_string(), self.id(to), self.nodes.len());
        // Else a heartbeat of the old node that is under way takes it back, where that node is the newer one.
        self.nodes[to].command(&["CLUSTER", "BUMPEPOCH"]);
        for index in (to..to + count).map(|index| index % count) {
            self.nodes[index].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    /// Adds a replica of the node `master`, as the last node, and waits until it could take over.
    pub fn add_replica(&mut self, master: usize) {
        let replica = start_node();
        let (port, bus) = (self.nodes[0].port().to_string(), self.nodes[0].second_port().to_string());
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        let id = self.id(master);
        eventually_blocking("the replica knows its master", BOUND, || {
            replica.try_command(&["CLUSTER", "REPLICATE", &id]).ok()
        });
        eventually_blocking("the replica is in step with its master", BOUND, || {
            text(&replica, &["INFO", "replication"]).contains("master_link_status:up").then_some(())
        });
        self.nodes.push(replica);
        for node in &self.nodes {
            eventually_blocking("every node knows the replica", BOUND, || {
                text(node, &["CLUSTER", "NODES"]).contains(&format!("slave {id}")).then_some(())
            });
        }
        self.wait_until_complete();
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

fn text(node: &Server, words: &[&str]) -> String {
    String::from_redis_value(node.command(words)).expect("the reply is text")
}

fn start_node() -> Server {
    Server::valkey()
        .config("cluster-enabled yes")
        .config(format!("cluster-port {SECOND_PORT}"))
        .config("cluster-node-timeout 2000")
        .config("cluster-announce-ip 127.0.0.1")
        .start()
}
