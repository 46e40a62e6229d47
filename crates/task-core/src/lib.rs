//! Messages, states, errors and the queue contract of the task framework
