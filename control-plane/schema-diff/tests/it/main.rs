//! Schemas compared, and what that decides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests, helpers included"
)]

mod authz;
mod corpora;
mod exceptions;
#[path = "../../../../tests/corpora.rs"]
mod folder;
mod gate;
mod loosen;
mod operations;
mod rules;

use std::collections::BTreeSet;

use ig_schema::catalogue::Catalogue;
use ig_schema::{Date, Limits, Schema};
use ig_schema_diff::{Exceptions, FailOn, Policy, Report, report};

#[track_caller]
pub(crate) fn schema(sdl: &str) -> Schema {
    Schema::parse(sdl, Limits::SCHEMA).unwrap_or_else(|invalid| panic!("{invalid}\n{sdl}"))
}

pub(crate) fn catalogue(text: &str) -> Catalogue {
    Catalogue::parse(text, None, Limits::CATALOGUE).unwrap()
}

pub(crate) fn today() -> Date {
    "2026-11-27".parse().unwrap()
}

pub(crate) fn policy(fail_on: impl IntoIterator<Item = FailOn>) -> Policy {
    Policy {
        fail_on: BTreeSet::from_iter(fail_on),
        exceptions: Exceptions::default(),
        announced: false,
        invalid_before: false,
        today: today(),
    }
}

/// Compares two SDLs, with the operations of a GraphQL source.
#[track_caller]
pub(crate) fn compare(old: &str, new: &str, operations: &str, policy: &Policy) -> Report {
    let catalogue = match operations {
        "" => Catalogue::default(),
        text => catalogue(text),
    };
    report(
        &schema(old),
        &schema(new),
        &catalogue,
        policy,
        &mut |_, _| {},
    )
}
