use std::io::{self, Write};
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Mutex, PoisonError};

use super::{PANICS, log_place};

/// What a panic may quote.
const SECRET: &str = "2 85 05 78 006 084 41";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn t38_a_panic_leaves_its_place_in_the_log_and_not_its_text() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let before = PANICS.get();
    let usual = take_hook();
    tracing::subscriber::with_default(subscriber, || {
        set_hook(Box::new(log_place));
        catch_unwind(|| panic!("the number {SECRET}")).expect_err("a panic");
    });
    set_hook(usual);
    let text = log.text();
    assert!(
        text.contains("panic") && text.contains("panic/tests.rs"),
        "{text}"
    );
    assert!(!text.contains(SECRET), "{text}");
    assert!(PANICS.get() > before);
}
