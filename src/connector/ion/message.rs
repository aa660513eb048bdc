//! The message around a document, in the three forms in which ION sends one
//! (reference/m3.md 7.2 and 7.3), and as it lies in the journal. Pure.
//!
//! Guarantees: nothing is unpacked beyond its limit; no input makes it panic; two messages
//! that ION sends twice have one [`Message::identity`].

use super::multipart;
use crate::connector::loose::Text;
use data_encoding::BASE64;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What stands between the sender's id and the one that ION adds when it forwards.
const FORWARDED: &str = ":-ION-:";

/// Bytes of a value of the head that are kept.
const VALUE_BYTES_MAX: usize = 300;

/// What a message says of its document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `Sync.SalesOrder`.
    #[serde(default)]
    pub document_name: String,
    /// The sender's id of this message, as it came.
    #[serde(default)]
    pub message_id: String,
    /// The logical id of the sender.
    #[serde(default)]
    pub from: String,
    /// Whose the document is.
    #[serde(default)]
    pub accounting_entity: String,
    /// The number of the document.
    #[serde(default)]
    pub document_id: String,
    /// How often the document changed.
    #[serde(default)]
    pub variation: Option<u64>,
}

/// A document of which an extract is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// How large it was, unpacked.
    pub bytes: u64,
    /// The SHA-256 over it, in hex.
    pub sha256: String,
}

/// A message with its document, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub head: Head,
    /// The document, byte for byte.
    pub document: Vec<u8>,
    /// The document as it came, where only an extract of it is kept.
    pub extract_of: Option<Whole>,
}

/// The line before a document in the journal.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    head: &'a Head,
    #[serde(skip_serializing_if = "Option::is_none")]
    extract_of: Option<&'a Whole>,
}

/// Why a message cannot be read. The text continues "could not read the message: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Not JSON, or not an object as it should be.
    #[error("it is not the JSON of a message (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// There is no document.
    #[error("it has no document")]
    NoDocument,
    /// Not multipart.
    #[error("it is not multipart with a boundary")]
    NotMultipart,
    /// A part has no end.
    #[error("a part of it has no end")]
    CutShort,
    /// Too many parts.
    #[error("it has more than {} parts", multipart::PARTS_MAX)]
    TooManyParts,
    /// Another set of characters.
    #[error("its characters are {0:?}, not UTF-8")]
    Characters(String),
    /// Another encoding.
    #[error("its encoding is {0:?}, not NONE, BASE64 or DEFLATE")]
    Encoding(String),
    /// Not Base64.
    #[error("its document is not Base64")]
    NotBase64,
    /// Not DEFLATE.
    #[error("its document cannot be unpacked")]
    NotDeflate,
    /// Larger than it may be.
    #[error("its document is larger than {0} bytes")]
    TooLarge(usize),
    /// What is said of the document is long.
    #[error("what it says of its document is larger than {0} bytes")]
    HeadTooLong(usize),
}

/// A message as JSON has it. Numbers may come as texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    document_name: Option<String>,
    message_id: Option<String>,
    from_logical_id: Option<String>,
    accounting_entity: Option<String>,
    document_id: Option<String>,
    variation_id: Option<Text>,
    pub(super) document: Option<Packed>,
}

/// How a document is packed, as it is said.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Packed {
    value: Option<String>,
    encoding: Option<String>,
    character_set: Option<String>,
}

impl Head {
    /// Takes one value by the name that a header, a query or JSON gives it; in any case.
    pub fn set(&mut self, name: &str, value: &str) {
        let text = short(value);
        let name: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect();
        match name.to_ascii_lowercase().trim_start_matches('x') {
            "documentname" | "bodtype" => self.document_name = text,
            "messageid" => self.message_id = text,
            "fromlogicalid" => self.from = text,
            "accountingentity" => self.accounting_entity = text,
            "documentid" => self.document_id = text,
            "variationid" => self.variation = text.parse().ok(),
            _ => {}
        }
    }
}

