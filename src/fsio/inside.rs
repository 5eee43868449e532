//! Whether a path lies inside a dataset, wherever `..` and links lead.

use crate::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// Links in a row after which a path is given up, as the kernel does.
const MAX_LINKS: usize = 40;

/// A dataset's directory holds what cvx keeps there and nothing else: what no version names is removed
/// from it. Refuses a path at which a command would write, which need not exist yet; `what` names it.
pub fn refuse_inside_dataset(path: &Path, what: &str) -> Result<()> {
    let Some(dataset) = dataset_above(path)? else { return Ok(()) };
    let text = format!("the {what} would lie inside the dataset {}", dataset.display());
    Err(Error::usage(text).file(path).fix("choose a path outside of it"))
}

/// The innermost dataset that holds a path, or that the path is.
fn dataset_above(path: &Path) -> Result<Option<PathBuf>> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("resolve", path, &e))?;
    let mut links = 0;
    let real = resolve(Path::new("/"), &absolute, &mut links)
        .ok_or_else(|| Error::usage("the path leads through too many links").file(path))?;
    let is_dataset = |d: &&Path| {
        d.join("cvx.toml").exists() && (d.join("CURRENT").exists() || d.join("manifest").exists())
    };
    Ok(real.ancestors().find(is_dataset).map(Path::to_owned))
}

/// Where `path` leads from the real directory `from`: every link followed, those that dangle too, and
/// `..` taken after that.
fn resolve(from: &Path, path: &Path, links: &mut usize) -> Option<PathBuf> {
    let mut at = from.to_owned();
    for part in path.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => at = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir => drop(at.pop()),
            Component::Normal(name) => {
                let next = at.join(name);
                at = match std::fs::read_link(&next) {
                    Err(_) => next,
                    Ok(target) => {
                        *links += 1;
                        if *links > MAX_LINKS {
                            return None;
                        }
                        resolve(&at, &target, links)?
                    }
                };
            }
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_way_into_a_dataset_is_seen() {
        let t = tempfile::tempdir().unwrap();
        let root = t.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("d/cold")).unwrap();
        std::fs::create_dir_all(root.join("out/deep")).unwrap();
        std::fs::write(root.join("d/cvx.toml"), "").unwrap();
        std::fs::write(root.join("d/CURRENT"), "").unwrap();
        symlink(root.join("d"), root.join("link")).unwrap();
        symlink("../d/cold", root.join("out/cold")).unwrap();
        symlink(root.join("d/new.csv"), root.join("out/dangles")).unwrap();
        symlink(root.join("out/deep"), root.join("d/away")).unwrap();
        symlink("loop", root.join("out/loop")).unwrap();
        let inside = |p: &str| refuse_inside_dataset(&root.join(p), "output");
        for p in [
            "d",
            "d/x",
            "d/cold/x/y",
            "link/x",
            "out/cold/x",
            "out/../d/x",
            "out/dangles",
            "missing/../d/x",
            "out/deep/../../d/cold",
            "d/../d/x",
            "out/cold/../x",
        ] {
            let e = inside(p).unwrap_err();
            assert_eq!(e.code(), crate::Code::Usage, "{p}");
            assert!(e.message().contains("the output would lie inside the dataset"), "{}", e.message());
        }
        for p in ["x", "out/x", "out/missing/y", "d/../x", "d/away/x", "link/../x", "e/cvx.toml"] {
            inside(p).unwrap();
        }
        assert!(inside("out/loop").is_err());
    }
}
