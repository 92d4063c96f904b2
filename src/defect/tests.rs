use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;

use crate::lock::locked;

const HERE: &str = "defect/tests.rs:";

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn keep(event: &Event) {
    let event = serde_json::to_string(event).unwrap();
    locked(&TOLD).push(event);
}

fn told() -> Vec<String> {
    std::mem::take(&mut *locked(&TOLD))
}

/// What is told of a panic here. Others may panic on purpose at the same time, and one is told after the other.
fn told_of(panics: impl Fn()) -> String {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        panics();
        thread::sleep(Duration::from_millis(1));
        if let Some(event) = told().into_iter().find(|event| event.contains(HERE)) {
            return event;
        }
        assert!(Instant::now() < patience, "nothing was told");
    }
}

async fn fails(secret: &str) -> u32 {
    tokio::task::yield_now().await;
    panic!("cannot hash {secret}")
}

/// One test, since the hook is the process's.
#[test]
fn a_panic_is_a_fault_and_its_place_is_told_but_not_its_text() {
    let before = std::panic::take_hook();
    report(keep);
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let in_a_call = told_of(|| {
        let Err(error) = runtime.block_on(caught(fails("hunter2"))) else {
            panic!("no fault")
        };
        assert_eq!((error.code(), error.status()), ("INTERNAL", 500));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    });
    let in_a_task = told_of(|| {
        runtime
            .block_on(async { tokio::spawn(fails("hunter2")).await })
            .unwrap_err();
    });
    let on_a_thread = told_of(|| {
        thread::spawn(|| panic!("hunter2")).join().unwrap_err();
    });
    std::panic::set_hook(before);

    for event in [in_a_call, in_a_task, on_a_thread] {
        assert!(event.contains(r#""type":"internal.error""#), "{event}");
        assert!(!event.contains("hunter2"), "{event}");
    }
}

#[test]
fn what_does_not_panic_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(caught(async { 5 })).unwrap(), 5);
}

#[test]
fn the_folder_of_who_built_it_is_not_told() {
    assert_eq!(relative("src/verify/prove.rs"), "src/verify/prove.rs");
    assert_eq!(
        relative("/home/me/.cargo/registry/src/index-1/tokio-1.54/src/task/mod.rs"),
        "tokio-1.54/src/task/mod.rs"
    );
    assert_eq!(relative(r"C:\a\b\src\x.rs"), r"a\b\src\x.rs");
}
