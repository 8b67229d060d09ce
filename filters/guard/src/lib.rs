//! Composes the guards: takes values, returns an effect
