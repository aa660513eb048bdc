//! Reads XML that others wrote into a small tree of the elements that are known. Pure.
//!
//! What this module guarantees:
//! 1. A document type is refused, and so is every entity but the five of XML and
//!    references to characters: nothing can be expanded or fetched.
//! 2. Bytes, depth, elements, attributes and the length of a text have limits, which hold
//!    for what is passed over, too. No input makes it panic.
//! 3. Namespaces are not looked at: an element is its local name. An element that is not in
//!    the vocabulary is passed over with all that is in it.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};
use std::str;
use thiserror::Error;

/// What one document may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole document.
    pub bytes_max: usize,
    /// Elements within each other.
    pub depth_max: usize,
    /// All elements.
    pub elements_max: usize,
    /// Attributes of one element, declarations of namespaces among them.
    pub attributes_max: usize,
    /// One value of an attribute, and the text of one element.
    pub text_bytes_max: usize,
}

impl Limits {
    /// What an absent setting means.
    pub const fn house() -> Self {
        Self {
            bytes_max: 1024 * 1024,
            depth_max: 64,
            elements_max: 50_000,
            attributes_max: 64,
            text_bytes_max: 32 * 1024,
        }
    }
}

/// Why a document cannot be read. The text continues "could not read the XML: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum XmlError {
    /// The document is too large.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// Another encoding.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It is no XML.
    #[error("it is not well-formed: {0}")]
    Malformed(String),
    /// It has a document type.
    #[error("it has a document type, which is not allowed")]
    DocumentType,
    /// It names an entity that is not one of the five.
    #[error("it names the entity {0:?}, which is not allowed")]
    Entity(String),
    /// Too many elements within each other.
    #[error("it has more than {0} elements within each other")]
    TooDeep(usize),
    /// Too many elements.
    #[error("it has more than {0} elements")]
    TooManyElements(usize),
    /// Too many attributes.
    #[error("an element has more than {0} attributes")]
    TooManyAttributes(usize),
    /// Too long a text.
    #[error("a text or an attribute is longer than {0} bytes")]
    TooLong(usize),
}

/// An element with those of its parts that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Self>,
}

/// A whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The local name of the outermost element.
    pub name: String,
    /// The outermost element.
    pub root: Element,
}

/// The names that are kept. Both lists are sorted.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// Of elements.
    pub elements: &'static [&'static str],
    /// Of attributes.
    pub attributes: &'static [&'static str],
}

impl Element {
    /// Returns the local name; empty for the outermost one.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns every child in order.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter()
    }

    /// Returns the children of this name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns the first element that is reached by these names.
    pub fn at<'a>(&'a self, path: &[&str]) -> Option<&'a Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        self.all(first).find_map(|child| child.at(rest))
    }

    /// Returns the first text that is not empty and is reached by these names.
    pub fn text_at<'a>(&'a self, path: &[&str]) -> Option<&'a str> {
        let Some((first, rest)) = path.split_first() else { return self.text() };
        self.all(first).find_map(|child| child.text_at(rest))
    }

    /// Returns the text without blanks around it, unless there is none.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// Returns an attribute without blanks around it, unless it is empty.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Takes the elements of a document one by one.
pub(super) trait Sink {
    /// An element begins.
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError>;
    /// The one that began last ends.
    fn close(&mut self) -> Result<(), XmlError>;
    /// A piece of a text.
    fn text(&mut self, text: &str) -> Result<(), XmlError>;
}

/// Reads a document.
pub fn read(bytes: &[u8], words: Vocabulary, limits: &Limits) -> Result<Tree, XmlError> {
    if bytes.len() > limits.bytes_max {
        return Err(XmlError::TooLarge(limits.bytes_max));
    }
    let text = str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut builder = Builder::new(words, *limits);
    while let Some(event) = more(reader.read_event())? {
        take(&event, &mut builder)?;
    }
    builder.end()
}

