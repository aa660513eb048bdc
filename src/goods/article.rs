//! What M3 says of an item, and what a product should say of itself then. Pure.
//!
//! Guarantees: a product gets all of what it should say or nothing: where one field cannot be worked
//! out there is a reason instead. Nothing is made up: an empty text and a weight of 0 are nothing.

use super::rules::items::{Create, Items, Origin, Weight};
use crate::{
    amount::{Amount, PLACES_MAX},
    connector::{
        m3::mi::MiRecord,
        xcart::{
            making::NAME_CHARS_MAX,
            sheet::{CHARS_MAX, Field, Sheet},
        },
    },
};
use std::collections::BTreeMap;

/// Fields of M3's with their values, those in other languages as `FUDS:DE`; empty ones are left out.
pub type Article = BTreeMap<String, String>;

/// Reads the part of a row that was asked for in a language; what is empty now is there, and empty.
pub fn part(row: &MiRecord, rules: &Items, language: &str) -> Article {
    let fields = rules.fields(language).into_iter();
    let pairs =
        fields.map(|field| (rules.kept_as(field, language), row.text(field).trim().to_owned()));
    pairs.collect()
}

/// Whether an item is one of those that get a product.
pub fn fits(article: &Article, create: &Create) -> bool {
    let has = |field: &String| article.get(field).map_or("", String::as_str);
    create.fits.iter().all(|(field, values)| values.iter().any(|value| value == has(field)))
}

/// Works out what a product should say in these fields; the error says why it cannot be.
pub fn sheet(
    article: &Article,
    rules: &Items,
    fields: impl IntoIterator<Item = Field>,
) -> Result<Sheet, String> {
    let mut sheet = Sheet::new();
    for field in fields {
        let value = match field {
            Field::Name => Some(name(article, rules)?),
            Field::Description => html(article, rules, &rules.description, field)?,
            Field::BriefDescription => html(article, rules, &rules.brief_description, field)?,
            Field::Weight => {
                rules.weight.as_ref().map(|of| weight(article, of)).transpose()?.flatten()
            }
            Field::Enabled => shown(article, rules).map(|shown| shown.to_string()),
            Field::TaxClass => rules.tax_classes.as_ref().and_then(|of| of.named(article)),
            Field::Category => rules.categories.as_ref().and_then(|of| of.named(article)),
        };
        sheet.extend(value.map(|value| (field, value)));
    }
    Ok(sheet)
}

/// Whether buyers see the product, if its status says so.
fn shown(article: &Article, rules: &Items) -> Option<bool> {
    rules.statuses.get(article.get("STAT")?).copied()
}

fn text<'a>(article: &'a Article, rules: &Items, origins: &[Origin]) -> Option<&'a str> {
    let found = |origin: &Origin| {
        let language = origin.language.as_deref().unwrap_or(&rules.language);
        let text = article.get(&rules.kept_as(&origin.field, language))?;
        (!text.is_empty()).then_some(text.as_str())
    };
    origins.iter().find_map(found)
}

fn name(article: &Article, rules: &Items) -> Result<String, String> {
    let Some(name) = text(article, rules, &rules.name) else {
        let fields: Vec<&str> = rules.name.iter().map(|origin| origin.field.as_str()).collect();
        return Err(format!("M3 has no name of it in {}", fields.join(", ")));
    };
    let chars = name.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(format!(
            "its name has {chars} characters, and the shop takes {NAME_CHARS_MAX}"
        ));
    }
    Ok(name.to_owned())
}

/// A text as the HTML that shows it.
fn html(
    article: &Article,
    rules: &Items,
    origins: &[Origin],
    field: Field,
) -> Result<Option<String>, String> {
    let Some(plain) = text(article, rules, origins) else { return Ok(None) };
    let html = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let chars = html.chars().count();
    if chars > CHARS_MAX {
        let name = field.name();
        return Err(format!("its {name} has {chars} characters, and {CHARS_MAX} are carried over"));
    }
    Ok(Some(html))
}

