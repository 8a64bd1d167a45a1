//! The place of a name in the order of names, by which rows that follow each other are stored beside each other.
//!
//! It is an arithmetic code: each character divides what is left of all numbers among those that may stand there, in
//! their order and by how likely they are. So few bits hold a name, and the codes sort as the names do.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use pinyin::ToPinyinMulti;

/// The bits of a place.
pub const ORDER_CODE_BITS: u32 = 36;

/// Bits with which the coder works beyond those of a place, so that rounding costs next to nothing.
const SPARE_BITS: u32 = 27;

/// Each symbol begins at its character and ends before the next one: digits and letters stand alone, the others are
/// ranges. A character of a range is told apart by a second step. Before all of them comes the end of the text.
const SYMBOLS: &str = "\0 !0123456789:abcdefghijklmnopqrstuvwxyz{\u{4e00}\u{a000}";

const FIRST_HAN: char = '\u{4e00}';
const LAST_HAN: char = '\u{9fff}';

/// The weight that the expected symbols share among them. The others have little besides.
const SHARE: u32 = 1 << 16;

/// The weight that the characters of a syllable share among them. Any other character has 1.
const CHARACTER_SHARE: u32 = 1 << 20;

/// The dictionary has some 25,000 readings, most of them of characters that no name has. A character has this weight
/// by its first reading and 1 by each other; the common ones are weighted by their rank.
const FIRST_READING: u32 = 4;
const COMMON: u32 = 1 << 15;

/// Surnames, roughly the commonest first. With compound ones it is the first character.
const SURNAMES: &str = "\
    王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈\
    钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤赖文康洪\
    倪施牛樊葛邢安齐易乔伍庞颜庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛\
    曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫";

/// Characters of given names, roughly the commonest first.
const GIVEN: &str = "\
    华文明国建玉英志秀丽小金红海春晓军林平伟云梅芳永桂兰生荣福新美清德霞雪龙光凤庆东艳成琴学燕江洪萍娟敏杰\
    俊强玲辉松飞家鹏峰宝忠亮波祥立勇静涛超磊振世淑珍刚宇嘉佳浩洋子思雨欣婷琳晨鑫凯天一宁安瑞良兴胜中正义仁\
    礼智信贵富昌盛长元少大山石水木火川河湖阳星月莲菊花香翠爱巧彩慧颖莹洁倩蕾薇娜妮珊珠瑶琪璐璇莎蓉芬芝茹萌\
    怡悦乐欢然博睿诗梦锦毅恒泽轩涵梓昊皓宸豪奕逸辰旭曦昕景晖晟健康彦彬斌武威雄坤乾宗祖继承绍延启发达开远进\
    步前先锋利民权君友朋邦治定宏鸿弘彪虎彤丹青蓝白银铁钢钧铭锐铮书诚言语谦谨谊训雯霖霄露霜冬秋夏晴晶品善喜\
    和可以之克如若尔其哲亚亦心念恩惠意情怀素洲溪源润淳渊深涌滨潇澜沛沁汉津灵炜炎烨焕煜熙燃冰冉冠凌南卫厚原\
    双向同吉咏唯坚城培堂增士声外多奇姗姣娅媛嫣孝守宜宣宽密寒尚展岩岚岳崇巍帅帆帝常广庭廷弛张弦彰影征律得";

/// Characters of laboratories and where they are.
const INSTITUTIONS: &str = "\
    中国科学院大家重点实验室研究所工程技术心北京上海南东西湖江广州省市清华师范交通理业农医材料生物化电力机械\
    信息洋环境地质能源动计算数控制智安全测试";

/// Characters in their order, counted from the first Han character, each with a weight.
type Weighted = Vec<(u32, u32)>;

/// A syllable or the beginning of some: the letters since the last Han character, the last space, or the beginning.
struct Node {
    /// The weights before each symbol, and at last the sum.
    before: Vec<u32>,
    next: Vec<(char, Node)>,
    /// If the letters are a syllable, the characters that sound so, with the weights before each, and at last the sum.
    characters: Weighted,
}

/// What is expected in a text. It comes from this file and the dictionary alone, since stored places depend on it.
struct Model {
    /// The first code points of the symbols, and the end of all.
    starts: Vec<u32>,
    /// At the beginning, where a surname is likely.
    surname: Node,
    /// At each later beginning of a syllable or word.
    given: Node,
    /// Behind a syllable and a space.
    character: Vec<u32>,
    /// In words that are no pinyin.
    word: Vec<u32>,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    starts: SYMBOLS
        .chars()
        .map(u32::from)
        .chain([u32::from(char::MAX) + 1])
        .collect(),
    surname: tree([SURNAMES, INSTITUTIONS], 3),
    given: tree([GIVEN, INSTITUTIONS], 20),
    character: cumulative(|symbol| match symbol {
        FIRST_HAN => SHARE,
        // Names of persons that are written in pinyin.
        'a'..='z' => SHARE >> 9,
        _ => 0,
    }),
    word: cumulative(|_| 0),
});

