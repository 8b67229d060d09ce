//! What is tested: files of one or several paths, together, as `opa test` takes
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use ig_snapshot::{Bundle, MANIFEST};

use super::Engine;
use crate::files;
use crate::policy::check_size;

/// A bundle, and where its files are from here.
pub(super) struct Loaded {
    pub(super) bundle: Bundle,
    /// The paths that were given, for people.
    pub(super) name: String,
    places: BTreeMap<String, String>,
}

impl Loaded {
    /// Where a file of the bundle is from here, as OPA names it.
    pub(super) fn place(&self, file: &str) -> String {
        let place = self.places.get(file);
        place.map_or_else(|| file.to_owned(), Clone::clone)
    }
}

/// Files by their paths in the bundle, and where these are.
#[derive(Default)]
struct Files {
    bytes: BTreeMap<String, Vec<u8>>,
    places: BTreeMap<String, String>,
}

pub(super) fn load(paths: &[PathBuf], engine: Engine) -> Result<Loaded> {
    let mut all = Files::default();
    for path in paths {
        for (name, bytes, place) in read(path)? {
            all.add(name, bytes, place, engine)?;
        }
    }
    let names: Vec<_> = paths.iter().map(|it| it.display().to_string()).collect();
    let name = names.join(", ");
    let bundle = match engine {
        Engine::Both => Bundle::from_files(all.bytes),
        Engine::Interpreter => Bundle::from_any_files(all.bytes),
    };
    let bundle = bundle.map_err(|problems| anyhow!("{name} is not valid:\n{problems}"))?;
    Ok(Loaded {
        bundle,
        name,
        places: all.places,
    })
}

/// Files of a folder, of an archive, or one alone: by their names in the bundle,
/// each with where it is.
fn read(path: &Path) -> Result<Vec<(String, Vec<u8>, String)>> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    if let Some(name) = name.filter(|name| path.is_file() && Bundle::reads(name)) {
        let place = path.display().to_string();
        return Ok(vec![(name.into_owned(), files::read(path)?, place)]);
    }
    let is_folder = path.is_dir();
    if is_folder {
        check_size(path)?;
    }
    let files = files::bundle_files(path)?.into_iter();
    let placed = files.map(|(name, bytes)| {
        let place = match is_folder {
            true => path.join(&name).display().to_string(),
            false => name.clone(),
        };
        (name, bytes, place)
    });
    Ok(placed.collect())
}

impl Files {
    fn add(&mut self, name: String, bytes: Vec<u8>, place: String, engine: Engine) -> Result<()> {
        let Some(other) = self.places.get(&name) else {
            self.places.insert(name.clone(), place);
            self.bytes.insert(name, bytes);
            return Ok(());
        };
        if *other == place || (name == MANIFEST && engine == Engine::Interpreter) {
            return Ok(());
        }
        if name == MANIFEST {
            bail!("{other} and {place} are of two bundles: test one after the other");
        }
        // Of a policy the package counts, and not the name.
        if name.ends_with(".rego") && !self.places.contains_key(&place) {
            self.places.insert(place.clone(), place.clone());
            self.bytes.insert(place, bytes);
            return Ok(());
        }
        bail!("{other} and {place} are one file of the bundle: give one of them");
    }
}
