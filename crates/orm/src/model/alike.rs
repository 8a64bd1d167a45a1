//! Whether two names can be those of one subject at two times or in two spellings, or are wholly different.
//!
//! This is asked where a row shares an identifier with a record: a slip in one digit leads to somebody else, whose name then
//! has nothing to do with that of the row. Where in doubt, names are alike.

use std::collections::BTreeSet;

use pinyin::ToPinyin;

use crate::text;

/// Words that many names of organizations have.
const GENERIC_HAN: [&str; 14] = [
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "重点实验室",
    "研究院",
    "研究所",
    "实验室",
    "大学",
    "学院",
    "中心",
    "集团",
    "公司",
    "医院",
    "省级",
];

/// The same in Latin letters, with words that join others.
const GENERIC_WORDS: [&str; 20] = [
    "of",
    "the",
    "and",
    "for",
    "in",
    "at",
    "de",
    "university",
    "universitat",
    "institute",
    "college",
    "school",
    "laboratory",
    "lab",
    "center",
    "centre",
    "inc",
    "ltd",
    "co",
    "gmbh",
];

/// The longest name of Han characters that is read as surname and given name.
const PERSON: usize = 4;

/// Whether names of both are in one script, and none of one is like a name of the other.
pub(crate) fn wholly_different<'a>(
    one: impl Iterator<Item = &'a str>,
    other: impl Iterator<Item = &'a str> + Clone,
) -> bool {
    differ(one, other, are_alike)
}

/// Whether names of both are in one script, and each name of one has another surname or another given name than each of the other. This is
/// asked where a number is all that two have in common, and such numbers are given by more than one house.
pub(crate) fn other_person<'a>(
    one: impl Iterator<Item = &'a str>,
    other: impl Iterator<Item = &'a str> + Clone,
) -> bool {
    differ(one, other, may_be_one_person)
}

fn differ<'a>(
    one: impl Iterator<Item = &'a str>,
    other: impl Iterator<Item = &'a str> + Clone,
    are_alike: fn(&str, &str) -> bool,
) -> bool {
    let mut compared = false;
    for a in one {
        for b in other.clone() {
            // A name in another script says nothing.
            if is_han(a) != is_han(b) {
                continue;
            }
            if are_alike(a, b) {
                return false;
            }
            compared = true;
        }
    }
    compared
}

fn are_alike(one: &str, other: &str) -> bool {
    let (one, other) = (text::fold(one), text::fold(other));
    if one == other || one.is_empty() || other.is_empty() {
        return true;
    }
    match (is_han(&one), is_han(&other)) {
        (true, true) => are_alike_han(&one, &other),
        (false, false) => are_alike_words(&one, &other),
        _ => true,
    }
}

/// Surnames of two characters beside those by which names are read: to add them there would make all search words anew.
const FURTHER_SURNAMES: [&str; 5] = ["公孙", "令狐", "慕容", "夏侯", "端木"];

fn may_be_one_person(one: &str, other: &str) -> bool {
    let (one, other) = (text::fold(one), text::fold(other));
    if one == other || one.is_empty() || other.is_empty() || is_han(&one) != is_han(&other) {
        return true;
    }
    if !is_han(&one) {
        return are_words_of_one_person(&one, &other);
    }
    let chars = |name: &str| name.chars().filter(|c| !matches!(c, ' ' | '·')).collect::<Vec<_>>();
    let (a, b) = (chars(&one), chars(&other));
    if a.len() > PERSON || b.len() > PERSON {
        return are_alike_han(&one, &other);
    }
    let parts = |name: &[char]| {
        let two: String = name.iter().take(2).collect();
        let is_double = text::begins_with_double_surname(name) || FURTHER_SURNAMES.contains(&two.as_str());
        let surname = if name.len() > 2 && is_double { 2 } else { 1 };
        let (surname, given) = name.split_at(surname.min(name.len()));
        (surname.to_vec(), given.to_vec())
    };
    let ((surname, given), (surname_b, given_b)) = (parts(&a), parts(&b));
    let same_surname =
        surname.len() == surname_b.len() && surname.iter().zip(&surname_b).all(|(a, b)| same_sound(*a, *b));
    // 李丽 and 李丽华, and not 李建国 and 李建军.
    let shorter = given.len().min(given_b.len());
    let same_given = longest_run(&given, &given_b) >= shorter;
    same_surname && same_given
}

/// Whether all words of the shorter name stand in the longer one: whole, shortened, or as initials.
fn are_words_of_one_person(one: &str, other: &str) -> bool {
    if one.replace(' ', "") == other.replace(' ', "") {
        return true;
    }
    let words = |name: &str| {
        name.split(' ')
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (mut short, mut long) = (words(one), words(other));
    if short.len() > long.len() {
        std::mem::swap(&mut short, &mut long);
    }
    // Whole words first, so that an initial takes none of those.
    short.sort_by_key(|word| std::cmp::Reverse(word.len()));
    short.iter().all(|word| {
        let found = long.iter().position(|other| other == word).or_else(|| {
            long.iter()
                .position(|other| other.starts_with(word.as_str()) || word.starts_with(other.as_str()))
        });
        found.map(|place| long.remove(place)).is_some()
    })
}

fn is_han(name: &str) -> bool {
    name.chars().any(|c| c.to_pinyin().is_some())
}

/// The same character, or one of the same sound: traditional and simplified, or mistyped.
fn same_sound(one: char, other: char) -> bool {
    one == other
        || match (one.to_pinyin(), other.to_pinyin()) {
            (Some(one), Some(other)) => one.plain() == other.plain(),
            _ => false,
        }
}

fn are_alike_han(one: &str, other: &str) -> bool {
    let chars = |name: &str| name.chars().filter(|c| *c != ' ').collect::<Vec<_>>();
    let same = |a: &[char], b: &[char]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_sound(*a, *b));
    let (a, b) = (chars(one), chars(other));
    if a.len() <= PERSON && b.len() <= PERSON {
        // Surname or given name.
        return same(&a[..1], &b[..1]) || (a.len() > 1 && same(&a[1..], &b[1..]));
    }
    let (a, b) = (chars(&without_generic(one)), chars(&without_generic(other)));
    2 * longest_run(&a, &b) >= a.len().min(b.len())
}

