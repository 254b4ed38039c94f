//! The keeper: parent of every process and holder of every descriptor that must outlive the supervisor.