/// Takes a value as far as it may be kept.
fn short(value: &str) -> String {
    let value = value.trim();
    let is_good = value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control);
    if is_good { value.to_owned() } else { String::new() }
}

impl From<&Wire> for Head {
    fn from(wire: &Wire) -> Self {
        let text = |value: &Option<String>| value.as_deref().map(short).unwrap_or_default();
        Self {
            document_name: text(&wire.document_name),
            message_id: text(&wire.message_id),
            from: text(&wire.from_logical_id),
            accounting_entity: text(&wire.accounting_entity),
            document_id: text(&wire.document_id),
            variation: wire.variation_id.as_ref().and_then(|text| text.0.trim().parse().ok()),
        }
    }
}

impl Message {
    /// Returns what tells this message from others: equal when it is sent again, even where
    /// ION has added an id of its own. A message without an id is known by its document.
    pub fn identity(&self) -> [u8; 32] {
        let id = self.head.message_id.split(FORWARDED).next().unwrap_or_default().trim();
        let mut hasher = Sha256::new();
        match &self.extract_of {
            _ if !id.is_empty() => {
                hasher.update(b"ion message ");
                hasher.update(id.as_bytes());
            }
            Some(whole) => {
                hasher.update(b"ion extract ");
                hasher.update(whole.sha256.as_bytes());
            }
            None => {
                hasher.update(b"ion document ");
                hasher.update(&self.document);
            }
        }
        hasher.finalize().into()
    }

    /// Reads a message that is one JSON object (v2).
    pub fn single(body: &[u8], bytes_max: usize) -> Result<Self, MessageError> {
        let wire = wire(body)?;
        let head = Head::from(&wire);
        let packed = wire.document.unwrap_or_default();
        let value = packed.value.as_deref().ok_or(MessageError::NoDocument)?;
        let document = unpack(value.as_bytes(), &packed, bytes_max)?;
        Ok(Self { head, document, extract_of: None })
    }

    /// Reads a message of two parts (v3): what it says, and the document. Which is which is
    /// told from what is in them.
    pub fn multipart(
        content_type: &str,
        body: &[u8],
        bytes_max: usize,
    ) -> Result<Self, MessageError> {
        let parts = multipart::parts(body, multipart::boundary(content_type)?)?;
        let mut said: Option<Wire> = None;
        let mut payload = None;
        for part in parts {
            match wire(part) {
                Ok(wire) if said.is_none() && wire.is_one() => said = Some(wire),
                Ok(_) | Err(_) if payload.is_none() && !part.trim_ascii().is_empty() => {
                    payload = Some(part);
                }
                Ok(_) | Err(_) => {}
            }
        }
        let said = said.ok_or(MessageError::NotJson { line: 1, column: 1 })?;
        let head = Head::from(&said);
        let packed = said.document.unwrap_or_default();
        let inline = packed.value.as_deref().map(str::as_bytes);
        let payload = payload.or(inline).ok_or(MessageError::NoDocument)?;
        let document = unpack(payload, &packed, bytes_max)?;
        Ok(Self { head, document, extract_of: None })
    }

    /// Reads a message whose body is the document (v3): what it says stands beside it, in
    /// headers and in the query.
    pub fn bare<'a>(
        said: impl Iterator<Item = (&'a str, &'a str)>,
        body: &[u8],
        bytes_max: usize,
    ) -> Result<Self, MessageError> {
        let (head, packed) = beside(said);
        if body.trim_ascii().is_empty() {
            return Err(MessageError::NoDocument);
        }
        let document = unpack(body, &packed, bytes_max)?;
        Ok(Self { head, document, extract_of: None })
    }

    /// Writes it as it lies in the journal: what it says in one line, then the document.
    pub fn stored(&self) -> Vec<u8> {
        let stored = Stored { head: &self.head, extract_of: self.extract_of.as_ref() };
        let mut bytes = serde_json::to_vec(&stored).unwrap_or_else(|_| b"{}".to_vec());
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.document);
        bytes
    }

    /// Reads it out of the journal.
    pub fn restored(bytes: &[u8]) -> Option<(Head, &[u8])> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = bytes.split_at_checked(end)?;
        Some((serde_json::from_slice(line).ok()?, rest.get(1..)?))
    }
}