/// The weights before each symbol. Each symbol has some, so that every text can be coded.
fn cumulative(more: impl Fn(char) -> u32) -> Vec<u32> {
    let mut sum = 64;
    let mut before = vec![sum];
    for symbol in SYMBOLS.chars() {
        let least = match symbol {
            'a'..='z' => 64,
            ' ' => 128,
            '0'..='9' | '{'.. => 16,
            _ => 1,
        };
        sum += least + more(symbol);
        before.push(sum);
    }
    before
}

/// The tree of all syllables. The first of the `common` characters counts as one of rank `first`, the next by one more.
fn tree(common: [&str; 2], first: u32) -> Node {
    let mut weights = HashMap::new();
    for (c, rank) in common.into_iter().flat_map(str::chars).zip(first..) {
        weights.entry(c).or_insert(COMMON / rank);
    }
    let mut syllables: BTreeMap<String, Weighted> = BTreeMap::new();
    for (c, at) in (FIRST_HAN..=LAST_HAN).zip(0..) {
        let weight = 1 + weights.get(&c).copied().unwrap_or_default();
        let mut readings: Vec<String> = Vec::new();
        for reading in c.to_pinyin_multi().into_iter().flatten() {
            // As sort keys have it.
            let plain = reading.plain().replace('ü', "v").replace('ê', "e");
            if plain.is_ascii() && !readings.contains(&plain) {
                let factor = if readings.is_empty() { FIRST_READING } else { 1 };
                syllables.entry(plain.clone()).or_default().push((at, weight * factor));
                readings.push(plain);
            }
        }
    }
    Node::new(&syllables.into_iter().collect::<Vec<_>>(), 0)
}

/// The part of `share` that `weight` has in `sum`.
fn part(share: u32, weight: u32, sum: u32) -> u32 {
    let part = u64::from(share) * u64::from(weight) / u64::from(sum.max(1));
    u32::try_from(part).unwrap_or(share)
}

fn sum(characters: &Weighted) -> u32 {
    characters.iter().map(|(_, weight)| weight).sum()
}

impl Node {
    /// The node of syllables that begin alike up to `depth`, in their order.
    fn new(syllables: &[(String, Weighted)], depth: usize) -> Self {
        let weight = |syllables: &[(String, Weighted)]| syllables.iter().map(|(_, list)| sum(list)).sum::<u32>();
        // A space, behind which the character follows, ends a syllable.
        let symbol = |(syllable, _): &(String, Weighted)| syllable.chars().nth(depth).unwrap_or(' ');
        let groups: HashMap<char, &[(String, Weighted)]> = syllables
            .chunk_by(|a, b| symbol(a) == symbol(b))
            .filter_map(|group| Some((symbol(group.first()?), group)))
            .collect();
        let whole = weight(syllables);
        let next = |c| Some((c, Self::new(groups.get(&c)?, depth + 1)));
        let mut node = Self {
            before: cumulative(|symbol| groups.get(&symbol).map_or(0, |group| part(SHARE, weight(group), whole))),
            next: ('a'..='z').filter_map(next).collect(),
            characters: Vec::new(),
        };
        if let Some([(_, list)]) = groups.get(&' ') {
            let (mut before, whole) = (0, sum(list));
            for (at, weight) in list {
                node.characters.push((*at, before));
                before += part(CHARACTER_SHARE, *weight, whole);
            }
            node.characters.push((u32::MAX, before));
        }
        node
    }

    fn letter(&self, c: char) -> Option<&Self> {
        let found = self.next.binary_search_by_key(&c, |(letter, _)| *letter).ok()?;
        self.next.get(found).map(|(_, node)| node)
    }

    /// The weights of all characters before one. Each has 1, and those that sound so have more.
    fn before_character(&self, at: u32) -> u32 {
        let found = self.characters.partition_point(|(character, _)| *character < at);
        at + self.characters.get(found).map_or(0, |(_, before)| *before)
    }
}

/// What is left of all numbers for the texts that begin as the one read.
struct Interval {
    low: u64,
    length: u64,
}

impl Interval {
    /// Keeps what belongs to the weights `from..to` of `whole`. What lies before stays before, even where rounding
    /// leaves nothing.
    fn narrow(&mut self, from: u32, to: u32, whole: u32) {
        let one = self.length.checked_div(u64::from(whole)).unwrap_or_default();
        self.low += one * u64::from(from);
        self.length = one * u64::from(to.saturating_sub(from));
    }

