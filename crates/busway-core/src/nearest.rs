/// Longest text for which a near one is sought.
const LONGEST: usize = 200;

/// Which of the known names are near to one that is not known, nearest first, at most `most`: for "did you
/// mean". Case, `_` and `-` do not count; a third of the letters may differ.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let plain = letters(name);
    let limit = (plain.len() / 3).max(1);
    let mut near = Vec::new();
    for candidate in known {
        let letters = letters(candidate);
        if letters.len().abs_diff(plain.len()) <= limit {
            let distance = distance(&plain, &letters);
            if distance <= limit {
                near.push((distance, candidate));
            }
        }
    }
    near.sort();
    near.dedup();
    near.truncate(most);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect(), vec![0; b.len() + 1]];
    for i in 0..a.len() {
        let [before, last, row] = &mut rows;
        row[0] = i + 1;
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let known = ["shift.created", "shift.updated", "shift.deleted", "ticket.created"];
        assert_eq!(nearest("shift.craeted", known, 1), ["shift.created"]);
        assert_eq!(nearest("shift.craeted", known, 9), ["shift.created", "shift.deleted", "shift.updated"]);
        assert_eq!(nearest("invoice.paid", known, 9), [""; 0]);
    }

    #[test]
    fn case_and_joints_do_not_count() {
        assert_eq!(nearest("tenant_id", ["id", "tenantId"], 1), ["tenantId"]);
        assert_eq!(nearest("TYPE", ["time", "type"], 1), ["type"]);
    }

    #[test]
    fn distances_count_single_slips() {
        let distance = |a: &str, b: &str| distance(&letters(a), &letters(b));
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abcd", "abdc"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn endless_names_have_no_neighbours() {
        assert!(nearest(&"a".repeat(300_000), ["a"], 1).is_empty());
        assert!(nearest("a", [&*"a".repeat(300_000)], 1).is_empty());
    }
}
