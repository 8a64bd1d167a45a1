//! Readings of Han characters in pinyin without tones: surnames, words with a special sound, then the dictionary.

use std::collections::HashMap;
use std::sync::LazyLock;

use pinyin::ToPinyinMulti;

/// Surnames that sound otherwise than the character does most often, or that have several common sounds.
const SURNAMES: &str = "
    单 shan 單 shan 解 xie 曾 zeng 仇 qiu 查 zha 任 ren 区 ou 區 ou 朴 piao 翟 zhai 盖 ge 蓋 ge 缪 miao 繆 miao
    宓 fu 冼 xian 乐 yue 樂 yue 覃 qin 华 hua 華 hua 卜 bu 柏 bai 薄 bo 种 chong 繁 po 秘 bi 祭 zhai 员 yun 員 yun
    都 du 那 na 召 shao 折 she 郄 qie 隗 wei 洗 xian 尉 wei 句 gou 车 che 盛 sheng 石 shi 叶 ye 葛 ge 谌 chen
    佴 nai 应 ying 於 yu 幺 yao 么 yao 乜 nie 令 ling 角 jue 撒 sa 莘 shen 郇 xun 颉 xie 参 shen 拓 tuo 占 zhan
    藏 zang 臧 zang 宿 su 谷 gu 晁 chao 褚 chu 沈 shen 贾 jia 肖 xiao 隽 juan 眭 sui 教 jiao 要 yao 长 zhang 黑 he
    尉迟 yu-chi 尉遲 yu-chi 万俟 mo-qi 萬俟 mo-qi 长孙 zhang-sun 長孫 zhang-sun 澹台 tan-tai 澹臺 tan-tai 单于 chan-yu
";

/// Characters whose first reading in the dictionary is not their usual one in names.
const CHARACTERS: &str = "
    都 du 佛 fo 调 tiao 調 tiao 轧 zha 薄 bo 伽 jia 厦 xia 藏 zang 长 chang 長 chang 畜 xu 晟 sheng 子 zi 卜 bu
";

/// Words in which a character sounds otherwise than alone. They hold anywhere in a text, before surnames.
const WORDS: &str = "
    重庆 chong-qing 重构 chong-gou 重组 chong-zu 重建 chong-jian 重复 chong-fu 重排 chong-pai 重叠 chong-die
    重塑 chong-su 重阳 chong-yang 重启 chong-qi 重编程 chong-bian-cheng 多重 duo-chong 双重 shuang-chong
    生长 sheng-zhang 成长 cheng-zhang 增长 zeng-zhang 校长 xiao-zhang 院长 yuan-zhang 所长 suo-zhang
    部长 bu-zhang 市长 shi-zhang 县长 xian-zhang 组长 zu-zhang 会长 hui-zhang 家长 jia-zhang 队长 dui-zhang
    银行 yin-hang 央行 yang-hang 分行 fen-hang 支行 zhi-hang 行业 hang-ye 行列 hang-lie 行情 hang-qing
    太行 tai-hang 大厦 da-sha 储藏 chu-cang 冷藏 leng-cang 馆藏 guan-cang 收藏 shou-cang 矿藏 kuang-cang
    埋藏 mai-cang 气藏 qi-cang 油藏 you-cang 保藏 bao-cang 贮藏 zhu-cang 人参 ren-shen 海参 hai-shen
    丹参 dan-shen 党参 dang-shen 会计 kuai-ji 六安 lu-an 蚌埠 beng-bu 黄埔 huang-pu 番禺 pan-yu 东阿 dong-e
    阿胶 e-jiao 涡阳 guo-yang 铅山 yan-shan 蔚县 yu-xian 洪洞 hong-tong 音乐 yin-yue 乐器 yue-qi 声乐 sheng-yue
    乐山 le-shan 快乐 kuai-le 传记 zhuan-ji 弹性 tan-xing 弹簧 tan-huang 弹塑 tan-su 粘弹 nian-tan 黏弹 nian-tan
    粘土 nian-tu 粘结 nian-jie 粘性 nian-xing 率先 shuai-xian 表率 biao-shuai 地壳 di-qiao 甲壳 jia-qiao
    给水 ji-shui 供给 gong-ji 补给 bu-ji 模具 mu-ju 校准 jiao-zhun 校正 jiao-zheng 柏林 bo-lin 伽马 ga-ma
    秘鲁 bi-lu 家畜 jia-chu 畜力 chu-li 乡都 xiang-du 调查 diao-cha 调度 diao-du 声调 sheng-diao 湖泊 hu-po
    冷轧 leng-zha 停泊 ting-bo 泊松 bo-song 颤振 chan-zhen 拓片 ta-pian 曾经 ceng-jing 待遇 dai-yu
    单位 dan-wei 单元 dan-yuan 单晶 dan-jing 单克 dan-ke 单细 dan-xi 单分 dan-fen 解放 jie-fang 解剖 jie-pou
    解析 jie-xi 区域 qu-yu 区块 qu-kuai 华为 hua-wei 盖板 gai-ban 查询 cha-xun 仇恨 chou-hen 种子 zhong-zi
    种质 zhong-zhi 种业 zhong-ye 种植 zhong-zhi 繁殖 fan-zhi 繁育 fan-yu 秘书 mi-shu 都市 du-shi 黑龙 hei-long
    长江 chang-jiang 长春 chang-chun 长沙 chang-sha 长城 chang-cheng 长安 chang-an 长白 chang-bai 长治 chang-zhi
    长三角 chang-san-jiao 长征 chang-zheng 长庆 chang-qing 长虹 chang-hong 参数 can-shu 参考 can-kao 角膜 jiao-mo
    教育 jiao-yu 教师 jiao-shi 要素 yao-su 员工 yuan-gong 应用 ying-yong 令牌 ling-pai 薄膜 bo-mo 莘县 shen-xian
