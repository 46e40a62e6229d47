//! Reading what a script answers.

use bytes::Bytes;
use task_core::QueueError;

use crate::wire::Value;

/// A list of values, read from its front.
pub(crate) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    /// The list that a script answered, or a command.
    pub(crate) fn new(value: Value) -> Result<Self, QueueError> {
        match value {
            Value::List(values) => Ok(Self(values.into_iter())),
            other => Err(unexpected("a list", &other)),
        }
    }

    /// An answer that is no list, to be read like the only element of one.
    pub(crate) fn single(value: Value) -> Self {
        Self(vec![value].into_iter())
    }

    /// The list that one of several scripts answered.
    pub(crate) fn of(answer: Option<Result<Value, QueueError>>) -> Result<Self, QueueError> {
        Self::new(answer.unwrap_or(Ok(Value::Nil))?)
    }

    /// The next value as it is; nil at the end.
    pub(crate) fn value(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    /// The next one, bytes; none for nil.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, QueueError> {
        match self.value() {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Int(number) => Ok(number.to_string().into()),
            Value::Nil => Ok(Bytes::new()),
            other => Err(unexpected("text", &other)),
        }
    }

    /// The next one, text.
    pub(crate) fn text(&mut self) -> Result<String, QueueError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.into()).map_err(|_| corrupt("a script answered text that is not UTF-8"))
    }

    /// The next one, a number that is not negative; 0 for none.
    pub(crate) fn number(&mut self) -> Result<u64, QueueError> {
        Ok(self.signed()?.max(0).unsigned_abs())
    }

    /// The next one, a number.
    pub(crate) fn signed(&mut self) -> Result<i64, QueueError> {
        match self.value() {
            Value::Int(number) => Ok(number),
            Value::Nil => Ok(0),
            Value::Bytes(text) if text.is_empty() => Ok(0),
            Value::Bytes(text) => {
                let text = std::str::from_utf8(&text).unwrap_or("none");
                // a sorted set's score may have a fraction or an exponent
                let number = text.parse().ok().or_else(|| text.parse().ok().map(|number: f64| number as i64));
                number.ok_or_else(|| corrupt("a script answered no number"))
            }
            other => Err(unexpected("a number", &other)),
        }
    }

    /// The next one, yes or no.
    pub(crate) fn flag(&mut self) -> Result<bool, QueueError> {
        Ok(self.signed()? != 0)
    }

    /// The next one, a list; an empty one for nil.
    pub(crate) fn list(&mut self) -> Result<Self, QueueError> {
        match self.value() {
            Value::Nil => Ok(Self(Vec::new().into_iter())),
            value => Self::new(value),
        }
    }

    /// How many more there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no more.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

fn unexpected(what: &str, value: &Value) -> QueueError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Bytes(_) => "text",
        Value::List(_) => "a list",
        Value::Error(_) => "an error",
    };
    corrupt(&format!("a script answered {kind} in place of {what}"))
}

/// The store has something that can't be.
pub(crate) fn corrupt(what: &str) -> QueueError {
    QueueError::Corrupt(what.to_owned())
}
