//! Cuts our own credentials from whatever the remote service says.
//!
//! Gateways like to repeat what they were sent, headers and bodies included, and what they say ends in conditions, logs,
//! lock files and terminals. So a reply is cleaned before anything else sees it: before it is decoded, and before it is
//! cut to a length that could leave half a credential behind.
//!
//! A credential is found however its characters are escaped: as they are, in percent-encoding, in JSON (several layers
//! of it), in HTML, any of these mixed, and in base64; and also where a line was wrapped in the middle of it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

/// Shorter ones are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;
/// What stands in the place of a credential.
const MARK: &str = "[redacted]";
/// Longest escape of one character: a surrogate pair in four layers of JSON.
const LONGEST_ESCAPE: usize = 18;

/// So many spaces and ends of lines in the middle of a credential are passed over: those of a text that was wrapped.
const LONGEST_GAP: usize = 64;

/// What must not be repeated.
#[derive(Clone)]
pub(super) struct Credentials {
    needles: Vec<Vec<u8>>,
    /// Whether a byte can be the first of one.
    starts: [bool; 256],
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials([redacted])")
    }
}

impl Credentials {
    /// These secrets.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut credentials = Self {
            needles: Vec::new(),
            starts: [false; 256],
        };
        for secret in secrets {
            credentials.add(secret);
        }
        credentials
    }

    /// These and those in the body of a request.
    pub(super) fn and_those_in(self: &Arc<Self>, body: &Value) -> Arc<Self> {
        let mut secrets = Vec::new();
        collect(body, false, &mut secrets);
        if secrets.is_empty() {
            return Arc::clone(self);
        }
        let mut credentials = Self::clone(self);
        for secret in secrets {
            credentials.add(secret);
        }
        Arc::new(credentials)
    }

    fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.chars().count() < SHORTEST {
            return;
        }
        let mut needles = vec![secret.as_bytes().to_vec()];
        for offset in 0..3 {
            let plain = base64_of(secret, offset);
            let for_addresses = plain.replace('+', "-").replace('/', "_");
            needles.extend([plain.into_bytes(), for_addresses.into_bytes()]);
        }
        for needle in needles {
            if needle.len() >= SHORTEST && !self.needles.contains(&needle) {
                self.starts[usize::from(needle[0])] = true;
                self.needles.push(needle);
            }
        }
        for escape in *b"%\\&+" {
            self.starts[usize::from(escape)] = true;
        }
    }

    /// A text without them.
    pub(super) fn text(&self, text: &str) -> String {
        match self.cut(text.as_bytes()) {
            Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
            None => text.to_owned(),
        }
    }

    /// A body without them, which is JSON if it was JSON before.
    pub(super) fn body(&self, body: Vec<u8>) -> Vec<u8> {
        let Some(clean) = self.cut(&body) else {
            return body;
        };
        match serde_json::from_slice::<Value>(&body) {
            Ok(value) => self.value(value).to_string().into_bytes(),
            Err(_) => clean,
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(number) => match self.cut(number.to_string().as_bytes()) {
                Some(_) => Value::Null,
                None => Value::Number(number),
            },
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(object) => object
                .into_iter()
                .map(|(key, value)| (self.text(&key), self.value(value)))
                .collect(),
        }
    }

    /// The text without them, if any is there.
    fn cut(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut clean: Option<Vec<u8>> = None;
        let mut kept = 0;
        let mut at = 0;
        while at < text.len() {
            if !self.starts[usize::from(text[at])] {
                at += 1;
                continue;
            }
            match self.needles.iter().filter_map(|needle| end_of(needle, text, at)).max() {
                None => at += 1,
                Some(end) => {
                    let clean = clean.get_or_insert_with(Vec::new);
                    clean.extend_from_slice(&text[kept..at]);
                    clean.extend_from_slice(MARK.as_bytes());
                    at = end;
                    kept = end;
                }
            }
        }
        if let Some(clean) = &mut clean {
            clean.extend_from_slice(&text[kept..]);
        }
        clean
    }
}

/// The values of a body whose names say that they are secret.
fn collect<'a>(value: &'a Value, secret: bool, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if secret => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Value::Object(object) => object
            .iter()
            .for_each(|(name, value)| collect(value, secret || is_secret(name), found)),
        _ => {}
    }
}

