//! The reasons of refusals in Chinese, for the people who mend the rows. The reason codes are those of the contract's errors; the
//! English words come with each refusal.

/// What a reason means, in Chinese; none for a reason that has no words here.
pub fn chinese(reason: &str) -> Option<&'static str> {
    REASONS
        .iter()
        .find(|(known, _)| *known == reason)
        .map(|(_, said)| *said)
}

/// All reasons that a row of an import can be refused for, with their Chinese words.
pub const REASONS: &[(&str, &str)] = &[
    // Cells and rows of the file.
    ("BOOLEAN_INVALID", "应填“是”或“否”"),
    ("CELL_ERROR", "公式出错，请填入实际的值"),
    ("DATE_AMBIGUOUS", "日期有多种理解，请写成 2024-06-30 的形式"),
    ("DATE_DOES_NOT_EXIST", "没有这一天"),
    ("DATE_INCOMPLETE", "日期不完整，请写明年月日"),
    ("DATE_INVALID", "日期无法识别，请写成 2024-06-30 的形式"),
    ("DATE_IN_FUTURE", "日期晚于今天"),
    ("DATE_MALFORMED", "日期格式不对，请写成 2024-06-30 的形式"),
    ("ENUM_DEFINED_ONLY", "该值不在规定的选项之内"),
    ("ENUM_VALUE_UNKNOWN", "该值不在规定的选项之内"),
    ("FIELD_UNKNOWN", "没有这个字段"),
    (
        "FORMULA_WITHOUT_VALUE",
        "公式没有保存结果，请在 Excel 中打开并保存，或填入实际的值",
    ),
    ("FRACTION_INVALID", "份额应写成 1/4 或 25%，且不超过全部"),
    ("JOIN_KEY_EMPTY", "用来合并各行的列为空"),
    ("JSON_INVALID", "不是有效的 JSON"),
    ("NUMBER_AMBIGUOUS", "数字有多种理解，请把该列设为文本后重填"),
    ("NUMBER_INVALID", "应填数字"),
    ("NUMBER_NOT_WHOLE", "应填整数，或减少小数位"),
    ("NUMBER_ROUNDED", "Excel 已把号码四舍五入，请把该列设为文本后重填"),
    ("NUMBER_TOO_LARGE", "数字过大"),
    ("PATTERN_MISSED", "内容不符合映射规定的格式"),
    ("RANGE_INVALID", "起止时间无法识别"),
    ("REFUSED", "服务未说明原因"),
    ("ROWS_DISAGREE", "同一条记录的各行内容不一致"),
    ("ROW_HIDDEN", "该行在表格中被隐藏或筛掉；请取消隐藏，或删除该行"),
    ("ROW_TOO_LARGE", "该条记录超过 1 MiB，是否合并了过多的行"),
    ("ROW_TOO_LONG", "单元格比表头多，是否有含分隔符的内容未加引号"),
    ("ROW_TWICE", "与前面的一行为同一条记录，但内容不同"),
    (
        "ROW_UNSTEADY",
        "该行会使前面的一行在下次导入时指向另一条记录；请为两行都补填标识",
    ),
    ("SAME_RESOURCE", "同一条记录的另一行被拒绝"),
    ("TEXT_DAMAGED", "文字有乱码，请检查文件编码"),
    ("TEXT_HOLDS_NUL", "文字含有不可用的空字符"),
    ("TEXT_UNSEEN_CHARACTER", "文字含有看不见的字符，请删除后重填"),
    ("UNIT_UNKNOWN", "无法识别的单位"),
    ("VALUES_UNEQUAL", "拆分后各列的项数不一致"),
    ("VALUE_INVALID", "该值不适合这个字段"),
    ("VALUE_UNKNOWN", "映射没有列出该值"),
    ("YEAR_IMPLAUSIBLE", "年份应在 1800 至 2200 之间"),
    // Rules of the contract.
    ("INT32_GTE", "数字过小"),
    ("INT32_GTE_LTE", "数字超出范围"),
    ("INT32_LTE", "数字过大"),
    ("INT64_GTE", "数字过小"),
    ("INT64_GTE_LTE", "数字超出范围"),
    ("INT64_LTE", "数字过大"),
    ("REPEATED_MAX_ITEMS", "项数过多"),
    ("REPEATED_MIN_ITEMS", "项数过少"),
    ("REQUIRED", "此项必填"),
    ("STRING_MAX_LEN", "文字过长"),
    ("STRING_MIN_LEN", "此项必填或过短"),
    ("STRING_PATTERN", "格式不符合要求"),
    // Names, identifiers and documents.
    ("BIRTH_DATE_DIFFERS", "出生日期与身份证号不一致"),
    (
        "BIRTH_DATE_WITHOUT_DOCUMENT",
        "该人员已有证件，修改出生日期须同时填写证件号码",
    ),
    ("DISCIPLINE_CODE_MALFORMED", "学科代码格式不对"),
    ("DIVISION_CODE_MALFORMED", "行政区划代码应为 6 位数字"),
    ("DIVISION_CODE_PROVINCE_UNKNOWN", "行政区划代码的省级部分不存在"),
    ("IDENTIFIER_EMPTY", "标识为空"),
    ("IDENTIFIER_INVALID", "标识无效"),
    ("IDENTIFIER_MISSING", "没有可以识别该记录的标识，请补填"),
    ("IDENTIFIER_TAKEN", "该标识已属于另一条记录"),
    ("IDENTIFIER_TOO_LONG", "标识过长"),
    ("IDENTIFIER_UNSEEN_CHARACTER", "标识含有看不见的字符，请删除后重填"),
    ("IDENTITY_DOCUMENT_IN_CLEAR", "此处出现身份证号；证件号码只能填在证件列"),
    (
        "IDENTITY_DOCUMENT_UNCLEAR",
        "证件号码无法识别；若已变成科学计数，请把该列设为文本后重填",
    ),
    ("ISNI_CHECK_WRONG", "ISNI 校验位不对，请核对"),
    ("ISNI_MALFORMED", "ISNI 格式不对"),
    ("NAME_EMPTY", "名称为空"),
    ("NAME_UNSEEN_CHARACTER", "名称含有看不见的字符，请删除后重填"),
    ("NAME_WRONG_KIND", "资源名称属于另一种资源"),
    ("ORCID_CHECK_WRONG", "ORCID 校验位不对，请核对"),
    ("ORCID_MALFORMED", "ORCID 格式不对"),
    ("RESIDENT_ID_BIRTH_DATE_WRONG", "身份证号中的出生日期不存在"),
    (
        "RESIDENT_ID_CHECK_WRONG",
        "身份证号校验位不对，请核对；号码也可能已被 Excel 四舍五入",
    ),
    ("RESIDENT_ID_MALFORMED", "身份证号格式不对"),
    ("ROR_CHECK_WRONG", "ROR 校验位不对，请核对"),
    ("ROR_MALFORMED", "ROR 格式不对"),
    ("USCC_CHECK_WRONG", "统一社会信用代码校验位不对，请核对"),
    ("USCC_MALFORMED", "统一社会信用代码应为 18 位"),
    (
        "USCC_ORGANIZATION_CHECK_WRONG",
        "统一社会信用代码中的组织机构代码校验位不对，请核对",
    ),
    // References and records.
    ("ALREADY_EXISTS", "该记录已存在"),
    (
        "ETAG_MISMATCH",
        "导出之后该记录已被他人修改，请重新导出后再改；确要覆盖请用 --force",
    ),
    ("NOT_FOUND", "登记册中没有该记录"),
    ("PARENT_CYCLE", "上级单位形成循环"),
    ("PARENT_DIFFERS", "所属记录与请求不一致"),
    ("RECORDS_DISAGREE", "标识相同但内容矛盾，可能是另一条记录，请核对"),
    ("RECORD_ANNULLED", "该记录已作废"),
    ("RECORD_NOT_ACTIVE", "该记录已作废或已合并"),
    (
        "REFERENCE_AMBIGUOUS",
        "有几条记录同名，见下；请补充标识或城市，若是重复记录，请用 mingce merge 合并",
    ),
    ("REFERENCE_NOT_FOUND", "没有找到所引用的记录，请先录入或补充标识"),
    ("REFERENCE_TO_ITSELF", "引用了自己"),
    ("RESOURCE_NOT_FOUND", "登记册中没有该记录"),
    ("SUCCESSOR_CYCLE", "后继记录形成循环"),
    ("SUCCESSOR_ITSELF", "后继记录是它自己"),
    // What the services check.
    ("AREA_TOO_SMALL", "面积小于规定"),
    ("CASE_ELSEWHERE", "该事项在另一登记册办理"),
    ("CASE_NOT_EDITABLE", "该事项在当前状态下不可修改"),
    ("CONTRIBUTOR_KIND", "完成人应为个人或单位之一"),
    ("CONTRIBUTOR_ORGANIZATION_MISSING", "完成人缺少单位"),
    ("CONTRIBUTOR_TWICE", "同一完成人出现两次"),
    ("EQUIPMENT_TOO_SMALL", "设备价值小于规定"),
    ("FIELD_BEFORE_DECISION", "作出决定之前不能填此项"),
    (
        "FIELD_DECIDED",
        "此项已经决定，不能直接修改；请用“更正”（Correct…），写明理由和文号",
    ),
    ("FAMILY_TAKEN", "此人在同一类计划中已有在册称号"),
    ("HOST_MISSING", "缺少依托单位"),
    ("HOST_TWICE", "同一依托单位出现两次"),
    ("NUMBER_MISSING", "缺少编号，请填证书编号"),
    ("ORGANIZATION_TWICE", "同一单位出现两次"),
    ("PERIOD_REVERSED", "结束早于开始"),
    ("PERMISSION_DENIED", "没有权限"),
    ("PERSON_MISSING", "缺少人员"),
    (
        "PERSON_NOT_RESOLVED",
        "此处的人员按所填保存，不在登记册中查找；请删除该项，或填人员的资源名称",
    ),
    ("PROBLEMS_MORE", "还有未列出的问题"),
    ("RANKS_NOT_CONTIGUOUS", "名次应为 1、2、3，中间不缺"),
    ("RELATION_TWICE", "同一单位的同一关系重复"),
    ("SHARES_EXCEED_WHOLE", "份额合计超过全部"),
    ("SHARES_UNCLEAR", "份额不明，应全部填写或全部不填"),
    ("STATE_BY_VERBS", "状态只能通过办理改变"),
    ("STATE_UNDECIDED", "只能导入已作出决定的事项"),
    ("STATE_WRONG", "当前状态不允许此操作"),
    ("TOO_MANY_CONTRIBUTORS", "完成人过多"),
    ("TOO_MANY_HOSTS", "依托单位过多"),
    ("TOO_MANY_ORGANIZATIONS", "完成单位过多"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn no_reason_stands_twice() {
        let all: BTreeSet<_> = REASONS.iter().map(|(reason, _)| reason).collect();
        assert_eq!(all.len(), REASONS.len());
    }

    /// The texts in quotation marks of a file that have the form of a reason; its tests are left out.
    fn reasons_in(path: &Path) -> BTreeSet<String> {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let in_quotes = code.flat_map(|line| {
            line.split('"')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        let is_reason = |text: &String| {
            text.contains('_')
                && text.starts_with(|c: char| c.is_ascii_uppercase())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        in_quotes.filter(is_reason).collect()
    }

    #[test]
    fn every_reason_that_reading_a_file_can_give_has_words() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut missing = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("reasons.rs") {
                missing.extend(reasons_in(&path).into_iter().filter(|reason| chinese(reason).is_none()));
            }
        }
        for no_reason in ["CARGO_MANIFEST_DIR", "MINGCE_LANG"] {
            missing.remove(no_reason);
        }
        // Values of enums stand under their prefix.
        missing.retain(|text| !crate::words::is_value(text));
        assert!(missing.is_empty(), "no Chinese words in reasons.rs for {missing:?}");
    }

    #[test]
    fn every_reason_of_identifiers_and_names_has_words() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../orm/src");
        for file in ["identifier/mod.rs", "names.rs"] {
            let missing: Vec<_> = reasons_in(&folder.join(file))
                .into_iter()
                .filter(|reason| chinese(reason).is_none())
                .collect();
            assert!(
                missing.is_empty(),
                "no Chinese words in reasons.rs for {missing:?} of {file}"
            );
        }
    }
}
