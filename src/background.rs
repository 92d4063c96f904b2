//! The background tasks of a service, and their end.

use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks that end with the service that spawned them. Cheap to clone; all clones share one group.
#[derive(Debug, Clone, Default)]
pub struct Background {
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Background {
    /// Runs a task until it is done or the group is stopped. A stop cancels it at the next `await`, so whatever it has
    /// begun must be safe to abandon or to repeat.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Boxed, so that the runtime's code for tasks is not compiled for each kind of task.
        self.spawn_boxed(Box::pin(task));
    }

    fn spawn_boxed(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let stopped = self.stopped.clone();
        self.tasks.spawn(async move {
            stopped.run_until_cancelled_owned(task).await;
        });
    }

    /// Runs a task that a stop waits for rather than cancels: what it begins must be known to have ended. It has to end soon by
    /// itself.
    pub fn spawn_to_end<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Cancels all tasks, and returns when the last one has ended and released everything that it held. Tasks spawned
    /// later end before they begin.
    pub async fn stop(&self) {
        self.stopped.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn stopping_ends_every_task_and_frees_what_it_holds() {
        let background = Background::default();
        let held = Arc::new(());
        for _ in 0..10 {
            let held = Arc::clone(&held);
            background.spawn(async move {
                pending::<()>().await;
                drop(held);
            });
        }
        background.clone().stop().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_task_that_is_not_stopped_runs_to_completion() {
        let background = Background::default();
        let (sender, receiver) = oneshot::channel();
        background.spawn(async move {
            tokio::task::yield_now().await;
            let _ = sender.send(7);
        });
        assert_eq!(receiver.await, Ok(7));
        background.stop().await;
    }

    #[tokio::test]
    async fn a_stop_waits_for_a_task_that_runs_to_its_end() {
        let background = Background::default();
        let (sender, receiver) = oneshot::channel::<()>();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let waiting = background.spawn_to_end(async move {
            let _ = receiver.await;
            drop(holds);
        });
        drop(waiting);
        let stopping = background.clone();
        let stop = tokio::spawn(async move { stopping.stop().await });
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 2);
        assert!(sender.send(()).is_ok());
        assert!(stop.await.is_ok());
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_task_spawned_after_the_stop_never_begins() {
        let background = Background::default();
        background.stop().await;
        let (sender, receiver) = oneshot::channel();
        background.spawn(async move {
            let _ = sender.send(());
        });
        background.stop().await;
        assert!(receiver.await.is_err());
    }
}
