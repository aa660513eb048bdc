//! Large documents against the reader of small ones: they say the same, in every form and packing.

use super::*;
use crate::connector::ion::{
    bod::Bod,
    signal::{Signal, signals},
};
use data_encoding::BASE64;
use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;

fn limits() -> Limits {
    let xml = xml::Limits { bytes_max: 20_000, elements_max: 2_000_000, ..xml::Limits::house() };
    Limits { bytes_max: 8 * 1024 * 1024, xml }
}

fn bare() -> Form {
    Form::Bare(vec![("messageId".to_owned(), "m".to_owned())])
}

/// Gives so many bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// A message of two parts, the document at this place.
fn in_parts(payload: &[u8], encoding: &str, place: usize) -> Vec<u8> {
    let said = format!(
        "--b\r\nContent-Type: application/json\r\n\r\n{{\"documentName\":\"x\",\"messageId\":\"m\",\
         \"variationId\":7,\"document\":{{\"encoding\":\"{encoding}\"}}}}\r\n"
    );
    let head = b"--b\r\nContent-Disposition: form-data; name=\"MessagePayload\"\r\n\r\n";
    let payload = [head.as_slice(), payload, b"\r\n"].concat();
    let mut parts = vec![said.into_bytes()];
    parts.insert(place, payload);
    parts.push(b"--b--\r\n".to_vec());
    parts.concat()
}

fn order(lines: usize) -> String {
    let line = "<SalesOrderLine><LineNumber>1</LineNumber><Item><ItemID><ID>A &amp; B</ID></ItemID>\
        </Item><Note><![CDATA[a < b]]></Note></SalesOrderLine>";
    format!(
        "<?xml version=\"1.0\"?>\n<SyncSalesOrder xmlns=\"u\"><ApplicationArea><BODID>\
         infor-nid:T:100_AAA::0010000123:?SalesOrder&amp;verb=Sync&amp;variationID=17</BODID>\
         </ApplicationArea><DataArea><Sync><AccountingEntityID>100_AAA</AccountingEntityID></Sync>\
         <SalesOrder><SalesOrderHeader><DocumentID><ID variationID=\"17\">0010000123</ID>\
         </DocumentID><AlternateDocumentID agencyRole=\"Customer\"><ID>X1&lt;5</ID>\
         </AlternateDocumentID></SalesOrderHeader>{}</SalesOrder></DataArea></SyncSalesOrder>",
        line.repeat(lines)
    )
}

fn said(document: &[u8]) -> (Vec<Signal>, Option<u64>, Option<String>) {
    let bod = Bod::read(
        document,
        &xml::Limits { elements_max: 2_000_000, bytes_max: usize::MAX, ..xml::Limits::house() },
    )
    .unwrap();
    let first = &bod.documents[0];
    (signals(&bod), bod.variation_of(first), bod.entity_of(first).map(str::to_owned))
}

