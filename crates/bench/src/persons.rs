//! Invented persons. Each number is one person, the same in every run, so rows are made where they are needed.
//!
//! Names are put together from small lists of surnames and characters, the first of a list far more often than its
//! last: a pair of characters is borne by very many or by few, as it is in a real register.

use std::sync::LazyLock;

use mingce_orm::search_index::fts5_rowid::rowid_lower_bound;
use mingce_orm::text;
use mingce_proto::registry::{Identifier, Name, NameKind};
use mingce_proto::talent::Talent;

/// Characters, each with its sound.
type Sounded = LazyLock<Vec<(&'static str, &'static str)>>;

fn sounded(words: &'static str) -> Vec<(&'static str, &'static str)> {
    words
        .split(' ')
        .filter_map(|word| Some(word.split_at(word.chars().next()?.len_utf8())))
        .collect()
}

/// Surnames, the commonest first.
static SURNAMES: Sounded = LazyLock::new(|| {
    sounded(
        "王Wang 李Li 张Zhang 刘Liu 陈Chen 杨Yang 黄Huang 赵Zhao 吴Wu 周Zhou 徐Xu 孙Sun 马Ma 朱Zhu 胡Hu 郭Guo \
         何He 高Gao 林Lin 罗Luo 郑Zheng 梁Liang 谢Xie 宋Song 唐Tang 许Xu 韩Han 冯Feng 邓Deng 曹Cao 彭Peng \
         曾Zeng 肖Xiao 田Tian 董Dong 袁Yuan 潘Pan 于Yu 蒋Jiang 蔡Cai 余Yu 杜Du 叶Ye 程Cheng 苏Su 魏Wei 吕Lyu \
         丁Ding 任Ren 沈Shen",
    )
});

/// Characters of given names, in the order of how often they are drawn.
static CHARACTERS: Sounded = LazyLock::new(|| {
    sounded(
        "明ming 文wen 华hua 伟wei 建jian 国guo 志zhi 丽li 晓xiao 海hai 军jun 平ping 红hong 玉yu 春chun 杰jie \
         林lin 永yong 敏min 静jing 强qiang 芳fang 磊lei 洋yang 勇yong 艳yan 娟juan 涛tao 超chao 霞xia 刚gang \
         桂gui 辉hui 玲ling 梅mei 波bo 宇yu 浩hao 欣xin 雪xue 婷ting 琳lin 佳jia 嘉jia 子zi 晨chen 思si 雨yu \
         泽ze 俊jun 凯kai 鑫xin 鹏peng 飞fei 龙long 云yun 兰lan 凤feng 荣rong 德de 光guang 庆qing 成cheng \
         东dong 峰feng 松song 宁ning 安an 然ran 悦yue 博bo 睿rui 诗shi 梦meng 瑞rui 锦jin 毅yi 恒heng 英ying \
         秀xiu",
    )
});

const DISCIPLINES: [&str; 10] = [
    "材料科学",
    "海洋科学",
    "机械工程",
    "计算机科学",
    "化学工程",
    "临床医学",
    "农学",
    "物理学",
    "控制科学",
    "生物学",
];
const TITLES: [&str; 5] = ["教授", "副教授", "研究员", "高级工程师", "讲师"];
const EDUCATIONS: [&str; 3] = ["博士", "硕士", "本科"];

/// Numbers that look like chance and are the same in every run (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The numbers that belong to a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// A place in a list, the first ones more often: the first tenth has a third of all.
    fn front<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let whole = u64::try_from(list.len()).ok()?;
        let (one, other) = (self.below(1 << 20), self.below(whole << 20));
        // The product of two even draws leans to zero as their squares do.
        let place = (u128::from(one) * u128::from(other)) >> 40;
        list.get(usize::try_from(place).ok()?).copied()
    }

    fn any(&mut self, list: &[&str]) -> String {
        let place = usize::try_from(self.below(list.len() as u64)).unwrap_or_default();
        list.get(place).copied().unwrap_or_default().to_owned()
    }
}

/// The characters of a name with their sounds, the surname first.
fn characters(chance: &mut Chance) -> Vec<(&'static str, &'static str)> {
    let mut characters = vec![chance.front(&SURNAMES).unwrap_or_default()];
    // Four of five have two characters after the surname.
    let given = if chance.below(5) == 0 { 1 } else { 2 };
    for _ in 0..given {
        characters.push(chance.front(&CHARACTERS).unwrap_or_default());
    }
    characters
}

/// The chance that belongs to a person.
fn chance(number: u64) -> Chance {
    Chance::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d))
}

/// The two names of a person: as it is written, and as it sounds.
fn names(characters: &[(&str, &str)]) -> (String, String) {
    let written = characters.iter().map(|(character, _)| *character).collect();
    let (family, given) = characters.split_first().map_or(("", &[] as &[_]), |(f, g)| (f.1, g));
    let given: String = given.iter().map(|(_, sound)| *sound).collect();
    let given: String = given
        .char_indices()
        .map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    (written, format!("{family} {given}"))
}

