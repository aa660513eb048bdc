//! Items, aliases, stock and prices (reference/m3.md 4.2 and 4.3). Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, date, row},
    money::rounded,
    real::Order,
    world::World,
};
use crate::catalogue::Item;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// One item.
#[derive(Clone, Debug)]
pub(crate) struct Article {
    pub(crate) item: Item,
    /// Fields that were set to something else than an item begins with.
    pub(crate) fields: BTreeMap<String, String>,
    /// ITDS and FUDS in other languages, by LNCD.
    pub(crate) texts: BTreeMap<String, (String, String)>,
    pub(crate) changed_wall_ms: u64,
}

impl Article {
    /// ITDS has 30 characters.
    pub(crate) fn short_name(&self) -> String {
        self.item.name.chars().take(30).collect()
    }

    /// As a transaction shows it in a language; a language without a text gets M3's own.
    fn shown(&self, language: &str) -> Record {
        let mut shown = article_row(self);
        shown.extend(self.fields.clone());
        if let Some((short, long)) = self.texts.get(language) {
            shown.insert("ITDS".to_owned(), short.clone());
            shown.insert("FUDS".to_owned(), long.clone());
        }
        shown
    }
}

/// Another name of an item.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) category: String,
    pub(crate) qualifier: String,
    pub(crate) number: String,
    pub(crate) itno: String,
}

/// One item in one warehouse.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Balance {
    pub(crate) on_hand: Decimal,
    pub(crate) allocated: Decimal,
    pub(crate) reserved: Decimal,
    pub(crate) changed_wall_ms: u64,
}

impl Balance {
    pub(crate) fn av01(&self) -> Decimal {
        self.on_hand - self.allocated
    }

    pub(crate) fn av02(&self) -> Decimal {
        self.on_hand - self.reserved
    }
}

impl World {
    pub(crate) fn add_item(&mut self, item: &Item, wall_ms: u64) {
        for warehouse in self.setup.codes.warehouses.clone() {
            let on_hand = Decimal::from(self.dice.below(400));
            let balance = Balance { on_hand, changed_wall_ms: wall_ms, ..Balance::default() };
            self.stock.insert((warehouse, item.itno.clone()), balance);
        }
        if let Some((category, number)) = &item.alias {
            let qualifier = if category == "2" { "EA13" } else { "" };
            self.aliases.push(Alias {
                category: category.clone(),
                qualifier: qualifier.to_owned(),
                number: number.clone(),
                itno: item.itno.clone(),
            });
        }
        self.list_item(&item.itno, item.price, wall_ms);
        let (fields, texts) = (BTreeMap::new(), BTreeMap::new());
        let article = Article { item: item.clone(), fields, texts, changed_wall_ms: wall_ms };
        self.articles.insert(item.itno.clone(), article);
    }

    pub(crate) fn alias(&self, category: &str, number: &str, qualifier: &str) -> Option<&Alias> {
        let plain = |text: &str| text.trim_start_matches('0').to_owned();
        self.aliases.iter().find(|alias| {
            plain(&alias.category) == plain(category)
                && alias.number == number
                && (qualifier.is_empty() || alias.qualifier == qualifier)
        })
    }

