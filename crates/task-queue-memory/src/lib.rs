//! The embedded backend of the task framework: a queue inside the process
