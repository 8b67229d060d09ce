//! Conditions. Every one is true or false, never unknown, so that `NOT` is the
//! opposite.

use ig_scim::filter::{Comparison, Condition, Filter, Literal, Test};
use ig_scim::{AttributePath, Error, ErrorKind, ResourceType};

use super::test::{after_prefix, conjunction, element_key, is_constant};
use super::{Constant, Place, Sql, place, quoted};

/// Adds what a filter says of resources of a type. With `by_trigrams`, SQLite
/// looks for parts of values in its table of trigrams, which has those of all
/// tenants.
pub(in crate::scim) fn filter(
    sql: &mut Sql,
    of: ResourceType,
    tenant: &str,
    filter: &Filter,
    by_trigrams: bool,
) -> Result<(), Error> {
    Conditions {
        sql,
        of,
        tenant,
        by_trigrams,
    }
    .filter(filter)
}

/// Adds what a filter says of the member `m` of a group.
pub(in crate::scim) fn of_member(
    sql: &mut Sql,
    tenant: &str,
    filter: &Filter,
) -> Result<(), Error> {
    let of = ResourceType::Group;
    Conditions {
        sql,
        of,
        tenant,
        by_trigrams: false,
    }
    .of_element(filter)
}

/// Attributes whose parts are indexed; migration 0003 has them, too.
const SEARCHED: [&str; 6] = [
    "userName",
    "displayName",
    "emails.value",
    "name.formatted",
    "name.familyName",
    "name.givenName",
];

struct Conditions<'a> {
    sql: &'a mut Sql,
    of: ResourceType,
    tenant: &'a str,
    by_trigrams: bool,
}

