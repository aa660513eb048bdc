//! Documents as the reference shows them, and what is not one.

use super::*;
use crate::connector::ion::{Signal, part::Measure, signals};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// An envelope as the reference shows it.
fn envelope(name: &str, verb: &str, action: &str, nouns: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<{name} xmlns="http://schema.infor.com/InforOAGIS/2" releaseID="9.2" versionID="2.14.0">
  <ApplicationArea>
    <Sender><LogicalID>lid://infor.m3.m3</LogicalID><ComponentID>M3BE</ComponentID></Sender>
    <CreationDateTime>2026-11-23T03:00:00Z</CreationDateTime>
    <BODID>infor-nid:ACME_PRD:100_AAA:100_WH1:0010000123:?X&amp;verb={verb}&amp;variationID=17</BODID>
  </ApplicationArea>
  <DataArea>
    <{verb}><TenantID>ACME_PRD</TenantID><AccountingEntityID>100_AAA</AccountingEntityID>
      <ActionCriteria><ActionExpression actionCode="{action}"/></ActionCriteria></{verb}>
    {nouns}
  </DataArea>
</{name}>"#
    )
}

fn read(text: &str) -> Result<Bod, BodError> {
    Bod::read(text.as_bytes(), &Limits::house())
}

const ORDER: &str = r#"
<SalesOrder><SalesOrderHeader>
  <DocumentID><ID accountingEntity="100_AAA" location="100_WH1" lid="lid://infor.m3.m3" variationID="18">0010000123</ID></DocumentID>
  <AlternateDocumentID agencyRole="Vendor"><ID>V9</ID></AlternateDocumentID>
  <AlternateDocumentID agencyRole="Customer"><ID>X1001042</ID></AlternateDocumentID>
  <Status><Code>Open</Code><ReasonCode>x</ReasonCode></Status>
  <CustomerParty><PartyIDs><ID>C100</ID></PartyIDs><Name>M&#252;ller &amp; Co</Name></CustomerParty>
  <ShipFromParty><Location type="Warehouse"><ID>001</ID></Location></ShipFromParty>
  <TotalAmount currencyID="EUR">119.00</TotalAmount>
  <Unheard><DocumentID><ID>wrong</ID></DocumentID></Unheard>
</SalesOrderHeader>
<SalesOrderLine><LineNumber>1</LineNumber><Item><ItemID><ID>A-1</ID></ItemID></Item>
  <Quantity unitCode="PCE">2.000000</Quantity><ShippedQuantity unitCode="PCE">1</ShippedQuantity>
  <UnitPrice><Amount currencyID="EUR">50.00</Amount><PerQuantity unitCode="PCE">1</PerQuantity></UnitPrice>
  <Status><Code>Shipped</Code></Status></SalesOrderLine></SalesOrder>"#;

fn measure(value: &str, unit: &str) -> Measure {
    let value = Decimal::from_str_exact(value).unwrap();
    Measure { value, unit: Some(unit.to_owned()) }
}

#[test]
fn an_order_is_read_with_its_numbers_amounts_and_lines() {
    let bod = read(&envelope("SyncSalesOrder", "Sync", "Replace", ORDER)).unwrap();
    assert_eq!((bod.verb, bod.noun, bod.gone), (Verb::Sync, Noun::SalesOrder, false));
    assert_eq!(bod.sender.as_deref(), Some("lid://infor.m3.m3"));
    assert_eq!(bod.name.variation, Some(17));
    let [one] = bod.documents.as_slice() else { panic!("{bod:?}") };
    assert_eq!(bod.variation_of(one), Some(18), "its own counts before the envelope's");
    assert_eq!(bod.entity_of(one), Some("100_AAA"));
    let Document::SalesOrder(order) = one else { panic!("{one:?}") };
    assert_eq!(order.id.id, "0010000123");
    assert_eq!(order.customer.name.as_deref(), Some("Müller & Co"));
    assert_eq!(order.warehouse.as_deref(), Some("001"));
    assert_eq!(order.total, Some(measure("119.00", "EUR")));
    assert_eq!(order.lines[0].quantity, Some(measure("2.000000", "PCE")));
    assert_eq!(order.lines[0].shipped, Some(measure("1", "PCE")));
    assert_eq!(order.lines[0].price, Some(measure("50.00", "EUR")));
    let wanted = Signal::Order {
        key: Some("X1001042".to_owned()),
        orno: Some("0010000123".try_into().unwrap()),
    };
    assert_eq!(signals(&bod), [wanted]);
}

