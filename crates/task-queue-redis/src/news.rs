//! News of tasks that ended: one subscribed connection a client, made when somebody first waits.
//!
//! State: who waits for which task, and which channels are subscribed on the connection as it is now. A task owns the
//! connection; when it breaks, everybody who waits is woken, looks, and asks for the channel again, which connects anew.
//! A result that is not long comes with the news of it, so that nobody has to look.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, futures::Notified, mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    dial::{ANSWER, Dialer},
    link::Link,
    wire::{Connection, Request, Value, WireError},
};

/// So often it is asked whether the connection lives, while somebody waits for what comes over it.
const ASK: Duration = Duration::from_secs(5);
/// For the answer to that.
const LIVES: Duration = Duration::from_secs(1);
/// After a failure nobody asks for the connection again for so long.
const REST: Duration = Duration::from_secs(1);

/// A channel, and the stored id of a task of its queue.
type Place = (String, String);

/// Those who wait for news.
#[derive(Default)]
pub(crate) struct News {
    shared: Arc<Shared>,
    asks: Mutex<Option<mpsc::UnboundedSender<Ask>>>,
}

#[derive(Default)]
struct Shared {
    listeners: Mutex<HashMap<Place, Arc<Ear>>>,
    subscribed: Mutex<HashSet<String>>,
}

/// What those who wait for one task share.
#[derive(Default)]
struct Ear {
    news: Notify,
    /// Its result as it is stored.
    result: OnceLock<Bytes>,
}

struct Ask {
    channel: String,
    done: oneshot::Sender<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that waits for news of a task; dropped, it leaves nothing behind.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    place: Place,
    ear: Arc<Ear>,
}

impl Listener {
    /// Ends with the next news, or when the connection breaks.
    pub(crate) fn heard(&self) -> Notified<'_> {
        self.ear.news.notified()
    }

    /// The task's result as it is stored, if that came with news; the first that came, be it of another task of this id.
    pub(crate) fn result(&self) -> Option<Bytes> {
        self.ear.result.get().cloned()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listeners = lock(&self.shared.listeners);
        // the table's and this one: nobody else waits, and under the lock nobody can join
        if Arc::strong_count(&self.ear) == 2 {
            listeners.remove(&self.place);
        }
    }
}

impl News {
    /// Waits for news of a task from now on.
    pub(crate) fn listen(&self, channel: &str, id: &str) -> Listener {
        let place = (channel.to_owned(), id.to_owned());
        let ear = lock(&self.shared.listeners).entry(place.clone()).or_default().clone();
        Listener { shared: self.shared.clone(), place, ear }
    }
}

impl Link {
    /// Sees to it that a channel is subscribed; false if it can't be, for now or at all.
    pub(crate) async fn subscribed(&self, channel: &str) -> bool {
        if lock(&self.news.shared.subscribed).contains(channel) {
            return true;
        }
        let (done, answer) = oneshot::channel();
        self.ask(Ask { channel: channel.to_owned(), done });
        answer.await.unwrap_or(false)
    }

    /// Hands it to the task that owns the connection; one that ended with its runtime is followed by another.
    fn ask(&self, mut ask: Ask) {
        let mut asks = lock(&self.news.asks);
        if let Some(open) = &*asks {
            match open.send(ask) {
                Ok(()) => return,
                Err(mpsc::error::SendError(unsent)) => ask = unsent,
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(ask).ok();
        let owner = Owner { dialer: self.dialer.clone(), shared: self.news.shared.clone(), open: None };
        tokio::spawn(owner.run(receiver));
        *asks = Some(sender);
    }
}

/// The task that owns the connection, as long as there is somebody who may ask.
struct Owner {
    dialer: Dialer,
    shared: Arc<Shared>,
    open: Option<Connection>,
}

impl Owner {
    async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        let mut rests_until = Instant::now();
        let mut asks_at = Instant::now() + ASK;
        loop {
            // both can be lost without harm: they keep what was not taken
            tokio::select! {
                ask = asks.recv() => {
                    let Some(ask) = ask else { return };
                    let done = Instant::now() >= rests_until && self.subscribe(&ask.channel).await;
                    if !done && Instant::now() >= rests_until {
                        rests_until = Instant::now() + REST;
                    }
                    ask.done.send(done).ok();
                }
                news = next(&mut self.open) => match news {
                    Ok(news) => self.tell(news),
                    Err(_) => self.closed(),
                },
                () = sleep_until(asks_at), if self.open.is_some() => {
                    if !lock(&self.shared.listeners).is_empty() && !self.lives().await {
                        self.closed();
                    }
                    asks_at = Instant::now() + ASK;
                }
            }
        }
    }

    async fn subscribe(&mut self, channel: &str) -> bool {
        if lock(&self.shared.subscribed).contains(channel) {
            return true;
        }
        let failed = match timeout(ANSWER, self.try_subscribe(channel)).await {
            Ok(Ok(())) => {
                lock(&self.shared.subscribed).insert(channel.to_owned());
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::debug!(channel, error = failed, "no news; whoever waits looks again and again");
        self.closed();
        false
    }

    async fn try_subscribe(&mut self, channel: &str) -> Result<(), WireError> {
        let connection = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(self.dialer.dial("news").await?),
        };
        connection.send(&Request::one(&["SUBSCRIBE", channel])).await?;
        self.until("subscribe").await
    }

    /// Whether the connection is not half open: such a one would bring no news, and not end either.
    async fn lives(&mut self) -> bool {
        let asked = async {
            let Some(connection) = &mut self.open else { return Ok(()) };
            connection.send(&Request::one(&["PING"])).await?;
            self.until("pong").await
        };
        matches!(timeout(LIVES, asked).await, Ok(Ok(())))
    }

    /// Reads on until the server has answered so; what else comes before that is news.
    async fn until(&mut self, answer: &'static str) -> Result<(), WireError> {
        loop {
            let Some(connection) = &mut self.open else { return Ok(()) };
            match connection.next().await? {
                Value::Error(error) => return Err(WireError::Refused(error)),
                Value::List(words) if words.first() == Some(&Value::Bytes(answer.into())) => return Ok(()),
                news => self.tell(news),
            }
        }
    }

    fn tell(&self, news: Value) {
        let Value::List(words) = news else { return };
        let [Value::Bytes(kind), Value::Bytes(channel), Value::Bytes(said)] = &words[..] else { return };
        let mut parts = said.splitn(2, |byte| *byte == b'\n'); // no id has a line end in it
        let (id, result) = (parts.next().unwrap_or_default(), parts.next());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if kind == "message"
            && let Some(ear) = lock(&self.shared.listeners).get(&(text(channel), text(id)))
        {
            if let Some(result) = result {
                ear.result.set(said.slice_ref(result)).ok(); // who does not believe the first looks at each of the next
            }
            ear.news.notify_waiters();
        }
    }

    fn closed(&mut self) {
        self.open = None;
        lock(&self.shared.subscribed).clear();
        lock(&self.shared.listeners).values().for_each(|ear| ear.news.notify_waiters());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.closed();
    }
}

async fn next(open: &mut Option<Connection>) -> Result<Value, WireError> {
    match open {
        Some(open) => open.next().await,
        None => std::future::pending().await,
    }
}
