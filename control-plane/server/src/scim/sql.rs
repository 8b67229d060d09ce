//! From filters and sort orders to SQL. What a client sends is always a bound
//! argument; the text is made of ours alone.
//!
//! `r` is the row of the resource. Every condition is true or false, never
//! unknown, so that `NOT` is the opposite.

use ig_scim::filter::{Comparison, Condition, Filter, Literal, Test};
use ig_scim::schema::TENANT;
use ig_scim::{AttributePath, Error, ErrorKind, ResourceType};
use sqlx::any::AnyArguments;
use sqlx::query::QueryAs;
use sqlx::{Any, AnyConnection, AssertSqlSafe, FromRow, any::AnyRow};

/// An argument.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Argument {
    Text(String),
    Number(i64),
}

/// Text with numbered places, and what goes there.
#[derive(Default)]
pub(super) struct Sql {
    pub(super) text: String,
    arguments: Vec<Argument>,
}

impl Sql {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a place and its argument.
    pub(super) fn bind(&mut self, argument: Argument) {
        self.arguments.push(argument);
        let place = format!("${}", self.arguments.len());
        self.text.push_str(&place);
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.bind(Argument::Text(text.into()));
    }

    pub(super) fn number(&mut self, number: i64) {
        self.bind(Argument::Number(number));
    }

    /// The query. Filters are as many as clients think of, so none is kept
    /// prepared.
    pub(super) fn query<T>(&self) -> QueryAs<'static, Any, T, AnyArguments>
    where
        T: for<'r> FromRow<'r, AnyRow>,
    {
        let mut query = sqlx::query_as(AssertSqlSafe(self.text.clone())).persistent(false);
        for argument in &self.arguments {
            query = match argument {
                Argument::Text(text) => query.bind(text.clone()),
                Argument::Number(number) => query.bind(*number),
            };
        }
        query
    }
}

impl Sql {
    /// Runs a statement that answers nothing, and says how many rows it
    /// changed.
    pub(super) async fn execute(&self, connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
        // As many rows as are sent: kept prepared it would fill the cache.
        let mut query = sqlx::query(AssertSqlSafe(self.text.clone())).persistent(false);
        for argument in &self.arguments {
            query = match argument {
                Argument::Text(text) => query.bind(text.clone()),
                Argument::Number(number) => query.bind(*number),
            };
        }
        Ok(query.execute(connection).await?.rows_affected())
    }
}

