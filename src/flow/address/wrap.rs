//! Breaks a text into lines where a reader would. Pure.

/// Breaks a text at blanks into lines of at most `width` characters, at most
/// `lines_max` of them; also says whether something was left over.
pub fn wrap(text: &str, width: usize, lines_max: usize) -> (Vec<String>, bool) {
    let mut lines = broken(text, |line, _| line.len(), width);
    let left = lines.len() > lines_max;
    lines.truncate(lines_max);
    (lines, left)
}

/// The same for a street: rather after a comma, and not before a house number.
///
/// Where that takes more lines than there are, it breaks like [`wrap`].
pub fn street(text: &str, width: usize, lines_max: usize) -> (Vec<String>, bool) {
    let lines = broken(text, |line, next| sensible(line, next, width), width);
    if lines.len() > lines_max { wrap(text, width, lines_max) } else { (lines, false) }
}

/// Fills lines with words; `keep` says how many words of a full line stay on it.
fn broken(text: &str, keep: impl Fn(&[String], &str) -> usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line: Vec<String> = Vec::new();
    for piece in text.split_whitespace().flat_map(|word| pieces(word, width)) {
        if !line.is_empty() && length(&line) + 1 + piece.chars().count() > width {
            let mut rest = line.split_off(keep(&line, &piece).clamp(1, line.len()));
            lines.push(line.join(" "));
            if !rest.is_empty() && length(&rest) + 1 + piece.chars().count() > width {
                lines.push(rest.join(" "));
                rest.clear();
            }
            line = rest;
        }
        line.push(piece);
    }
    if !line.is_empty() {
        lines.push(line.join(" "));
    }
    lines
}

/// Characters of words with a blank between each two.
fn length(words: &[String]) -> usize {
    let chars: usize = words.iter().map(|word| word.chars().count()).sum();
    chars + words.len().saturating_sub(1)
}

/// How many words of a full line stay: up to its last comma, if half of the line is before it; else
/// all, but the last one when a house number follows it.
fn sensible(line: &[String], next: &str, width: usize) -> usize {
    let long_enough = |count: usize| {
        line.get(..count).is_some_and(|words| length(words).saturating_mul(2) >= width)
    };
    let ends = |word: &String| word.ends_with([',', ';', '/']);
    if let Some(at) = line.iter().rposition(ends)
        && long_enough(at + 1)
    {
        return at + 1;
    }
    let before = line.len().saturating_sub(1);
    let number = next.starts_with(|c: char| c.is_ascii_digit());
    if number && long_enough(before) { before } else { line.len() }
}

/// Cuts a word that is longer than a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(width.max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn streets_break_after_commas_and_keep_their_house_numbers() {
        let table: [(&str, &[&str]); 5] = [
            (
                "Straße des siebzehnten Juni 135, Hinterhaus, dritter Aufgang links",
                &["Straße des siebzehnten Juni 135,", "Hinterhaus, dritter Aufgang links"],
            ),
            (
                "Industriepark Nord, Gebäude 7, Rampe 12 b",
                &["Industriepark Nord, Gebäude 7,", "Rampe 12 b"],
            ),
            (
                "Alte Landstraße am Obertorweg 1234567",
                &["Alte Landstraße am", "Obertorweg 1234567"],
            ),
            ("Weg 1", &["Weg 1"]),
            ("", &[]),
        ];
        for (text, want) in table {
            assert_eq!(
                street(text, 36, 4),
                (want.iter().map(|s| (*s).to_owned()).collect(), false)
            );
        }
    }

    #[test]
    fn where_lines_are_few_every_character_counts() {
        let text = "aaaaaaaaaaaa, bbbbbbb cccccc dddddddd eeeeeeeee";
        assert_eq!(street(text, 24, 2).0, ["aaaaaaaaaaaa, bbbbbbb", "cccccc dddddddd"]);
        assert!(street(text, 24, 2).1);
        assert!(!street(text, 24, 3).1);
    }

    proptest! {
        #[test]
        fn lines_fit_lose_nothing_in_silence_and_break_the_same_again(
            text in "[a-z0-9, ßé東]{0,160}",
            width in 1_usize..40,
            lines_max in 1_usize..6,
        ) {
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            for wrapped in [wrap(&text, width, lines_max), street(&text, width, lines_max)] {
                let (lines, left) = wrapped;
                prop_assert!(lines.len() <= lines_max);
                prop_assert!(lines.iter().all(|line| (1..=width).contains(&line.chars().count())));
                let kept = bare(&lines.concat());
                prop_assert!(bare(&text).starts_with(&kept));
                prop_assert_eq!(left, kept != bare(&text));
            }
            let (lines, left) = street(&text, width, lines_max);
            if !left {
                prop_assert_eq!(street(&lines.join(" "), width, lines_max), (lines, false));
            }
        }
    }
}
