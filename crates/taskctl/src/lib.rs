//! The command line of the task framework: enqueue, look, explain, mend
