//! What people may ask about what products say of themselves, and about items without a product.

use super::{LISTED_MAX, Line, ROWS_MAX, Reply, Shown};
use crate::{
    clock,
    connector::xcart::sheet::{Field, Sheet},
    delivery::{cases::CaseError, rows},
    goods::{
        Shared, Trouble,
        article::Article,
        card::{Card, Edits},
        commit, mark,
        newcomer::{Newcomer, Stage},
        table,
    },
    state::{Batch, State},
};

/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 120;

/// A value as it is shown; the categories of a product stand on one line.
fn shown(field: Field, text: &str) -> String {
    match field {
        Field::Category => short(&text.replace('\n', ", ")),
        Field::Name | Field::Description | Field::BriefDescription => short(text),
        Field::Weight | Field::Enabled | Field::TaxClass => short(text),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}

/// Says what is to be changed: `name "A" -> "B"`.
pub(super) fn changes(card: &Card, edits: Edits) -> String {
    let due = card.due(edits);
    let has = |sheet: &Sheet, field: &Field| {
        sheet.get(field).map_or_else(String::new, |text| shown(*field, text))
    };
    let told = due.iter().map(|(field, want)| {
        format!("{} {:?} -> {:?}", field.name(), has(&card.has, field), short(want))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Says why the shop keeps what a product says of itself, if it does.
pub(super) fn kept(card: &Card, edits: Edits) -> Option<String> {
    if let Some(why) = &card.unclear {
        return Some(format!("the product keeps what it says: {why}"));
    }
    let kept: Vec<&str> = card.kept(edits).into_iter().map(Field::name).collect();
    if kept.is_empty() {
        return None;
    }
    let kept = kept.join(", ");
    let hidden = if card.hidden { "; nobody has shown it to buyers yet" } else { "" };
    Some(format!("the shop has its own {kept}{hidden}"))
}

/// Lists what a product says of itself.
pub(super) fn card(card: &Card) -> Vec<(String, String, String)> {
    let value = |sheet: &Sheet, field: &Field| {
        sheet.get(field).map_or_else(|| "-".to_owned(), |text| shown(*field, text))
    };
    let row = |field| (value(&card.has, field), value(&card.wants, field));
    let rows = card.wants.keys().map(|field| {
        let (has, wants) = row(field);
        (field.name().to_owned(), has, wants)
    });
    rows.collect()
}

/// Lists what M3 says of an item.
pub(super) fn article(state: &State, itno: &str) -> Result<Vec<(String, String)>, CaseError> {
    let stored = state.get(&table::key(table::ITEMS, itno))?;
    let article = stored.as_deref().map(rows::read::<Article>).transpose()?.unwrap_or_default();
    Ok(article.into_iter().map(|(field, value)| (field, short(&value))).collect())
}

fn line(itno: &str, newcomer: &Newcomer) -> Line {
    Line {
        sku: newcomer.sku.clone(),
        itno: Some(itno.to_owned()),
        product: None,
        variant: None,
        has: None,
        wants: None,
        has_price: None,
        wants_price: None,
        changes: String::new(),
        note: newcomer.told(),
    }
}

/// Lists a part of the items without a product, behind one.
pub(super) fn missing(state: &State, after: Option<&str>) -> Result<Reply, CaseError> {
    let range = match after {
        Some(itno) => rows::table_after(table::NEWCOMERS, &table::key(table::NEWCOMERS, itno)),
        None => rows::table(table::NEWCOMERS),
    };
    let mut goods = Vec::new();
    let mut pages = state.pages(range, ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let Some(itno) = table::name_of(key) else { continue };
            goods.push(line(itno, &rows::read(value)?));
            if goods.len() >= LISTED_MAX {
                return Ok(Reply::Listed { goods, after: Some(itno.to_owned()) });
            }
        }
    }
    Ok(Reply::Listed { goods, after: None })
}

/// Shows an item without a product, if there is one of this number.
pub(super) fn show(state: &State, itno: &str) -> Result<Option<Shown>, CaseError> {
    let article = article(state, itno)?;
    let stored = state.get(&table::key(table::NEWCOMERS, itno))?;
    let newcomer = stored.as_deref().map(rows::read::<Newcomer>).transpose()?;
    if article.is_empty() && newcomer.is_none() {
        return Ok(None);
    }
    let newcomer = newcomer.unwrap_or_else(|| {
        Newcomer::without("no product is made for it, or it is sold under another SKU")
    });
    Ok(Some(Shown {
        line: line(itno, &newcomer),
        balances: Vec::new(),
        prices: Vec::new(),
        safety: String::new(),
        held: 0,
        article,
        card: Vec::new(),
        tiers: Vec::new(),
        is_due: state.get(&table::key(table::DUE, itno))?.is_some(),
    }))
}

/// Has an item looked at again as if nothing had stood in its way; the error is a sentence for a person.
pub(super) async fn make(state: &State, shared: &Shared, itno: &str) -> Result<(), String> {
    let creates = shared.rules.items.as_ref().is_some_and(|items| items.create.is_some());
    if !creates {
        return Err("no products are made: the configuration has no [items.create]".to_owned());
    }
    let told = |trouble: Trouble| format!("could not write it down: {trouble}");
    let key = table::key(table::NEWCOMERS, itno);
    let stored = state.get(&key).map_err(|fault| told(fault.into()))?;
    let newcomer = stored.as_deref().map(rows::read::<Newcomer>).transpose();
    let Some(newcomer) = newcomer.map_err(|fault| told(fault.into()))? else {
        return Err(format!(
            "item {itno} is none of those that lack a product; see `causeway goods list --only missing`"
        ));
    };
    let mut batch = Batch::new();
    batch.expect(key.clone(), stored.as_deref());
    match newcomer.stage {
        Stage::Gone => {
            batch.delete(key);
        }
        Stage::Wanted | Stage::Sent => {
            let again = Newcomer { refused: None, ..newcomer };
            batch.put(key, rows::write(&again).map_err(|fault| told(fault.into()))?);
        }
    }
    mark(&mut batch, state, itno, clock::now().unix_ms()).map_err(told)?;
    commit(state, batch).await.map_err(|_| "it has just changed; try again".to_owned())?;
    shared.bells.send.notify_waiters();
    Ok(())
}
