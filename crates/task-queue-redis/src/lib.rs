//! The Redis backend of the task framework
