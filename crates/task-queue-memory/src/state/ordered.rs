//! Sorted maps of tasks for keys that come in order, or nearly: what is put in comes to one of the ends of a ring, and no
//! tree is walked through for it.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Bound, RangeBounds},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use task_core::TaskId;

/// A ring of tasks in the order of their keys. What is taken out of its middle leaves a gap, and where a quarter are gaps
/// they are closed.
///
/// A key that comes at an end costs no more than its entry. One that comes in the middle moves those on its shorter side.
#[derive(Clone, Debug)]
pub(super) struct Line<K> {
    /// Neither the first nor the last is a gap.
    entries: VecDeque<(K, Option<TaskId>)>,
    gaps: usize,
}

/// A line with few in it keeps room for so many at most: of a claim of many, one may run for long.
const KEPT: usize = 64;

impl<K> Default for Line<K> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), gaps: 0 }
    }
}

impl<K: Copy + Ord> Line<K> {
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn first(&self) -> Option<&TaskId> {
        self.entries.front().and_then(|(_, id)| id.as_ref())
    }

    /// No other task has this key.
    pub(super) fn insert(&mut self, key: K, id: TaskId) {
        let place = match self.entries.back() {
            Some((last, _)) if *last >= key => self.entries.binary_search_by_key(&key, |entry| entry.0),
            _ => Err(self.entries.len()),
        };
        match place {
            Err(place) => self.entries.insert(place, (key, Some(id))),
            Ok(place) => {
                let gap = self.entries[place].1.replace(id).is_none();
                self.gaps -= usize::from(gap);
            }
        }
    }

    pub(super) fn remove(&mut self, key: K) -> Option<TaskId> {
        let place = match self.entries.front() {
            Some((first, _)) if *first == key => 0,
            _ => self.entries.binary_search_by_key(&key, |entry| entry.0).ok()?,
        };
        let id = self.entries[place].1.take()?;
        self.gaps += 1;
        self.close_gaps();
        Some(id)
    }

    pub(super) fn pop_first(&mut self) -> Option<TaskId> {
        let first = self.entries.front()?.0;
        self.remove(first)
    }

    fn close_gaps(&mut self) {
        while self.entries.front().is_some_and(|(_, id)| id.is_none()) {
            self.entries.pop_front();
            self.gaps -= 1;
        }
        while self.entries.back().is_some_and(|(_, id)| id.is_none()) {
            self.entries.pop_back();
            self.gaps -= 1;
        }
        if self.gaps > self.entries.len() / 4 {
            self.entries.retain(|(_, id)| id.is_some());
            self.gaps = 0;
        }
        // what was needed once is given back in steps, so that each entry is moved a few times at most
        let kept = (KEPT / 2).max(2 * self.entries.len());
        if self.entries.capacity() > 2 * kept {
            self.entries.shrink_to(kept);
        }
    }

    pub(super) fn range(&self, keys: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (K, &TaskId)> {
        let from = match keys.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(first) => self.entries.partition_point(|(key, _)| key < first),
            Bound::Excluded(before) => self.entries.partition_point(|(key, _)| key <= before),
        };
        let to = match keys.end_bound() {
            Bound::Unbounded => self.entries.len(),
            Bound::Included(last) => self.entries.partition_point(|(key, _)| key <= last),
            Bound::Excluded(end) => self.entries.partition_point(|(key, _)| key < end),
        };
        self.entries.range(from..to.max(from)).filter_map(|(key, id)| Some((*key, id.as_ref()?)))
    }
}

impl<K: Copy + Ord> FromIterator<(K, TaskId)> for Line<K> {
    fn from_iter<I: IntoIterator<Item = (K, TaskId)>>(entries: I) -> Self {
        let mut line = Self::default();
        entries.into_iter().for_each(|(key, id)| line.insert(key, id));
        line
    }
}

/// As a map.
impl<K: Copy + Ord + Serialize> Serialize for Line<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.range(..).try_for_each(|(key, id)| map.serialize_entry(&key, id))?;
        map.end()
    }
}

impl<'de, K: Copy + Ord + Deserialize<'de>> Deserialize<'de> for Line<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Lines by groups: a map by the pairs of both.
#[derive(Clone, Debug)]
pub(super) struct Groups<G, K> {
    /// All but the last one that was emptied have something in them: its room is for the next.
    lines: BTreeMap<G, Line<K>>,
}

impl<G, K> Default for Groups<G, K> {
    fn default() -> Self {
        Self { lines: BTreeMap::new() }
    }
}

impl<G: Copy + Ord, K: Copy + Ord> Groups<G, K> {
    pub(super) fn len(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.values().all(Line::is_empty)
    }

    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line<K>> {
        self.lines.values()
    }

    pub(super) fn first(&self) -> Option<&TaskId> {
        self.lines().find_map(Line::first)
    }

    /// No other task has this key.
    pub(super) fn insert(&mut self, (group, key): (G, K), id: TaskId) {
        self.lines.entry(group).or_default().insert(key, id);
    }

    pub(super) fn remove(&mut self, (group, key): (G, K)) {
        let Some(line) = self.lines.get_mut(&group) else { return };
        line.remove(key);
        if line.is_empty() && self.lines.len() > 1 {
            self.lines.remove(&group);
        }
    }

