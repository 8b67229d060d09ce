//! Another implementation beside ours: scim2-server, which holds everything in
//! memory and evaluates filters on objects, where ours writes SQL. Both have the
//! same users and groups and are asked the same.

mod differences;
mod oracle;
mod queries;
mod seed;

use std::collections::BTreeSet;

use ig_e2e::Scim;

use self::differences::DIFFERENCES;
use self::oracle::Oracle;
use self::queries::Query;
use self::seed::Seed;
use super::tool;
use crate::databases::Database;

/// What came of a query: names in order, those with the same key as a set, or
/// the refusal.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Names(Vec<BTreeSet<String>>),
    Refused(u16, String),
}

/// A server with the seed.
struct Side<'a> {
    scim: &'a Scim,
    seed: Seed,
}

impl Side<'_> {
    fn ask(&self, query: &Query) -> Outcome {
        let filter = query
            .filter
            .as_deref()
            .map(|filter| self.seed.with_ids(filter));
        let mut parameters = vec![("count", "500")];
        parameters.extend(filter.as_deref().map(|filter| ("filter", filter)));
        parameters.extend(query.sort_by.map(|sort| ("sortBy", sort)));
        if query.is_descending {
            parameters.push(("sortOrder", "descending"));
        }
        let answer = self.scim.list(query.path, &parameters);
        if answer.status != 200 {
            let scim_type = answer.body["scimType"].as_str();
            return Outcome::Refused(answer.status, scim_type.unwrap_or_default().to_owned());
        }
        let ids = answer.each("/id");
        assert_eq!(answer.body["totalResults"], ids.len(), "{query:?}");
        let mut names: Vec<BTreeSet<String>> = Vec::new();
        let mut last = None;
        for id in ids {
            let name = self.seed.name(&id);
            // Unsorted lists have an order that is the server's.
            let key = query.sort_by.map(|sort| self.seed.key(&name, sort));
            match names.last_mut() {
                Some(ties) if last == Some(key.clone()) => {
                    ties.insert(name);
                }
                _ => names.push(BTreeSet::from([name])),
            }
            last = Some(key);
        }
        Outcome::Names(names)
    }
}

#[test]
fn filters_and_sorts_are_those_of_another_server() {
    let Some(binary) = tool("scim2-server") else {
        return;
    };
    let oracle = Oracle::start(&binary);
    let theirs = Side {
        scim: &oracle.scim,
        seed: Seed::put(&oracle.scim),
    };
    let queries = queries::all();
    assert!(queries.len() >= 400, "{}", queries.len());
    let expected: Vec<Outcome> = queries.iter().map(|query| theirs.ask(query)).collect();
    let matches =
        |outcome: &&Outcome| matches!(outcome, Outcome::Names(names) if !names.is_empty());
    assert!(expected.iter().filter(matches).count() * 2 > queries.len());
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let ours = Side {
            scim: &scim,
            seed: Seed::put(&scim),
        };
        let mut differ = Vec::new();
        for (query, expected) in queries.iter().zip(&expected) {
            let found = ours.ask(query);
            if found != *expected {
                differ.push(format!(
                    "{query:?}\n  theirs {expected:?}\n  ours   {found:?}"
                ));
            }
        }
        let count = differ.len();
        assert!(differ.is_empty(), "{count} differ:\n{}", differ.join("\n"));
        for (filter, sort_by, why) in DIFFERENCES {
            let query = Query {
                path: "/Users",
                filter: Some(queries::filled(filter)).filter(|filter| !filter.is_empty()),
                sort_by: *sort_by,
                is_descending: false,
            };
            let (theirs, ours) = (theirs.ask(&query), ours.ask(&query));
            assert_ne!(theirs, ours, "no difference any more: {query:?} ({why})");
        }
        control.stop().unwrap();
    }
}
