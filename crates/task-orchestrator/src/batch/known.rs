use std::{
    collections::{HashSet, VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
};

use task_core::TaskId;

/// So many ids are known: those that came last. With sixteen bytes each, whatever the input's length.
const KNOWN: usize = 1_000_000;

/// The ids that a batch has read lately, by two hashes each that nobody can foresee.
#[derive(Default)]
pub(super) struct Known {
    hashers: [RandomState; 2],
    ids: HashSet<[u64; 2]>,
    order: VecDeque<[u64; 2]>,
}

impl Known {
    /// Whether it is new here; it is known from now on.
    pub(super) fn insert(&mut self, id: &TaskId) -> bool {
        self.insert_among(id, KNOWN)
    }

    fn insert_among(&mut self, id: &TaskId, most: usize) -> bool {
        let hashes = [self.hashers[0].hash_one(id), self.hashers[1].hash_one(id)];
        if !self.ids.insert(hashes) {
            return false;
        }
        self.order.push_back(hashes);
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_lately_is_known_and_no_more_is_kept_of_it_however_much_comes() {
        // a batch kept the id of every line, and an endless input filled the memory
        let mut known = Known::default();
        let id = |n: u32| n.to_string().parse().unwrap();
        for n in 0..1000 {
            assert!(known.insert_among(&id(n), 10));
        }
        assert!((990..1000).all(|n| !known.insert_among(&id(n), 10)));
        assert!(known.insert_among(&id(0), 10), "long ago");
        assert_eq!((known.ids.len(), known.order.len()), (10, 10));
    }
}
