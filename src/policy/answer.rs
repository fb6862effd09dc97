//! The rule of obedience.
