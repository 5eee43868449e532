//! The words of a command line that decide what its rows are: two runs that differ in the others
//! give the same bytes.

use std::ffi::OsString;

/// Options with a value that say where rows go, how fast, and what is told meanwhile.
const WITH_VALUE: [&str; 11] = [
    "--out",
    "-o",
    "--threads",
    "-j",
    "--shard",
    // Said by the number of the commit.
    "--read-at",
    "--progress",
    "--memory",
    "--lock-timeout",
    "--log-format",
    "--errors",
];
const FLAGS: [&str; 5] = ["--quiet", "-q", "--verbose", "-v", "--unordered"];

/// The command line as `cvx` and the words that count.
pub fn job(args: &[OsString]) -> String {
    let mut kept = vec!["cvx".to_string()];
    let mut words = args.iter().skip(1).map(|a| a.to_string_lossy());
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.into_owned());
            kept.extend(words.by_ref().map(|w| w.into_owned()));
        } else if WITH_VALUE.contains(&word.as_ref()) {
            words.next();
        } else if !FLAGS.contains(&word.as_ref()) && !WITH_VALUE.iter().any(|o| holds_value(&word, o)) {
            kept.push(word.into_owned());
        }
    }
    kept.join(" ")
}

/// True for `--out=FILE` and `-oFILE`.
fn holds_value(word: &str, option: &str) -> bool {
    match word.strip_prefix(option) {
        Some(rest) if option.starts_with("--") => rest.starts_with('='),
        Some(rest) => !rest.is_empty() && !word.starts_with("--"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_rows_go_and_how_fast_is_left_out() {
        let job = |line: &str| job(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(job("/usr/bin/cvx drift -j 2 -o a.csv --shard 1/4 --seed 3"), "cvx drift --seed 3");
        assert_eq!(job("cvx -j2 drift --out=a.csv -q --top 4 --threads=9 -oa.csv"), "cvx drift --top 4");
        assert_eq!(job("cvx ingest -- -o"), "cvx ingest -- -o");
        assert_eq!(job("cvx drift --order 2 --json"), "cvx drift --order 2 --json");
    }
}