/// Reads what is said of a document beside it.
pub(super) fn beside<'a>(said: impl Iterator<Item = (&'a str, &'a str)>) -> (Head, Packed) {
    let mut head = Head::default();
    let mut packed = Packed::default();
    for (name, value) in said {
        match name.to_ascii_lowercase().as_str() {
            "encoding" | "document-encoding" => packed.encoding = Some(short(value)),
            "characterset" | "character-set" => packed.character_set = Some(short(value)),
            _ => head.set(name, value),
        }
    }
    (head, packed)
}

/// An encoding that is known.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Base64,
    Deflate,
}

impl Packed {
    /// Returns the encoding; another set of characters than UTF-8 is refused.
    pub(super) fn encoding(&self) -> Result<Encoding, MessageError> {
        let characters = self.character_set.as_deref().unwrap_or("UTF-8");
        if !["UTF-8", "UTF8", ""].iter().any(|name| characters.eq_ignore_ascii_case(name)) {
            return Err(MessageError::Characters(characters.chars().take(40).collect()));
        }
        let encoding = self.encoding.as_deref().unwrap_or_default().trim().to_ascii_uppercase();
        match encoding.as_str() {
            "" | "NONE" => Ok(Encoding::Plain),
            "BASE64" => Ok(Encoding::Base64),
            "DEFLATE" => Ok(Encoding::Deflate),
            other => Err(MessageError::Encoding(other.chars().take(40).collect())),
        }
    }
}

impl Wire {
    /// Whether an object says anything of a message.
    pub(super) fn is_one(&self) -> bool {
        self.document_name.is_some() || self.message_id.is_some()
    }
}

pub(super) fn wire(body: &[u8]) -> Result<Wire, MessageError> {
    let body = body.trim_ascii();
    serde_json::from_slice(body)
        .map_err(|error| MessageError::NotJson { line: error.line(), column: error.column() })
}

/// Undoes the encoding, which is taken generously: a document that is not packed although it
/// says so is taken as it is.
fn unpack(value: &[u8], packed: &Packed, bytes_max: usize) -> Result<Vec<u8>, MessageError> {
    let is_plain = value.trim_ascii_start().first() == Some(&b'<');
    let document = match packed.encoding()? {
        Encoding::Plain => value.to_vec(),
        Encoding::Base64 | Encoding::Deflate if is_plain => value.to_vec(),
        Encoding::Base64 => base64(value)?,
        Encoding::Deflate if is_zlib(value) => inflate(value, bytes_max)?,
        Encoding::Deflate => match base64(value) {
            Ok(bytes) => inflate(&bytes, bytes_max)?,
            Err(_) => inflate(value, bytes_max)?,
        },
    };
    if document.len() > bytes_max {
        return Err(MessageError::TooLarge(bytes_max));
    }
    Ok(document)
}

/// Whether it begins as a zlib stream, and not as its Base64.
pub(super) fn is_zlib(value: &[u8]) -> bool {
    matches!(value, [0x78, second, ..] if !second.is_ascii_alphanumeric())
}

fn base64(value: &[u8]) -> Result<Vec<u8>, MessageError> {
    // Long lines may have been broken.
    let bare: Vec<u8> = value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(&bare).map_err(|_| MessageError::NotBase64)
}