/// Returns what was read, or none at the end.
pub(super) fn more(read: quick_xml::Result<Event<'_>>) -> Result<Option<Event<'_>>, XmlError> {
    match read {
        Ok(Event::Eof) => Ok(None),
        Ok(event) => Ok(Some(event)),
        Err(quick_xml::Error::Encoding(_)) => Err(XmlError::NotUtf8),
        Err(error) => Err(malformed(&error)),
    }
}

/// Hands an event on, or refuses what no document may have.
pub(super) fn take(event: &Event<'_>, sink: &mut impl Sink) -> Result<(), XmlError> {
    match event {
        Event::Start(start) => sink.open(start),
        Event::Empty(start) => {
            sink.open(start)?;
            sink.close()
        }
        Event::End(_) => sink.close(),
        Event::Text(text) => sink.text(text),
        Event::CData(text) => sink.text(text),
        Event::GeneralRef(reference) => sink.text(resolved(reference)?.encode_utf8(&mut [0; 4])),
        Event::Decl(declaration) => match declaration.encoding() {
            Some(Ok(name)) if !name.eq_ignore_ascii_case("utf-8") => Err(XmlError::NotUtf8),
            Some(Ok(_) | Err(_)) | None => Ok(()),
        },
        Event::DocType(_) => Err(XmlError::DocumentType),
        Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
    }
}

/// Looks at all attributes of an element, keeps those that are known.
pub(super) fn attributes(
    start: &BytesStart<'_>,
    words: Vocabulary,
    limits: &Limits,
) -> Result<Vec<(&'static str, String)>, XmlError> {
    let mut kept = Vec::new();
    for (count, attribute) in start.attributes().enumerate() {
        if count >= limits.attributes_max {
            return Err(XmlError::TooManyAttributes(limits.attributes_max));
        }
        let attribute = attribute.map_err(|error| malformed(&error))?;
        if attribute.value.len() > limits.text_bytes_max {
            return Err(XmlError::TooLong(limits.text_bytes_max));
        }
        let local = attribute.key.local_name();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| {
            // Only an entity that is not one of the five cannot be undone.
            XmlError::Entity(attribute.value.chars().take(40).collect())
        })?;
        if let Some(name) = known(words.attributes, local.as_ref()) {
            kept.push((name, value.into_owned()));
        }
    }
    Ok(kept)
}

fn resolved(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    let name: &str = reference;
    let refused = || XmlError::Entity(name.chars().take(40).collect());
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => reference.resolve_char_ref().ok().flatten().ok_or_else(refused)?,
    })
}

pub(super) fn malformed(error: &dyn std::error::Error) -> XmlError {
    XmlError::Malformed(error.to_string().chars().take(120).collect())
}

struct Builder {
    words: Vocabulary,
    limits: Limits,
    name: Option<String>,
    /// The elements that are open and known.
    open: Vec<Element>,
    /// How many are open within the last of them that are not.
    unknown: usize,
    elements: usize,
    root: Option<Element>,
}

impl Builder {
    fn new(words: Vocabulary, limits: Limits) -> Self {
        let (name, open, root) = (None, Vec::new(), None);
        Self { words, limits, name, open, unknown: 0, elements: 0, root }
    }

    fn end(self) -> Result<Tree, XmlError> {
        match (self.name, self.root) {
            (Some(name), Some(root)) => Ok(Tree { name, root }),
            (Some(_), None) => Err(XmlError::Malformed("it ends too early".to_owned())),
            (None, _) => Err(XmlError::Malformed("it has no element".to_owned())),
        }
    }
}

impl Sink for Builder {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.elements_max {
            return Err(XmlError::TooManyElements(self.limits.elements_max));
        }
        if self.open.len().saturating_add(self.unknown) >= self.limits.depth_max {
            return Err(XmlError::TooDeep(self.limits.depth_max));
        }
        let attributes = attributes(start, self.words, &self.limits)?;
        let local = start.local_name();
        let local: &str = local.as_ref();
        if self.open.is_empty() {
            if self.name.is_some() {
                return Err(XmlError::Malformed("it has two outermost elements".to_owned()));
            }
            self.name = Some(local.to_owned());
            self.open.push(Element { attributes, ..Element::default() });
            return Ok(());
        }
        match known(self.words.elements, local) {
            Some(name) if self.unknown == 0 => {
                self.open.push(Element { name, attributes, ..Element::default() });
            }
            Some(_) | None => self.unknown = self.unknown.saturating_add(1),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        if self.unknown > 0 {
            self.unknown = self.unknown.saturating_sub(1);
            return Ok(());
        }
        let Some(element) = self.open.pop() else { return Ok(()) };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        let Some(element) = self.open.last_mut() else {
            return match text.trim() {
                "" => Ok(()),
                _ => Err(XmlError::Malformed("it has text outside of its elements".to_owned())),
            };
        };
        if text.len() > self.limits.text_bytes_max {
            return Err(XmlError::TooLong(self.limits.text_bytes_max));
        }
        if self.unknown > 0 {
            return Ok(());
        }
        if element.text.len().saturating_add(text.len()) > self.limits.text_bytes_max {
            return Err(XmlError::TooLong(self.limits.text_bytes_max));
        }
        // Blanks between elements are no content.
        if !(element.text.is_empty() && text.trim().is_empty()) {
            element.text.push_str(text);
        }
        Ok(())
    }
}