    /// The interval of a text, which is read as far as places can tell.
    fn of(key: &str) -> Self {
        let model = &*MODEL;
        let mut interval = Self {
            low: 0,
            length: 1 << (ORDER_CODE_BITS + SPARE_BITS),
        };
        let mut letters = Some(&model.surname);
        let mut syllable: Option<&Node> = None;
        for c in key.chars() {
            let before = match (syllable, letters) {
                (Some(_), _) => &model.character,
                (None, Some(node)) => &node.before,
                (None, None) => &model.word,
            };
            let code = u32::from(c);
            let next = model.starts.partition_point(|start| *start <= code);
            let symbol = next.saturating_sub(1)..=next;
            let (Some([from, to]), Some(whole)) = (before.get(symbol.clone()), before.last()) else {
                break;
            };
            let Some([start, end]) = model.starts.get(symbol) else {
                break;
            };
            interval.narrow(*from, *to, *whole);
            let is_han = (FIRST_HAN..=LAST_HAN).contains(&c);
            let weights = |at| match syllable {
                Some(node) if is_han => node.before_character(at),
                _ => at,
            };
            interval.narrow(weights(code - start), weights(code + 1 - start), weights(end - start));
            if interval.length < 1 << SPARE_BITS {
                break;
            }
            (syllable, letters) = match c {
                ' ' => (letters.filter(|node| !node.characters.is_empty()), Some(&model.given)),
                _ if is_han => (None, Some(&model.given)),
                _ => (None, letters.and_then(|node| node.letter(c))),
            };
        }
        interval
    }
}