#[test]
fn a_large_order_says_the_same_as_its_extract_in_every_form_and_packing() {
    let text = order(5_000);
    let plain = text.as_bytes();
    let base64 = BASE64.encode(plain).into_bytes();
    let broken: Vec<u8> = base64.chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let zlib = compress_to_vec_zlib(plain, 6);
    let both = BASE64.encode(&zlib).into_bytes();
    let with_mark = [b"\xef\xbb\xbf\n", plain].concat();
    let whole = Whole { bytes: u64::try_from(text.len()).unwrap(), sha256: sha256(plain) };
    for (name, packed) in [
        ("NONE", plain.to_vec()),
        ("NONE", with_mark),
        ("BASE64", base64),
        ("BASE64", broken),
        ("DEFLATE", zlib),
        ("DEFLATE", both),
    ] {
        let kind = || Form::Multipart("multipart/form-data; boundary=b".to_owned());
        let forms = [
            (bare(), packed.clone()),
            (kind(), in_parts(&packed, name, 1)),
            (kind(), in_parts(&packed, name, 0)),
        ];
        for (form, body) in forms {
            for step in [1_000_000, 4_096, 17] {
                let message = read(&form, Slow(&body, step), &limits()).unwrap();
                assert_eq!(message.head.message_id, "m");
                assert_eq!(message.extract_of, Some(whole.clone()), "{name}");
                assert!(message.document.len() < 1_000, "{}", message.document.len());
                assert_eq!(said(&message.document), said(plain), "{name} {step}");
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

#[test]
fn what_many_lines_say_is_kept_once_and_what_differs_is_kept_all() {
    let of = |orno: usize| {
        format!(
            "<DocumentReference type=\"SalesOrder\"><DocumentID><ID>{orno:010}</ID></DocumentID></DocumentReference>"
        )
    };
    let lines: Vec<String> = (0..3_000)
        .map(|n| format!("<ShipmentItem><LineNumber>{n}</LineNumber>{}</ShipmentItem>", of(n % 3)))
        .collect();
    let shipment = format!(
        "<ShowShipment><DataArea><Shipment><ShipmentHeader><DocumentID><ID>1</ID></DocumentID>\
         </ShipmentHeader>{0}</Shipment><Shipment><ShipmentHeader><DocumentID><ID>2</ID>\
         </DocumentID></ShipmentHeader>{0}</Shipment></DataArea></ShowShipment>",
        lines.concat()
    );
    let message = read(&bare(), shipment.as_bytes(), &limits()).unwrap();
    let bod = Bod::read(&message.document, &xml::Limits::house()).unwrap();
    assert_eq!((bod.documents.len(), signals(&bod).len()), (2, 3));
    assert_eq!(said(&message.document), said(shipment.as_bytes()));
    let line = |n: usize| {
        format!("<InventoryCountLine><ItemID><ID>ITEM-{n}</ID></ItemID></InventoryCountLine>")
    };
    let count = format!(
        "<SyncInventoryCount><DataArea><InventoryCount><InventoryCountHeader><DocumentID><ID>9</ID>\
         </DocumentID></InventoryCountHeader>{}</InventoryCount></DataArea></SyncInventoryCount>",
        (0..3_000).map(line).collect::<Vec<_>>().concat()
    );
    let message = read(&bare(), count.as_bytes(), &limits()).unwrap();
    let bod = Bod::read(&message.document, &xml::Limits::house()).unwrap();
    assert!(matches!(signals(&bod)[..], [Signal::Item { .. }]));
    // So many different orders that even they are too much.
    let many: Vec<String> =
        (0..3_000).map(|n| format!("<ShipmentItem>{}</ShipmentItem>", of(n))).collect();
    let many = shipment.replace(&lines.concat(), &many.concat());
    assert_eq!(read(&bare(), many.as_bytes(), &limits()), Err(LargeError::Extract(20_000)));
}

#[test]
fn what_is_refused_of_a_small_document_is_refused_of_a_large_one() {
    let good = order(100);
    let deep = format!("<SyncSalesOrder>{}", "<a>".repeat(200));
    let text = good.replace("A &amp; B", &"x".repeat(100_000));
    let bomb = compress_to_vec_zlib(
        &[b"<SyncSalesOrder>".to_vec(), b"<a/>".repeat(2_200_000)].concat(),
        9,
    );
    let blanks = compress_to_vec_zlib(&vec![b' '; 9_000_000], 9);
    let half = &good[..good.len() / 2];
    let table: Vec<(&[u8], &str)> = vec![
        (b"<!DOCTYPE a><SyncSalesOrder/>", "document type"),
        (b"<ProcessSalesOrder><a/></ProcessSalesOrder>", "verb that is not taken"),
        (b"<SyncOrder>", "not a kind of document"),
        (deep.as_bytes(), "within each other"),
        (text.as_bytes(), "longer than"),
        (half.as_bytes(), "not well-formed"),
        (&bomb, "larger than 8388608"),
        (&blanks, "longer than"),
        (b"", "no document"),
        (b"  \n ", "no document"),
        (b"<SyncSalesOrder>&nbsp;</SyncSalesOrder>", "entity"),
        (b"<SyncSalesOrder>\xff\xfe</SyncSalesOrder>", "not UTF-8"),
        (b"!!!!", "not Base64"),
        (b"\x78\x9cxxxxxxxxxxx", "cannot be unpacked"),
        (b"<SyncSalesOrder/><SyncSalesOrder/>", "two outermost"),
        (b"<SyncSalesOrder/>text", "text outside"),
    ];
    for (body, want) in table {
        let told = read(&bare(), Slow(body, 100), &limits()).unwrap_err().to_string();
        assert!(told.contains(want), "{want}: {told}");
    }
    let kind = Form::Multipart("multipart/form-data; boundary=b".to_owned());
    let whole = in_parts(good.as_bytes(), "NONE", 1);
    let cut = &whole[..whole.len() - 20];
    assert!(read(&kind, cut, &limits()).unwrap_err().to_string().contains("no end"));
    let odd = in_parts(good.as_bytes(), "GZIP", 0);
    assert!(read(&kind, &odd[..], &limits()).unwrap_err().to_string().contains("GZIP"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..400), step in 1..50_usize) {
        let _ = read(&bare(), Slow(&body, step), &limits());
        let kind = Form::Multipart("multipart/form-data; boundary=b".to_owned());
        let _ = read(&kind, Slow(&in_parts(&body, "NONE", 0), step), &limits());
    }
}