#[test]
fn every_kind_of_document_is_a_hint_for_what_it_names() {
    let id = |id: &str| format!("<DocumentID><ID>{id}</ID></DocumentID>");
    let reference =
        format!("<DocumentReference type=\"SalesOrder\">{}</DocumentReference>", id("0010000123"));
    let order = "[Order { key: None, orno: Some(Orno(\"0010000123\")) }]";
    let line = |name: &str, item: &str| {
        format!(
            "<{name}><ItemID><ID>{item}</ID></ItemID><Quantity unitCode=\"PCE\">-3.5</Quantity></{name}>"
        )
    };
    let stock = |noun: &str| {
        let lines = ["B", "A", "B"].map(|item| line(&format!("{noun}Line"), item)).concat();
        format!("<{noun}><{noun}Header>{}</{noun}Header>{lines}</{noun}>", id("7"))
    };
    let party = |noun: &str| {
        format!(
            "<{noun}><PartyIDs><ID>C1</ID></PartyIDs><Communication><ChannelCode>EMail</ChannelCode><URI>a@b.example</URI></Communication></{noun}>"
        )
    };
    let items = "[Item { itno: Itno(\"A\") }, Item { itno: Itno(\"B\") }]";
    let customer = "[Customer { cuno: Cuno(\"C1\") }]";
    let table = [
        ("Shipment", format!("<Shipment><ShipmentHeader>{}{reference}</ShipmentHeader><ShipmentItem>{reference}</ShipmentItem></Shipment>", id("D1")), order),
        ("Shipment", format!("<Shipment><ShipmentHeader>{}</ShipmentHeader></Shipment>", id("D1")), "[Nothing]"),
        ("Invoice", format!("<Invoice><InvoiceHeader>{}</InvoiceHeader><InvoiceLine><SalesOrderReference>{}</SalesOrderReference></InvoiceLine></Invoice>", id("I1"), id("0010000123")), order),
        ("ItemMaster", "<ItemMaster><ItemMasterHeader><ItemID><ID>A</ID></ItemID><Description languageID=\"en\">x</Description></ItemMasterHeader></ItemMaster>".to_owned(), "[Item { itno: Itno(\"A\") }]"),
        ("CustomerPartyMaster", party("CustomerPartyMaster"), customer),
        ("BillToPartyMaster", party("BillToPartyMaster"), customer),
        ("PayFromPartyMaster", party("PayFromPartyMaster"), customer),
        ("ShipToPartyMaster", party("ShipToPartyMaster"), "[Nothing]"),
        ("InventoryCount", stock("InventoryCount"), items),
        ("InventoryAdjustment", stock("InventoryAdjustment"), items),
        ("ItemMaster", format!("<ItemMaster><ItemMasterHeader><ItemID><ID>{}</ID></ItemID></ItemMasterHeader></ItemMaster>", "9".repeat(16)), "[Nothing]"),
    ];
    for (noun, body, want) in table {
        for verb in ["Sync", "Show"] {
            let bod = read(&envelope(&format!("{verb}{noun}"), verb, "Replace", &body)).unwrap();
            assert_eq!(bod.noun.name(), noun);
            assert_eq!(format!("{:?}", signals(&bod)), want, "{verb} {noun}");
        }
    }
}

#[test]
fn a_delivery_tells_its_tracking_numbers_wherever_they_stand() {
    let body = r#"<Shipment><ShipmentHeader><DocumentID><ID>D1</ID></DocumentID>
        <CarrierParty><PartyIDs><ID>DHL</ID></PartyIDs></CarrierParty>
        <UserArea><Property><NameValue name="TrackingNumber" type="StringType">T3</NameValue></Property>
        <Property><NameValue name="Other">no</NameValue></Property></UserArea></ShipmentHeader>
        <ShipmentUnit><TrackingID>T1</TrackingID></ShipmentUnit>
        <ShipmentUnit><TrackingID><ID>T2</ID></TrackingID></ShipmentUnit></Shipment>"#;
    let bod = read(&envelope("SyncShipment", "Sync", "Add", body)).unwrap();
    let [Document::Shipment(shipment)] = bod.documents.as_slice() else { panic!("{bod:?}") };
    assert_eq!(shipment.tracking, ["T1", "T2", "T3"]);
    assert_eq!(shipment.carrier.as_deref(), Some("DHL"));
}

