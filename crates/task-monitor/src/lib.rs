//! Metrics and probes over HTTP for any queue of the task framework
