//! The tokens of GraphQL source. What is no token of GraphQL is a token of one
//! character here: the parser has the say on errors.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// The byte it starts at.
    pub(crate) offset: usize,
}

impl Token<'_> {
    pub(crate) fn is_punctuator(&self) -> bool {
        self.text.starts_with(PUNCTUATORS)
    }

    pub(crate) fn is_string(&self) -> bool {
        self.text.starts_with('"')
    }
}

/// The tokens of a source, without what GraphQL ignores.
#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    source: &'a str,
    offset: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, offset: 0 }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.offset..).unwrap_or_default()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while let Some(length) = ignored(self.rest()) {
            self.offset += length;
        }
        let offset = self.offset;
        let rest = self.rest();
        let length = token(rest)?;
        self.offset += length;
        let text = rest.get(..length)?;
        Some(Token { text, offset })
    }
}

const PUNCTUATORS: [char; 14] = [
    '!', '$', '&', '(', ')', '.', ':', '=', '@', '[', ']', '{', '|', '}',
];

/// Length of what is ignored at the start of `source`.
fn ignored(source: &str) -> Option<usize> {
    match source.chars().next()? {
        '#' => Some(source.find(['\n', '\r']).unwrap_or(source.len())),
        space @ (' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}') => Some(space.len_utf8()),
        _ => None,
    }
}

/// Length of the token at the start of `source`.
fn token(source: &str) -> Option<usize> {
    let first = source.chars().next()?;
    if let Some(string) = source.strip_prefix("\"\"\"") {
        return Some(3 + until_quotes(string, "\"\"\"", "\\\"\"\""));
    }
    if let Some(string) = source.strip_prefix('"') {
        return Some(1 + until_quote(string));
    }
    if source.starts_with("...") {
        return Some(3);
    }
    let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    // A number that a name or a dot follows at once is not valid.
    let is_number = |c: char| is_name(c) || matches!(c, '.' | '+' | '-');
    let length = if first == '-' || first.is_ascii_digit() {
        source.find(|c| !is_number(c))
    } else if is_name(first) {
        source.find(|c| !is_name(c))
    } else {
        Some(first.len_utf8())
    };
    Some(length.unwrap_or(source.len()))
}

/// Length of a block string's rest, with the closing quotes.
fn until_quotes(string: &str, quotes: &str, escaped: &str) -> usize {
    let mut length = 0;
    while let Some(rest) = string.get(length..).filter(|rest| !rest.is_empty()) {
        length += match rest {
            _ if rest.starts_with(escaped) => escaped.len(),
            _ if rest.starts_with(quotes) => return length + quotes.len(),
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
    }
    length
}

/// Length of a string's rest, with the closing quote.
fn until_quote(string: &str) -> usize {
    let mut escaped = false;
    for (at, c) in string.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    string.len()
}
