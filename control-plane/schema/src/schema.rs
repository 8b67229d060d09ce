use apollo_compiler::Name;
use apollo_compiler::Schema as Definitions;
use apollo_compiler::validation::Valid;

use crate::directive::{self, Completion};
use crate::index::Index;
use crate::reason::{self, Reason};
use crate::{Limits, faithful};

/// A valid schema and what its directives say of every field.
pub struct Schema {
    pub(crate) definitions: Valid<Definitions>,
    pub(crate) index: Index,
    /// Directives that the SDL does not define itself.
    added: Vec<Name>,
}

/// Why an SDL is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchema {
    /// Too long to be parsed.
    #[error("the schema has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not a valid schema, or its directives are not used as they are defined.
    #[error("{}", reason::lines(.reasons))]
    Invalid {
        /// Everything that is wrong, in the order of the source where known.
        reasons: Vec<Reason>,
    },
}

impl Schema {
    /// Parses and checks an SDL. Definitions of our directives are added
    /// where it has none.
    ///
    /// # Errors
    /// See [`InvalidSchema`].
    pub fn parse(sdl: &str, limits: Limits) -> Result<Self, InvalidSchema> {
        if sdl.len() > limits.bytes {
            return Err(InvalidSchema::TooLarge {
                bytes: sdl.len(),
                limit: limits.bytes,
            });
        }
        let mut document = limits
            .parser()
            .parse_ast(sdl, "schema.graphql")
            .map_err(|invalid| InvalidSchema::Invalid {
                reasons: Reason::list(&invalid.errors),
            })?;
        if let Some(reason) = faithful::lost(sdl, &document) {
            let reasons = vec![reason];
            return Err(InvalidSchema::Invalid { reasons });
        }
        let Completion { added, mut reasons } = directive::complete(&mut document);
        let definitions = match document.to_schema_validate() {
            Ok(definitions) => definitions,
            Err(invalid) => {
                reasons.extend(Reason::list(&invalid.errors));
                return Err(InvalidSchema::Invalid { reasons });
            }
        };
        if !reasons.is_empty() {
            return Err(InvalidSchema::Invalid { reasons });
        }
        let index =
            Index::build(&definitions).map_err(|reasons| InvalidSchema::Invalid { reasons })?;
        Ok(Self {
            definitions,
            index,
            added,
        })
    }

    /// Its definitions, those of our directives included.
    pub fn definitions(&self) -> &Valid<Definitions> {
        &self.definitions
    }

    /// Whether the SDL itself defines the directive `name`.
    pub fn states_directive(&self, name: &str) -> bool {
        self.definitions.directive_definitions.contains_key(name)
            && !self.added.iter().any(|added| added == name)
    }
}