fn without_generic(name: &str) -> String {
    // An academy of sciences is no 学院, and is called 科院 for short.
    let mut own = name.replace("科学院", "科院");
    for word in GENERIC_HAN {
        own = own.replace(word, "");
    }
    if own.is_empty() { name.to_owned() } else { own }
}

/// How many characters one after the other both have, at most.
fn longest_run(one: &[char], other: &[char]) -> usize {
    let (mut longest, mut before) = (0, vec![0; other.len() + 1]);
    for a in one {
        let mut now = vec![0; other.len() + 1];
        for (place, b) in other.iter().enumerate() {
            if same_sound(*a, *b) {
                now[place + 1] = before[place] + 1;
                longest = longest.max(now[place + 1]);
            }
        }
        before = now;
    }
    longest
}

fn are_alike_words(one: &str, other: &str) -> bool {
    let initials = |name: &str| {
        name.split(' ')
            .filter_map(|word| word.chars().next())
            .collect::<String>()
    };
    let capitals = |name: &str| {
        let own = name
            .split(' ')
            .filter(|word| !matches!(*word, "of" | "the" | "and" | "for" | "in" | "at" | "de"));
        own.filter_map(|word| word.chars().next()).collect::<String>()
    };
    let stands_for = |short: &str, long: &str| {
        let short = short.replace(' ', "");
        short == initials(long) || short == capitals(long)
    };
    if one.replace(' ', "") == other.replace(' ', "") || stands_for(one, other) || stands_for(other, one) {
        return true;
    }
    let words = |name: &str| -> BTreeSet<String> {
        let own: BTreeSet<String> = name
            .split(' ')
            .filter(|word| word.chars().count() > 1 && !GENERIC_WORDS.contains(word))
            .map(str::to_owned)
            .collect();
        if own.is_empty() {
            name.split(' ').map(str::to_owned).collect()
        } else {
            own
        }
    };
    !words(one).is_disjoint(&words(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_who_share_a_number_alone_have_one_surname_and_one_given_name() {
        for (one, other) in [
            ("张三", "張三"),
            ("李丽", "李丽华"),
            ("王芳", "汪芳"),
            ("欧阳明", "欧阳明华"),
            ("歐陽明", "欧阳明华"),
            ("慕容雪", "慕容雪梅"),
            ("张三", "Zhang San"),
            ("X. Zhang", "Zhang Xia"),
            ("Shili Xiao-Ming", "Xiaoming Shili"),
            ("Wilhelm Röntgen", "Wilhelm Conrad Rontgen"),
            ("Alex Smith", "Alexander Smith"),
            ("阿依古丽·买买提", "阿依古丽·买买提江"),
        ] {
            assert!(
                may_be_one_person(one, other) && may_be_one_person(other, one),
                "{one} and {other}"
            );
        }
        for (one, other) in [
            ("张三", "张四"),
            ("张三", "李三"),
            ("王建国", "王建军"),
            ("张示三", "张示强"),
            ("欧阳建国", "欧阳建军"),
            ("欧阳明", "欧阳华"),
            ("欧阳明", "欧明"),
            ("Marie Curie", "Marie Martin"),
            ("John Smith", "Mary Smith"),
        ] {
            assert!(
                !may_be_one_person(one, other) && !may_be_one_person(other, one),
                "{one} and {other}"
            );
        }
    }

    #[test]
    fn names_of_one_subject_are_alike_and_those_of_two_are_not() {
        for (one, other) in [
            ("张三", "張三"),
            ("陈伟", "陳偉"),
            ("李丽", "李丽华"),
            ("王芳", "汪芳"),
            ("Marie Curie", "Marie Skłodowska"),
            ("X. Zhang", "Zhang Xia"),
            ("张三", "Zhang San"),
            ("某某海洋学院", "某某海洋大学"),
            ("山东海洋学院", "中国海洋大学"),
            ("中国科学院海洋研究所", "中科院海洋所"),
            ("Massachusetts Institute of Technology", "MIT"),
            ("University of Science and Technology of China", "USTC"),
            ("海洋大学", "Ocean University"),
        ] {
            assert!(are_alike(one, other) && are_alike(other, one), "{one} and {other}");
        }
        for (one, other) in [
            ("张三", "李四"),
            ("钱样甲", "孙样乙"),
            ("欧阳一", "王二"),
            ("Marie Curie", "Otto Hahn"),
            ("University of Oxford", "University of Bergen"),
            ("青岛样例海洋大学", "济南样例化工研究院"),
            ("北京甲乙科技有限公司", "上海丙丁生物有限公司"),
            ("张三", "某某海洋大学"),
        ] {
            assert!(!are_alike(one, other) && !are_alike(other, one), "{one} and {other}");
        }
    }
}
