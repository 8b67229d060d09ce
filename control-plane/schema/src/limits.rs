use apollo_compiler::parser::Parser;

/// Bounds on what is parsed and compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Length of the source, in bytes.
    pub bytes: usize,
    /// Tokens of the source, where spaces and comments count too.
    pub tokens: usize,
    /// Levels of nesting: of syntax and, in an operation, of fields with the
    /// fragments spread out.
    pub recursion: usize,
    /// Steps that compiling one document may take. A step is a selection, an
    /// argument or an input field visited.
    pub steps: usize,
}

impl Limits {
    /// For an SDL. GitHub's public one has 1.2 MB.
    pub const SCHEMA: Self = Self {
        bytes: 16 << 20,
        tokens: 4_000_000,
        recursion: 64,
        steps: 0,
    };

    /// For one document. Real ones have up to some 20 kB.
    pub const DOCUMENT: Self = Self {
        bytes: 256 << 10,
        tokens: 100_000,
        recursion: 128,
        steps: 200_000,
    };

    /// For a catalogue file, whose documents have their own limits.
    pub const CATALOGUE: Self = Self {
        bytes: 256 << 20,
        tokens: 32_000_000,
        recursion: 128,
        steps: 0,
    };

    pub(crate) fn parser(self) -> Parser {
        Parser::new()
            .token_limit(self.tokens)
            .recursion_limit(self.recursion)
    }
}
