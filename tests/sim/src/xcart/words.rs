//! Names, streets and notes of the people who order, the awkward ones included. Pure.

/// First name, last name.
pub(crate) const PEOPLE: [(&str, &str); 14] = [
    ("Anna", "Müller"),
    ("Jürgen", "Groß"),
    ("Łukasz", "Żółć-Brzęczyszczykiewicz"),
    ("Екатерина", "Жданова"),
    ("伟", "王"),
    ("さくら", "山田"),
    ("Siobhán", "O'Brien"),
    ("Søren", "Ærøskøbing"),
    ("José María", "de la Fuente y Martínez-Bordiú"),
    ("Ana", "Ng"),
    ("John \"Jack\"", "Smith & Sons"),
    ("Wolfeschlegelsteinhausenbergerdorff Maximilian Alexander", "Blücher"),
    ("Zoë", "van 't Hoff"),
    ("Emma", "Johnson"),
];

/// Country, city, zip code, state.
pub(crate) const PLACES: [(&str, &str, &str, &str); 11] = [
    ("DE", "München", "80331", "Bayern"),
    ("DE", "Saint-Louis-lès-Bitche an der Großen Straße im Tal der Schwarzen Elster", "02999", ""),
    ("AT", "Wien", "1010", ""),
    ("PL", "Łódź", "90-001", "łódzkie"),
    ("US", "New York", "10001-1234", "New York"),
    ("GB", "Stoke-on-Trent", "ST1 1AA", "Staffordshire"),
    ("SE", "Malmö", "211 20", ""),
    ("RU", "Нижний Новгород", "603000", ""),
    ("CN", "北京市", "100000", "北京"),
    ("JP", "東京都千代田区", "100-0001", "東京都"),
    ("FR", "Aix-en-Provence", "13100", ""),
];

/// Streets, one longer than a hundred characters.
pub(crate) const STREETS: [&str; 8] = [
    "Hauptstraße 1",
    "ul. Świętokrzyska 31/33a",
    "1600 Amphitheatre Parkway, Suite #400",
    "улица Льва Толстого, дом 16",
    "建国门外大街1号",
    "Appt 12, Bât. C, Résidence « Les Églantiers », 250 chemin de la Croix-Verte prolongé, lieu-dit \
     La Haute Combe du Moulin Vieux, derrière l'église",
    "Straße des 17. Juni 135 c/o Lager 7, Rampe 12",
    "7\tRue \"Tab\"",
];

/// Notes customers leave.
pub(crate) const NOTES: [&str; 7] = [
    "Please ring twice.",
    "Bitte nicht vor 9 Uhr liefern!\r\nDanke & viele Grüße",
    "🎁 It's a gift! Please no invoice in the box 🙏🏽 — thanks 👨‍👩‍👧‍👦",
    "<b>URGENT</b> \"call\" me; a=1&b=2 %41 \\ / ' ` $HOME ${x}",
    "Позвоните за час\nдо доставки",
    "请在下午送货",
    "bell\u{7} vertical\u{b} tab, null-ish \u{1}, line\u{2028}separator, \u{200f}right to left",
];

/// A sentence that fills long notes.
pub(crate) const FILLER: &str =
    "I would like the parcel to be left with the neighbour on the second floor, door ß. ";

/// Name of a method, and what it costs in euro cents.
pub(crate) const METHODS: [(u64, &str, i64); 5] = [
    (1, "DHL Paket", 490),
    (2, "UPS Worldwide Express®", 2_495),
    (3, "Spedition (Palette, frei Bordsteinkante)", 8_900),
    (4, "Local pickup", 0),
    (5, "Почта России", 1_235),
];

/// Service name and shown name of the ways to pay.
pub(crate) const PAYMENTS: [(u64, &str, &str); 4] = [
    (3, "PayPal", "PayPal checkout"),
    (7, "Stripe", "Credit or debit card"),
    (9, "MoneyOrdering", "Bank transfer / Vorkasse"),
    (12, "PurchaseOrder", "Purchase order"),
];
