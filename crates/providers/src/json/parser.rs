//! The tolerant parser: keeps the structure of a document and replaces values that can't be represented.

use serde_json::{Map, Number, Value};

/// Maximum nesting depth, the same as in the strict parser. Deeper values become null.
const DEPTH_MAX: usize = 127;
const REPLACEMENT: char = '\u{fffd}';

/// The input does not have the structure of JSON, for example because it is truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON at byte {at}")]
pub struct NotJson {
    /// Offset in bytes at which parsing stopped.
    pub at: usize,
}

/// Parses one document that must span the whole input.
pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Result<T> = std::result::Result<T, NotJson>;

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn document(mut self) -> Result<Value> {
        let value = self.value(0)?;
        self.skip_space();
        while self.take(0) {}
        if self.at == self.bytes.len() { Ok(value) } else { self.broken() }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => self.skip_nested(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            _ => self.bare(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        let mut object = Map::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(object.into());
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            // If a name occurs twice, the last value counts.
            object.insert(name, self.value(depth + 1)?);
            self.skip_space();
            if self.take(b'}') {
                return Ok(object.into());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        let mut array = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(array.into());
        }
        loop {
            array.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(array.into());
            }
            self.expect(b',')?;
        }
    }

    /// Skips an array or object of any depth, without recursion. Checks only brackets and strings.
    fn skip_nested(&mut self) -> Result<Value> {
        let mut open = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                b'}' | b']' if open.pop() != Some(byte) => return self.broken(),
                _ => {}
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(Value::Null);
            }
        }
        self.broken()
    }

    fn string(&mut self) -> Result<String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.at..];
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                self.at = self.bytes.len();
                return self.broken();
            };
            text.push_str(&String::from_utf8_lossy(&rest[..plain]));
            self.at += plain;
            if self.take(b'"') {
                return Ok(text);
            }
            self.at += 1;
            text.push(self.escaped());
        }
    }

    /// Returns the character of an escape sequence. If it is unknown, only the backslash is consumed.
    fn escaped(&mut self) -> char {
        let known = match self.peek() {
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return REPLACEMENT,
        };
        self.at += 1;
        known
    }

    /// Parses the rest of `\u`: four hex digits, or a surrogate pair.
    fn unicode(&mut self) -> char {
        let Some(unit) = self.four_hex() else { return REPLACEMENT };
        self.at += 4;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit).unwrap_or(REPLACEMENT);
        }
        let after = self.at;
        if self.take(b'\\')
            && self.take(b'u')
            && let Some(low @ 0xdc00..0xe000) = self.four_hex()
        {
            self.at += 4;
            return char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or(REPLACEMENT);
        }
        self.at = after;
        REPLACEMENT
    }

    fn four_hex(&self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
    }

    /// Parses a number or a literal. A number that no type can represent becomes null.
    fn bare(&mut self) -> Result<Value> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(byte)));
        let token = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).unwrap_or_default();
        let value = match token {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" | "NaN" | "Infinity" | "-Infinity" => Value::Null,
            _ if token.trim_start_matches(['-', '+']).starts_with(|first: char| first.is_ascii_digit()) => {
                number(token)
            }
            _ => return self.broken(),
        };
        self.at += token.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { self.broken() }
    }

    fn broken<T>(&self) -> Result<T> {
        Err(NotJson { at: self.at })
    }
}

fn number(token: &str) -> Value {
    if let Ok(whole) = token.parse::<u64>() {
        return whole.into();
    }
    // Negative zero must become a float, as in the strict parser.
    match token.parse::<i64>() {
        Ok(whole) if whole != 0 => whole.into(),
        _ => token.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number),
    }
}
