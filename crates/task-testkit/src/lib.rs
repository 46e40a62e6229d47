//! Conformance suite for queue backends, hostile wrappers, and helpers for tests of tasks
