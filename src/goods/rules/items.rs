//! What an integrator may set about items: the table `[items]`. Pure.

use super::{Broken, Mode, not_a_poll, tell};
use crate::{
    amount::Amount,
    config::Problems,
    connector::xcart::sheet::{Field, Sheet},
    goods::{article::Article, card::Edits},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Settings of the item flow: the `[items]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// Whether the shop is written to.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds between two looks at M3.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// How far back each look reaches, in days: M3 knows only the day of a change, in its own time.
    #[serde(default = "overlap_days")]
    pub overlap_days: u64,
    /// LNCD of the texts; M3's own when it is empty.
    #[serde(default)]
    pub language: String,
    /// Where the name comes from: the first that is not empty counts.
    #[serde(default = "name")]
    pub name: Vec<Origin>,
    /// Where the description comes from.
    #[serde(default)]
    pub description: Vec<Origin>,
    /// Where the short description comes from.
    #[serde(default)]
    pub brief_description: Vec<Origin>,
    /// Where the weight comes from; absent: the shop keeps its own.
    pub weight: Option<Weight>,
    /// Whether buyers see a product, by STAT; a status that is not there changes nothing.
    #[serde(default = "statuses")]
    pub statuses: BTreeMap<String, bool>,
    /// The shop's category by a code of M3's; absent: people put products where they belong.
    pub categories: Option<Coded>,
    /// The shop's tax class by a code of M3's; absent: people choose it.
    pub tax_classes: Option<Coded>,
    /// The fields of a product that are written when M3 changes them.
    #[serde(default)]
    pub update: BTreeSet<Field>,
    /// Whether what people changed in the shop is made good.
    #[serde(default)]
    pub overwrite: bool,
    /// Which items get a product; absent: none does.
    pub create: Option<Create>,
}

/// A field of M3's, and the language it is asked for in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin {
    /// Such as `FUDS`.
    pub field: String,
    /// LNCD; that of the flow when it is none.
    pub language: Option<String>,
}

/// What of the shop's a code of M3's stands for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coded {
    /// The field of M3's that holds the code, such as `ITCL`.
    pub field: String,
    /// The name in the shop, or the path of a category, by code; one that is not there changes nothing.
    pub of: BTreeMap<String, String>,
}

impl Coded {
    /// Returns what an item's code stands for, if it is in the table.
    pub fn named(&self, article: &Article) -> Option<String> {
        let code = article.get(&self.field)?;
        // M3 may write a number with zeros before it, or without.
        let same = |own: &&String| match (own.parse::<u64>(), code.parse::<u64>()) {
            (Ok(own), Ok(code)) => own == code,
            (Ok(_), Err(_)) | (Err(_), _) => false,
        };
        let alike = || self.of.keys().find(same).and_then(|own| self.of.get(own));
        self.of.get(code).or_else(alike).cloned()
    }

    fn is_odd(&self) -> bool {
        !is_field(&self.field)
            || self.of.is_empty()
            || self.of.values().any(|name| name.trim().is_empty())
    }
}

/// How a weight is worked out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// NEWE or GRWE.
    pub field: String,
    /// M3's weight times this is the shop's.
    pub factor: Option<Amount>,
    /// The same by UNMS, the item's basic unit.
    #[serde(default)]
    pub factor_of: BTreeMap<String, Amount>,
}

/// Which items get a product, and how it begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The values that fields of M3's must have, one of each list.
    #[serde(rename = "where")]
    pub fits: BTreeMap<String, Vec<String>>,
    /// What becomes its SKU.
    #[serde(default)]
    pub sku: SkuFrom,
    /// Whether buyers may see it at once, as its status says; else a person shows it first.
    #[serde(default)]
    pub enabled: bool,
}

/// What becomes the SKU of a new product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SkuFrom {
    /// The item's number.
    #[default]
    Itno,
    /// Its alias of this category (ALWT).
    Alias(String),
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (field, language) = match text.split_once(':') {
            None => (text.as_str(), None),
            Some((field, language)) => (field, Some(language)),
        };
        if !is_field(field) || language.is_some_and(|language| !is_language(language)) {
            return Err(format!("{text:?} is not a field of M3 such as FUDS or FUDS:DE"));
        }
        Ok(Self { field: field.to_owned(), language: language.map(str::to_owned) })
    }
}

impl SkuFrom {
    /// Returns the category of the alias, if it is one.
    pub fn category(&self) -> Option<&str> {
        match self {
            Self::Itno => None,
            Self::Alias(category) => Some(category),
        }
    }
}

impl TryFrom<String> for SkuFrom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "itno" => Ok(Self::Itno),
            Some(("alias", category)) if !category.is_empty() => {
                Ok(Self::Alias(category.to_owned()))
            }
            _ => Err(format!("{text:?} is neither \"itno\" nor \"alias:1\" or another category")),
        }
    }
}

const fn poll_s() -> u64 {
    900
}

const fn overlap_days() -> u64 {
    2
}

fn name() -> Vec<Origin> {
    let origin = |field: &str| Origin { field: field.to_owned(), language: None };
    vec![origin("FUDS"), origin("ITDS")]
}

fn statuses() -> BTreeMap<String, bool> {
    let pairs = [("20", true), ("50", false), ("80", false), ("90", false)];
    pairs.into_iter().map(|(status, shown)| (status.to_owned(), shown)).collect()
}

fn is_field(text: &str) -> bool {
    (3..=10).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_language(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl Items {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let wants = |field: Field| self.update.contains(&field);
        let names = self.create.iter().flat_map(|create| create.fits.keys());
        let names = names.chain(self.weight.iter().map(|weight| &weight.field));
        let odd = names.into_iter().any(|name| !is_field(name));
        let factors = self
            .weight
            .iter()
            .flat_map(|weight| weight.factor.iter().chain(weight.factor_of.values()));
        let (factors, weighed) = (factors.collect::<Vec<_>>(), self.weight.is_some());
        let nothing = self.update.is_empty() && self.create.is_none();
        let rows: [Broken; 11] = [
            not_a_poll(self.poll_s),
            (!(1..=31).contains(&self.overlap_days), "overlap_days", "is not between 1 and 31"),
            (
                !(self.language.is_empty() || is_language(&self.language)),
                "language",
                "is not an LNCD such as GB",
            ),
            (odd, "create.where", "or weight.field names what is no field of M3"),
            (nothing, "update", "names no field and items.create is absent: nothing would be done"),
            (self.name.is_empty(), "name", "names no field of M3"),
            (
                wants(Field::Description) && self.description.is_empty(),
                "description",
                "names no field of M3, and items.update wants it",
            ),
            (
                wants(Field::BriefDescription) && self.brief_description.is_empty(),
                "brief_description",
                "names no field of M3, and items.update wants it",
            ),
            (wants(Field::Weight) && !weighed, "weight", "is missing, and items.update wants it"),
            (
                weighed && (factors.is_empty() || factors.iter().any(|one| **one <= Amount::ZERO)),
                "weight.factor",
                "is missing, and so is factor_of, or one of them is not above 0",
            ),
            (
                self.create.as_ref().is_some_and(Create::takes_all),
                "create.where",
                "names no field, or one without values: every item would become a product",
            ),
        ];
        tell("items", &rows, problems);
        self.check_codes(problems);
    }

    fn check_codes(&self, problems: &mut Problems) {
        let wants = |field: Field| self.update.contains(&field);
        let odd_codes = |coded: &Option<Coded>| coded.as_ref().is_some_and(Coded::is_odd);
        let rows: [Broken; 4] = [
            (
                wants(Field::Category) && self.categories.is_none(),
                "categories",
                "is missing, and items.update wants category",
            ),
            (
                wants(Field::TaxClass) && self.tax_classes.is_none(),
                "tax_classes",
                "is missing, and items.update wants tax_class",
            ),
            (
                odd_codes(&self.categories),
                "categories",
                "names what is no field of M3, no code, or an empty name",
            ),
            (
                odd_codes(&self.tax_classes),
                "tax_classes",
                "names what is no field of M3, no code, or an empty name",
            ),
        ];
        tell("items", &rows, problems);
    }

    /// Whether what people changed in the shop stays.
    pub fn edits(&self) -> Edits {
        if self.overwrite { Edits::Overwritten } else { Edits::Kept }
    }

    /// Returns the fields that have an origin in M3.
    pub fn mapped(&self) -> BTreeSet<Field> {
        let has = |field: &Field| match field {
            Field::Name => !self.name.is_empty(),
            Field::Description => !self.description.is_empty(),
            Field::BriefDescription => !self.brief_description.is_empty(),
            Field::Weight => self.weight.is_some(),
            Field::Enabled => !self.statuses.is_empty(),
            Field::TaxClass => self.tax_classes.is_some(),
            Field::Category => self.categories.is_some(),
        };
        Field::ALL.into_iter().filter(has).collect()
    }

    /// Every text with its origins.
    fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.name.iter().chain(&self.description).chain(&self.brief_description)
    }

    /// Returns the languages that M3 is asked in, the flow's own first.
    pub fn languages(&self) -> Vec<&str> {
        let mut languages = vec![self.language.as_str()];
        for language in self.origins().filter_map(|origin| origin.language.as_deref()) {
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        languages
    }

    /// Returns the fields that M3 is asked for in a language.
    pub fn fields(&self, language: &str) -> BTreeSet<&str> {
        let own = language == self.language;
        let asked = |origin: &&Origin| match &origin.language {
            None => own,
            Some(other) => other == language,
        };
        let mut fields: BTreeSet<&str> =
            self.origins().filter(asked).map(|origin| origin.field.as_str()).collect();
        if own {
            fields.insert("STAT");
            let weight = self.weight.iter();
            fields.extend(weight.flat_map(|weight| [weight.field.as_str(), "UNMS"]));
            let create = self.create.iter().flat_map(|create| create.fits.keys());
            fields.extend(create.map(String::as_str));
            let coded = self.categories.iter().chain(&self.tax_classes);
            fields.extend(coded.map(|coded| coded.field.as_str()));
        }
        fields
    }

    /// Returns under which name a field is kept that was asked for in a language.
    pub fn kept_as(&self, field: &str, language: &str) -> String {
        if language == self.language { field.to_owned() } else { format!("{field}:{language}") }
    }

    /// Returns what is kept of what the shop shows of a product: as much as is compared.
    pub fn compared(&self, shown: &Sheet) -> Sheet {
        let wanted = |field: &Field| *field == Field::Enabled || self.update.contains(field);
        let pairs = shown.iter().filter(|(field, _)| wanted(field));
        pairs.map(|(field, value)| (*field, value.clone())).collect()
    }
}

impl Create {
    /// Whether every item would fit.
    fn takes_all(&self) -> bool {
        self.fits.is_empty() || self.fits.values().any(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let items: Items = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        items.check(&mut problems);
        problems.to_string()
    }

    #[test]
    fn what_cannot_work_is_told_with_its_key() {
        let create = "update = [\"name\"]\n[create]\nwhere = { STAT = [\"20\"] }";
        let table = [
            ("update = [\"name\"]", ""),
            (create, ""),
            ("", "items.update"),
            ("update = [\"description\"]", "items.description"),
            ("update = [\"brief_description\"]", "items.brief_description"),
            ("update = [\"weight\"]", "items.weight"),
            ("update = [\"weight\"]\nweight = { field = \"NEWE\" }", "items.weight.factor"),
            (
                "update = [\"weight\"]\nweight = { field = \"NEWE\", factor = \"0\" }",
                "items.weight.factor",
            ),
            ("update = [\"name\"]\nname = []", "items.name"),
            ("update = [\"name\"]\nlanguage = \"german\"", "items.language"),
            ("update = [\"name\"]\noverlap_days = 0", "items.overlap_days"),
            ("update = [\"category\"]", "items.categories"),
            ("update = [\"tax_class\"]", "items.tax_classes"),
            (
                "update = [\"category\"]\ncategories = { field = \"ITCL\", of = {} }",
                "items.categories",
            ),
            (
                "update = [\"tax_class\"]\ntax_classes = { field = \"x\", of = { 1 = \"A\" } }",
                "items.tax_classes",
            ),
            (
                "update = [\"tax_class\"]\ntax_classes = { field = \"VTCS\", of = { 1 = \"A\" } }",
                "",
            ),
            ("[create]\nwhere = {}", "items.create.where"),
            ("[create]\nwhere = { SALE = [] }", "items.create.where"),
            ("[create]\nwhere = { sale = [\"1\"] }", "items.create.where"),
        ];
        for (text, want) in table {
            let told = problems(text);
            assert_eq!(told.is_empty(), want.is_empty(), "{text}: {told}");
            assert!(told.contains(want), "{text}: {told}");
        }
        for bad in
            ["name = [\"fuds\"]", "name = [\"FUDS:deu\"]", "create = { where = {}, sku = \"x\" }"]
        {
            assert!(toml::from_str::<Items>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_language_is_asked_for_its_own_fields() {
        let text = r#"
            language = "GB"
            name = ["FUDS:DE", "ITDS"]
            description = ["FUDS:GB"]
            weight = { field = "GRWE", factor = "1" }
            update = ["name"]
            create = { where = { ITGR = ["WEB"] }, sku = "alias:2" }
        "#;
        let items: Items = toml::from_str(text).unwrap();
        assert_eq!(items.languages(), ["GB", "DE"]);
        let fields = |language: &str| items.fields(language).into_iter().collect::<Vec<_>>();
        assert_eq!(fields("GB"), ["FUDS", "GRWE", "ITDS", "ITGR", "STAT", "UNMS"]);
        assert_eq!(fields("DE"), ["FUDS"]);
        assert_eq!(items.kept_as("FUDS", "DE"), "FUDS:DE");
        assert_eq!(items.kept_as("FUDS", "GB"), "FUDS");
        assert_eq!(items.create.unwrap().sku, SkuFrom::Alias("2".to_owned()));
    }
}
