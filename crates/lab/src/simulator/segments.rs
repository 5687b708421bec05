//! Counts the segments of a text as Twilio charges them: in GSM 03.38 if its alphabet contains all characters,
//! otherwise in UCS-2.
//!
//! In GSM, a text of one segment has at most 160 characters, and a segment of a longer text has at most 153; in UCS-2
//! the limits are 70 and 67 code units. Characters of GSM's extension table count twice.

const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// Returns the number of segments of a text. An empty text has one segment.
pub(super) fn segments(text: &str) -> usize {
    let gsm: Option<Vec<usize>> = text
        .chars()
        .map(|c| match c {
            _ if GSM.contains(c) => Some(1),
            _ if GSM_EXTENDED.contains(c) => Some(2),
            _ => None,
        })
        .collect();
    match gsm {
        Some(septets) => fill(septets, 160, 153),
        None => fill(text.chars().map(char::len_utf16).collect(), 70, 67),
    }
}

/// Returns the number of segments that characters of these sizes need. No character is split between two segments.
fn fill(sizes: Vec<usize>, single: usize, of_several: usize) -> usize {
    if sizes.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut count, mut used) = (1, 0);
    for size in sizes {
        if used + size > of_several {
            (count, used) = (count + 1, 0);
        }
        used += size;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn segments_are_counted_as_they_are_charged() {
        for (text, count) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("🐕".repeat(35), 1),
            ("🐕".repeat(36), 2),
            // A surrogate pair is not split, so a segment of 67 code units contains 33 pairs.
            ("🐕".repeat(67), 3),
        ] {
            assert_eq!(segments(&text), count, "{} of {:?}", text.chars().count(), text.chars().next());
        }
    }
}
