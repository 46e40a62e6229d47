//! Runs tasks: registry, context, worker and command tasks of the task framework
