//! Spawning, descriptor passing, signals and process groups: every unsafe block of rota, behind safe types.
