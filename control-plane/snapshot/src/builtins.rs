//! Built-in functions of the guard's engine.
//!
//! A list of its own, because this build may have more: `rand.intn` comes with
//! `std`, others with features that some other crate of a build asks for.
//! [`PANICS`] are left out on purpose.

/// Ascending.
const BUILTINS: &[&str] = &[
    "__builtin_sets.intersection",
    "__builtin_sets.union",
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "format_int",
    "indexof",
    "indexof_n",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.filter",
    "json.is_valid",
    "json.marshal",
    "json.marshal_with_options",
    "json.remove",
    "json.unmarshal",
    "lower",
    "max",
    "min",
    "numbers.range",
    "numbers.range_step",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "product",
    "replace",
    "round",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.replace_n",
    "strings.reverse",
    "substring",
    "sum",
    "to_number",
    "trace",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "units.parse",
    "units.parse_bytes",
    "upper",
];

/// Functions of the engine that panic on some argument, with what to write
/// instead. A panic is a trap of the module in Envoy, which everybody waits for.
pub(crate) const PANICS: [(&str, &str); 1] =
    // Of regorus 0.14.1, where the text to be counted is empty.
    [("strings.count", "count(split(text, part)) - 1")];

/// Whether the guard has a function of this name.
pub(crate) fn has(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{BUILTINS, PANICS};

    #[test]
    fn the_list_is_what_the_engine_has() {
        assert!(BUILTINS.is_sorted());
        let mut engine: Vec<&str> = regorus::unstable::BUILTINS.keys().copied().collect();
        let panics = |name: &str| PANICS.iter().any(|(known, _)| *known == name);
        engine.retain(|name| *name != "rand.intn" && !panics(name));
        engine.sort_unstable();
        assert_eq!(engine, BUILTINS);
    }
}
