//! What the tables know of each other: what there is already, and names and numbers that nobody else has.

use serde_json::{Value, json};

use super::{Record, Rng};

/// Characters of which names are made, no two of one sound.
const SIGNS: [char; 40] = [
    '安', '柏', '辰', '岱', '恩', '枫', '冠', '涵', '嘉', '凯', '岚', '明', '宁', '鹏', '琪', '瑞', '森', '涛', '维',
    '轩', '阳', '泽', '翠', '冬', '帆', '歌', '弘', '锦', '康', '乐', '墨', '楠', '欧', '品', '秋', '荣', '书', '彤',
    '文', '希',
];
/// Surnames.
const SURNAMES: [char; 20] = [
    '赵', '钱', '孙', '李', '周', '吴', '郑', '王', '冯', '陈', '褚', '魏', '蒋', '沈', '韩', '杨', '朱', '秦', '尤',
    '许',
];

/// What there is already.
#[derive(Debug)]
pub struct World {
    /// Chance, the same each time.
    pub rng: Rng,
    /// Names of organizations, each unlike all others.
    pub organizations: Vec<String>,
    /// A name of old and the name in use of an organization.
    pub renamed: Vec<(String, String)>,
    /// Number and name of labs.
    pub labs: Vec<(String, String)>,
    /// Number and name of persons.
    pub talents: Vec<(String, String)>,
    /// The section of the table that is being made, counted from 0.
    pub section: usize,
}

impl World {
    /// One without anything.
    pub fn new(seed: u64) -> Self {
        World {
            rng: Rng(seed),
            organizations: Vec::new(),
            renamed: Vec::new(),
            labs: Vec::new(),
            talents: Vec::new(),
            section: 0,
        }
    }

    /// Takes note of a record that a row has made, as later tables name it.
    pub fn learn(&mut self, collection: &str, record: &Record) {
        let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
        let of_scheme = |scheme: &str| {
            let all = record["identifiers"].as_array().into_iter().flatten();
            let mut found = all.filter(|pair| pair[0] == scheme);
            found.next().map(|pair| pair[1].as_str().unwrap_or_default().to_owned())
        };
        match collection {
            "organizations" => self.organizations.push(text("displayName")),
            "labs" => self
                .labs
                .extend(of_scheme("number").map(|number| (number, text("displayName")))),
            "talents" => self
                .talents
                .extend(of_scheme("staff").map(|number| (number, text("displayName")))),
            _ => {}
        }
    }

    /// An organization that there is.
    pub fn organization(&mut self) -> String {
        let place = self.rng.below(self.organizations.len());
        self.organizations[place].clone()
    }

    /// Two organizations.
    pub fn two_organizations(&mut self) -> [String; 2] {
        let place = self.rng.below(self.organizations.len() - 1);
        [self.organizations[place].clone(), self.organizations[place + 1].clone()]
    }

    /// A lab that there is.
    pub fn lab(&mut self) -> (String, String) {
        let place = self.rng.below(self.labs.len());
        self.labs[place].clone()
    }

    /// A person that there is.
    pub fn talent(&mut self) -> (String, String) {
        let place = self.rng.below(self.talents.len());
        self.talents[place].clone()
    }
}

/// Characters for a number: another text for each.
pub fn signs(mut number: usize) -> String {
    let mut text = String::new();
    for _ in 0..4 {
        text.push(SIGNS[number % SIGNS.len()]);
        number /= SIGNS.len();
    }
    text
}

/// The name of a person.
pub fn person(number: usize) -> String {
    let (surname, given) = (SURNAMES[number % SURNAMES.len()], number / SURNAMES.len());
    format!(
        "{surname}{}{}",
        SIGNS[given % SIGNS.len()],
        SIGNS[given / SIGNS.len() % SIGNS.len()]
    )
}

/// The name of somebody whose surname and given name nobody has.
pub fn stranger() -> &'static str {
    "贾虚构"
}

/// A unified social credit code with its checks.
pub fn uscc(number: usize) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let code = format!("{number:08}");
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize = code
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    let own = match (11 - sum % 11) % 11 {
        10 => 'X',
        digit => char::from(b'0' + u8::try_from(digit).unwrap()),
    };
    let first = format!("91379901{code}{own}");
    let mut weight = 1;
    let mut all = 0;
    for sign in first.chars() {
        all += ALPHABET.find(sign).unwrap() * weight;
        weight = weight * 3 % 31;
    }
    format!("{first}{}", ALPHABET.as_bytes()[(31 - all % 31) % 31] as char)
}

/// An ORCID with its check.
pub fn orcid(number: usize) -> String {
    let first = format!("0000{:011}", 31_000_000 + number);
    let sum = first
        .bytes()
        .fold(0, |sum, digit| (sum + usize::from(digit - b'0')) * 2 % 11);
    let check = match (12 - sum) % 11 {
        10 => "X".to_owned(),
        digit => digit.to_string(),
    };
    let all = format!("{first}{check}");
    format!("{}-{}-{}-{}", &all[..4], &all[4..8], &all[8..12], &all[12..])
}

/// The day of birth of a person, and their resident number, of a division that there is not.
pub fn resident(number: usize) -> (String, String) {
    let (year, rest) = (1950 + number % 50, number / 50);
    let (month, rest) = (1 + rest % 12, rest / 12);
    let (day, rest) = (1 + rest % 28, rest / 28);
    let first = format!("379901{year}{month:02}{day:02}{:03}", 100 + rest);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize = first
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| usize::from(digit - b'0') * weight)
        .sum();
    let check = "10X98765432".as_bytes()[sum % 11] as char;
    (format!("{year}-{month:02}-{day:02}"), format!("{first}{check}"))
}

/// The identifiers of an exported record, scheme and value.
pub(super) fn identifiers(of: &Value) -> Value {
    let all = of["identifiers"].as_array().cloned().unwrap_or_default();
    Value::Array(all.iter().map(|held| json!([held["scheme"], held["value"]])).collect())
}

/// The names of an exported record, text and kind.
pub(super) fn names(of: &Value) -> Value {
    let all = of["names"].as_array().cloned().unwrap_or_default();
    Value::Array(all.iter().map(|name| json!([name["text"], name["kind"]])).collect())
}

/// A text of an exported record; empty where there is none.
pub(super) fn text(of: &Value) -> Value {
    Value::String(of.as_str().unwrap_or_default().to_owned())
}