    /// MMS200MI, MMS025MI, MMS060MI and OIS320MI.
    pub(crate) fn item_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("MMS200MI", "GetItmBasic") => {
                self.article_of(ask).map(|a| vec![a.shown(ask.text("LNCD"))])
            }
            ("MMS200MI", "GetItmPrice") => self.article_of(ask).map(|a| vec![price_row(a)]),
            ("MMS200MI", "LstItmByItm") => Ok(self.list_articles(ask)),
            ("MMS200MI", "LstItmByChgDate") => Ok(self.list_changed_articles(ask)),
            ("MMS200MI", "GetItmWhsBal" | "GetItmWhsBasic") => self.get_balance(ask),
            ("MMS200MI", "LstItmWhsByWhs") | ("MMS060MI", "LstSumQty") => {
                Ok(self.list_balances(ask, |ask, key| {
                    [key.0.as_str(), ""].contains(&ask.text("WHLO"))
                        && key.1.as_str() >= ask.text("ITNO")
                }))
            }
            ("MMS060MI", "LstViaItem" | "LstNewItemBal") => self
                .article_of(ask)
                .map(|_| self.list_balances(ask, |ask, key| key.1 == ask.text("ITNO"))),
            ("MMS025MI", "GetItem") => self.get_alias(ask),
            ("MMS025MI", "LstAlias") => self
                .article_of(ask)
                .map(|_| self.list_aliases(ask, |ask, alias| alias.itno == ask.text("ITNO"))),
            ("MMS025MI", "LstItem") => {
                Ok(self.list_aliases(ask, |ask, alias| alias.number == ask.text("POPN")))
            }
            ("MMS025MI", "AddAlias") => self.add_alias(ask),
            ("OIS320MI", "GetPriceLine") => self.price_line(ask),
            _ => return None,
        })
    }

    fn article_of(&self, ask: &Ask<'_>) -> Result<&Article, Nok> {
        let itno = ask.text("ITNO");
        self.articles.get(itno).ok_or_else(|| Nok::new("WIT0103", "ITNO", itno))
    }

    fn list_articles(&self, ask: &Ask<'_>) -> Vec<Record> {
        let from = ask.text("ITNO").to_owned();
        self.articles
            .range(from..)
            .take(ask.rows_max)
            .map(|(_, article)| article.shown(ask.text("LNCD")))
            .collect()
    }

    fn list_changed_articles(&self, ask: &Ask<'_>) -> Vec<Record> {
        let (from, to) = (ask.text("FLMD"), ask.text("TLMD"));
        let wanted = |article: &&Article| {
            let day = date(article.changed_wall_ms);
            day.as_str() >= from && (to.is_empty() || day.as_str() <= to)
        };
        let found = self.articles.values().filter(wanted).take(ask.rows_max);
        found.map(|article| article.shown(ask.text("LNCD"))).collect()
    }

    fn balance_row(&self, key: &(String, String), balance: &Balance) -> Record {
        let status = self.articles.get(&key.1).map_or("", |article| &article.item.status);
        let show = |quantity: Decimal| format!("{quantity:.2}");
        row([
            ("CONO", self.cono.to_string()),
            ("WHLO", key.0.clone()),
            ("ITNO", key.1.clone()),
            ("STQT", show(balance.on_hand)),
            ("STQM", show(balance.on_hand)),
            ("ALQT", show(balance.allocated)),
            ("REQT", show(balance.reserved)),
            ("AVAL", show(balance.on_hand)),
            ("AV01", show(balance.av01())),
            ("AV02", show(balance.av02())),
            ("STAS", "2".to_owned()),
            ("ALOC", "1".to_owned()),
            ("STAT", status.to_owned()),
            ("UNMS", "PCS".to_owned()),
            ("WHSL", "A-01".to_owned()),
            ("FACI", self.setup.codes.facilities.first().cloned().unwrap_or_default()),
        ])
    }

    fn get_balance(&self, ask: &Ask<'_>) -> Outcome {
        let warehouse = ask.text("WHLO");
        if !Self::in_table(&self.setup.codes.warehouses, warehouse) {
            return Err(Nok::new("WWH0103", "WHLO", warehouse));
        }
        self.article_of(ask)?;
        let key = (warehouse.to_owned(), ask.text("ITNO").to_owned());
        let found = self.stock.get(&key).ok_or_else(|| Nok::new("XRE0103", "ITNO", &key.1))?;
        Ok(vec![self.balance_row(&key, found)])
    }

    /// Changed at `LMTS` or later, and wanted.
    fn list_balances(
        &self,
        ask: &Ask<'_>,
        wanted: fn(&Ask<'_>, &(String, String)) -> bool,
    ) -> Vec<Record> {
        let since = ask.whole("LMTS").unwrap_or(0);
        self.stock
            .iter()
            .filter(|(key, balance)| balance.changed_wall_ms >= since && wanted(ask, key))
            .take(ask.rows_max)
            .map(|(key, balance)| self.balance_row(key, balance))
            .collect()
    }

    pub(crate) fn list_new_balances(&self, ask: &Ask<'_>) -> Outcome {
        ask.whole("LMTS")?;
        Ok(self.list_balances(ask, |_, _| true))
    }

    pub(crate) fn available_to_promise(&self, ask: &Ask<'_>) -> Outcome {
        self.article_of(ask)?;
        let key = (ask.text("WHLO").to_owned(), ask.text("ITNO").to_owned());
        let found = self.stock.get(&key).ok_or_else(|| Nok::new("WWH0103", "WHLO", &key.0))?;
        Ok(vec![row([
            ("AVTQ", found.av02().max(Decimal::ZERO).to_string()),
            ("UNMS", "PCS".to_owned()),
            ("AVTD", "0".to_owned()),
        ])])
    }

    fn get_alias(&self, ask: &Ask<'_>) -> Outcome {
        let found = self.alias(ask.text("ALWT"), ask.text("POPN"), ask.text("ALWQ"));
        let found = found.ok_or_else(|| Nok::new("WPO0403", "POPN", ask.text("POPN")))?;
        Ok(vec![self.alias_row(found)])
    }

    fn alias_row(&self, alias: &Alias) -> Record {
        row([
            ("CONO", self.cono.to_string()),
            ("ALWT", alias.category.clone()),
            ("ALWQ", alias.qualifier.clone()),
            ("ITNO", alias.itno.clone()),
            ("POPN", alias.number.clone()),
            ("CNQT", "0".to_owned()),
            ("SEQN", "0".to_owned()),
        ])
    }

    fn list_aliases(&self, ask: &Ask<'_>, wanted: fn(&Ask<'_>, &Alias) -> bool) -> Vec<Record> {
        let category = ask.text("ALWT").trim_start_matches('0');
        let of_kind = |alias: &&Alias| {
            category.is_empty() || alias.category.trim_start_matches('0') == category
        };
        let found = self.aliases.iter().filter(of_kind).filter(|alias| wanted(ask, alias));
        found.map(|alias| self.alias_row(alias)).collect()
    }

    fn add_alias(&mut self, ask: &Ask<'_>) -> Outcome {
        self.article_of(ask)?;
        let (category, number) = (ask.text("ALWT"), ask.text("POPN"));
        if self.alias(category, number, ask.text("ALWQ")).is_some() {
            return Err(Nok::new("XRE0104", "POPN", number));
        }
        self.aliases.push(Alias {
            category: category.to_owned(),
            qualifier: ask.text("ALWQ").to_owned(),
            number: number.to_owned(),
            itno: ask.text("ITNO").to_owned(),
        });
        Ok(Vec::new())
    }

    fn price_line(&self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        let customer = self.customers.get(cuno);
        let customer = customer.ok_or_else(|| Nok::new("WCU0203", "CUNO", cuno))?;
        let article = self.article_of(ask)?;
        let quantity = ask.number("ORQA")?.unwrap_or(Decimal::ONE);
        let sent = ask.text("CUCD");
        let currency = if sent.is_empty() { customer.text("CUCD") } else { sent };
        let price = article.item.price;
        let amount = rounded(price * quantity, self.decimals(currency));
        Ok(vec![row([
            ("WHLO", self.setup.codes.warehouses.first().cloned().unwrap_or_default()),
            ("SAPR", price.to_string()),
            ("NETP", price.to_string()),
            ("LNAM", amount.to_string()),
            ("ORQA", quantity.to_string()),
            ("CUCD", currency.to_owned()),
            ("SACD", "1".to_owned()),
            ("SPUN", "PCS".to_owned()),
            ("ALUN", "PCS".to_owned()),
            ("TINC", "0".to_owned()),
            ("NTCD", "0".to_owned()),
            ("PRMO", "1".to_owned()),
        ])])
    }

    /// Changes the balance of one item in one warehouse.
    pub(crate) fn move_stock(
        &mut self,
        warehouse: &str,
        itno: &str,
        wall_ms: u64,
        change: impl FnOnce(&mut Balance),
    ) {
        let balance = self.stock.entry((warehouse.to_owned(), itno.to_owned())).or_default();
        change(balance);
        balance.changed_wall_ms = wall_ms;
    }

    pub(crate) fn reserve(&mut self, order: &Order, wall_ms: u64) {
        for line in &order.lines {
            let warehouse = order.warehouse(line);
            self.move_stock(warehouse, &line.itno, wall_ms, |balance| {
                balance.reserved += line.terms.quantity;
            });
        }
    }
}

