//! Makes glibc give memory back to the system.
//!
//! sled's buffers come and go by the hundred kilobytes. glibc raises its threshold
//! for such blocks as it sees them freed and then keeps them: 17 MB idle instead of
//! 10. The threshold can only be fixed from outside the process (`GLIBC_TUNABLES`)
//! or by unsafe code, so the process replaces itself once, with the variable set.
//! A build for musl has no such allocator and starts as it is.

use std::{env, os::unix::process::CommandExt, process::Command};

/// The variable that glibc reads before `main`.
pub const VARIABLE: &str = "GLIBC_TUNABLES";
/// Blocks of 128 KiB and more are mapped and unmapped one by one; free memory at the
/// end of the heap goes back above 128 KiB; few threads need few arenas.
pub const VALUE: &str = "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072:glibc.malloc.arena_max=2";

/// Replaces the process by itself with the allocator's settings; an operator's own settings stay.
///
/// To be called first thing in `main`. When the system does not let us, the
/// gateway runs with more memory and nothing else is different.
pub fn settle() {
    if !cfg!(target_env = "gnu") || env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only if it failed.
    let _ = again.args(arguments).env(VARIABLE, VALUE).exec();
}
