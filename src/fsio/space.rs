//! What the file system is and how much room it has.

use crate::error::{Error, Result};
use std::path::Path;

/// Bytes that an ordinary user may still write on the file system of `path`.
pub fn available_bytes(path: &Path) -> Result<u64> {
    let s = rustix::fs::statvfs(path).map_err(|e| Error::io("statvfs", path, &e.into()))?;
    Ok(s.f_bavail.saturating_mul(s.f_frsize))
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
