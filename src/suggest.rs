//! Near misses: which known words a mistyped one may have meant.

/// The words closest to `word`, nearest first, at most `limit`; none that are not close.
///
/// Closeness is the number of letters to insert, delete, replace or swap with a neighbour
/// (optimal string alignment), at most a third of the longer word and at least one.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, limit: usize) -> Vec<&'a str> {
    let lower = word.to_lowercase();
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|k| {
            let distance = edits(&lower, &k.to_lowercase());
            let longest = word.chars().count().max(k.chars().count());
            (distance <= (longest / 3).max(1)).then_some((distance, k))
        })
        .collect();
    close.sort();
    close.dedup();
    close.into_iter().take(limit).map(|(_, k)| k).collect()
}

/// `did you mean ..?` for [`nearest`], or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    match nearest(word, known, 3).as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        many => Some(format!("{} are close: {}", many.len(), many.join(", "))),
    }
}

/// Edits between two texts, by rows of the usual table.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (a, b, n) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("aple", "apple", 1)]
        {
            assert_eq!(edits(a, b), n, "{a} {b}");
            assert_eq!(edits(b, a), n, "{b} {a}");
        }
    }

    #[test]
    fn names_what_is_close_and_nothing_else() {
        let known = ["maple", "ample", "apple", "pear"];
        assert_eq!(nearest("aple", known, 3), ["ample", "apple", "maple"]);
        assert_eq!(nearest("zebra", known, 3), Vec::<&str>::new());
        assert_eq!(did_you_mean("pera", known).as_deref(), Some("did you mean pear?"));
    }
}
