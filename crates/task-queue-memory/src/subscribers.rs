use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Those that wait for news of one key each: of a task, or for a worker.
#[derive(Debug)]
pub(crate) struct Subscribers<K: Hash + Eq>(Mutex<HashMap<K, Arc<Notify>>>);

impl<K: Hash + Eq> Default for Subscribers<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Subscribers<K> {
    /// From the moment when this is [`enable`](tokio::sync::futures::Notified::enable)d no news is missed.
    pub(crate) fn subscribe(&self, key: K) -> Subscription<'_, K> {
        let news = self.lock().entry(key.clone()).or_default().clone();
        Subscription { all: self, key, news }
    }

    pub(crate) fn notify<'a>(&self, keys: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return;
        }
        let subscribers = self.lock();
        if !subscribers.is_empty() {
            keys.filter_map(|key| subscribers.get(key)).for_each(|news| news.notify_waiters());
        }
    }

    pub(crate) fn notify_all(&self) {
        self.lock().values().for_each(|news| news.notify_waiters());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits; dropped, it leaves nothing behind.
pub(crate) struct Subscription<'a, K: Hash + Eq + Clone> {
    all: &'a Subscribers<K>,
    key: K,
    pub(crate) news: Arc<Notify>,
}

impl<K: Hash + Eq + Clone> Drop for Subscription<'_, K> {
    fn drop(&mut self) {
        let mut subscribers = self.all.lock();
        // the table's and this one: nobody else waits, and under the lock nobody can join
        if Arc::strong_count(&self.news) == 2 {
            subscribers.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_that_leaves_takes_the_entry_along() {
        let subscribers = Subscribers::default();
        let (first, second) = (subscribers.subscribe(1), subscribers.subscribe(1));
        let heard = first.news.notified();
        subscribers.notify(&[1, 2]);
        heard.await;
        drop(first);
        assert_eq!(subscribers.lock().len(), 1);
        drop(second);
        assert_eq!(subscribers.lock().len(), 0);
    }
}