/// Whether a field of this name holds a credential.
pub fn is_secret(name: &str) -> bool {
    ["password", "token", "key", "secret"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// The part of a secret's base64 that is the same whatever stands around it, if `offset` bytes of a group come before.
fn base64_of(secret: &str, offset: usize) -> String {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret.as_bytes());
    let text = STANDARD_NO_PAD.encode(&bytes);
    let start = [0, 2, 3][offset];
    let end = text.len() - usize::from(!bytes.len().is_multiple_of(3));
    text[start..end].to_owned()
}

/// Where a credential that begins at `start` ends. The end of the text ends one too, if enough of it is there.
fn end_of(needle: &[u8], text: &[u8], start: usize) -> Option<usize> {
    let mut end = None;
    // Places in the text, how much of the needle is found before them, and how many spaces were passed over since.
    let mut places = vec![(start, 0, 0)];
    let mut next = 0;
    while let Some(&(at, found, gap)) = places.get(next) {
        next += 1;
        if found == needle.len() {
            end = end.max(Some(at));
            continue;
        }
        if found >= SHORTEST && is_broken_off(&text[at..]) {
            end = Some(text.len());
        }
        characters(&text[at..], &mut |bytes, length| {
            let place = (at + length, found + bytes.len(), 0);
            if needle[found..].starts_with(bytes) && !places.contains(&place) {
                places.push(place);
            }
            let place = (at + length, found, gap + 1);
            let passed_over = bytes[0].is_ascii_whitespace() && found > 0 && gap < LONGEST_GAP;
            if passed_over && !places.contains(&place) {
                places.push(place);
            }
        });
    }
    end
}

/// Whether nothing is left of a text, or only what may be the beginning of an escape.
fn is_broken_off(rest: &[u8]) -> bool {
    match rest.first() {
        None => true,
        Some(first) => rest.len() < LONGEST_ESCAPE && b"%\\&".contains(first) && !rest.contains(&b' '),
    }
}

/// Tells everything that the beginning of a text can mean, and how many bytes say it.
fn characters(text: &[u8], tell: &mut impl FnMut(&[u8], usize)) {
    let Some(first) = text.first() else {
        return;
    };
    tell(&[*first], 1);
    match first {
        b'+' => tell(b" ", 1),
        b'%' => percent(text, tell),
        b'&' => html(text, tell),
        b'\\' => json(text, tell),
        _ => {}
    }
}

/// `%2F`, and `%252F` for what was encoded twice; `%2B` may have been a space once.
fn percent(text: &[u8], tell: &mut impl FnMut(&[u8], usize)) {
    let mut at = 1;
    while let Some(byte) = text.get(at..at + 2).and_then(|digits| number(digits, 16)) {
        if let Ok(byte) = u8::try_from(byte) {
            tell(&[byte], at + 2);
        }
        if byte == u32::from(b'+') {
            tell(b" ", at + 2);
        }
        if byte != u32::from(b'%') || at > 5 {
            return;
        }
        at += 2;
    }
}

/// `&quot;`, `&#34;` and `&#x22;`, and `&amp;quot;` for what was escaped twice.
fn html(text: &[u8], tell: &mut impl FnMut(&[u8], usize)) {
    let mut at = 1;
    loop {
        let rest = &text[at..];
        let Some(length) = rest.iter().take(10).position(|byte| *byte == b';') else {
            return;
        };
        let name = &rest[..length];
        let character = match name {
            b"amp" => Some('&'),
            b"lt" => Some('<'),
            b"gt" => Some('>'),
            b"quot" => Some('"'),
            b"apos" => Some('\''),
            [b'#', b'x' | b'X', digits @ ..] => number(digits, 16).and_then(char::from_u32),
            [b'#', digits @ ..] => number(digits, 10).and_then(char::from_u32),
            _ => None,
        };
        let Some(character) = character else {
            return;
        };
        at += length + 1;
        tell(character.encode_utf8(&mut [0; 4]).as_bytes(), at);
        if character != '&' || at > 12 {
            return;
        }
    }
}

/// `\"`, `\n` and `\u0022`, and the same with more backslashes for JSON inside JSON.
fn json(text: &[u8], tell: &mut impl FnMut(&[u8], usize)) {
    let run = text.iter().take(8).take_while(|byte| **byte == b'\\').count();
    for length in [2, 4, 8] {
        if run >= length {
            tell(b"\\", length);
        }
    }
    if ![1, 2, 3, 4, 7, 8].contains(&run) {
        return;
    }
    let plain = match text.get(run) {
        Some(byte @ (b'"' | b'/' | b'\'')) => *byte,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'u') => return utf16(text, run, tell),
        _ => return,
    };
    tell(&[plain], run + 1);
}

/// `\u00e4`, or two of them for a character beyond.
fn utf16(text: &[u8], run: usize, tell: &mut impl FnMut(&[u8], usize)) {
    let unit = |at: usize| {
        let digits = text.get(at..at + run + 5)?;
        let (escape, digits) = digits.split_at(run + 1);
        let is_escape = escape.ends_with(b"u") && escape[..run].iter().all(|byte| *byte == b'\\');
        u16::try_from(number(digits, 16).filter(|_| is_escape)?).ok()
    };
    let Some(first) = unit(0) else {
        return;
    };
    let length = run + 5;
    let units = [first, unit(length).unwrap_or_default()];
    let Some(Ok(character)) = char::decode_utf16(units).next() else {
        return;
    };
    tell(
        character.encode_utf8(&mut [0; 4]).as_bytes(),
        length * character.len_utf16(),
    );
}

/// A number of nothing but digits.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || digits.len() > 7 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        Some(number * radix + char::from(*digit).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests;
