//! What `--version` says.

use std::sync::LazyLock;

/// The release.
pub const SHORT: &str = env!("CARGO_PKG_VERSION");

/// Release, commit where the build was told it, features, and the SIMD level of this machine.
pub fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("CVX_COMMIT").unwrap_or("unknown");
        format!("{SHORT}\ncommit:   {commit}\nfeatures: {}\nsimd:     {}", features(), simd())
    });
    &TEXT
}

fn features() -> String {
    let all = [("neural", cfg!(feature = "neural")), ("s3", cfg!(feature = "s3"))];
    let on: Vec<&str> = all.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    if on.is_empty() { "none".to_string() } else { on.join(", ") }
}

#[cfg(target_arch = "x86_64")]
fn simd() -> &'static str {
    if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw") {
        "avx512"
    } else if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        "avx2"
    } else {
        "portable"
    }
}

#[cfg(target_arch = "aarch64")]
fn simd() -> &'static str {
    "neon"
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> &'static str {
    "portable"
}
