//! Gives documents to ION, over its API or into a folder (reference/m3.md 7.2).
//!
//! Guarantees: a document keeps its message id however often it is sent, so ION knows it
//! again; every 2xx is a yes; a refusal tells what an administrator of ION has to look at.
//! A file appears in its folder whole or not at all.

use crate::{
    connector::{
        Class, Failure, Fate, Kind,
        http::{self, Answer, Http, HttpError},
        loose::{encode, transport},
        m3::{
            ionapi::{IonApi, IonApiError},
            token::{self, Tokens},
        },
    },
    secret::Secret,
};
use reqwest::{Request, RequestBuilder, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// Where ION's messaging begins, behind the tenant.
const SUITE: &str = "IONSERVICES/api/ion/messaging/service";

/// What separates the parts of a message.
const BOUNDARY: &str = "causeway-part";

/// How documents are given to ION.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The credential that holds the text of the `.ionapi` file.
    pub credential: String,
    /// The form of a message.
    #[serde(default)]
    pub version: Version,
    /// How to log in.
    #[serde(default)]
    pub token: token::Settings,
    /// Time, size and trust.
    #[serde(default)]
    pub http: http::Settings,
}

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// One JSON object.
    V2,
    /// Two parts.
    #[default]
    V3,
}

/// Why nothing can be given. The text continues "could not prepare ION: ".
#[derive(Debug, Error)]
pub enum PublishError {
    /// The `.ionapi` file cannot be used.
    #[error("the .ionapi file cannot be used")]
    IonApi(#[from] IonApiError),
    /// The connection cannot be prepared.
    #[error("the connection cannot be prepared")]
    Http(#[from] HttpError),
}

/// A document on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `Confirm.BOD`.
    pub name: String,
    /// The message's id: 32 hex digits, the same however often it is sent.
    pub id: String,
    /// Our logical id.
    pub from: String,
    /// The document.
    pub document: String,
}

/// ION's messaging, ready to be called. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    tokens: Tokens,
    base: String,
    version: Version,
}

impl Publisher {
    /// Prepares to call; nothing is sent.
    pub fn new(settings: &Settings, credential: &Secret) -> Result<Self, PublishError> {
        let app = IonApi::parse(credential.reveal())?;
        let base = http::address(&format!("{}/{SUITE}", app.api_root))?;
        let http = Http::new(&settings.http, &[&base, &http::address(&app.token_url)?])?;
        let tokens = Tokens::new(http.clone(), app, settings.token)?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self(Arc::new(Inner { http, tokens, base, version: settings.version })))
    }

    /// Gives one document.
    pub async fn give(&self, outgoing: &Outgoing) -> Result<(), Failure> {
        self.call(&|token| self.request(outgoing, token)).await.map(drop)
    }

    /// Asks for a token, if there is none.
    pub async fn log_in(&self) -> Result<(), Failure> {
        self.0.tokens.bearer().await.map(drop)
    }

    /// Asks whether ION's messaging is there.
    pub async fn ping(&self) -> Result<(), Failure> {
        self.get("ping").await.map(drop)
    }

    /// Asks which versions of the messages ION knows, such as `v2` and `v3`.
    pub async fn versions(&self) -> Result<Vec<String>, Failure> {
        Ok(names(&self.get("versions").await?.body))
    }

    /// Asks which documents ION takes from a logical id, such as `Confirm.BOD`; refused with 412
    /// where the connection point is unknown or not active. How the list is written is not known:
    /// every text in it counts.
    pub async fn accepted(&self, logical_id: &str) -> Result<Vec<String>, Failure> {
        let path = format!("v3/{}/acceptedDocuments", encode(logical_id));
        Ok(names(&self.get(&path).await?.body))
    }

    /// Returns the form in which documents are given.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// Returns the headers about limits that answers came with.
    pub fn limit_headers(&self) -> Vec<(String, String)> {
        self.0.http.limit_headers()
    }

    async fn get(&self, path: &str) -> Result<Answer, Failure> {
        let Inner { http, base, .. } = &*self.0;
        let request = |token: &Secret| {
            let request = http.client().get(format!("{base}/{path}"));
            authorized(request, token).build()
        };
        self.call(&request).await.map_err(|failure| failure.of_kind(Kind::Read))
    }

    /// Sends a request, with a new token once more where the first is not taken.
    async fn call(
        &self,
        build: &(dyn Fn(&Secret) -> reqwest::Result<Request> + Sync),
    ) -> Result<Answer, Failure> {
        let Inner { tokens, .. } = &*self.0;
        let bearer = tokens.bearer().await?;
        let mut answer = self.send(build(&bearer.secret)).await?;
        if answer.status == 401 {
            let bearer = tokens.renewed(&bearer).await?;
            answer = self.send(build(&bearer.secret)).await?;
        }
        judged(answer)
    }

    async fn send(&self, request: reqwest::Result<Request>) -> Result<Answer, Failure> {
        let request = request.map_err(|error| {
            let text = format!("the request cannot be built: {}", error.without_url());
            Failure::new(Fate::NotDone, Class::Config, &text)
        })?;
        self.0.http.send(request).await.map_err(Failure::from)
    }

    fn request(&self, outgoing: &Outgoing, token: &Secret) -> reqwest::Result<Request> {
        let Inner { http, base, version, .. } = &*self.0;
        let (path, kind, body) = match version {
            Version::V2 => ("v2/message", "application/json".to_owned(), single(outgoing)),
            Version::V3 => {
                let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                ("v3/multipartMessage", kind, multipart(outgoing))
            }
        };
        let request = http.client().post(format!("{base}/{path}"));
        authorized(request, token).header(header::CONTENT_TYPE, kind).body(body).build()
    }
}

