//! The seam for crash tests: every durable step announces itself here first.
//!
//! In a release build `step` compiles to nothing. In tests, in debug builds and with the
//! feature `failpoints`, a plan armed for a directory counts the steps below that directory
//! and makes the n-th fail once, fail from there on (which freezes the disk as a kill would),
//! or abort the process; and it can record all steps for a simulated power cut. A program of
//! such a build takes a plan from the variable `CVX_FAULT`, `DIR:N:once`, `DIR:N:from` or
//! `DIR:N:abort`.

use std::path::Path;

/// One durable step, announced before it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// A directory is created.
    CreateDir(&'a Path),
    /// A new, empty file is created.
    Create(&'a Path),
    /// Bytes are written to the end of a file.
    Write(&'a Path, &'a [u8]),
    /// A file's content and size are made durable.
    SyncFile(&'a Path),
    /// A directory's names are made durable.
    SyncDir(&'a Path),
    /// A name is replaced atomically.
    Rename(&'a Path, &'a Path),
    /// A second name is made, which fails when it exists.
    Link(&'a Path, &'a Path),
    /// A file's name is removed.
    Remove(&'a Path),
    /// An empty directory is removed.
    RemoveDir(&'a Path),
}

impl Step<'_> {
    /// The path that the step changes.
    pub fn path(&self) -> &Path {
        match self {
            Step::CreateDir(p)
            | Step::Create(p)
            | Step::Write(p, _)
            | Step::SyncFile(p)
            | Step::SyncDir(p)
            | Step::Rename(_, p)
            | Step::Link(_, p)
            | Step::Remove(p)
            | Step::RemoveDir(p) => p,
        }
    }
}

#[cfg(not(any(test, debug_assertions, feature = "failpoints")))]
#[inline(always)]
pub(super) fn step(_: &Step<'_>) -> std::io::Result<()> {
    Ok(())
}

#[cfg(any(test, debug_assertions, feature = "failpoints"))]
pub use armed::*;

#[cfg(any(test, debug_assertions, feature = "failpoints"))]
mod armed {
    use super::Step;
    use std::path::{Path, PathBuf};
    use std::sync::{LazyLock, Mutex};

    /// What happens at the chosen step.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Mode {
        /// Count only.
        Count,
        /// This step fails with EIO, later ones work.
        Once,
        /// This step and all later ones fail: the disk stays as it is, as after a kill.
        FromThere,
        /// The process aborts.
        Abort,
    }

    /// An owned copy of a step, as recorded.
    #[derive(Debug, Clone, PartialEq, Eq)]
    #[allow(missing_docs)]
    pub enum Recorded {
        CreateDir(PathBuf),
        Create(PathBuf),
        Write(PathBuf, Vec<u8>),
        SyncFile(PathBuf),
        SyncDir(PathBuf),
        Rename(PathBuf, PathBuf),
        Link(PathBuf, PathBuf),
        Remove(PathBuf),
        RemoveDir(PathBuf),
    }

    #[derive(Debug)]
    struct Plan {
        below: PathBuf,
        at: u64,
        mode: Mode,
        count: u64,
        fired: bool,
        log: Option<Vec<Recorded>>,
    }

    static PLANS: Mutex<Vec<Plan>> = Mutex::new(Vec::new());

    /// A plan in force for one directory until it is dropped.
    #[derive(Debug)]
    pub struct Armed(PathBuf);

    /// Arms a plan for all steps below `dir` (an absolute path): the `at`-th (from 1) meets `mode`.
    pub fn arm(dir: &Path, at: u64, mode: Mode, record: bool) -> Armed {
        let plan =
            Plan { below: dir.to_owned(), at, mode, count: 0, fired: false, log: record.then(Vec::new) };
        PLANS.lock().unwrap_or_else(|e| e.into_inner()).push(plan);
        Armed(dir.to_owned())
    }

    impl Armed {
        fn with<T>(&self, f: impl FnOnce(&mut Plan) -> T) -> T {
            let mut plans = PLANS.lock().unwrap_or_else(|e| e.into_inner());
            let i = plans.iter().position(|p| p.below == self.0).unwrap_or(0);
            f(&mut plans[i])
        }

        /// Steps seen so far.
        pub fn count(&self) -> u64 {
            self.with(|p| p.count)
        }

        /// True when the fault has happened.
        pub fn fired(&self) -> bool {
            self.with(|p| p.fired)
        }

        /// The steps recorded so far, which are taken out.
        pub fn take_log(&self) -> Vec<Recorded> {
            self.with(|p| p.log.as_mut().map(std::mem::take).unwrap_or_default())
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            let mut plans = PLANS.lock().unwrap_or_else(|e| e.into_inner());
            plans.retain(|p| p.below != self.0);
        }
    }

    /// The plan from the environment, in force as long as the process lives.
    static FROM_ENV: LazyLock<Option<Armed>> = LazyLock::new(|| plan_of(&std::env::var("CVX_FAULT").ok()?));

    fn plan_of(text: &str) -> Option<Armed> {
        let mut parts = text.rsplitn(3, ':');
        let mode = match parts.next()? {
            "once" => Mode::Once,
            "from" => Mode::FromThere,
            "abort" => Mode::Abort,
            _ => return None,
        };
        let at = parts.next()?.parse().ok()?;
        Some(arm(Path::new(parts.next()?), at, mode, false))
    }

    fn own(step: &Step<'_>) -> Recorded {
        match *step {
            Step::CreateDir(p) => Recorded::CreateDir(p.into()),
            Step::Create(p) => Recorded::Create(p.into()),
            Step::Write(p, b) => Recorded::Write(p.into(), b.to_vec()),
            Step::SyncFile(p) => Recorded::SyncFile(p.into()),
            Step::SyncDir(p) => Recorded::SyncDir(p.into()),
            Step::Rename(a, b) => Recorded::Rename(a.into(), b.into()),
            Step::Link(a, b) => Recorded::Link(a.into(), b.into()),
            Step::Remove(p) => Recorded::Remove(p.into()),
            Step::RemoveDir(p) => Recorded::RemoveDir(p.into()),
        }
    }

    pub(in crate::fsio) fn step(step: &Step<'_>) -> std::io::Result<()> {
        LazyLock::force(&FROM_ENV);
        let mut plans = PLANS.lock().unwrap_or_else(|e| e.into_inner());
        let Some(plan) = plans.iter_mut().find(|p| step.path().starts_with(&p.below)) else {
            return Ok(());
        };
        plan.count += 1;
        let hit = match plan.mode {
            Mode::Count => false,
            Mode::Once => plan.count == plan.at,
            Mode::FromThere | Mode::Abort => plan.count >= plan.at,
        };
        if hit {
            plan.fired = true;
            if plan.mode == Mode::Abort {
                std::process::abort();
            }
            return Err(std::io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        if let Some(log) = plan.log.as_mut() {
            log.push(own(step));
        }
        Ok(())
    }
}
