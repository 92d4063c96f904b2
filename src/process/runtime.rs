//! The asynchronous runtime, which lives as long as the process.

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Runtime};

use crate::error::Error;

pub fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("api-keys")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::internal(format!("Worker threads could not be started: {error}"))
            })
    })
}
