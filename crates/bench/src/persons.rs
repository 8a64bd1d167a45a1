//! Invented persons. Each number is one person, the same in every run, so rows are made where they are needed.
//!
//! Names are put together from small lists of surnames and characters, the first of a list far more often than its
//! last: a pair of characters is borne by very many or by few, as it is in a real register.

use mingce_proto::registry::{Identifier, Name, NameKind};
use mingce_proto::talent::Talent;

const SURNAMES: [(&str, &str); 50] = [
    ("王", "Wang"), ("李", "Li"), ("张", "Zhang"), ("刘", "Liu"), ("陈", "Chen"), ("杨", "Yang"), ("黄", "Huang"),
    ("赵", "Zhao"), ("吴", "Wu"), ("周", "Zhou"), ("徐", "Xu"), ("孙", "Sun"), ("马", "Ma"), ("朱", "Zhu"), ("胡", "Hu"),
    ("郭", "Guo"), ("何", "He"), ("高", "Gao"), ("林", "Lin"), ("罗", "Luo"), ("郑", "Zheng"), ("梁", "Liang"),
    ("谢", "Xie"), ("宋", "Song"), ("唐", "Tang"), ("许", "Xu"), ("韩", "Han"), ("冯", "Feng"), ("邓", "Deng"),
    ("曹", "Cao"), ("彭", "Peng"), ("曾", "Zeng"), ("肖", "Xiao"), ("田", "Tian"), ("董", "Dong"), ("袁", "Yuan"),
    ("潘", "Pan"), ("于", "Yu"), ("蒋", "Jiang"), ("蔡", "Cai"), ("余", "Yu"), ("杜", "Du"), ("叶", "Ye"),
    ("程", "Cheng"), ("苏", "Su"), ("魏", "Wei"), ("吕", "Lyu"), ("丁", "Ding"), ("任", "Ren"), ("沈", "Shen"),
];

const CHARACTERS: [(&str, &str); 80] = [
    ("明", "ming"), ("文", "wen"), ("华", "hua"), ("伟", "wei"), ("建", "jian"), ("国", "guo"), ("志", "zhi"),
    ("丽", "li"), ("晓", "xiao"), ("海", "hai"), ("军", "jun"), ("平", "ping"), ("红", "hong"), ("玉", "yu"),
    ("春", "chun"), ("杰", "jie"), ("林", "lin"), ("永", "yong"), ("敏", "min"), ("静", "jing"), ("强", "qiang"),
    ("芳", "fang"), ("磊", "lei"), ("洋", "yang"), ("勇", "yong"), ("艳", "yan"), ("娟", "juan"), ("涛", "tao"),
    ("超", "chao"), ("霞", "xia"), ("刚", "gang"), ("桂", "gui"), ("辉", "hui"), ("玲", "ling"), ("梅", "mei"),
    ("波", "bo"), ("宇", "yu"), ("浩", "hao"), ("欣", "xin"), ("雪", "xue"), ("婷", "ting"), ("琳", "lin"),
    ("佳", "jia"), ("嘉", "jia"), ("子", "zi"), ("晨", "chen"), ("思", "si"), ("雨", "yu"), ("泽", "ze"),
    ("俊", "jun"), ("凯", "kai"), ("鑫", "xin"), ("鹏", "peng"), ("飞", "fei"), ("龙", "long"), ("云", "yun"),
    ("兰", "lan"), ("凤", "feng"), ("荣", "rong"), ("德", "de"), ("光", "guang"), ("庆", "qing"), ("成", "cheng"),
    ("东", "dong"), ("峰", "feng"), ("松", "song"), ("宁", "ning"), ("安", "an"), ("然", "ran"), ("悦", "yue"),
    ("博", "bo"), ("睿", "rui"), ("诗", "shi"), ("梦", "meng"), ("瑞", "rui"), ("锦", "jin"), ("毅", "yi"),
    ("恒", "heng"), ("英", "ying"), ("秀", "xiu"),
];

const DISCIPLINES: [&str; 10] = [
    "材料科学", "海洋科学", "机械工程", "计算机科学", "化学工程", "临床医学", "农学", "物理学", "控制科学", "生物学",
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

/// The person of a number.
pub fn talent(number: u64) -> Talent {
    let mut chance = Chance::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let (surname, family) = chance.front(&SURNAMES).unwrap_or_default();
    let (mut given, mut latin) = (String::new(), String::new());
    // Four of five have two characters after the surname.
    let characters = if chance.below(5) == 0 { 1 } else { 2 };
    for _ in 0..characters {
        let (character, sound) = chance.front(&CHARACTERS).unwrap_or_default();
        given += character;
        latin += sound;
    }
    let latin: String = latin.char_indices().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect();
    Talent {
        display_name: format!("{surname}{given}"),
        names: vec![Name {
            text: format!("{family} {latin}"),
            language: "en".to_owned(),
            kind: NameKind::Official.into(),
            ..Name::default()
        }],
        identifiers: vec![Identifier { scheme: "staff-number".to_owned(), value: staff_number(number) }],
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
    format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff, b >> 52, b & 0xffff_ffff_ffff)
}
