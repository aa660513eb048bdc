//! What is watched of items: their texts, weights and statuses.
//!
//! M3 says on which day an item changed, not when: each look asks for some days, and what is the same
//! as before changes nothing. A text in another language is one more call.

use super::Source;
use crate::{
    connector::{
        Failure, Kind,
        m3::{
            M3, items,
            mi::{BadNumber, MiRecord},
            order::rows,
        },
    },
    goods::{
        Standing,
        article::{self, Article},
        balance::Whole,
        price::day_at,
        rules::items::Items,
        table,
    },
    ids::{Itno, short_hash},
};
use std::time::Duration;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Source for Items {
    type Row = Article;
    type Kept = Article;
    const NAME: &'static str = "items";
    const TABLE: &'static str = table::ITEMS;

    fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }

    fn overlap_ms(&self) -> u64 {
        self.overlap_days.saturating_mul(DAY_MS)
    }

    fn fingerprint(&self) -> String {
        let asked = self.languages().into_iter().flat_map(|language| {
            self.fields(language).into_iter().map(move |field| format!("{field}:{language}"))
        });
        let asked: Vec<String> = asked.collect();
        let parts: Vec<&[u8]> = asked.iter().map(String::as_bytes).collect();
        short_hash(&parts, 12)
    }

    async fn list(&self, m3: &M3, since_ms: Option<u64>) -> Result<Vec<MiRecord>, Failure> {
        let day = since_ms.map(|since_ms| day_at(since_ms, 0));
        let mut all = Vec::new();
        for language in self.languages() {
            let fields: Vec<&str> = self.fields(language).into_iter().collect();
            let call = items::changed_since(day, language, &fields);
            let found = rows(m3.call(&call, Kind::Read).await)?;
            all.extend(found.iter().map(|row| items::in_language(row, language)));
        }
        Ok(all)
    }

    fn read(&self, row: &MiRecord) -> Result<Option<(Itno, Article)>, BadNumber> {
        let part = |itno| (itno, article::part(row, self, row.text(items::LANGUAGE)));
        Ok(items::item(row).ok().map(part))
    }

    fn merge(&self, known: Option<Article>, rows: &[(Itno, Article)], whole: Whole) -> Article {
        let mut article = match whole {
            Whole::All => Article::new(),
            Whole::Changes => known.unwrap_or_default(),
        };
        article.extend(rows.iter().flat_map(|(_, part)| part.clone()));
        article.retain(|_, value| !value.is_empty());
        article
    }

    fn nothing(&self, all: usize) -> String {
        format!("M3 lists {all} items and none that can be read")
    }

    fn lacking(&self, all: &[MiRecord]) -> Option<String> {
        let lacks = |(language, field): &(&str, &str)| {
            let mut asked = all.iter().filter(|row| row.text(items::LANGUAGE) == *language);
            !asked.any(|row| row.iter().any(|(name, _)| name == *field))
        };
        let mut asked = self.languages().into_iter().flat_map(|language| {
            self.fields(language).into_iter().map(move |field| (language, field))
        });
        let (_, field) = asked.find(lacks)?;
        Some(format!("M3 lists {} items and none with a field {field}; is it right?", all.len()))
    }

    fn note(standing: &mut Standing, now_ms: u64) {
        standing.items_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Items {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn rows_of_all_languages_become_one_item_and_a_text_that_was_emptied_goes() {
        let rules = rules("language = \"GB\"\nname = [\"FUDS:DE\", \"ITDS\"]\nupdate = [\"name\"]");
        let row = |language: &str, pairs: &[(&str, &str)]| {
            let row = [("ITNO", "MUG")].iter().chain(pairs).copied().collect();
            rules.read(&items::in_language(&row, language)).unwrap().unwrap()
        };
        let both = [
            row("GB", &[("ITDS", "Mug"), ("STAT", "20"), ("FUDS", "not asked for")]),
            row("DE", &[("FUDS", "Becher"), ("ITDS", "x"), ("STAT", "x")]),
        ];
        let all = rules.merge(None, &both, Whole::All);
        let want = |pairs: &[(&str, &str)]| -> Article {
            pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(all, want(&[("FUDS:DE", "Becher"), ("ITDS", "Mug"), ("STAT", "20")]));
        let emptied = [row("DE", &[("FUDS", "  ")])];
        let after = rules.merge(Some(all), &emptied, Whole::Changes);
        assert_eq!(after, want(&[("ITDS", "Mug"), ("STAT", "20")]));
    }

    #[test]
    fn a_field_that_no_item_has_is_told_and_another_question_is_another_fingerprint() {
        let items = rules("update = [\"name\"]");
        let row: MiRecord =
            [("ITNO", "A"), ("LNCD", ""), ("STAT", ""), ("ITDS", "x")].into_iter().collect();
        assert!(items.lacking(std::slice::from_ref(&row)).unwrap().contains("FUDS"));
        let whole: MiRecord = row.iter().chain([("FUDS", "")]).collect();
        assert_eq!(items.lacking(&[row, whole]), None);
        let other = rules("update = [\"name\"]\nlanguage = \"DE\"");
        assert_ne!(items.fingerprint(), other.fingerprint());
        let same = rules("update = [\"enabled\"]\npoll_s = 5");
        assert_eq!(items.fingerprint(), same.fingerprint());
    }
}