fn authorized(request: RequestBuilder, token: &Secret) -> RequestBuilder {
    request
        .header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()))
        .header(header::ACCEPT, "application/json")
}

/// Returns every text in an answer, in its order; what is no JSON has none.
fn names(body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![serde_json::from_slice(body).unwrap_or(Value::Null)];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(values) => open.extend(values.into_iter().rev()),
            Value::Object(members) => {
                let values: Vec<_> = members.into_iter().map(|(_, value)| value).collect();
                open.extend(values.into_iter().rev());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

fn said(outgoing: &Outgoing, document: &Value) -> String {
    let Outgoing { name, id, from, document: _ } = outgoing;
    json!({
        "documentName": name,
        "messageId": id,
        "fromLogicalId": from,
        "toLogicalId": "lid://default",
        "document": document,
    })
    .to_string()
}

fn single(outgoing: &Outgoing) -> Vec<u8> {
    let value = data_encoding::BASE64.encode(outgoing.document.as_bytes());
    let document = json!({ "value": value, "encoding": "BASE64", "characterSet": "UTF-8" });
    said(outgoing, &document).into_bytes()
}

fn multipart(outgoing: &Outgoing) -> Vec<u8> {
    let said = said(outgoing, &json!({ "encoding": "NONE", "characterSet": "UTF-8" }));
    let part = |name: &str, kind: &str, content: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
             Content-Type: {kind}\r\n\r\n{content}\r\n"
        )
    };
    let said = part("ParameterRequest", "application/json", &said);
    let payload = part("MessagePayload", "application/octet-stream", &outgoing.document);
    format!("{said}{payload}--{BOUNDARY}--\r\n").into_bytes()
}

/// Judges an answer: what ION means by its refusals is in reference/m3.md 7.2.
fn judged(answer: Answer) -> Result<Answer, Failure> {
    let advice = match answer.status {
        200..=299 => return Ok(answer),
        400 => "ION calls the message malformed",
        403 => "the app is not allowed, or the logical id is not tied to its client id",
        412 => "the connection point is not active, or the document is not set to be sent",
        _ => return Err(transport(&answer)),
    };
    let class = if answer.status == 400 { Class::Data } else { Class::Config };
    let failure = transport(&answer);
    let text = format!("{advice}: {}", failure.text);
    Err(Failure::new(Fate::Refused, class, &text).with_code(failure.code))
}

/// Where documents go.
#[derive(Clone, Debug)]
pub enum Outlet {
    /// ION's API.
    Api(Publisher),
    /// A folder that ION's file connection point reads.
    Folder(PathBuf),
}

