//! GraphQL source without what GraphQL ignores.
//!
//! The result is that of graphql-js's `stripIgnoredCharacters`, but for block
//! strings, which stay as they are written.

use crate::Position;
use crate::token::Tokens;

/// A piece of valid source, stripped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Stripped {
    pub(super) text: String,
    /// Where tokens are: byte in `text` and place in the source, ascending.
    pub(super) tokens: Vec<(usize, Position)>,
}

impl Stripped {
    /// Strips `source`, which starts at `start` of its file.
    pub(super) fn new(source: &str, start: Position) -> Self {
        let mut stripped = Self::default();
        let (mut position, mut last) = (start, 0);
        let mut after_word = false;
        for token in Tokens::new(source) {
            position = position.behind(source.get(last..token.offset).unwrap_or_default());
            last = token.offset;
            let word = !token.is_punctuator();
            if after_word && (word || token.text == "...") {
                stripped.text.push(' ');
            }
            let offset = stripped.text.len();
            stripped.tokens.push((offset, position));
            match token.text.starts_with("\"\"\"") {
                // Means the same, and does not depend on the checkout.
                true => stripped.text.push_str(&token.text.replace("\r\n", "\n")),
                false => stripped.text.push_str(token.text),
            }
            after_word = word;
        }
        stripped
    }

    /// Where the token at or before `offset` is in the source.
    pub(super) fn position(&self, offset: usize) -> Option<Position> {
        let behind = self.tokens.partition_point(|(start, _)| *start <= offset);
        let (_, position) = self.tokens.get(behind.checked_sub(1)?)?;
        Some(*position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips() {
        let cases = [
            ("query  A {\n  b # c }\n  d,e\n}", "query A{b d e}"),
            ("{ a ...F ... on B { c } }", "{a ...F ...on B{c}}"),
            ("{ a(b: -1.5e+3, c: [1, 2]) }", "{a(b:-1.5e+3 c:[1 2])}"),
            (
                r##"{ a(b: "# , \" x" c: 1) }"##,
                r##"{a(b:"# , \" x" c:1)}"##,
            ),
            ("{a(b:\"\"\"x\r\ny\"\"\")}\r\n", "{a(b:\"\"\"x\ny\"\"\")}"),
            (
                "{ a(b: \"\"\" x # \\\"\"\" \n y \"\"\") }",
                "{a(b:\"\"\" x # \\\"\"\" \n y \"\"\")}",
            ),
            (
                "query A($b: [C!]! = null @d) {e}",
                "query A($b:[C!]!=null@d){e}",
            ),
            (r#"{a(b:"" c:"\\")}"#, r#"{a(b:"" c:"\\")}"#),
            ("\u{feff}{é}", "{é}"),
            ("", ""),
            ("\"unclosed", "\"unclosed"),
        ];
        let start = Position { line: 1, column: 1 };
        for (source, expected) in cases {
            assert_eq!(Stripped::new(source, start).text, expected, "{source}");
        }
    }

    #[test]
    fn positions() {
        let start = Position { line: 3, column: 5 };
        let stripped = Stripped::new("{ é # x\n  bc }", start);
        assert_eq!(stripped.text, "{é bc}");
        let at = |line, column| Some(Position { line, column });
        let positions = [
            at(3, 5),
            at(3, 7),
            at(3, 7),
            at(3, 7),
            at(4, 3),
            at(4, 3),
            at(4, 6),
        ];
        for (offset, expected) in positions.into_iter().enumerate() {
            assert_eq!(stripped.position(offset), expected, "{offset}");
        }
    }
}
