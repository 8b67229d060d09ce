//! Every way to take one `@authz` away, or to make it ask for less.

use apollo_compiler::ast::{Argument, Definition, Directive, DirectiveList, Document, Value};
use apollo_compiler::{Name, Node};

/// What is done to a use of `@authz`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loosening {
    Remove,
    /// Another purpose is allowed too.
    AddPurpose,
    /// Any purpose is.
    NoPurpose,
    NoStepUp,
    NoCrossTenant,
    /// Policies hear of another action.
    OtherAction,
}

pub(crate) const ALL: [Loosening; 6] = [
    Loosening::Remove,
    Loosening::AddPurpose,
    Loosening::NoPurpose,
    Loosening::NoStepUp,
    Loosening::NoCrossTenant,
    Loosening::OtherAction,
];

/// Each SDL that asks for less at one place, and what was done.
pub(crate) fn loosened(sdl: &str) -> Vec<(String, String)> {
    let document = Document::parse(sdl, "schema.graphql").unwrap();
    let mut all = Vec::new();
    for how in ALL {
        for nth in 0_usize.. {
            let mut document = document.clone();
            let mut seen = 0;
            let mut done = None;
            visit(&mut document, &mut |directives| {
                let is_authz = |it: &&mut Node<Directive>| it.name == "authz";
                let Some(at) = directives
                    .iter_mut()
                    .filter(is_authz)
                    .count()
                    .checked_sub(1)
                else {
                    return;
                };
                assert_eq!(at, 0, "`@authz` is not repeatable");
                if seen == nth {
                    done = Some(apply(directives, how));
                }
                seen += 1;
            });
            match done {
                // There are no more uses.
                None => break,
                Some(false) => {}
                Some(true) => all.push((format!("{how:?} of use {nth}"), document.to_string())),
            }
        }
    }
    all
}

/// Does it; false where there is nothing of the kind to loosen.
fn apply(directives: &mut DirectiveList, how: Loosening) -> bool {
    let at = directives.iter().position(|it| it.name == "authz").unwrap();
    if matches!(how, Loosening::Remove) {
        directives.0.remove(at);
        return true;
    }
    let arguments = &mut directives.0[at].make_mut().arguments;
    let find = |name: &str| arguments.iter().position(|it| it.name == name);
    match how {
        Loosening::Remove => true,
        Loosening::AddPurpose => {
            let Some(at) = find("purpose") else {
                return false;
            };
            let value = arguments[at].make_mut().value.make_mut();
            let Value::List(items) = value else {
                return false;
            };
            if items.is_empty() {
                return false;
            }
            items.push(Node::new(Value::String("other".into())));
            true
        }
        Loosening::NoPurpose => {
            let is_asked = |at: usize| !matches!(&*arguments[at].value, Value::List(items) if items.is_empty());
            match find("purpose").filter(|at| is_asked(*at)) {
                Some(at) => drop(arguments.remove(at)),
                None => return false,
            }
            true
        }
        Loosening::NoStepUp | Loosening::NoCrossTenant => {
            let name = match how {
                Loosening::NoStepUp => "stepUp",
                _ => "crossTenant",
            };
            match find(name).filter(|at| *arguments[*at].value == Value::Boolean(true)) {
                Some(at) => drop(arguments.remove(at)),
                None => return false,
            }
            true
        }
        Loosening::OtherAction => {
            if let Some(at) = find("action") {
                arguments.remove(at);
            }
            arguments.push(Node::new(Argument {
                name: Name::new("action").unwrap(),
                value: Node::new(Value::String("another:action".into())),
            }));
            true
        }
    }
}

fn visit(document: &mut Document, with: &mut dyn FnMut(&mut DirectiveList)) {
    for definition in &mut document.definitions {
        let (directives, fields) = match definition {
            Definition::ObjectTypeDefinition(ty) => {
                let ty = ty.make_mut();
                (&mut ty.directives, &mut ty.fields)
            }
            Definition::InterfaceTypeDefinition(ty) => {
                let ty = ty.make_mut();
                (&mut ty.directives, &mut ty.fields)
            }
            Definition::ObjectTypeExtension(ty) => {
                let ty = ty.make_mut();
                (&mut ty.directives, &mut ty.fields)
            }
            _ => continue,
        };
        with(directives);
        for field in fields {
            with(&mut field.make_mut().directives);
        }
    }
}
