//! Keeps N workers alive: supervisor, and the binaries task-orchestrator and task-worker
