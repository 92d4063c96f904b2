use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;

const HERE: &str = "panic/tests.rs:";

static REPORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn record(place: String) {
    REPORTED.lock().push(place);
}

fn take_reported() -> Vec<String> {
    std::mem::take(&mut *REPORTED.lock())
}

/// Returns the reported location of a panic here. Other tests may panic on purpose at the same time, which can suppress
/// a report, so the panic is repeated.
fn location_of(panics: impl Fn()) -> String {
    location_in(HERE, panics)
}

/// Returns the reported location that names this file. The report of an earlier panic here may come late.
fn location_in(file: &str, panics: impl Fn()) -> String {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        panics();
        thread::sleep(Duration::from_millis(1));
        if let Some(place) = take_reported()
            .into_iter()
            .find(|place| place.contains(HERE) && place.contains(file))
        {
            return place;
        }
        assert!(Instant::now() < patience, "nothing was reported");
    }
}

async fn fails(secret: &str) -> u32 {
    tokio::task::yield_now().await;
    panic!("cannot hash {secret}")
}

/// One test, since the hook is global to the process.
#[test]
fn a_panic_is_a_fault_and_its_place_is_reported_but_not_its_text() {
    let before = std::panic::take_hook();
    install_hook(record);
    let runtime = tokio::runtime::Runtime::new().unwrap();

    let in_a_call = location_of(|| {
        let Err(error) = runtime.block_on(catch(fails("hunter2"))) else {
            panic!("no fault")
        };
        assert_eq!((error.code(), error.status()), ("INTERNAL", 500));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    });
    let in_a_task = location_of(|| {
        runtime
            .block_on(async { tokio::spawn(fails("hunter2")).await })
            .unwrap_err();
    });
    let on_a_thread = location_of(|| {
        thread::spawn(|| panic!("hunter2")).join().unwrap_err();
    });
    let in_the_standard_library = location_in(" (library/alloc/src/", || {
        let times = std::hint::black_box(usize::MAX);
        runtime
            .block_on(catch(async move { "hunter2".repeat(times).len() }))
            .unwrap_err();
    });
    std::panic::set_hook(before);
    assert!(
        in_the_standard_library.starts_with("src/panic/tests.rs:"),
        "{in_the_standard_library}"
    );
    assert!(in_the_standard_library.contains(" (library/alloc/src/"));

    for place in [in_a_call, in_a_task, on_a_thread] {
        assert!(!place.contains("hunter2"), "{place}");
    }
}

#[test]
fn work_without_a_panic_returns_its_result() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(catch(async { 5 })).unwrap(), 5);
}

#[test]
fn the_folder_of_the_build_machine_is_not_reported() {
    assert_eq!(relative("src/verify/prove.rs"), "src/verify/prove.rs");
    assert_eq!(
        relative("/home/me/.cargo/registry/src/index-1/tokio-1.54/src/task/mod.rs"),
        "tokio-1.54/src/task/mod.rs"
    );
    assert_eq!(relative(r"C:\a\b\src\x.rs"), r"a\b\src\x.rs");
}