impl Outlet {
    /// Gives one document.
    pub async fn give(&self, outgoing: &Outgoing) -> Result<(), Failure> {
        match self {
            Self::Api(publisher) => publisher.give(outgoing).await,
            Self::Folder(folder) => {
                let (folder, outgoing) = (folder.clone(), outgoing.clone());
                let written = tokio::task::spawn_blocking(move || write(&folder, &outgoing)).await;
                let fault = match written {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(fault)) => fault.to_string(),
                    Err(_) => "the writer stopped".to_owned(),
                };
                let text = format!("the folder for ION cannot be written: {fault}");
                Err(Failure::new(Fate::NotDone, Class::Config, &text))
            }
        }
    }
}

/// Writes a file under another name first, so that nobody reads half of one.
fn write(folder: &Path, outgoing: &Outgoing) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let half = folder.join(format!(".{}.part", outgoing.id));
    let mut file = File::create(&half)?;
    file.write_all(outgoing.document.as_bytes())?;
    file.sync_all()?;
    let name = format!("{}-{}.xml", outgoing.name, outgoing.id);
    fs::rename(&half, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::stub::{Reply, Stub};

    fn outgoing() -> Outgoing {
        Outgoing {
            name: "Confirm.BOD".to_owned(),
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            from: "lid://infor.ims.causeway".to_owned(),
            document: "<ConfirmBOD>ü</ConfirmBOD>".to_owned(),
        }
    }

    fn publisher(stub: &Stub, version: Version) -> Publisher {
        let url = stub.url();
        let app = format!(
            "{{\"ti\":\"T\",\"ci\":\"c\",\"cs\":\"s\",\"iu\":\"{url}\",\"pu\":\"{url}/as/\",\
             \"ot\":\"token\",\"saak\":\"u\",\"sask\":\"p\"}}"
        );
        let settings = Settings {
            credential: "x".to_owned(),
            version,
            token: token::Settings::default(),
            http: http::Settings::default(),
        };
        Publisher::new(&settings, &Secret::new(&app)).unwrap()
    }

    #[tokio::test]
    async fn every_2xx_is_a_yes_and_each_refusal_says_where_to_look() {
        let table = [
            (200, "yes"),
            (201, "yes"),
            (202, "yes"),
            (400, "Refused Data HTTP 400"),
            (403, "Refused Config HTTP 403"),
            (412, "Refused Config HTTP 412"),
            (429, "NotDone RateLimited HTTP 429"),
            (503, "Unknown Unavailable HTTP 503"),
        ];
        for (status, want) in table {
            let token =
                Reply::With(200, "", r#"{"access_token":"t","expires_in":"60"}"#.to_owned());
            let stub = Stub::start([token, Reply::With(status, "", String::new())]).await;
            let got = match publisher(&stub, Version::V3).give(&outgoing()).await {
                Ok(()) => "yes".to_owned(),
                Err(Failure { fate, class, code, .. }) => format!("{fate:?} {class:?} {code}"),
            };
            assert_eq!(got, want, "{status}");
        }
    }

    #[test]
    fn every_text_of_a_list_counts_however_it_is_written() {
        let table = [
            (r#"["Confirm.BOD","Sync.X"]"#, "Confirm.BOD Sync.X"),
            (r#"{"documents":[{"name":"Confirm.BOD","send":true}]}"#, "Confirm.BOD"),
            ("<html>", ""),
            ("null", ""),
        ];
        for (body, want) in table {
            assert_eq!(names(body.as_bytes()).join(" "), want);
        }
    }

    #[tokio::test]
    async fn a_folder_holds_each_document_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let outlet = Outlet::Folder(folder.path().join("out"));
        for _ in 0..2 {
            outlet.give(&outgoing()).await.unwrap();
        }
        let found: Vec<_> = fs::read_dir(folder.path().join("out")).unwrap().collect();
        assert_eq!(found.len(), 1);
        let path = found[0].as_ref().unwrap().path();
        assert_eq!(fs::read_to_string(&path).unwrap(), outgoing().document);
        let blocked = Outlet::Folder(path);
        assert_eq!(blocked.give(&outgoing()).await.unwrap_err().fate, Fate::NotDone);
    }
}