/// The place of a sort key, from 0 to less than 2^[`ORDER_CODE_BITS`]: of two keys the one that sorts first has the lower
/// place or the same. Three Han characters mostly have a place of their own; keys that begin alike for long share one.
/// Any text has a place.
pub fn order_code(key: &str) -> i64 {
    (Interval::of(key).low >> SPARE_BITS).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sort_key;
    use super::*;

    #[track_caller]
    fn in_order(a: &str, b: &str) {
        let (a, b) = (a.min(b), a.max(b));
        let (low, high) = (order_code(a), order_code(b));
        assert!(
            0 <= low && low <= high && high < 1 << ORDER_CODE_BITS,
            "{a:?} {low} {b:?} {high}"
        );
    }

    fn mixed() -> impl Strategy<Value = String> {
        "([a-z]{1,5} ?|[0-9]|zhang |lv |[张吕三一\u{9fff}㐀々가éж😀]|[\u{0}-\u{7f}]|\\PC){0,8}"
    }

    fn name() -> impl Strategy<Value = String> {
        let lists: Vec<char> = [SURNAMES, GIVEN, INSTITUTIONS].concat().chars().collect();
        let han = prop_oneof![3 => prop::sample::select(lists), 1 => prop::char::range(FIRST_HAN, LAST_HAN)];
        prop::collection::vec(han, 1..5).prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn any_texts_keep_their_order(
            a in "\\PC*", b in "\\PC*", head in mixed(), c in any::<char>(), near in 0_u32..3, tails in (mixed(), mixed()),
        ) {
            in_order(&a, &b);
            in_order(&tails.0, &tails.1);
            in_order(&head, &format!("{head}{}", tails.0));
            in_order(&format!("{head}{}", tails.0), &format!("{head}{}", tails.1));
            let d = char::from_u32(u32::from(c) + near).unwrap_or('a');
            in_order(&format!("{head}{c}{}", tails.0), &format!("{head}{d}{}", tails.1));
        }

        #[test]
        fn names_keep_their_order(head in name(), a in name(), b in name(), latin in "[A-Za-z]{1,8}( [A-Za-z]{1,8})?") {
            let keys = [&a, &b, &latin, &format!("{head}{a}"), &format!("{head}{b}"), &format!("{head}{latin}")];
            let keys = keys.map(|name| sort_key(name));
            keys.iter().for_each(|a| keys.iter().for_each(|b| in_order(a, b)));
        }
    }

    #[test]
    fn each_character_has_its_place_between_its_neighbours() {
        for head in ["", "zh", "zhang", "zhang ", "zhang 张", "wei 韦s", "q7", "a "] {
            let mut last = order_code(head);
            // All of ASCII, then three around each multiple of 16, as that is where ranges meet.
            for c in ('\0'..='\u{a010}').filter(|c| c.is_ascii() || (u32::from(*c) + 1) % 16 < 3) {
                let (first, end) = (
                    order_code(&format!("{head}{c}")),
                    order_code(&format!("{head}{c}{0}{0}{0}", char::MAX)),
                );
                assert!(last <= first && first <= end, "{head:?} {c:?}");
                last = end;
            }
        }
    }

    /// Names of 50 surnames and 80 characters, the first ones of each much more often (SplitMix64).
    fn names(count: u64) -> impl Iterator<Item = String> {
        let mut seed = 0_u64;
        let mut below = move |bound: u128| {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (u128::from(mixed ^ (mixed >> 31)) * bound) >> 64
        };
        (0..count).map(move |_| {
            let length = if below(5) == 0 { 1 } else { 2 };
            let mut pick = |list: &str, of: u128| {
                let at = (below(1 << 20) * below(of << 20)) >> 40;
                list.chars().nth(usize::try_from(at).unwrap()).unwrap()
            };
            let surname = pick(SURNAMES, 50);
            [surname]
                .into_iter()
                .chain((0..length).map(|_| pick(GIVEN, 80)))
                .collect()
        })
    }

    /// How many others on average share what each has, itself included.
    fn mean_group<T: Ord>(all: impl Iterator<Item = T>) -> f64 {
        let mut groups: BTreeMap<T, u32> = BTreeMap::new();
        all.for_each(|one| *groups.entry(one).or_default() += 1);
        let (rows, squares) = groups
            .values()
            .map(|n| f64::from(*n))
            .fold((0.0, 0.0), |(r, s), n| (r + n, s + n * n));
        squares / rows
    }

    #[test]
    fn persons_share_a_place_with_their_namesakes_only() {
        let keys: Vec<String> = names(100_000).map(|name| sort_key(&name)).collect();
        let namesakes = mean_group(keys.iter());
        for (bits, bound) in [(ORDER_CODE_BITS, 1.0001), (24, 1.01)] {
            let group = mean_group(keys.iter().map(|key| order_code(key) >> (ORDER_CODE_BITS - bits)));
            assert!(group < namesakes * bound, "{bits} bits: {group}, namesakes {namesakes}");
        }
    }

    #[test]
    fn rare_names_compound_surnames_and_laboratories_are_told_apart() {
        // A traditional character has the place of its simplified one.
        let own = |c: &char| super::super::fold(&c.to_string()) == c.to_string();
        let rare = ('\u{5000}'..='\u{8fff}')
            .filter(own)
            .map(|c| sort_key(&format!("张伟{c}")));
        assert!(mean_group(rare.map(|key| order_code(&key))) < 1.01);
        let places = |names: &[&str]| names.iter().map(|name| order_code(&sort_key(name))).collect::<Vec<_>>();
        for names in [
            ["欧阳明", "欧阳文", "司马光", "尉迟恭"],
            ["清华大学材料学院", "清华大学物理系", "北京大学", "北京师范大学"],
            ["Smith, John", "Smith, Mary", "Smythe", "Schmidt"],
            ["3M", "863", "973", "Zhang Wei"],
        ] {
            assert!(mean_group(places(&names).iter()) == 1.0, "{names:?}");
        }
    }

    fn digest(numbers: impl IntoIterator<Item = u64>) -> u64 {
        // FNV-1a, a number at a time.
        let mix = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x100_0000_01b3);
        numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
    }

    fn digest_of(node: &Node) -> u64 {
        let characters = node.characters.iter().flat_map(|(at, before)| [*at, *before]);
        let own = node.before.iter().copied().chain(characters).map(u64::from);
        digest(own.chain(node.next.iter().flat_map(|(c, next)| [u64::from(*c), digest_of(next)])))
    }

    /// Places are stored. Where a digest changes, be it by this module or by another version of the dictionary, all
    /// rows have to be numbered anew by `mingce migrate`.
    #[test]
    fn places_stay_as_they_are_stored() {
        let keys = "|\0| |a|zh|zhang|zhang |zhang 张|zhang 张san 三|li 李si 四|wang 王wei 伟|wang 王xiao 晓ming 明|\
            lv 吕bu 布|ou 欧yang 阳xiu 修|ceng 曾jing 静|zeng 曾jing 静|qiu 㐀|qing 清hua 华da 大xue 学|zhong 中guo 国ke 科|\
            smith john|schroedinger erwin|zhang wei|3m|863 ji 计hua 划|lab 7|андрей|가나다|あいう|😀|\u{10ffff}";
        assert_eq!(
            digest(keys.split('|').map(|key| order_code(key).unsigned_abs())),
            0x4edc_90f4_19fb_e3eb
        );
        let tables = [&MODEL.character, &MODEL.word].map(|table| digest(table.iter().copied().map(u64::from)));
        assert_eq!(
            digest(tables.into_iter().chain([&MODEL.surname, &MODEL.given].map(digest_of))),
            0x670f_35e9_c8bf_e445
        );
    }
}
