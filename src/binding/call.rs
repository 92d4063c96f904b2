//! Runs an exported function as a call on the service.

use std::future::Future;
use std::sync::Arc;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use serde::Serialize;

use super::promise::{Answer, counted_promise};
use super::views::ListView;
use crate::error::Error;
use crate::process;
use crate::service::Service;

/// Runs a call on the service. The call begins at once, on the JavaScript thread, so that a later `close()` waits for
/// it.
#[track_caller]
pub(super) fn call<T, F>(
    env: &Env,
    work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
) -> Result<Object<'_>>
where
    T: Serialize + 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    run(env, work, |_| (), Answer::of)
}

/// Runs a call that returns a list.
#[track_caller]
pub(super) fn list_call<R, F>(
    env: &Env,
    work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
) -> Result<Object<'_>>
where
    R: Serialize + 'static,
    F: Future<Output = std::result::Result<ListView<R>, Error>> + Send + 'static,
{
    run(env, work, |_| (), Answer::of_list)
}

/// Runs a call on the service and counts its result, even if the call could not begin.
#[track_caller]
pub(super) fn counted_call<T, F>(
    env: &Env,
    work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
    count: fn(&std::result::Result<T, Error>),
) -> Result<Object<'_>>
where
    T: Serialize + 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    run(env, work, count, Answer::of)
}

#[track_caller]
fn run<T, F>(
    env: &Env,
    work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
    count: fn(&std::result::Result<T, Error>),
    answer: fn(std::result::Result<T, Error>) -> Answer,
) -> Result<Object<'_>>
where
    T: 'static,
    F: Future<Output = std::result::Result<T, Error>> + Send + 'static,
{
    let entered = process::enter();
    let work = async move {
        let entered = entered?;
        let service = entered.service().await?;
        work(Arc::clone(service)).await
    };
    counted_promise(env, work, count, answer)
}