";

/// The readings of characters that follow each other.
struct Readings {
    entries: HashMap<Vec<char>, Vec<&'static str>>,
    /// Whether an entry begins with a character, by its place among those of Han: hardly any in a name does.
    firsts: Vec<bool>,
}

const FIRST_HAN: char = '\u{4e00}';
const LAST_HAN: char = '\u{9fff}';

/// The place of a character among those of Han.
fn han_place(c: char) -> Option<usize> {
    (FIRST_HAN..=LAST_HAN)
        .contains(&c)
        .then(|| c as usize - FIRST_HAN as usize)
}

static SURNAME_READINGS: LazyLock<Readings> = LazyLock::new(|| table(SURNAMES));
static CHARACTER_READINGS: LazyLock<Readings> = LazyLock::new(|| table(CHARACTERS));
static WORD_READINGS: LazyLock<Readings> = LazyLock::new(|| table(WORDS));

/// All syllables that some character has, as numbers in order: names are taken apart for each write.
static SYLLABLES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut all = Vec::new();
    (FIRST_HAN..=LAST_HAN).for_each(|c| push_dictionary(c, &mut all));
    // Interjections without a vowel would make syllables out of any n.
    let vowels = ['a', 'e', 'i', 'o', 'u', 'v'];
    let syllables = all.into_iter().filter(|syllable| syllable.contains(vowels));
    let mut numbers: Vec<u32> = syllables.filter_map(syllable_number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
});

/// The longest syllable.
const LONGEST: usize = 6;

/// Five bits for each letter.
fn syllable_number(word: &str) -> Option<u32> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    word.bytes().try_fold(0, |number, letter| {
        letter
            .is_ascii_lowercase()
            .then(|| number << 5 | u32::from(letter - b'a' + 1))
    })
}

fn is_syllable(word: &str) -> bool {
    syllable_number(word).is_some_and(|number| SYLLABLES.binary_search(&number).is_ok())
}

fn table(text: &'static str) -> Readings {
    let mut entries = HashMap::new();
    let mut firsts = vec![false; LAST_HAN as usize - FIRST_HAN as usize + 1];
    let mut parts = text.split_whitespace();
    while let (Some(word), Some(readings)) = (parts.next(), parts.next()) {
        let first = word.chars().next().and_then(han_place);
        if let Some(is_first) = first.and_then(|place| firsts.get_mut(place)) {
            *is_first = true;
        }
        entries.insert(word.chars().collect(), readings.split('-').collect());
    }
    Readings { entries, firsts }
}

/// The readings of each character, the likeliest first, each once. A character without any has one empty reading.
/// With `surname` the first characters are read as a person's surname.
pub(super) fn readings(han: &[char], surname: bool) -> Vec<Vec<&'static str>> {
    let mut readings: Vec<Vec<&'static str>> = vec![Vec::new(); han.len()];
    for at in 0..han.len() {
        prefer(&WORD_READINGS, han, at, [3, 2], &mut readings);
    }
    if surname && !han.is_empty() {
        prefer(&SURNAME_READINGS, han, 0, [2, 1], &mut readings);
    }
    for (at, c) in han.iter().enumerate() {
        prefer(&CHARACTER_READINGS, han, at, [1, 1], &mut readings);
        push_dictionary(*c, &mut readings[at]);
        if readings[at].is_empty() {
            readings[at].push("");
        }
    }
    readings
}