    /// What lies between two groups, both included.
    pub(super) fn between(
        &self,
        groups: impl RangeBounds<G>,
    ) -> impl DoubleEndedIterator<Item = ((G, K), &TaskId)> {
        let in_line = |(group, line)| {
            let group: &G = group;
            let line: &Line<K> = line;
            line.range(..).map(move |(key, id)| ((*group, key), id))
        };
        self.lines.range(groups).flat_map(in_line)
    }

    /// What lies behind this key; all, without one.
    pub(super) fn after(&self, key: Option<(G, K)>) -> impl Iterator<Item = ((G, K), &TaskId)> {
        let first = key.map_or(Bound::Unbounded, |(group, _)| Bound::Included(group));
        self.lines.range((first, Bound::Unbounded)).flat_map(move |(group, line)| {
            let behind = key.filter(|(first, _)| first == group).map(|(_, key)| key);
            let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
            line.range((from, Bound::Unbounded)).map(move |(key, id)| ((*group, key), id))
        })
    }

    /// How many lie before this key, counted up to `most`.
    pub(super) fn before(&self, (group, key): (G, K), most: usize) -> usize {
        let same = self.lines.get(&group).into_iter().flat_map(|line| line.range(..key));
        let before = self.lines.range(..group).flat_map(|(_, line)| line.range(..));
        before.chain(same).take(most).count()
    }
}

/// As a map by the pairs.
impl<G: Copy + Ord + Serialize, K: Copy + Ord + Serialize> Serialize for Groups<G, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        self.after(None).try_for_each(|(key, id)| map.serialize_entry(&key, id))?;
        map.end()
    }
}

impl<'de, G, K> Deserialize<'de> for Groups<G, K>
where
    G: Copy + Ord + Deserialize<'de>,
    K: Copy + Ord + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut groups = Self::default();
        for (key, id) in BTreeMap::deserialize(deserializer)? {
            groups.insert(key, id);
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn id(n: i64) -> TaskId {
        n.to_string().parse().unwrap()
    }

    #[test]
    fn a_line_is_a_sorted_map_whatever_is_put_in_and_taken_out() {
        for seed in 0..50 {
            let (mut rng, mut line, mut map) = (Rng::with_seed(seed), Line::default(), BTreeMap::new());
            for n in 0..400 {
                let key = match rng.u8(..8) {
                    0 => rng.i64(-400..400),
                    1 | 2 => -n,
                    _ => n,
                };
                if rng.u8(..5) < 3 {
                    line.insert(key, id(n));
                    map.insert(key, id(n));
                } else if rng.bool() {
                    assert_eq!(line.pop_first(), map.pop_first().map(|(_, id)| id));
                } else {
                    let key = map.keys().nth(rng.usize(..map.len().max(1))).copied().unwrap_or(key);
                    assert_eq!(line.remove(key), map.remove(&key));
                    assert_eq!(line.remove(key), None);
                }
                assert_eq!((line.len(), line.first()), (map.len(), map.values().next()));
                assert!(line.gaps <= line.entries.len() / 4 && line.is_empty() == map.is_empty());
            }
            let (from, to) = (rng.i64(-400..0), rng.i64(0..400));
            let all = |keys: (Bound<i64>, Bound<i64>)| {
                let expected = map.range(keys).map(|(key, id)| (*key, id));
                assert!(line.range(keys).eq(expected.clone()) && line.range(keys).rev().eq(expected.rev()));
            };
            all((Bound::Unbounded, Bound::Unbounded));
            all((Bound::Included(from), Bound::Excluded(to)));
            all((Bound::Excluded(from), Bound::Included(to)));
        }
    }

    #[test]
    fn groups_are_a_map_by_pairs() {
        let (mut rng, mut groups, mut map) = (Rng::with_seed(7), Groups::default(), BTreeMap::new());
        for n in 0..1000 {
            let key = (rng.u8(..4), rng.i64(..50));
            if rng.bool() {
                groups.insert(key, id(n));
                map.insert(key, id(n));
            } else {
                groups.remove(key);
                map.remove(&key);
            }
            assert_eq!((groups.len(), groups.first()), (map.len(), map.values().next()));
            assert_eq!(
                (groups.before(key, 5), groups.is_empty()),
                (map.range(..key).take(5).count(), map.is_empty())
            );
            let behind = map.range((Bound::Excluded(key), Bound::Unbounded)).map(|(key, id)| (*key, id));
            assert!(groups.after(Some(key)).eq(behind));
            let between = map.range((1, i64::MIN)..=(2, i64::MAX)).map(|(key, id)| (*key, id));
            assert!(groups.between(1..=2).rev().eq(between.rev()));
        }
        assert!(groups.after(None).eq(map.iter().map(|(key, id)| (*key, id))));
    }

    #[test]
    fn one_in_front_of_very_many_that_were_taken_out_does_not_keep_their_room() {
        let mut line: Line<i64> = (0..10_000).map(|n| (n, id(n))).collect();
        for n in 1..9_999 {
            line.remove(n);
        }
        assert!(line.entries.len() < 4 && line.entries.capacity() <= KEPT, "{}", line.entries.len());
        line.remove(0);
        line.remove(9_999);
        assert!(line.is_empty() && line.entries.capacity() <= KEPT);
    }
}
