//! Answers as the first version of the REST API gives them (reference/m3.md 1.5). Pure.

use super::{
    call::Nok,
    catalogue::{Transaction, caption},
    message,
    options::Switches,
    render::Shown,
    route::CallOptions,
};
use crate::serve::Answer;
use serde_json::{Map, Value, json};

/// One answer before it is written.
#[derive(Debug)]
pub(crate) struct Result1<'a> {
    pub(crate) program: &'a str,
    pub(crate) name: &'a str,
    pub(crate) transaction: Option<&'a Transaction>,
    pub(crate) rows: Vec<Shown>,
    /// A refusal, whole when there are no rows and after them else.
    pub(crate) nok: Option<Nok>,
}

/// Writes it: HTTP 200 whatever M3 said.
pub(crate) fn answer(result: &Result1<'_>, options: &CallOptions, switches: &Switches) -> Answer {
    if options.xml {
        return Answer::typed(200, "application/xml; charset=utf-8", xml(result, switches));
    }
    let error = result.nok.as_ref().map(|nok| error(nok, switches));
    if let (Some(error), true) = (&error, result.rows.is_empty()) {
        return Answer::json(200, error);
    }
    let mut body = Map::new();
    body.insert("Program".to_owned(), result.program.into());
    body.insert("Transaction".to_owned(), result.name.into());
    if let (true, Some(transaction)) = (options.metadata, result.transaction) {
        let fields = transaction.output.iter().map(|field| {
            let length = field.length.unwrap_or(0).to_string();
            json!({
                "@name": field.name,
                "@type": field.kind.letter(),
                "@length": length,
                "@description": caption(field.name),
            })
        });
        let fields = listed(fields.collect(), switches);
        body.insert("Metadata".to_owned(), json!({ "Field": fields }));
    }
    let rows = result.rows.iter().enumerate().map(|(n, row)| {
        let values = row.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
        json!({ "RowIndex": n.to_string(), "NameValue": listed(values.collect(), switches) })
    });
    if !result.rows.is_empty() {
        body.insert("MIRecord".to_owned(), listed(rows.collect(), switches));
    }
    if let Some(error) = error {
        body.insert("ErrorMessage".to_owned(), error);
    }
    Answer::json(200, &Value::Object(body))
}

fn error(nok: &Nok, switches: &Switches) -> Value {
    json!({
        "@type": nok.kind,
        "@code": nok.code,
        "@cfg": null,
        "@field": nok.field,
        "Message": message::glued(nok, switches.language),
    })
}

/// An array, which some sites give as its only element.
fn listed(mut values: Vec<Value>, switches: &Switches) -> Value {
    if switches.single_as_object && values.len() == 1 {
        values.remove(0)
    } else {
        Value::Array(values)
    }
}

fn xml(result: &Result1<'_>, switches: &Switches) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let space = "xmlns=\"http://lawson.com/m3/miaccess\"";
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    if let (Some(nok), true) = (&result.nok, result.rows.is_empty()) {
        let text = escaped(&message::glued(nok, switches.language));
        let (kind, code, field) = (nok.kind, &nok.code, &nok.field);
        return format!(
            "{head}<ErrorMessage {space} type=\"{kind}\" code=\"{code}\" field=\"{field}\">\
             <Message>{text}</Message></ErrorMessage>"
        );
    }
    let row = |row: &Shown| {
        let value = |(name, value): &(String, String)| {
            let value = escaped(value);
            format!("<NameValue><Name>{name}</Name><Value>{value}</Value></NameValue>")
        };
        let values: String = row.iter().map(value).collect();
        format!("<MIRecord>{values}</MIRecord>")
    };
    let rows: String = result.rows.iter().map(row).collect();
    let (program, name) = (result.program, result.name);
    format!(
        "{head}<miResult {space}><Program>{program}</Program><Transaction>{name}</Transaction>\
         {rows}</miResult>"
    )
}