/// Adds the readings of the longest entry of `table` that stands at `at`.
fn prefer(table: &Readings, han: &[char], at: usize, lengths: [usize; 2], readings: &mut [Vec<&'static str>]) {
    if !han_place(han[at]).is_some_and(|place| table.firsts[place]) {
        return;
    }
    let found = lengths
        .into_iter()
        .find_map(|length| table.entries.get(han.get(at..at + length)?));
    for (list, reading) in readings[at..].iter_mut().zip(found.into_iter().flatten()) {
        push(reading, list);
    }
}

fn push_dictionary(c: char, list: &mut Vec<&'static str>) {
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        match reading.plain() {
            // Typed as v, without the dots, and in passports as yu.
            "lü" => ["lv", "lu", "lyu"].iter().for_each(|form| push(form, list)),
            "nü" => ["nv", "nu", "nyu"].iter().for_each(|form| push(form, list)),
            "lüe" => ["lve", "lue"].iter().for_each(|form| push(form, list)),
            "nüe" => ["nve", "nue"].iter().for_each(|form| push(form, list)),
            "ê" => push("e", list),
            plain => push(plain, list),
        }
    }
}

fn push(reading: &'static str, list: &mut Vec<&'static str>) {
    if reading.is_ascii() && !list.contains(&reading) {
        list.push(reading);
    }
}

/// The distinct first letters of each character's readings.
pub(super) fn initials(readings: &[Vec<&'static str>]) -> Vec<Vec<&'static str>> {
    let letters = |list: &Vec<&'static str>| {
        let mut letters = Vec::new();
        list.iter()
            .filter_map(|reading| reading.get(..1))
            .for_each(|letter| push(letter, &mut letters));
        if letters.is_empty() { vec![""] } else { letters }
    };
    readings.iter().map(letters).collect()
}

/// Surnames of one character, the commonest first, and of two.
const FAMILIES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾肖萧田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石\
    金韦贾夏傅方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万钱覃武戴孔汤严莫邢祁施樊温洪岳柴葛齐伍庞颜庄聂章鲁牛殷翟申葉俞安倪游穆向常兰\
    柳欧骆路季阎涂詹尚左包凌焦裴童柯翁管辛耿关纪瞿霍屈司单宁房毕祝苗简应鲍艾梅成卜郁符甘丛刁解冷卫楚商";
const DOUBLE_FAMILIES: [&str; 8] = ["欧阳", "司马", "上官", "诸葛", "司徒", "东方", "皇甫", "尉迟"];

/// Whether folded characters begin with a surname.
pub(super) fn is_surname(chars: &[char]) -> bool {
    chars.first().is_some_and(|first| FAMILIES.contains(*first)) || begins_with_double_surname(chars)
}

/// Whether folded characters begin with a surname of two.
pub(crate) fn begins_with_double_surname(chars: &[char]) -> bool {
    let double: String = chars.iter().take(2).collect();
    DOUBLE_FAMILIES.contains(&double.as_str())
}

/// Whether a word can be read as whole syllables of pinyin.
pub(super) fn is_pinyin(word: &str) -> bool {
    word.is_ascii() && !word.is_empty() && readable_from(word).first() == Some(&true)
}

/// From where on an ASCII word can be read as whole syllables.
fn readable_from(word: &str) -> Vec<bool> {
    let mut from = vec![false; word.len() + 1];
    from[word.len()] = true;
    for start in (0..word.len()).rev() {
        let longest = word.len().min(start + LONGEST);
        from[start] = (start + 1..=longest).any(|end| from[end] && is_syllable(&word[start..end]));
    }
    from
}

/// Where the later syllables of a pinyin word begin; syllables are as long as they can be.
pub(super) fn later_syllables(word: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    if !word.is_ascii() {
        return starts;
    }
    let from = readable_from(word);
    let mut start = 0;
    while start < word.len() && from[start] {
        let longest = word.len().min(start + LONGEST);
        let Some(end) = (start + 1..=longest)
            .rev()
            .find(|end| from[*end] && is_syllable(&word[start..*end]))
        else {
            break;
        };
        start = end;
        starts.push(start);
    }
    starts.retain(|start| *start < word.len());
    starts
}

/// Fails where an entry of a table has more or fewer syllables than characters.
#[cfg(test)]
pub(super) fn check_tables() {
    for table in [&SURNAME_READINGS, &CHARACTER_READINGS, &WORD_READINGS] {
        for (word, syllables) in &table.entries {
            assert!(han_place(word[0]).is_some(), "{word:?}");
            assert_eq!(word.len(), syllables.len(), "{word:?}");
            assert!(syllables.iter().all(|syllable| is_syllable(syllable)), "{word:?}");
        }
    }
}