/// Where the values of an attribute are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// A column of the resource.
    Column(&'static str),
    /// The same for each resource of the type, or of the tenant.
    Constant(Constant),
    /// Rows of their own.
    Values,
    /// A column of a group's members.
    Members(&'static str),
    /// A column of a user's groups.
    Groups(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Constant {
    Kind,
    Tenant,
}

fn place(of: ResourceType, path: &AttributePath) -> Result<Place, Error> {
    if path.extension.is_some_and(|schema| schema.id == TENANT.id) {
        return Ok(Place::Constant(Constant::Tenant));
    }
    if path.extension.is_some() {
        return Ok(Place::Values);
    }
    let sub = path.sub_attribute.map(|sub| sub.name);
    let not_searched = || {
        let detail = format!("`{}` cannot be searched", path.key());
        Err(Error::new(ErrorKind::InvalidFilter, detail))
    };
    Ok(match (path.attribute.name, sub) {
        ("id", _) => Place::Column("r.id"),
        ("externalId", _) => Place::Column("r.external_id"),
        (name, None) if name == of.name_attribute() => Place::Column("r.name"),
        ("meta", Some("created")) => Place::Column("r.created_at"),
        ("meta", Some("lastModified")) => Place::Column("r.changed_at"),
        ("meta", Some("resourceType")) => Place::Constant(Constant::Kind),
        ("meta", _) => return not_searched(),
        ("members", None | Some("value")) => Place::Members("m.member"),
        ("members", Some("type")) => Place::Members("m.type"),
        ("groups", None | Some("value")) => Place::Groups("g.id"),
        ("groups", Some("display")) => Place::Groups("g.name"),
        ("members" | "groups", _) => return not_searched(),
        _ => Place::Values,
    })
}

/// Adds what a filter says of resources of a type. With `by_trigrams`, SQLite
/// looks for parts of values in its table of trigrams, which has those of all
/// tenants.
pub(super) fn filter(
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
pub(super) fn of_member(sql: &mut Sql, tenant: &str, filter: &Filter) -> Result<(), Error> {
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

/// A key of ours, as a literal: an index that has some keys only is known to
/// have this one.
fn quoted(key: &str) -> String {
    format!("'{key}'")
}

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
                self.values_of(&key);
                self.sql.push(" AND ");
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
            self.sql.push(&format!("v{number}.tenant = "));
            self.sql.text(self.tenant);
            let key = test.path.key();
            self.sql
                .push(&format!(" AND v{number}.key = {} AND ", quoted(&key)));
            let row = format!("v{number}");
            match &test.condition {
                Condition::Present => self.sql.push(&format!("{row}.value <> ''")),
                Condition::Compare(comparison, literal) => {
                    self.value_is(&row, &key, *comparison, literal);
                }
            }
        }
        self.sql.push(")");
    }

    /// The value of a row compares with the literal; where there is an index of
    /// its parts, by that first.
    fn value_is(&mut self, row: &str, key: &str, comparison: Comparison, literal: &Literal) {
        let is_part = matches!(comparison, Comparison::Contains | Comparison::EndsWith);
        if let Literal::Text(text) = literal
            && self.by_trigrams
            && is_part
            && SEARCHED.contains(&key)
            && text.chars().count() >= 3
        {
            self.sql.push(&format!(
                "{row}.number IN (SELECT rowid FROM scim_search WHERE scim_search MATCH "
            ));
            self.sql.text(format!("\"{}\"", text.replace('"', "\"\"")));
            self.sql.push(") AND ");
        }
        self.is(&format!("{row}.value"), comparison, literal);
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

/// The key under which elements of a list are there at all.
fn element_key(path: &AttributePath) -> String {
    AttributePath {
        sub_attribute: None,
        ..*path
    }
    .key()
}

/// Most tables of a join.
const MAX_JOINED: usize = 8;

/// The tests of a filter that is nothing but tests which all must hold and
/// look at a value; the one that finds least comes first.
fn conjunction(filter: &Filter) -> Option<Vec<&Test>> {
    let mut tests = Vec::new();
    collect(filter, &mut tests)?;
    if tests.len() > MAX_JOINED {
        return None;
    }
    tests.sort_by_key(|test| {
        let is_one_of_few = !test.path.leaf().canonical_values.is_empty()
            || matches!(
                test.condition,
                Condition::Compare(_, Literal::Boolean(_)) | Condition::Present
            );
        let is_range = !matches!(test.condition, Condition::Compare(Comparison::Equal, _));
        (is_one_of_few, is_range)
    });
    Some(tests)
}

fn collect<'a>(filter: &'a Filter, tests: &mut Vec<&'a Test>) -> Option<()> {
    match filter {
        Filter::And(parts) => parts.iter().try_for_each(|part| collect(part, tests)),
        Filter::Test(test) => match &test.condition {
            Condition::Compare(Comparison::NotEqual, _) | Condition::Compare(_, Literal::Null) => {
                None
            }
            _ => {
                tests.push(test);
                Some(())
            }
        },
        _ => None,
    }
}

fn is_constant(value: &str, comparison: Comparison, literal: &Literal) -> bool {
    let Literal::Text(text) = literal else {
        return false;
    };
    let text = text.as_str();
    match comparison {
        Comparison::Equal => value == text,
        Comparison::NotEqual => value != text,
        Comparison::Contains => value.contains(text),
        Comparison::StartsWith => value.starts_with(text),
        Comparison::EndsWith => value.ends_with(text),
        Comparison::Greater => value > text,
        Comparison::GreaterOrEqual => value >= text,
        Comparison::Less => value < text,
        Comparison::LessOrEqual => value <= text,
    }
}

/// The least text that is greater than all that begin so; both databases
/// compare by code points.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// The order in which they were made.
    Made,
    Column(&'static str, Type),
    Value(AttributePath),
    /// The type has no such attribute, another one has it.
    None,
}

/// What a column has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Text,
    Number,
}

impl Order {
    /// What a client asks for.
    pub(super) fn of(kind: ResourceType, path: &str) -> Result<Self, Error> {
        let refuse = || {
            let detail = format!("cannot sort by `{path}`");
            Err(Error::new(ErrorKind::InvalidPath, detail))
        };
        let Some(mut found) = AttributePath::parse(kind, path) else {
            return refuse();
        };
        if found.leaf().kind == ig_scim::schema::Kind::Complex {
            let Some(value) = found.attribute.sub_attribute("value") else {
                return refuse();
            };
            found = found.with(value);
        }
        if found.leaf().kind == ig_scim::schema::Kind::Binary {
            return refuse();
        }
        match place(kind, &found) {
            Ok(Place::Column(column)) => {
                let is_text = ["r.id", "r.external_id", "r.name"].contains(&column);
                let of = if is_text { Type::Text } else { Type::Number };
                Ok(Self::Column(column, of))
            }
            Ok(Place::Constant(_)) => Ok(Self::Made),
            Ok(Place::Values) => Ok(Self::Value(found)),
            Ok(Place::Members(_) | Place::Groups(_)) | Err(_) => refuse(),
        }
    }

    /// Whether some have no value.
    pub(super) fn is_nullable(self) -> bool {
        matches!(
            self,
            Self::Column("r.external_id", _) | Self::Value(_) | Self::None
        )
    }

    pub(super) fn kind(self) -> Type {
        match self {
            Self::Made | Self::Column(_, Type::Number) => Type::Number,
            Self::Column(_, Type::Text) | Self::Value(_) | Self::None => Type::Text,
        }
    }

    /// Adds what is compared.
    pub(super) fn push(self, sql: &mut Sql, tenant: &str) {
        match self {
            Self::Made => sql.push("r.number"),
            Self::Column(column, _) => sql.push(column),
            Self::None => sql.push("NULL"),
            Self::Value(path) => {
                sql.push("(SELECT v.value FROM scim_values v WHERE v.tenant = ");
                sql.text(tenant);
                sql.push(" AND v.resource = r.number AND v.key = ");
                sql.push(&quoted(&path.key()));
                sql.push(" AND v.element = 0)");
            }
        }
    }
}
