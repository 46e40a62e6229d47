//! The derive and attribute macros of the task framework