impl Conditions<'_> {
    fn filter(&mut self, filter: &Filter) -> Result<(), Error> {
        match filter {
            Filter::And(parts) => self.joined(parts, " AND ", Self::filter),
            Filter::Or(parts) => self.joined(parts, " OR ", Self::filter),
            Filter::Not(part) => {
                self.sql.push("NOT (");
                self.filter(part)?;
                self.sql.push(")");
                Ok(())
            }
            Filter::Test(test) => self.test(test),
            Filter::Element(path, part) => self.element(path, part),
            Filter::Nothing => {
                self.sql.push("1 = 0");
                Ok(())
            }
        }
    }

    fn joined(
        &mut self,
        parts: &[Filter],
        between: &str,
        one: impl Fn(&mut Self, &Filter) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.sql.push("(");
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                self.sql.push(between);
            }
            one(self, part)?;
        }
        self.sql.push(")");
        Ok(())
    }

    fn test(&mut self, test: &Test) -> Result<(), Error> {
        let mut place = place(self.of, &test.path)?;
        if place == Place::Column("r.name")
            && let Condition::Compare(Comparison::Contains | Comparison::EndsWith, _) =
                &test.condition
        {
            // Parts of names are indexed with those of other values.
            place = Place::Values;
        }
        match &test.condition {
            // The opposite of `eq`, also where there is no value.
            Condition::Compare(Comparison::NotEqual, literal) => {
                self.sql.push("NOT (");
                self.compare(place, &test.path, Comparison::Equal, literal);
                self.sql.push(")");
            }
            Condition::Compare(comparison, literal) => {
                self.compare(place, &test.path, *comparison, literal);
            }
            Condition::Present => self.present(place, &test.path),
        }
        Ok(())
    }

    fn present(&mut self, place: Place, path: &AttributePath) {
        match place {
            Place::Column("r.external_id") => {
                self.sql
                    .push("(r.external_id IS NOT NULL AND r.external_id <> '')");
            }
            Place::Column(_) | Place::Constant(_) => self.sql.push("1 = 1"),
            Place::Values => {
                self.values_of(&path.key());
                self.sql.push(" AND v.value <> '')");
            }
            Place::Members(_) => {
                self.members();
                self.sql.push(")");
            }
            Place::Groups(_) => {
                self.groups();
                self.end_groups();
            }
        }
    }

    fn compare(
        &mut self,
        place: Place,
        path: &AttributePath,
        comparison: Comparison,
        literal: &Literal,
    ) {
        if *literal == Literal::Null {
            match comparison {
                Comparison::Equal => self.missing(place, path),
                // Nothing is more, less or a part of nothing.
                _ => self.sql.push("1 = 0"),
            }
            return;
        }
        match place {
            Place::Column("r.external_id") => {
                self.sql.push("(r.external_id IS NOT NULL AND ");
                self.is("r.external_id", comparison, literal);
                self.sql.push(")");
            }
            Place::Column(column) => self.is(column, comparison, literal),
            Place::Constant(constant) => {
                let value = match constant {
                    Constant::Kind => self.of.name(),
                    Constant::Tenant => self.tenant,
                };
                let holds = is_constant(value, comparison, literal);
                self.sql.push(if holds { "1 = 1" } else { "1 = 0" });
            }
            Place::Values => {
                let key = path.key();
                self.sql
                    .push("r.number IN (SELECT v.resource FROM scim_values v WHERE ");
                self.value_is("v", &key, comparison, literal);
                self.sql.push(")");
            }
            Place::Members(column) => {
                self.members();
                self.sql.push(" AND ");
                self.is(column, comparison, literal);
                self.sql.push(")");
            }
            Place::Groups(column) => {
                self.groups();
                self.sql.push(" AND ");
                self.is(column, comparison, literal);
                self.end_groups();
            }
        }
    }

    /// No value at all, or an element of a list that has none.
    fn missing(&mut self, place: Place, path: &AttributePath) {
        match place {
            Place::Column("r.external_id") => self.sql.push("r.external_id IS NULL"),
            Place::Column(_) | Place::Constant(_) => self.sql.push("1 = 0"),
            Place::Members(_) | Place::Groups(_) => {
                self.sql.push("NOT (");
                self.present(place, path);
                self.sql.push(")");
            }
            Place::Values => {
                let is_part = path.attribute.is_multi_valued && path.sub_attribute.is_some();
                if !is_part {
                    self.sql.push("NOT ");
                    self.values_of(&path.key());
                    self.sql.push(")");
                    return;
                }
                let element = element_key(path);
                self.sql.push("(NOT ");
                self.values_of(&element);
                self.sql.push(") OR ");
                self.elements_of(&element);
                self.sql.push(" AND NOT ");
                self.value_of_element(&path.key());
                self.sql.push(")))");
            }
        }
    }

    /// `r.number IN (SELECT … WHERE …`, to be closed.
    fn values_of(&mut self, key: &str) {
        self.sql
            .push("r.number IN (SELECT v.resource FROM scim_values v WHERE v.tenant = ");
        self.sql.text(self.tenant);
        self.sql.push(" AND v.key = ");
        self.sql.push(&quoted(key));
    }

    /// As above, for elements `e` of a list.
    fn elements_of(&mut self, key: &str) {
        self.sql
            .push("r.number IN (SELECT e.resource FROM scim_values e WHERE e.tenant = ");
        self.sql.text(self.tenant);
        self.sql.push(" AND e.key = ");
        self.sql.push(&quoted(key));
    }

    /// `EXISTS (…` for a value of the element `e`, to be closed.
    fn value_of_element(&mut self, key: &str) {
        self.sql.push(
            "EXISTS (SELECT 1 FROM scim_values v WHERE v.tenant = e.tenant \
             AND v.resource = e.resource AND v.element = e.element AND v.key = ",
        );
        self.sql.push(&quoted(key));
    }

    fn members(&mut self) {
        self.sql
            .push("r.number IN (SELECT m.in_group FROM scim_members m WHERE m.tenant = ");
        self.sql.text(self.tenant);
    }

    /// Who is in a group `g`, to be ended by [`Self::end_groups`].
    fn groups(&mut self) {
        self.sql.push(
            "r.id IN (WITH RECURSIVE below (member) AS (SELECT m.member FROM scim_resources g \
             CROSS JOIN scim_members m WHERE m.in_group = g.number AND g.kind = 'Group' \
             AND g.deleted_at IS NULL AND g.tenant = m.tenant AND m.tenant = ",
        );
        self.sql.text(self.tenant);
    }

    /// And who is in it by other groups, as users show them.
    fn end_groups(&mut self) {
        self.sql.push(
            " UNION SELECT m.member FROM below CROSS JOIN scim_resources n CROSS JOIN scim_members m \
             WHERE n.id = below.member AND n.kind = 'Group' AND m.in_group = n.number \
             AND m.tenant = n.tenant AND n.tenant = ",
        );
        self.sql.text(self.tenant);
        self.sql.push(") SELECT member FROM below)");
    }

    fn element(&mut self, path: &AttributePath, part: &Filter) -> Result<(), Error> {
        let place = place(self.of, path)?;
        match place {
            Place::Members(_) => self.members(),
            Place::Groups(_) => self.groups(),
            Place::Values => {
                if let Some(tests) = conjunction(part) {
                    self.element_with_all(&tests);
                    return Ok(());
                }
                self.elements_of(&element_key(path));
            }
            Place::Column(_) | Place::Constant(_) => {
                let detail = format!("`{}` is no list", path.key());
                return Err(Error::new(ErrorKind::InvalidFilter, detail));
            }
        }
        self.sql.push(" AND ");
        self.of_element(part)?;
        match place {
            Place::Groups(_) => self.end_groups(),
            _ => self.sql.push(")"),
        }
        Ok(())
    }

    /// What holds for one element.
    fn of_element(&mut self, filter: &Filter) -> Result<(), Error> {
        match filter {
            Filter::And(parts) => self.joined(parts, " AND ", Self::of_element),
            Filter::Or(parts) => self.joined(parts, " OR ", Self::of_element),
            Filter::Not(part) => {
                self.sql.push("NOT (");
                self.of_element(part)?;
                self.sql.push(")");
                Ok(())
            }
            Filter::Test(test) => {
                let place = place(self.of, &test.path)?;
                match &test.condition {
                    Condition::Compare(Comparison::NotEqual, literal) => {
                        self.sql.push("NOT (");
                        self.compare_part(place, &test.path, Comparison::Equal, literal);
                        self.sql.push(")");
                    }
                    Condition::Compare(comparison, literal) => {
                        self.compare_part(place, &test.path, *comparison, literal);
                    }
                    Condition::Present => match place {
                        Place::Values => {
                            self.value_of_element(&test.path.key());
                            self.sql.push(" AND v.value <> '')");
                        }
                        _ => self.sql.push("1 = 1"),
                    },
                }
                Ok(())
            }
            Filter::Element(..) | Filter::Nothing => {
                self.sql.push("1 = 0");
                Ok(())
            }
        }
    }

    fn compare_part(
        &mut self,
        place: Place,
        path: &AttributePath,
        comparison: Comparison,
        literal: &Literal,
    ) {
        match (place, literal, comparison) {
            (Place::Values, Literal::Null, Comparison::Equal) => {
                self.sql.push("NOT ");
                self.value_of_element(&path.key());
                self.sql.push(")");
            }
            (_, Literal::Null, _) => self.sql.push("1 = 0"),
            (Place::Members(column) | Place::Groups(column) | Place::Column(column), _, _) => {
                self.is(column, comparison, literal);
            }
            (Place::Values, _, _) => {
                self.value_of_element(&path.key());
                self.sql.push(" AND ");
                self.is("v.value", comparison, literal);
                self.sql.push(")");
            }
            (Place::Constant(_), _, _) => self.sql.push("1 = 0"),
        }
    }

    /// All tests hold for one element: a join, which begins with the test that
    /// finds least. `CROSS JOIN` has SQLite, which knows nothing of values,
    /// keep the order; PostgreSQL finds its own.
    fn element_with_all(&mut self, tests: &[&Test]) {
        self.sql.push("r.number IN (SELECT v0.resource FROM ");
        for number in 0..tests.len() {
            if number > 0 {
                self.sql.push(" CROSS JOIN ");
            }
            self.sql.push(&format!("scim_values v{number}"));
        }
        self.sql.push(" WHERE ");
        for (number, test) in tests.iter().enumerate() {
            if number > 0 {
                self.sql.push(&format!(
                    " AND v{number}.resource = v0.resource AND v{number}.element = v0.element AND "
                ));
            }
            let key = test.path.key();
            let row = format!("v{number}");
            match &test.condition {
                Condition::Present => {
                    self.row_of(&row, &key, "");
                    self.sql.push(&format!("{row}.value <> ''"));
                }
                Condition::Compare(comparison, literal) => {
                    self.value_is(&row, &key, *comparison, literal);
                }
            }
        }
        self.sql.push(")");
    }

    /// The row is one of the key, and its value compares with the literal;
    /// where there is an index of parts of values, it is found by that.
    fn value_is(&mut self, row: &str, key: &str, comparison: Comparison, literal: &Literal) {
        let is_part = matches!(comparison, Comparison::Contains | Comparison::EndsWith);
        match literal {
            Literal::Text(text)
                if self.by_trigrams
                    && is_part
                    && SEARCHED.contains(&key)
                    && text.chars().count() >= 3 =>
            {
                // `+`: SQLite does not look at all values of the key instead.
                self.row_of(row, key, "+");
                self.sql.push(&format!(
                    "{row}.number IN (SELECT rowid FROM scim_search WHERE scim_search MATCH "
                ));
                self.sql.text(format!("\"{}\"", text.replace('"', "\"\"")));
                self.sql.push(") AND ");
            }
            _ => self.row_of(row, key, ""),
        }
        self.is(&format!("{row}.value"), comparison, literal);
    }

    /// `tenant` and `key` are these, and …
    fn row_of(&mut self, row: &str, key: &str, sign: &str) {
        self.sql.push(&format!("{sign}{row}.tenant = "));
        self.sql.text(self.tenant);
        self.sql
            .push(&format!(" AND {sign}{row}.key = {} AND ", quoted(key)));
    }

    /// `column` compares with the literal.
    fn is(&mut self, column: &str, comparison: Comparison, literal: &Literal) {
        let operator = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith => {
                return self.has_part(column, comparison, literal);
            }
        };
        self.sql.push(&format!("{column} {operator} "));
        match literal {
            Literal::Text(text) => self.sql.text(text.clone()),
            Literal::Boolean(value) => self.sql.text(value.to_string()),
            Literal::Time(millis) => self.sql.number(*millis),
            Literal::Null => self.sql.push("NULL"),
        }
    }

    fn has_part(&mut self, column: &str, comparison: Comparison, literal: &Literal) {
        let Literal::Text(text) = literal else {
            self.sql.push("1 = 0");
            return;
        };
        if comparison == Comparison::StartsWith {
            // A range, which an index has.
            self.sql.push(&format!("({column} >= "));
            self.sql.text(text.clone());
            if let Some(end) = after_prefix(text) {
                self.sql.push(&format!(" AND {column} < "));
                self.sql.text(end);
            }
            self.sql.push(")");
            return;
        }
        let mut pattern = String::from("%");
        for character in text.chars() {
            if matches!(character, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        if comparison == Comparison::Contains {
            pattern.push('%');
        }
        self.sql.push(&format!("{column} LIKE "));
        self.sql.text(pattern);
        self.sql.push(" ESCAPE '\\'");
    }
}
