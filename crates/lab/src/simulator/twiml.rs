//! Reads the answer to a webhook about a text, as Twilio does: TwiML with `<Message>` elements, or plain text.

/// Twilio's warnings about an answer.
pub(super) mod warning {
    /// No answer, or one with a status other than 2xx.
    pub(in crate::simulator) const NO_ANSWER: u32 = 11200;
    /// The document can't be parsed.
    pub(super) const MALFORMED: u32 = 12100;
    /// The document is not a `<Response>`.
    pub(super) const NO_RESPONSE: u32 = 12102;
    /// The media type is neither XML nor text.
    pub(super) const MEDIA_TYPE: u32 = 12300;
}

/// Returns the texts with which to answer the sender.
///
/// # Errors
/// The code of Twilio's warning.
pub(super) fn replies(media_type: Option<&str>, body: &str) -> Result<Vec<String>, u32> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match media_type {
        "text/xml" | "application/xml" => messages(body),
        "text/plain" => Ok(vec![body.to_owned()]),
        _ => Err(warning::MEDIA_TYPE),
    }
}

/// Returns the text of each `<Message>` of a `<Response>`. A `<Body>` within it is its text, and `<Media>` is ignored.
fn messages(document: &str) -> Result<Vec<String>, u32> {
    let mut reader = Reader { rest: document.trim(), open: Vec::new() };
    let (mut found, mut text, mut seen_response) = (Vec::new(), None::<String>, false);
    while let Some(part) = reader.next()? {
        match part {
            Part::Empty("Response") if reader.open.is_empty() => seen_response = true,
            Part::Start("Response") if reader.open.len() == 1 => seen_response = true,
            Part::Start("Message") if reader.open == ["Response", "Message"] => text = Some(String::new()),
            Part::Text(more) if matches!(reader.open.last(), Some(&("Message" | "Body"))) => {
                if let Some(text) = &mut text {
                    text.push_str(&more);
                }
            }
            Part::End("Message") => found.extend(text.take().filter(|text| !text.trim().is_empty())),
            Part::Start(_) | Part::Empty(_) | Part::Text(_) | Part::End(_) => {}
        }
    }
    if !reader.open.is_empty() {
        return Err(warning::MALFORMED);
    }
    if seen_response { Ok(found) } else { Err(warning::NO_RESPONSE) }
}

enum Part<'a> {
    Start(&'a str),
    /// An element without content.
    Empty(&'a str),
    Text(String),
    End(&'a str),
}

/// Reads the subset of XML that TwiML uses, and refuses what is not well-formed.
struct Reader<'a> {
    rest: &'a str,
    /// The elements around the next part, outermost first.
    open: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Part<'a>>, u32> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            if let Some(rest) = self.rest.strip_prefix("<?") {
                self.rest = rest.split_once("?>").ok_or(warning::MALFORMED)?.1;
            } else if let Some(rest) = self.rest.strip_prefix("<!--") {
                self.rest = rest.split_once("-->").ok_or(warning::MALFORMED)?.1;
            } else if let Some(rest) = self.rest.strip_prefix("</") {
                let (name, rest) = rest.split_once('>').ok_or(warning::MALFORMED)?;
                self.rest = rest;
                let name = name.trim_end();
                if self.open.pop() != Some(name) {
                    return Err(warning::MALFORMED);
                }
                return Ok(Some(Part::End(name)));
            } else if let Some(rest) = self.rest.strip_prefix('<') {
                return self.element(rest).map(Some);
            } else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                if !self.open.is_empty() {
                    return unescape(text).map(|text| Some(Part::Text(text)));
                }
                if !text.trim().is_empty() {
                    return Err(warning::MALFORMED);
                }
            }
        }
    }

    /// Reads a start tag, whose attributes are skipped.
    fn element(&mut self, rest: &'a str) -> Result<Part<'a>, u32> {
        let end = end_of_tag(rest).ok_or(warning::MALFORMED)?;
        let tag = &rest[..end];
        let name = tag.trim_end_matches('/').split_ascii_whitespace().next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || tag.contains('<') {
            return Err(warning::MALFORMED);
        }
        self.rest = &rest[end + 1..];
        if tag.ends_with('/') {
            return Ok(Part::Empty(name));
        }
        self.open.push(name);
        Ok(Part::Start(name))
    }
}

/// Returns the position of the `>` that ends a tag, which may also occur within an attribute.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(at, c)| {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => return Some(at),
            None => {}
        }
        None
    })
}

/// Replaces entities and character references. Refuses an unknown one and characters that XML forbids.
fn unescape(text: &str) -> Result<String, u32> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').ok_or(warning::MALFORMED)?;
        plain.push(character(name).ok_or(warning::MALFORMED)?);
        plain.push_str(rest);
    }
    let forbidden = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
    if plain.contains(forbidden) { Err(warning::MALFORMED) } else { Ok(plain) }
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{replies, warning};

    fn xml(document: &str) -> Result<Vec<String>, u32> {
        replies(Some("text/xml; charset=utf-8"), document)
    }

    #[test]
    fn an_empty_response_says_nothing() {
        for document in ["<Response/>", "<Response></Response>", "<?xml version=\"1.0\"?>\n<Response />", ""] {
            assert_eq!(xml(document), Ok(vec![]), "{document}");
        }
    }

    #[test]
    fn messages_are_read_with_their_entities() {
        let document = "<?xml version='1.0' encoding='UTF-8'?><Response><Message to=\"a>b\">Tom &amp; Jerry &lt;3 &#8217;</Message>\
                        <Message><Body>two</Body><Media>https://x.example/y</Media></Message><Message/></Response>";
        assert_eq!(xml(document), Ok(vec!["Tom & Jerry <3 \u{2019}".to_owned(), "two".to_owned()]));
    }

    #[test]
    fn what_is_not_twiml_is_a_warning() {
        for (document, code) in [
            ("<Response><Message>a & b</Message></Response>", warning::MALFORMED),
            ("<Response><Message>a</Response>", warning::MALFORMED),
            ("<Response>", warning::MALFORMED),
            ("<Response><Message>a\u{1}b</Message></Response>", warning::MALFORMED),
            ("hello", warning::MALFORMED),
            ("<Answer>hello</Answer>", warning::NO_RESPONSE),
        ] {
            assert_eq!(xml(document), Err(code), "{document}");
        }
        assert_eq!(replies(Some("application/json"), "{}"), Err(warning::MEDIA_TYPE));
        assert_eq!(replies(None, "hello"), Err(warning::MEDIA_TYPE));
        assert_eq!(replies(Some("text/plain"), "hello"), Ok(vec!["hello".to_owned()]));
    }
}
