//! Uses of our directives, read into types.

use apollo_compiler::ast::Directive;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::Value;
use apollo_compiler::{Node, Schema};
use ig_contract::snapshot::Resource;
use serde::Serialize;

use crate::reason::{Locator, Reason};

/// A use of `@authz`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authz {
    /// What the use is called in policies; none for the action of the root
    /// field.
    pub action: Option<String>,
    /// Purposes that allow it, ascending and distinct; none means any.
    pub purposes: Vec<String>,
    /// Whether it needs a proof of presence.
    pub step_up: bool,
    /// Whether it reaches into other tenants.
    pub cross_tenant: bool,
}

/// `@listSize`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListSize {
    pub(crate) assumed: Option<u64>,
    pub(crate) slicing: Vec<String>,
    pub(crate) sized_fields: Vec<String>,
    pub(crate) require_one: bool,
}

/// Thousandths of one, the unit that costs are summed in.
pub(crate) type Weight = u64;

/// One, as a [`Weight`].
pub(crate) const ONE: Weight = 1000;

/// Reads directives and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) reasons: Vec<Reason>,
    locator: Locator<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            reasons: Vec::new(),
            locator: Locator::new(&schema.sources),
        }
    }

    pub(crate) fn report(&mut self, message: impl std::fmt::Display, span: Option<SourceSpan>) {
        self.reasons.push(self.locator.reason(message, span));
    }

    /// Validation has checked presence and types; an argument that the
    /// schema's own definition leaves out counts as null.
    fn argument(&self, directive: &'a Node<Directive>, name: &str) -> Option<&'a Node<Value>> {
        let value = directive.argument_by_name(name, self.schema).ok()?;
        (!value.is_null()).then_some(value)
    }

    fn flag(&self, directive: &'a Node<Directive>, name: &str) -> bool {
        self.argument(directive, name)
            .and_then(|value| value.to_bool())
            .unwrap_or(false)
    }

    fn string(&mut self, directive: &'a Node<Directive>, name: &str) -> Option<String> {
        let value = self.argument(directive, name)?;
        self.item(directive, name, value)
    }

    fn strings(&mut self, directive: &'a Node<Directive>, name: &str) -> Vec<String> {
        let items = match self.argument(directive, name) {
            None => &[][..],
            // A single value is a list of one.
            Some(value) => match value.as_ref() {
                Value::List(items) => items,
                _ => std::slice::from_ref(value),
            },
        };
        let mut strings: Vec<_> = items
            .iter()
            .filter_map(|item| self.item(directive, name, item))
            .collect();
        strings.sort_unstable();
        strings.dedup();
        strings
    }

    fn item(
        &mut self,
        directive: &'a Node<Directive>,
        name: &str,
        value: &'a Node<Value>,
    ) -> Option<String> {
        let text = value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.report(
                format!("`@{}({name}:)` must not be empty", directive.name),
                value.location().or(directive.location()),
            );
        }
        text.map(str::to_owned)
    }

    pub(crate) fn authz(&mut self, directive: &'a Node<Directive>) -> Authz {
        Authz {
            action: self.string(directive, "action"),
            purposes: self.strings(directive, "purpose"),
            step_up: self.flag(directive, "stepUp"),
            cross_tenant: self.flag(directive, "crossTenant"),
        }
    }

    pub(crate) fn resource(&mut self, directive: &'a Node<Directive>) -> Resource {
        Resource {
            pii: self.flag(directive, "pii"),
            retention: self.string(directive, "retention"),
            license_class: self.string(directive, "licenseClass"),
        }
    }

    pub(crate) fn fact(&mut self, directive: &'a Node<Directive>) -> Option<String> {
        self.string(directive, "name")
    }

    pub(crate) fn weight(&mut self, directive: &'a Node<Directive>) -> Option<Weight> {
        let text = self.string(directive, "weight")?;
        let weight = parse_weight(&text);
        if weight.is_none() {
            let message = format!("`@cost(weight:)` is a decimal number from 0, not `{text}`");
            self.report(message, directive.location());
        }
        weight
    }

    pub(crate) fn list_size(&mut self, directive: &'a Node<Directive>) -> ListSize {
        let assumed = self.argument(directive, "assumedSize");
        let assumed = assumed.and_then(|value| value.to_i32());
        if assumed.is_some_and(i32::is_negative) {
            let message = "`@listSize(assumedSize:)` must not be negative";
            self.report(message, directive.location());
        }
        ListSize {
            assumed: assumed.and_then(|size| u64::try_from(size).ok()),
            slicing: self.strings(directive, "slicingArguments"),
            sized_fields: self.strings(directive, "sizedFields"),
            require_one: self.flag(directive, "requireOneSlicingArgument"),
        }
    }
}

/// Decimal digits with at most one point, rounded up to thousandths. Read as
/// digits, since floats would make a cost depend on the order of additions.
fn parse_weight(text: &str) -> Option<Weight> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut thousandths: u64 = whole.parse::<u64>().ok()?.checked_mul(ONE)?;
    let mut unit = ONE;
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        unit /= 10;
        // Behind the third digit, anything but zero rounds up, once.
        let amount = if unit > 0 { digit * unit } else { digit.min(1) };
        thousandths = thousandths.checked_add(amount)?;
        if unit == 0 && digit > 0 {
            break;
        }
    }
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::parse_weight;

    #[test]
    fn weights() {
        let cases = [
            ("0", Some(0)),
            ("1", Some(1000)),
            ("2.5", Some(2500)),
            ("0.001", Some(1)),
            ("0.0001", Some(1)),
            ("0.00011", Some(1)),
            ("1.0000", Some(1000)),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("1.2.3", None),
            (".5", None),
            ("18446744073709551615", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_weight(text), expected, "{text}");
        }
    }
}
