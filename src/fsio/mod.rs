//! Every durable step on a file system goes through here.
//!
//! One way to publish a file, one way to append, one way to map; each error carries
//! the operation and the path. The rules are those of ARCHITECTURE.md, "Durability":
//! a file gets its final name only when complete and synced, is never changed after,
//! and nothing is used or deleted because of it before its directory is synced.
//!
//! [`fault`] is the seam through which tests count the steps, fail the n-th, or record
//! them to rebuild the states that a power cut could leave.

mod bytes;
mod chunks;
mod copies;
pub mod fault;
mod file;
mod inside;
mod lock;
mod scratch;
mod space;

pub use bytes::{Access, Bytes};
pub use chunks::read_chunks;
pub use copies::{Copies, create_dirs};
pub use file::{
    AppendFile, NewFile, Publish, TempFile, create_dir, create_lock, is_own_dir, link, list_dir, open_read,
    read_file, read_range, regular_len, remove_dir, remove_file, sync_dir, touch,
};
pub use inside::refuse_inside_dataset;
pub use lock::{HeldLock, Lock, SharedLock, holder, try_exclusive};
pub use scratch::{Scratch, unnamed_file};
pub use space::{available_bytes, is_network, memory_bytes};