fn weight(article: &Article, rules: &Weight) -> Result<Option<String>, String> {
    let Weight { field, factor, factor_of } = rules;
    let row: MiRecord =
        article.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let weight = Amount(row.decimal(field).map_err(|bad| bad.to_string())?);
    if weight.is_zero() {
        return Ok(None);
    }
    let unit = row.text("UNMS");
    let Some(factor) = factor_of.get(unit).or(factor.as_ref()) else {
        return Err(format!("items.weight has no factor for unit {unit:?}"));
    };
    let product = weight.0.checked_mul(factor.0).filter(|product| !product.is_sign_negative());
    let product = product.map(|product| Amount(product).rounded(PLACES_MAX));
    product.map(|product| Some(product.to_mi())).ok_or_else(|| format!("{field} is below 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(more: &str) -> Items {
        toml::from_str(&format!("update = [\"name\"]\n{more}")).unwrap()
    }

    fn article(pairs: &[(&str, &str)]) -> Article {
        pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_first_text_that_is_not_empty_counts_and_html_is_written_as_html() {
        let rules =
            rules("language = \"GB\"\nname = [\"FUDS:DE\", \"ITDS\"]\ndescription = [\"FUDS\"]");
        let of = |pairs: &[(&str, &str)]| {
            sheet(&article(pairs), &rules, [Field::Name, Field::Description])
        };
        let both = of(&[("FUDS:DE", ""), ("ITDS", "A <b>"), ("FUDS", "A <b> & c")]).unwrap();
        assert_eq!(both[&Field::Name], "A <b>");
        assert_eq!(both[&Field::Description], "A &lt;b&gt; &amp; c");
        let german = of(&[("FUDS:DE", "Größe"), ("ITDS", "A")]).unwrap();
        assert_eq!(german, Sheet::from([(Field::Name, "Größe".to_owned())]));
        assert_eq!(of(&[("ITDS", "")]).unwrap_err(), "M3 has no name of it in FUDS, ITDS");
        let long = "x".repeat(256);
        assert!(of(&[("ITDS", &long)]).unwrap_err().contains("256 characters"));
    }

    #[test]
    fn a_weight_needs_its_factor_and_nothing_is_no_weight() {
        let weight = |more: &str, pairs: &[(&str, &str)]| {
            let rules = rules(&format!("weight = {{ field = \"NEWE\", {more} }}"));
            let sheet = sheet(&article(pairs), &rules, [Field::Weight])?;
            Ok::<_, String>(sheet.get(&Field::Weight).cloned())
        };
        let kilo = |text: &str| weight("factor = \"1000\"", &[("NEWE", text), ("UNMS", "PCS")]);
        assert_eq!(kilo("0,500"), Ok(Some("500".to_owned())));
        assert_eq!(kilo("0.000"), Ok(None));
        assert_eq!(kilo(""), Ok(None));
        assert!(kilo("1-").unwrap_err().contains("below 0"));
        assert!(kilo("heavy").unwrap_err().contains("not a number"));
        let by_unit =
            |unit: &str| weight("factor_of = { PCS = \"0.5\" }", &[("NEWE", "3"), ("UNMS", unit)]);
        assert_eq!(by_unit("PCS"), Ok(Some("1.5".to_owned())));
        assert!(by_unit("BOX").unwrap_err().contains("no factor for unit \"BOX\""));
    }

    #[test]
    fn a_status_that_is_not_in_the_table_says_nothing() {
        let enabled = |status: &str| {
            sheet(&article(&[("STAT", status)]), &rules(""), [Field::Enabled]).unwrap()
        };
        let want = |shown: bool| Sheet::from([(Field::Enabled, shown.to_string())]);
        assert_eq!((enabled("20"), enabled("90")), (want(true), want(false)));
        assert!(enabled("10").is_empty());
    }

    #[test]
    fn an_item_gets_a_product_only_if_every_field_fits() {
        let rules = rules("create = { where = { STAT = [\"20\"], ITGR = [\"A\", \"B\"] } }");
        let create = rules.create.unwrap();
        let fit = |pairs: &[(&str, &str)]| fits(&article(pairs), &create);
        assert!(fit(&[("STAT", "20"), ("ITGR", "B")]));
        assert!(!fit(&[("STAT", "90"), ("ITGR", "B")]));
        assert!(!fit(&[("STAT", "20")]));
    }
}
