use task_core::{CancelAnswer, ControlAnswer, Queue as _, TaskOptions, TaskStatus, jsonl};
use task_queue_memory::MemoryQueue;
use task_testkit::{Hostile, Mishap};

use super::*;
use crate::answer::{Deed, Imported};

const QUEUE: Name = Name::DEFAULT_QUEUE;

async fn told(queue: &TaskQueue, command: Command) -> (Vec<Answer>, Result<(), Trouble>) {
    let mut answers = Vec::new();
    let ended = call(queue, &QUEUE, command, &mut |answer| {
        answers.push(answer);
        Ok(())
    })
    .await;
    (answers, ended)
}

async fn one(queue: &TaskQueue, command: Command) -> Answer {
    let (mut answers, ended) = told(queue, command).await;
    ended.unwrap();
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

fn message(id: &str) -> TaskMessage {
    let params = jsonl::params(r#"{"path": "README.md"}"#).unwrap();
    TaskMessage::new(id.parse().unwrap(), "count", params, TaskOptions::default()).unwrap()
}

async fn with(ids: &[&str]) -> MemoryQueue {
    let memory = MemoryQueue::new();
    let messages = ids.iter().map(|id| message(id)).collect();
    TaskQueue::new(memory.clone()).enqueue_messages(messages).await.unwrap();
    memory
}

fn import(text: &str) -> Command {
    Command::Import(Box::new(io::Cursor::new(text.to_owned())))
}

#[tokio::test]
async fn a_list_goes_through_pages_up_to_its_limit_and_says_whether_there_is_more() {
    let queue = TaskQueue::new(with(&["a", "b", "c"]).await);
    for (limit, found, more) in [(2, 2, true), (3, 3, false), (9, 3, false)] {
        let command = Command::List { status: None, name: None, limit };
        let Answer::Tasks { tasks, more: rest } = one(&queue, command).await else { panic!() };
        assert_eq!((tasks.len(), rest), (found, more), "--limit {limit}");
    }
}

/// A call whose answer was lost is sent again, or a script would see a queue that is away for a moment as an error.
#[tokio::test(start_paused = true)]
async fn what_only_looks_is_sent_again_after_a_lost_answer() {
    let hostile = Hostile::new(with(&["a"]).await).plan([Mishap::LoseReply, Mishap::Fail, Mishap::LoseReply]);
    let Answer::Status(record) = one(&TaskQueue::new(hostile), Command::Status("a".parse().unwrap())).await
    else {
        panic!()
    };
    assert_eq!(record.status, TaskStatus::Pending);
}

/// A delete that was carried out is answered "not found" the second time: the user would be told of a task that never
/// was.
#[tokio::test]
async fn what_would_be_refused_the_second_time_is_not_sent_again_after_a_lost_answer() {
    let memory = with(&["a"]).await;
    memory.cancel(&QUEUE, &"a".parse().unwrap()).await.unwrap();
    let hostile = Hostile::new(memory).plan([Mishap::Fail, Mishap::LoseReply]);
    let command = Command::Control(Deed::Delete, Some("a".parse().unwrap()));
    let (answers, ended) = told(&TaskQueue::new(hostile), command).await;
    let error = ended.unwrap_err();
    assert!(answers.is_empty() && matches!(error, Trouble::Queue(QueueError::AnswerLost(_))), "{error}");
    assert_eq!(error.exit(), Exit::NoQueue);
}

#[tokio::test]
async fn a_cancelled_task_is_replayed_and_a_waiting_one_is_not() {
    let queue = TaskQueue::new(with(&["a"]).await);
    let id: TaskId = "a".parse().unwrap();
    let replay = || Command::Control(Deed::Replay, Some(id.clone()));
    let refused = one(&queue, replay()).await;
    assert_eq!(Exit::of(&refused), Exit::Refused);
    let cancelled = one(&queue, Command::Cancel(id.clone())).await;
    assert!(matches!(cancelled, Answer::Cancelled { answer: CancelAnswer::Cancelled, .. }));
    let replayed = one(&queue, replay()).await;
    assert!(matches!(replayed, Answer::Controlled { answer: ControlAnswer::Done(1), .. }), "{replayed:?}");
}

#[tokio::test]
async fn an_import_numbers_its_bad_lines_and_sent_again_changes_nothing() {
    let queue = TaskQueue::new(with(&["b"]).await);
    let text = concat!(
        r#"{"task": "count", "id": "a"}"#,
        "\n\nnot json\n",
        r#"{"task": "count", "id": "b", "params": {"other": 1}}"#,
        "\n",
        r#"{"task": "count", "id": "c", "unique": "k"}"#,
        "\n",
        r#"{"task": "count", "id": "d", "unique": "k"}"#,
    );
    let (answers, ended) = told(&queue, import(text)).await;
    ended.unwrap();
    let lines: Vec<(&str, Exit)> = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Refused(refusal) => Some((refusal.what.as_str(), Exit::of(answer))),
            _ => None,
        })
        .collect();
    assert_eq!(lines, [("line 3", Exit::Usage), ("line 4", Exit::Refused), ("line 6", Exit::Refused)]);
    let Some(Answer::Imported(done)) = answers.last() else { panic!() };
    assert_eq!(*done, Imported { enqueued: 2, already_there: 0, refused: 2, bad_lines: 1 });

    let (answers, _) = told(&queue, import(r#"{"task": "count", "id": "a"}"#)).await;
    let [Answer::Imported(again)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(*again, Imported { already_there: 1, ..Imported::default() });
}

/// An import that went on after the queue was gone told nobody which lines are in.
#[tokio::test(start_paused = true)]
async fn an_import_ends_when_the_queue_is_gone_and_says_how_far_it_came() {
    let queue = TaskQueue::new(Hostile::new(MemoryQueue::new()).plan([Mishap::Fail; 10_000]));
    let (answers, ended) = told(&queue, import(r#"{"task": "count"}"#)).await;
    assert_eq!(ended.unwrap_err().exit(), Exit::NoQueue);
    assert!(matches!(answers[..], [Answer::Imported(done)] if done == Imported::default()), "{answers:?}");
}

#[tokio::test]
async fn an_export_is_what_waits_and_its_import_is_the_same_tasks() {
    let mut rich = message("rich");
    rich.headers.insert("user".into(), "ann".into());
    (rich.priority, rich.max_retries) = (80, Some(7));
    let memory = with(&["a", "b"]).await;
    let queue = TaskQueue::new(memory.clone());
    queue.enqueue_messages(vec![rich.clone()]).await.unwrap();
    memory.cancel(&QUEUE, &"b".parse().unwrap()).await.unwrap();
    let (answers, ended) = told(&queue, Command::Export(vec![TaskStatus::Pending, TaskStatus::Retry])).await;
    ended.unwrap();
    let messages: Vec<&TaskMessage> = answers
        .iter()
        .filter_map(|answer| if let Answer::Message(message) = answer { Some(&**message) } else { None })
        .collect();
    let lines: Vec<String> = messages.iter().map(|message| jsonl::write(message).unwrap()).collect();
    assert_eq!(messages.iter().map(|m| m.id.to_string()).collect::<Vec<_>>(), ["rich", "a"]);

    let other = MemoryQueue::new();
    told(&TaskQueue::new(other.clone()), import(&lines.join("\n"))).await.1.unwrap();
    for message in messages {
        let mut copy = other.message(&QUEUE, &message.id).await.unwrap().unwrap();
        copy.enqueued_at = message.enqueued_at;
        assert_eq!(&copy, message);
    }
}

/// "no such task", said one hour long of a task in another named queue.
#[tokio::test]
async fn a_task_that_is_in_another_named_queue_is_found_there() {
    let queue = TaskQueue::new(with(&[]).await);
    let mut other = message("a");
    other.queue = "mail".parse().unwrap();
    queue.enqueue_messages(vec![other]).await.unwrap();
    let id: TaskId = "a".parse().unwrap();
    for command in [
        Command::Status(id.clone()),
        Command::Explain(id.clone()),
        Command::Cancel(id.clone()),
        Command::Control(Deed::Replay, Some(id.clone())),
        Command::Result { id: id.clone(), wait: Some(Wait::WithoutEnd) },
    ] {
        let answer = one(&queue, command).await;
        assert_eq!(Exit::of(&answer), Exit::NoTask);
        assert!(
            matches!(&answer, Answer::NoTask { elsewhere: Some(name), .. } if *name == "mail"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_queue_that_nobody_used_is_paused_with_a_word() {
    let queue = TaskQueue::new(with(&["a"]).await);
    let pause = || Command::Control(Deed::Pause, None);
    assert!(matches!(one(&queue, pause()).await, Answer::Controlled { unused: false, .. }));
    let queue = TaskQueue::new(MemoryQueue::new());
    assert!(matches!(one(&queue, pause()).await, Answer::Controlled { unused: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_end_outlasts_the_hours_and_one_with_an_end_says_what_is_so_then() {
    let memory = with(&["a"]).await;
    let queue = TaskQueue::new(memory.clone());
    let wait = |time| Command::Result { id: "a".parse().unwrap(), wait: Some(time) };
    let late = one(&queue, wait(Wait::For(Duration::from_secs(5)))).await;
    assert_eq!(Exit::of(&late), Exit::NotFinal);
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        memory.cancel(&QUEUE, &"a".parse().unwrap()).await.unwrap();
    };
    let ((answers, ended), ()) = tokio::join!(told(&queue, wait(Wait::WithoutEnd)), cancel);
    ended.unwrap();
    assert_eq!(Exit::of(answers.last().unwrap()), Exit::TaskFailed);
    // a newcomer without a worker waited, and did not learn for what
    let said = answers.iter().filter(|answer| matches!(answer, Answer::Waits(_))).count();
    assert!((100..250).contains(&said), "three hours, and a word a minute: {said}");
}
