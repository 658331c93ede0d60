//! What the gateway cannot run without: the engine's task, the hub's, the writer's thread. If one of them ends before its
//! time, by a panic, the program must end too: half alive it would answer nobody and look well.
//!
//! Each holds a [`Post`] until it ends. `cli::serve` waits for the first that is left.

use std::sync::Arc;
use tokio::sync::watch;

/// Knows which post was left first.
#[derive(Clone, Debug)]
pub struct Watch {
    to: Arc<watch::Sender<Option<&'static str>>>,
}

/// Held for as long as the work goes on.
#[derive(Debug)]
pub struct Post {
    name: &'static str,
    to: Arc<watch::Sender<Option<&'static str>>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { to: Arc::new(watch::Sender::new(None)) }
    }
}

impl Watch {
    /// A post of this name.
    #[must_use]
    pub fn post(&self, name: &'static str) -> Post {
        Post { name, to: Arc::clone(&self.to) }
    }

    /// Waits until one is left; its name.
    pub async fn left(&self) -> &'static str {
        let mut seen = self.to.subscribe();
        // The sender is ours: it cannot be gone.
        let name = seen.wait_for(Option::is_some).await.ok().and_then(|name| *name);
        name.unwrap_or_default()
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.to.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(self.name);
            is_first
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_leaves_its_post() {
        let watch = Watch::default();
        let (engine, writer) = (watch.post("engine"), watch.post("writer"));
        let panicked = tokio::spawn(async move {
            let _post = engine;
            panic!("a bug");
        });
        assert!(panicked.await.is_err());
        drop(writer);
        assert_eq!(watch.left().await, "engine", "the first that was left");
    }
}
