//! How ION writes a message: one JSON object, two parts, or the document alone
//! (reference/m3.md 7.2 and 7.3).

use super::bods::Bod;
use data_encoding::BASE64;
use miniz_oxide::deflate::compress_to_vec_zlib;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// How a document is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    None,
    /// As Base64.
    Base64,
    /// As a zlib stream; in JSON as its Base64.
    Deflate,
}

impl Encoding {
    const ALL: [Self; 3] = [Self::None, Self::Base64, Self::Deflate];

    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Base64 => "BASE64",
            Self::Deflate => "DEFLATE",
        }
    }

    fn text(self, document: &str) -> String {
        match self {
            Self::None => document.to_owned(),
            Self::Base64 => BASE64.encode(document.as_bytes()),
            Self::Deflate => BASE64.encode(&compress_to_vec_zlib(document.as_bytes(), 6)),
        }
    }

    fn bytes(self, document: &str) -> Vec<u8> {
        match self {
            Self::None => document.as_bytes().to_vec(),
            Self::Base64 => BASE64.encode(document.as_bytes()).into_bytes(),
            Self::Deflate => compress_to_vec_zlib(document.as_bytes(), 6),
        }
    }
}

/// By which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `v2/message`.
    Single(Encoding),
    /// `v3/multipartMessage`.
    Multipart(Encoding),
    /// `v3/message/multipart` with what is said in headers.
    BareByHeaders,
    /// `v3/message/multipart` with what is said in the query.
    BareByQuery,
}

impl Way {
    /// Every one.
    pub fn all() -> Vec<Self> {
        let packed = Encoding::ALL.into_iter();
        let mut all: Vec<_> =
            packed.flat_map(|how| [Self::Single(how), Self::Multipart(how)]).collect();
        all.extend([Self::BareByHeaders, Self::BareByQuery]);
        all
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Single(_) => "v2/message",
            Self::Multipart(_) => "v3/multipartMessage",
            Self::BareByHeaders | Self::BareByQuery => "v3/message/multipart",
        }
    }
}

/// A document as it stands in the JSON of a message.
pub fn packed(bod: &Bod, how: Encoding) -> String {
    how.text(&bod.xml())
}

fn said(id: &str, bod: &Bod, document: &Value) -> Value {
    json!({
        "documentName": bod.name(),
        "messageId": id,
        "fromLogicalId": "lid://infor.m3.m3",
        "toLogicalId": "lid://default",
        "accountingEntity": bod.entity,
        "documentId": bod.id,
        "variationId": bod.variation,
        "source": "M3",
        "document": document,
    })
}

/// Writes a message into a request.
pub(super) fn written(request: RequestBuilder, way: Way, id: &str, bod: &Bod) -> RequestBuilder {
    let xml = bod.xml();
    match way {
        Way::Single(how) => {
            let packed = json!({
                "value": how.text(&xml), "encoding": how.name(), "characterSet": "UTF-8",
            });
            let body = said(id, bod, &packed).to_string();
            request.header("content-type", "application/json").body(body)
        }
        Way::Multipart(how) => {
            let document = json!({ "encoding": how.name(), "characterSet": "UTF-8" });
            let said = said(id, bod, &document).to_string();
            let part = |name: &str, kind: &str| {
                format!(
                    "--ion-part\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
                     Content-Type: {kind}\r\n\r\n"
                )
            };
            let body = [
                part("ParameterRequest", "application/json").as_bytes(),
                said.as_bytes(),
                b"\r\n",
                part("MessagePayload", "application/octet-stream").as_bytes(),
                &how.bytes(&xml),
                b"\r\n--ion-part--\r\n",
            ]
            .concat();
            request.header("content-type", "multipart/form-data; boundary=ion-part").body(body)
        }
        Way::BareByHeaders => {
            let request = request.header("content-type", "application/xml");
            let pairs = pairs(id, bod);
            pairs.into_iter().fold(request, |it, (name, value)| it.header(name, value)).body(xml)
        }
        Way::BareByQuery => {
            let request = request.header("content-type", "application/xml");
            request.query(&pairs(id, bod)).body(xml)
        }
    }
}

fn pairs(id: &str, bod: &Bod) -> Vec<(&'static str, String)> {
    vec![
        ("documentName", bod.name()),
        ("messageId", id.to_owned()),
        ("fromLogicalId", "lid://infor.m3.m3".to_owned()),
        ("accountingEntity", bod.entity.clone()),
        ("documentId", bod.id.clone()),
        ("variationId", bod.variation.to_string()),
        ("encoding", "NONE".to_owned()),
        ("characterSet", "UTF-8".to_owned()),
    ]
}