/// The person of a number.
pub fn talent(number: u64) -> Talent {
    let mut chance = chance(number);
    let (written, sound) = names(&characters(&mut chance));
    Talent {
        display_name: written,
        names: vec![Name {
            text: sound,
            language: "en".to_owned(),
            kind: NameKind::Official.into(),
            ..Name::default()
        }],
        identifiers: vec![Identifier {
            scheme: "staff-number".to_owned(),
            value: staff_number(number),
        }],
        birth_date: format!("{}-{:02}", 1940 + chance.below(60), 1 + chance.below(12)),
        nationality: "CN".to_owned(),
        education: chance.any(&EDUCATIONS),
        title: chance.any(&TITLES),
        disciplines: vec![chance.any(&DISCIPLINES)],
        ..Talent::default()
    }
}

/// Another one for each number, and in no order: an index takes them at random places, as it takes those of real life.
fn staff_number(number: u64) -> String {
    const ALL: u64 = 10_000_000_000;
    // The factor has no divisor in common with ALL, so no two numbers meet.
    let mixed = u128::from(number) * 7_654_321_987 % u128::from(ALL);
    format!("S{mixed:010}")
}

/// The number of a person in the register's search index, without the serial number.
pub fn place(number: u64) -> i64 {
    let (written, _) = names(&characters(&mut chance(number)));
    rowid_lower_bound(text::order_code(&text::sort_key(&written)))
}

/// The search tokens of a person, as many and as long as the register has: each character and each pair of them, the
/// sound from each character on, the first letters of the sounds, the words of the other name, and both names as a whole.
pub fn tokens(number: u64) -> String {
    let characters = characters(&mut chance(number));
    let (written, sound) = names(&characters);
    let mut tokens: Vec<String> = characters
        .iter()
        .map(|(character, _)| (*character).to_owned())
        .collect();
    tokens.extend(characters.windows(2).map(|pair| pair.iter().map(|(c, _)| *c).collect()));
    let sounds: Vec<String> = characters.iter().map(|(_, sound)| sound.to_lowercase()).collect();
    tokens.extend((0..sounds.len()).filter_map(|from| Some(sounds.get(from..)?.concat())));
    tokens.push(sounds.iter().filter_map(|sound| sound.chars().next()).collect());
    tokens.extend(sound.to_lowercase().split(' ').map(str::to_owned));
    tokens.push(format!("＝{written}"));
    tokens.push(format!("＝{}", sound.to_lowercase().replace(' ', "\u{3000}")));
    tokens.sort_unstable();
    tokens.dedup();
    tokens.join(" ")
}

/// What somebody who looks for the person types: the last two characters of the name.
pub fn query(number: u64) -> String {
    let name = talent(number).display_name;
    let skipped = name.chars().count().saturating_sub(2);
    name.chars().skip(skipped).collect()
}

/// A UUID (version 4 in form) of a number, for requests.
pub fn request_id(number: u64) -> String {
    let mut chance = Chance::new(number ^ 0x5bd1_e995_9e37_79b9);
    let (a, b) = (chance.number(), chance.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_number_is_the_same_person_each_time_and_no_two_share_an_identifier_or_a_request() {
        assert_eq!(talent(7), talent(7));
        let numbers = (0..20_000).chain(1_000_000..1_020_000);
        let (mut identifiers, mut requests) = (HashSet::new(), HashSet::new());
        for number in numbers {
            assert!(identifiers.insert(staff_number(number)), "{number}");
            assert!(requests.insert(request_id(number)), "{number}");
        }
        let id = request_id(7);
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
    }

    #[test]
    fn some_pairs_of_characters_are_borne_by_many_and_others_by_few() {
        let mut borne: HashMap<String, u32> = HashMap::new();
        for number in 0..50_000 {
            *borne.entry(query(number)).or_default() += 1;
        }
        let mut counts: Vec<u32> = borne.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(counts.len() > 3000, "{} pairs", counts.len());
        assert!(
            counts[0] > 150 && counts[counts.len() / 2] < 20,
            "{} and {}",
            counts[0],
            counts[counts.len() / 2]
        );
    }

    #[test]
    fn tokens_are_parts_of_the_names() {
        let number = (0..)
            .find(|number| talent(*number).display_name.chars().count() == 3)
            .unwrap();
        let (person, tokens) = (talent(number), tokens(number));
        let tokens: Vec<&str> = tokens.split(' ').collect();
        // Three characters, two pairs, three sounds, one of initials, two words, two names; some may be the same.
        assert!((11..=13).contains(&tokens.len()), "{tokens:?}");
        assert!(tokens.contains(&query(number).as_str()), "{tokens:?}");
        assert!(
            tokens.contains(&format!("＝{}", person.display_name).as_str()),
            "{tokens:?}"
        );
        let sound = person.names[0].text.to_lowercase().replace(' ', "");
        assert!(tokens.contains(&sound.as_str()), "{tokens:?} {sound}");
    }

    #[test]
    fn names_have_two_or_three_characters_and_a_latin_form() {
        for number in 0..1000 {
            let person = talent(number);
            assert!((2..=3).contains(&person.display_name.chars().count()), "{person:?}");
            assert!(person.names[0].text.split(' ').count() == 2, "{person:?}");
            assert!(person.display_name.ends_with(&query(number)) && query(number).chars().count() == 2);
        }
    }
}
