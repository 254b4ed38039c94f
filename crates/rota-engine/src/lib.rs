//! The lifecycle of apps and their workers as one pure state machine: no IO, no clock, no threads.