fn inflate(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, MessageError> {
    decompress_to_vec_zlib_with_limit(bytes, bytes_max).map_err(|error| {
        if error.status == TINFLStatus::HasMoreOutput {
            return MessageError::TooLarge(bytes_max);
        }
        MessageError::NotDeflate
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;
    use proptest::prelude::*;

    const MAX: usize = 10_000;
    const DOCUMENT: &str = "<SyncItemMaster>ü</SyncItemMaster>";

    fn json(value: &str, encoding: &str) -> String {
        format!(
            r#"{{"documentName":"Sync.ItemMaster","messageId":"abc:-ION-:0f","fromLogicalId":"lid://infor.m3.m3",
            "accountingEntity":"100","documentId":"A-1","variationId":"7","custom_x":{{"y":[1]}},
            "document":{{"value":{value},"encoding":"{encoding}","characterSet":"UTF-8"}}}}"#
        )
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    fn wanted() -> Head {
        Head {
            document_name: "Sync.ItemMaster".to_owned(),
            message_id: "abc:-ION-:0f".to_owned(),
            from: "lid://infor.m3.m3".to_owned(),
            accounting_entity: "100".to_owned(),
            document_id: "A-1".to_owned(),
            variation: Some(7),
        }
    }

    #[test]
    fn a_single_message_is_read_in_each_encoding() {
        let packed = BASE64.encode(&compress_to_vec_zlib(DOCUMENT.as_bytes(), 6));
        let broken: String =
            BASE64.encode(DOCUMENT.as_bytes()).chars().flat_map(|c| [c, '\n']).collect();
        let table = [
            (DOCUMENT.to_owned(), "NONE"),
            (DOCUMENT.to_owned(), ""),
            (BASE64.encode(DOCUMENT.as_bytes()), "BASE64"),
            (broken, "base64"),
            (packed, "DEFLATE"),
            (DOCUMENT.to_owned(), "BASE64"),
        ];
        for (value, encoding) in table {
            let message = Message::single(json(&quoted(&value), encoding).as_bytes(), MAX).unwrap();
            assert_eq!(message.document, DOCUMENT.as_bytes(), "{encoding}");
            assert_eq!(message.head, wanted(), "{encoding}");
        }
    }

    #[test]
    fn parts_are_told_apart_by_what_is_in_them() {
        let said = json("null", "NONE");
        let packed = compress_to_vec_zlib(DOCUMENT.as_bytes(), 6);
        let deflate = json("null", "DEFLATE");
        let body = |parts: [(&str, &[u8]); 2]| {
            let mut body = b"preamble\r\n".to_vec();
            for (name, part) in parts {
                let head =
                    format!("--b-1\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
                body.extend([head.as_bytes(), part, b"\r\n"].concat());
            }
            body.extend(b"--b-1--\r\n");
            body
        };
        let table = [
            body([("ParameterRequest", said.as_bytes()), ("MessagePayload", DOCUMENT.as_bytes())]),
            body([("payload", DOCUMENT.as_bytes()), ("whatever", said.as_bytes())]),
            body([("ParameterRequest", deflate.as_bytes()), ("MessagePayload", &packed)]),
        ];
        for body in table {
            let kind = "Multipart/form-data; charset=x; boundary=\"b-1\"";
            let message = Message::multipart(kind, &body, MAX).unwrap();
            assert_eq!(message.document, DOCUMENT.as_bytes());
            assert_eq!(message.head, wanted());
            let cut = &body[..body.len() - 12];
            assert_eq!(Message::multipart(kind, cut, MAX), Err(MessageError::CutShort));
        }
        let none = Message::multipart("text/plain", b"x", MAX);
        assert_eq!(none, Err(MessageError::NotMultipart));
        let many = [b"--b".as_slice(), &b"\r\n\r\nx\r\n--b".repeat(9)].concat();
        assert_eq!(
            Message::multipart("multipart/mixed; boundary=b", &many, MAX),
            Err(MessageError::TooManyParts)
        );
    }

    #[test]
    fn what_a_bare_document_needs_stands_beside_it_in_any_writing() {
        let said = [
            ("documentName", "Sync.ItemMaster"),
            ("X-MessageId", "abc:-ION-:0f"),
            ("from-logical-id", "lid://infor.m3.m3"),
            ("AccountingEntity", "100"),
            ("documentid", "A-1"),
            ("variationId", "7"),
            ("host", "x"),
        ];
        let message = Message::bare(said.into_iter(), DOCUMENT.as_bytes(), MAX).unwrap();
        assert_eq!(message.head, wanted());
        let none = Message::bare(said.into_iter(), b"  ", MAX);
        assert_eq!(none, Err(MessageError::NoDocument));
    }

    #[test]
    fn a_message_is_known_again_when_ion_adds_an_id_and_lies_whole_in_the_journal() {
        let head = |id: &str| Head { message_id: id.to_owned(), ..Head::default() };
        let of = |id: &str, document: &[u8]| {
            let document = document.to_vec();
            Message { head: head(id), document, extract_of: None }.identity()
        };
        let identity = |id: &str| of(id, b"<a/>");
        assert_eq!(identity("abc"), identity("abc:-ION-:1"));
        assert_eq!(identity("abc:-ION-:2"), identity("abc:-ION-:1"));
        assert_ne!(identity("abd"), identity("abc"));
        assert_ne!(of("", b"<a/>"), of("", b"<b/>"));
        let message = Message { head: wanted(), document: b"<a>\n</a>".to_vec(), extract_of: None };
        let stored = message.stored();
        assert_eq!(Message::restored(&stored), Some((wanted(), message.document.as_slice())));
    }

    #[test]
    fn what_cannot_be_unpacked_is_refused_with_its_reason() {
        let bomb = BASE64.encode(&compress_to_vec_zlib(&vec![b'a'; 1_000_000], 9));
        let table = [
            (json(&quoted(&bomb), "DEFLATE"), "larger than 10000"),
            (json(&quoted("!!!"), "BASE64"), "not Base64"),
            (json(&quoted("AAAA"), "DEFLATE"), "cannot be unpacked"),
            (json(&quoted("x"), "GZIP"), "\"GZIP\""),
            (json(&quoted(&"x".repeat(MAX + 1)), "NONE"), "larger than 10000"),
            (json("null", "NONE"), "no document"),
            (json(&quoted("x"), "NONE").replace("UTF-8", "UTF-16"), "UTF-16"),
            ("[]".to_owned(), "not the JSON"),
            ("<xml/>".to_owned(), "not the JSON"),
        ];
        for (body, want) in table {
            let error = Message::single(body.as_bytes(), MAX).unwrap_err();
            assert!(error.to_string().contains(want), "{want}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_message_fall(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Message::single(&bytes, MAX);
            let _ = Message::multipart("multipart/form-data; boundary=b", &bytes, MAX);
            let _ = Message::bare(std::iter::once(("encoding", "DEFLATE")), &bytes, MAX);
            let _ = Message::restored(&bytes);
        }

        #[test]
        fn nothing_is_unpacked_beyond_its_limit(len in 0usize..60_000, encoding in prop::sample::select(vec!["BASE64", "DEFLATE", "NONE"])) {
            let plain = vec![b'a'; len];
            let value = match encoding {
                "DEFLATE" => BASE64.encode(&compress_to_vec_zlib(&plain, 1)),
                "BASE64" => BASE64.encode(&plain),
                _ => "a".repeat(len),
            };
            let got = Message::single(json(&quoted(&value), encoding).as_bytes(), MAX);
            prop_assert_eq!(got.is_ok(), len <= MAX);
        }

        #[test]
        fn no_multipart_that_is_nearly_one_makes_it_fall(pieces in prop::collection::vec(prop::sample::select(vec![
            "--b", "\r\n", "--", "content-type: x", "{\"messageId\":\"m\"}", "<a/>", "\n", "-",
        ]), 0..40)) {
            let _ = Message::multipart("multipart/mixed; boundary=b", pieces.concat().as_bytes(), MAX);
        }
    }
}