/// Finds a name in a sorted list.
pub(super) fn known(list: &[&'static str], name: &str) -> Option<&'static str> {
    let at = list.binary_search(&name).ok()?;
    list.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: Vocabulary = Vocabulary { elements: &["a", "b", "c"], attributes: &["x", "y"] };

    fn small() -> Limits {
        Limits {
            bytes_max: 4_000,
            depth_max: 5,
            elements_max: 20,
            attributes_max: 3,
            text_bytes_max: 100,
        }
    }

    fn told(text: &str) -> String {
        match read(text.as_bytes(), WORDS, &small()) {
            Ok(Tree { name, root }) => {
                format!("{name} {:?} {:?}", root.text_at(&["a", "b"]), root.text_at(&["a"]))
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_known_is_kept_under_its_local_name_and_the_rest_passed_over() {
        let table = [
            ("<r><a>1<b> 2 </b></a></r>", "r Some(\"2\") Some(\"1\")"),
            ("<n:r xmlns:n='u'><n:a><n:b>2</n:b></n:a></n:r>", "r Some(\"2\") None"),
            ("<r><z><a><b>no</b></a></z><a><b/><b>yes</b></a></r>", "r Some(\"yes\") None"),
            ("<?xml version='1.0' encoding='UTF-8'?>\n<r><!-- x --><?p i?></r>\n", "r None None"),
            ("\u{feff}<r><a><b>&lt;&#65;&amp;&#x42;&gt;</b></a></r>", "r Some(\"<A&B>\") None"),
            ("<r><a><b><![CDATA[<&]]></b></a></r>", "r Some(\"<&\") None"),
        ];
        for (text, want) in table {
            assert_eq!(told(text), want, "{text}");
        }
    }

    #[test]
    fn an_attribute_is_kept_when_it_is_known_and_undone_from_its_writing() {
        let tree = read(b"<r><a x='1&amp;2' z='3' n:y=' 4 '/></r>", WORDS, &small()).unwrap();
        let a = tree.root.at(&["a"]).unwrap();
        let got = [a.attribute("x"), a.attribute("z"), a.attribute("y")];
        assert_eq!(got, [Some("1&2"), None, Some("4")]);
    }

    #[test]
    fn what_is_no_document_or_goes_too_far_is_refused_with_its_reason() {
        let deep = format!("<r>{}</r>", "<z>".repeat(6));
        let many = format!("<r>{}</r>", "<z/>".repeat(21));
        let long = format!("<r><z x='{}'/></r>", "v".repeat(101));
        let text = format!("<r><z>{}</z></r>", "v".repeat(101));
        let pieces = format!("<r><a>{}</a></r>", "v&amp;".repeat(60));
        let table = [
            ("", "it has no element"),
            ("plain", "text outside"),
            ("<r>", "it ends too early"),
            ("<r></s>", "not well-formed"),
            ("<r/><r/>", "two outermost elements"),
            ("<r/>x", "text outside"),
            ("<r x=1/>", "not well-formed"),
            ("<r x='1' x='2'/>", "not well-formed"),
            ("<!DOCTYPE r><r/>", "document type"),
            ("<!DOCTYPE r [<!ENTITY a 'b'>]><r>&a;</r>", "document type"),
            ("<r>&lol;</r>", "the entity \"lol\""),
            ("<r x='&lol;'/>", "the entity"),
            ("<r>&#0;</r>", "the entity"),
            ("<?xml version='1.0' encoding='latin1'?><r/>", "not UTF-8"),
            (&deep, "more than 5 elements within"),
            (&many, "more than 20 elements"),
            (&long, "longer than 100 bytes"),
            (&text, "longer than 100 bytes"),
            (&pieces, "longer than 100 bytes"),
            ("<r a='' b='' c='' d=''/>", "more than 3 attributes"),
        ];
        for (text, want) in table {
            assert!(told(text).contains(want), "{text}: {}", told(text));
        }
        assert_eq!(read(&[0xFF, b'<'], WORDS, &small()), Err(XmlError::NotUtf8));
        assert_eq!(read(&[b' '; 4_001], WORDS, &small()), Err(XmlError::TooLarge(4_000)));
    }

    fn size(element: &Element) -> (usize, usize) {
        let below = element.children().map(size);
        below.fold((1, 0), |(count, depth), (more, deeper)| (count + more, depth.max(deeper + 1)))
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes, WORDS, &small());
        }

        #[test]
        fn no_text_that_is_nearly_xml_makes_it_fall_or_pass_its_limits(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "<r>", "</r>", "<a>", "</a>", "<b x='1'>", "</b>", "<c/>", "<z>", "</z>", "&amp;",
                "&x;", "&#", "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE", "<?", "?>", "'", "\"",
                "text", "<", ">", "=", " xmlns='u'", "\u{0}",
            ]), 0..60)
        ) {
            let text = pieces.concat();
            if let Ok(tree) = read(text.as_bytes(), WORDS, &small()) {
                let (count, depth) = size(&tree.root);
                prop_assert!(count <= small().elements_max && depth < small().depth_max);
            }
        }
    }
}
