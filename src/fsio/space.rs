//! What the file system is and how much room it has.

use crate::error::{Error, Result};
use std::path::Path;

/// Bytes that an ordinary user may still write on the file system of `path`.
pub fn available_bytes(path: &Path) -> Result<u64> {
    let s = rustix::fs::statvfs(path).map_err(|e| Error::io("statvfs", path, &e.into()))?;
    Ok(s.f_bavail.saturating_mul(s.f_frsize))
}

/// Bytes of memory that this process may use: the machine's, or less where its control group
/// says so.
pub fn memory_bytes() -> Option<u64> {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let machine = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let group =
        number("/sys/fs/cgroup/memory.max").or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    [machine(), group].into_iter().flatten().min()
}

/// True on file systems whose files another host can change under us (NFS, SMB, FUSE, 9p).
#[cfg(target_os = "linux")]
pub fn is_network(path: &Path) -> bool {
    const MAGIC: [u32; 7] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x6573_5546, // FUSE
        0x0102_1997, // 9p
        0x00c3_6400, // Ceph
    ];
    match rustix::fs::statfs(path) {
        Ok(s) => MAGIC.contains(&(s.f_type as u32)),
        Err(_) => false,
    }
}

/// Other systems: treated as local.
#[cfg(not(target_os = "linux"))]
pub fn is_network(_path: &Path) -> bool {
    false
}
