//! A promise that is written and not named in the list would be tested by nobody.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use task_testkit::{Harness, ModelQueue, promises};

struct Model(ModelQueue);

impl Harness for Model {
    type Queue = ModelQueue;
    async fn open() -> Self {
        Self(ModelQueue::new())
    }
    fn queue(&self) -> &ModelQueue {
        &self.0
    }
    async fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
    async fn outage(&self, by: Duration) {
        self.0.outage(by);
    }
}

#[test]
fn every_promise_that_is_written_is_named_in_the_list() {
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('<').next());
        written.extend(names.map(str::to_owned));
    }
    let named: BTreeSet<String> = promises::<Model>().iter().map(|promise| promise.name.to_owned()).collect();
    assert_eq!(written, named);
}
