//! What the connections promise on real servers: every form of a URL, TLS, a cluster, blocking.

mod blocking;
mod cluster;
mod tls;
mod urls;

use std::sync::Arc;
use std::time::Duration;

use task_runtime::Error;
use task_runtime::broker::redis::RedisBroker;
use task_runtime::broker::{Broker, Clock, Due, Enqueued, NewJob};
use task_runtime::job::{JobId, Namespace, QueueName};

/// How long anything may take until it comes true.
const BOUND: Duration = Duration::from_secs(20);

/// A broker in a namespace of its own.
fn broker(url: &str) -> Result<Arc<dyn Broker>, Error> {
    broker_in(&support::namespace(), url)
}

fn broker_in(namespace: &str, url: &str) -> Result<Arc<dyn Broker>, Error> {
    let namespace = Namespace::new(namespace).expect("the namespace of a test is valid");
    Ok(Arc::new(RedisBroker::new(url, namespace, Clock::default())?))
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("the name is valid")
}

/// A job that is ready at once, and is dropped if a worker takes it.
fn job(id: &str) -> NewJob {
    let id = JobId::new(id).expect("the id of a test is valid");
    NewJob { id, priority: 5, due: Due::Now, envelope: b"{\"v\":1,\"task\":\"none\"}\n{}".to_vec() }
}

/// Enqueues one job; any error is the caller's to judge.
async fn enqueue(broker: &dyn Broker, name: &str, id: &str) -> Result<Enqueued, Error> {
    let answers = broker.enqueue(&queue(name), &[job(id)], None).await?;
    Ok(answers[0])
}
