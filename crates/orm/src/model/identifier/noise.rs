//! What stands round a number in the cells of offices, and is no part of it: labels, apostrophes, blanks; words that say that there is
//! none; and what a spreadsheet made of it.

use unicode_normalization::UnicodeNormalization;

use super::Fault;

/// Words before or behind a number that say what it is. Longer ones stand before those that they begin with.
const HAN: [&str; 55] = [
    "统一社会信用代码",
    "社会信用代码",
    "信用代码",
    "组织机构代码",
    "中华人民共和国",
    "中国",
    "居民",
    "公民",
    "身份证件",
    "身份证明",
    "身份证",
    "身份",
    "第二代",
    "二代",
    "一代",
    "本人",
    "个人",
    "有效",
    "证件",
    "证照",
    "类型",
    "普通",
    "因私",
    "因公",
    "外交",
    "公务",
    "护照",
    "外国人",
    "外籍",
    "永久",
    "居留",
    "居住",
    "港澳台",
    "港澳",
    "香港",
    "澳门",
    "台湾",
    "台胞",
    "同胞",
    "来往",
    "往来",
    "内地",
    "大陆",
    "通行证",
    "回乡证",
    "旅行证",
    "特别行政区",
    "行政区",
    "号码",
    "编号",
    "代码",
    "号",
    "码",
    "证",
    "为",
];
/// The same in Latin letters: whole words.
const LATIN: [&str; 32] = [
    "UNIFIED",
    "SOCIAL",
    "CREDIT",
    "CODE",
    "USCC",
    "ORCID",
    "ROR",
    "ISNI",
    "IDENTIFIER",
    "ID",
    "I.D",
    "IDNO",
    "IDCARD",
    "CARD",
    "IDENTITY",
    "IDENTIFICATION",
    "RESIDENT",
    "CITIZEN",
    "CHINESE",
    "CHINA",
    "PRC",
    "FOREIGN",
    "PASSPORT",
    "PERMIT",
    "TRAVEL",
    "DOCUMENT",
    "NUMBER",
    "NUM",
    "NO",
    "SFZ",
    "SFZH",
    "USCI",
];
/// Words that say that there is no number, without signs.
const NONE: [&str; 47] = [
    "一",
    "ー",
    "无",
    "無",
    "没有",
    "沒有",
    "暂无",
    "暫無",
    "暂缺",
    "缺",
    "缺失",
    "空",
    "空白",
    "空值",
    "不详",
    "不詳",
    "不明",
    "不适用",
    "未知",
    "未填",
    "未填写",
    "未提供",
    "未办理",
    "未录入",
    "未登记",
    "待补",
    "待补充",
    "待填",
    "待定",
    "略",
    "保密",
    "查无",
    "NA",
    "NULL",
    "NONE",
    "NIL",
    "NAN",
    "UNKNOWN",
    "TBD",
    "TBA",
    "MISSING",
    "EMPTY",
    "BLANK",
    "UNDEFINED",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "NOTPROVIDED",
];

/// Signs round a number.
fn is_sign(c: char) -> bool {
    c.is_whitespace()
        || is_quote(c)
        || is_dash(c)
        || ":.,;=#*()[]{}<>_/|\\~?!、。·•…【】《》〈〉「」『』〔〕".contains(c)
}

/// Apostrophes and quotation marks. A spreadsheet takes one before a number as: this is text.
pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"' | '`' | '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{2037}' | '\u{2b9}'..='\u{2bd}' | '\u{b4}' | '\u{301}' | '\u{a8}')
}

/// Hyphens and dashes, as word processors exchange them.
pub(super) fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{fe58}' | '\u{fe63}' | '\u{2e3a}' | '\u{2e3b}'
    )
}

/// Characters without width, and fillers that look like a blank.
pub(super) fn is_unseen(c: char) -> bool {
    super::unseen(c) && !c.is_whitespace()
        || matches!(c, '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

/// In the usual width and digits, with nothing that cannot be seen.
pub(super) fn tidy(value: &str) -> String {
    let seen = value.nfkc().filter(|c| !is_unseen(*c));
    seen.map(|c| super::resident::digit(c).unwrap_or(c)).collect()
}

/// A value without labels and signs at its ends.
pub(super) fn bare(value: &str) -> String {
    if value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return value.to_owned();
    }
    let tidied = tidy(value);
    let mut rest = tidied.trim_matches(is_sign);
    while let Some(shorter) = without_label(rest) {
        rest = shorter.trim_matches(is_sign);
    }
    rest.to_owned()
}

fn without_label(rest: &str) -> Option<&str> {
    let han = HAN
        .iter()
        .find_map(|label| rest.strip_prefix(label).or_else(|| rest.strip_suffix(label)));
    let latin = || {
        LATIN.iter().find_map(|label| {
            let (head, tail) = rest.split_at_checked(label.len())?;
            let (next, after) = (tail.chars().next(), tail.chars().nth(1));
            // The point behind an abbreviation, and not the one in an address.
            let is_address = next == Some('.') && after.is_some_and(|c| c.is_ascii_alphabetic());
            let ends = !is_address && next.is_none_or(|c| !c.is_ascii_alphanumeric());
            (ends && head.eq_ignore_ascii_case(label)).then_some(tail)
        })
    };
    han.or_else(latin)
}

/// How many characters a number has, with the signs that stand at its ends for digits that nobody could read: `1101…002?`.
pub(super) fn count(value: &str, number: &str) -> usize {
    let is_unread = |c: &char| matches!(c, '?' | '*' | '_');
    let all = tidy(value).chars().filter(is_unread).count();
    number.chars().filter(|c| !is_unread(c)).count() + all
}

/// Whether a value is empty or says that there is none: `无`, `/`, `—`, `N/A`, `暂无`, `null`, also behind a label.
pub fn says_none(value: &str) -> bool {
    if value.trim().is_empty() || value.trim() == "\\N" {
        return true;
    }
    if value.bytes().filter(u8::is_ascii_digit).count() > 2 {
        return false;
    }
    let word = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
            .to_uppercase()
    };
    let all = tidy(value);
    if all.chars().all(is_sign) || NONE.contains(&word(&all).as_str()) {
        return true;
    }
    let left = word(&bare(value));
    left.is_empty() || NONE.contains(&left.as_str())
}

/// Whether a spreadsheet made the number scientific, as in `3.79901E+17`.
pub(super) fn is_scientific(value: &str) -> bool {
    if value.is_ascii() && !value.contains(['e', 'E']) {
        return false;
    }
    let text: String = bare(value)
        .chars()
        .filter(|c| !c.is_whitespace() && !is_quote(*c))
        .collect();
    let text = text.to_uppercase();
    let Some((number, power)) = text.split_once('E') else {
        return false;
    };
    let sign = power.starts_with(['+', '-']);
    let power = power.trim_start_matches(['+', '-']);
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_number = !whole.is_empty() && digits(whole) && digits(part);
    is_number && (sign || number.len() > whole.len()) && (1..=3).contains(&power.len()) && digits(power)
}

/// What is wrong with a number that a spreadsheet made scientific.
pub(super) fn scientific(reason: &'static str) -> Fault {
    let said = "a spreadsheet made this number scientific (as in 1.2E+17), and its last digits are lost: set the column to text and type the \
                number again. Excel 已把号码变成科学计数，请把该列设为文本后重填。";
    Fault::new(reason, said)
}
