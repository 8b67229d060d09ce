//! Whether a syntax tree has everything that its source has.
//!
//! The parser drops some malformed pieces without an error: of `f(id)` and
//! `@authz(stepUp true)` it keeps `f` and `@authz`. What is checked here and
//! what an upstream reads would then differ, so each token must come back when
//! the tree is printed.

use std::iter::Peekable;

use apollo_compiler::ast::Document;

use crate::token::{Token, Tokens};
use crate::{Position, Reason};

/// What the tree of `source` lacks first, if anything.
pub(crate) fn lost(source: &str, document: &Document) -> Option<Reason> {
    let printed = document.to_string();
    let mut printed = Significant::new(&printed);
    for token in Significant::new(source) {
        if printed.next().is_none_or(|printed| !same(&printed, &token)) {
            let before = source.get(..token.offset).unwrap_or_default();
            return Some(Reason {
                position: Some(Position::START.behind(before)),
                ..Reason::new(format!("syntax error: unexpected `{}`", token.text))
            });
        }
    }
    let missing = printed.next()?;
    Some(Reason {
        position: Some(Position::START.behind(source)),
        ..Reason::new(format!("syntax error: expected `{}`", missing.text))
    })
}

/// Strings have many forms for one value.
fn same(left: &Token<'_>, right: &Token<'_>) -> bool {
    left.text == right.text || (left.is_string() && right.is_string())
}

/// Tokens without those that printing may add or leave out: leading `&` and
/// `|`, and `query` before an anonymous selection set.
struct Significant<'a> {
    tokens: Peekable<Tokens<'a>>,
    depth: usize,
}

impl<'a> Significant<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            tokens: Tokens::new(source).peekable(),
            depth: 0,
        }
    }

    fn is_brace_next(&mut self) -> bool {
        self.tokens.peek().is_some_and(|next| next.text == "{")
    }
}

impl<'a> Iterator for Significant<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let token = self.tokens.next()?;
            match token.text {
                "&" | "|" => continue,
                "query" if self.depth == 0 && self.is_brace_next() => continue,
                "{" | "(" => self.depth += 1,
                "}" | ")" => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            return Some(token);
        }
    }
}
