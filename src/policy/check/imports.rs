//! The names that a file gives to things of other places.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::Module;

use super::Finding;
use super::tree::{Part, Path, path_of, refused, untidy};

/// What a module calls things: the name, and the path it stands for.
pub(super) type Imports = BTreeMap<String, Path>;

/// The imports of a file; two of one name are told.
pub(super) fn imports(module: &Module, found: &mut Vec<Finding>) -> Imports {
    let mut imports = Imports::new();
    for import in &module.imports {
        let path = path_of(&import.refr);
        let root = match path.first() {
            Some(Part::Name(root)) => root.as_str(),
            _ => continue,
        };
        if root != "data" && root != "input" {
            continue;
        }
        let last = path.last().and_then(|part| match part {
            Part::Name(name) => Some(name.clone()),
            Part::Number(_) | Part::Any => None,
        });
        let Some(name) = import.r#as.as_ref().map(|span| span.text().to_owned()).or(last) else { continue };
        if imports.insert(name.clone(), path).is_some() {
            found
                .push(refused(&import.span, format!("a second import is called {name}; name one with `as`")));
        }
    }
    imports
}

/// Imports that nothing in the file uses.
pub(super) fn unused_imports(
    module: &Module,
    imports: &Imports,
    used: &BTreeSet<String>,
    found: &mut Vec<Finding>,
) {
    for import in &module.imports {
        let path = path_of(&import.refr);
        let unused = imports.iter().find(|(name, known)| **known == path && !used.contains(*name));
        if let Some((name, _)) = unused {
            found.push(untidy(&import.span, format!("the import {name} is not used")));
        }
    }
}