fn article_row(article: &Article) -> Record {
    let item = &article.item;
    let saleable = if item.status == "20" { "1" } else { "0" };
    row([
        ("STAT", item.status.clone()),
        ("ITNO", item.itno.clone()),
        ("ITNE", item.itno.clone()),
        ("ITDS", article.short_name()),
        ("FUDS", item.name.chars().take(60).collect()),
        ("UNMS", "PCS".to_owned()),
        ("ALUN", "PCS".to_owned()),
        ("SPUN", "PCS".to_owned()),
        ("ITGR", "WEB".to_owned()),
        ("ITCL", "100".to_owned()),
        ("VTCS", "1".to_owned()),
        ("ITTY", "010".to_owned()),
        ("SALE", saleable.to_owned()),
        ("DCCD", "0".to_owned()),
        ("PDCC", "4".to_owned()),
        ("NEWE", "0.500".to_owned()),
        ("GRWE", "0.550".to_owned()),
        ("VOL3", "0.001".to_owned()),
        ("LMDT", date(article.changed_wall_ms)),
        ("LMTS", article.changed_wall_ms.to_string()),
    ])
}

fn price_row(article: &Article) -> Record {
    row([
        ("PUPR", "0".to_owned()),
        ("SAPR", article.item.price.to_string()),
        ("SACD", "1".to_owned()),
        ("CUCS", "EUR".to_owned()),
        ("SPUN", "PCS".to_owned()),
        ("SAPB", article.item.price.to_string()),
        ("PDCC", "4".to_owned()),
        ("LMDT", date(article.changed_wall_ms)),
    ])
}