#[test]
fn several_documents_in_one_envelope_are_all_read_and_delete_is_an_end() {
    let two = format!("{ORDER}{}", ORDER.replace("0010000123", "0010000124"));
    let bod = read(&envelope("SyncSalesOrder", "Sync", "Delete", &two)).unwrap();
    assert!(bod.gone);
    assert_eq!(bod.documents.len(), 2);
    let none = two.replace(" variationID=\"18\"", "");
    let bod = read(&envelope("SyncSalesOrder", "Sync", "Change", &none)).unwrap();
    assert_eq!(bod.variation_of(&bod.documents[1]), None, "the envelope's is not that of each");
}

#[test]
fn an_answer_tells_which_document_and_why_not() {
    let text = "<ConfirmBOD><ApplicationArea/><DataArea><Confirm><OriginalApplicationArea>
        <BODID>infor-nid:T:100::X:?Y</BODID></OriginalApplicationArea></Confirm>
        <BOD><BODFailureMessage><ErrorProcessMessage><Description>no such item</Description>
        </ErrorProcessMessage></BODFailureMessage></BOD></DataArea></ConfirmBOD>";
    let bod = read(text).unwrap();
    let [Document::Confirmation(told)] = bod.documents.as_slice() else { panic!("{bod:?}") };
    assert_eq!(told.of.as_deref(), Some("infor-nid:T:100::X:?Y"));
    assert_eq!(told.failures, ["no such item"]);
}

#[test]
fn what_is_not_taken_is_refused_by_its_name() {
    let table = [
        ("ProcessSalesOrder", "verb that is not taken", false),
        ("AcknowledgeSalesOrder", "verb that is not taken", false),
        ("SyncCarrierParty", "not a kind of document", false),
        ("SyncOrder", "not a kind of document", false),
        ("ConfirmSalesOrder", "not a kind of document", false),
        ("html", "not a kind of document", false),
        ("SyncSalesOrder", "no SalesOrder in its DataArea", true),
    ];
    for (name, want, content) in table {
        let error = read(&envelope(name, "Sync", "Add", "")).unwrap_err();
        assert!(error.to_string().contains(want), "{name}: {error}");
        assert_eq!(error.is_of_content(), content, "{name}");
    }
    let many = "<SalesOrder/>".repeat(1_001);
    let error = read(&envelope("SyncSalesOrder", "Sync", "Add", &many)).unwrap_err();
    assert_eq!((error.is_of_content(), error), (false, BodError::TooMany));
    let error = read(&envelope("SyncSalesOrder", "Sync", "Add", "<SalesOrder/>")).unwrap_err();
    assert_eq!(error, BodError::NoNumber("SalesOrder"));
}

#[test]
fn the_name_of_a_document_is_taken_apart_as_far_as_it_goes() {
    let full = BodId::parse(
        "infor-nid:T:100_AAA:W:123:?SalesOrder&verb=Sync&variationID=9223372036854775807",
    );
    assert_eq!(full.variation, Some(9_223_372_036_854_775_807));
    assert_eq!(full.document.as_deref(), Some("123"));
    let bare = BodId::parse("infor-nid:T:::I1");
    assert_eq!((bare.accounting_entity, bare.document.as_deref()), (None, Some("I1")));
    assert_eq!(BodId::parse("anything"), BodId::default());
}

proptest! {
    #[test]
    fn no_bytes_make_a_document_fall(at in 0usize..1_400, bytes in prop::collection::vec(any::<u8>(), 0..8)) {
        let mut text = envelope("SyncSalesOrder", "Sync", "Replace", ORDER).into_bytes();
        let at = at.min(text.len());
        let end = (at + bytes.len()).min(text.len());
        text.splice(at..end, bytes);
        if let Ok(bod) = Bod::read(&text, &Limits::house()) {
            prop_assert!(!signals(&bod).is_empty());
        }
    }
}
