//! The Chinese words of the contract's enum values: imports take them beside the values' own names, and exports write them where asked.

use prost_reflect::EnumDescriptor;

/// The word of a value by its whole name; none where it has none.
pub(crate) fn word(value: &str) -> Option<&'static str> {
    WORDS.iter().find(|(name, _)| *name == value).map(|(_, words)| words[0])
}

/// The value of `values` that a Chinese word means.
pub(crate) fn meant(word: &str, values: &EnumDescriptor) -> Option<i32> {
    let word = word.trim();
    values
        .values()
        .find(|value| {
            WORDS
                .iter()
                .any(|(name, words)| *name == value.name() && words.contains(&word))
        })
        .map(|value| value.number())
}

/// Whole names of values, each with its word first, and then others that are taken for it.
const WORDS: &[(&str, &[&str])] = &[
    ("LEVEL_NATIONAL", &["国家级"]),
    ("LEVEL_PROVINCIAL", &["省级", "省部级"]),
    ("LEVEL_MUNICIPAL", &["市级"]),
    ("LEVEL_DISTRICT", &["区级", "县级", "区县级"]),
    ("LEVEL_INTERNATIONAL", &["国际", "国际级"]),
    ("RECORD_STATUS_ACTIVE", &["有效"]),
    ("RECORD_STATUS_DUPLICATE", &["已合并"]),
    ("RECORD_STATUS_ANNULLED", &["已作废"]),
    ("NAME_KIND_OFFICIAL", &["正式名称", "正式名"]),
    ("NAME_KIND_FORMER", &["曾用名", "原名"]),
    ("NAME_KIND_ALIAS", &["别名", "又名"]),
    ("NAME_KIND_ACRONYM", &["缩写", "简称"]),
    ("OPERATING_STATE_ACTIVE", &["运行", "运行中", "正常"]),
    ("OPERATING_STATE_INACTIVE", &["停止", "停止运行", "停运"]),
    ("OPERATING_STATE_WITHDRAWN", &["撤销", "已撤销"]),
    ("ORGANIZATION_KIND_UNIVERSITY", &["高校", "高等院校", "大学"]),
    (
        "ORGANIZATION_KIND_RESEARCH_INSTITUTE",
        &["科研院所", "研究机构", "科研机构"],
    ),
    ("ORGANIZATION_KIND_ENTERPRISE", &["企业"]),
    ("ORGANIZATION_KIND_HOSPITAL", &["医院", "医疗机构"]),
    ("ORGANIZATION_KIND_GOVERNMENT", &["政府机关", "机关", "政府部门"]),
    ("ORGANIZATION_KIND_NONPROFIT", &["社会组织", "非营利组织"]),
    ("ORGANIZATION_KIND_FUNDER", &["资助机构"]),
    ("ORGANIZATION_KIND_OTHER", &["其他"]),
    ("ORGANIZATION_RELATION_KIND_PARENT", &["上级单位", "主管单位"]),
    ("ORGANIZATION_RELATION_KIND_PREDECESSOR", &["前身"]),
    ("ORGANIZATION_RELATION_KIND_SUCCESSOR", &["后继单位"]),
    ("ORGANIZATION_RELATION_KIND_RELATED", &["关联单位", "合作单位"]),
    ("LAB_KIND_ACADEMIC", &["学科类"]),
    ("LAB_KIND_ENTERPRISE", &["企业类"]),
    ("LAB_PLATFORM_KEY_LABORATORY", &["重点实验室"]),
    ("LAB_PLATFORM_TECHNOLOGY_INNOVATION_CENTRE", &["技术创新中心"]),
    ("LAB_MEMBERSHIP_FIXED", &["固定人员", "固定"]),
    ("LAB_MEMBERSHIP_VISITING", &["流动人员", "流动"]),
    ("LAB_DESIGNATION_STATE_BUILDING", &["建设期", "建设中", "在建"]),
    ("LAB_DESIGNATION_STATE_OPERATING", &["运行", "运行中"]),
    ("LAB_DESIGNATION_STATE_RECTIFYING", &["整改", "整改中"]),
    ("LAB_DESIGNATION_STATE_TERMINATED", &["终止", "已终止"]),
    ("LAB_DESIGNATION_STATE_REVOKED", &["撤销", "已撤销"]),
    ("LAB_DESIGNATION_STATE_DRAFT", &["草稿"]),
    ("LAB_DESIGNATION_STATE_SUBMITTED", &["已提交"]),
    ("LAB_DESIGNATION_STATE_RETURNED", &["退回补正"]),
    ("LAB_DESIGNATION_STATE_REFUSED", &["不予受理"]),
    ("LAB_DESIGNATION_STATE_IN_REVIEW", &["评审中"]),
    ("LAB_DESIGNATION_STATE_REJECTED", &["未通过"]),
    ("LAB_DESIGNATION_STATE_ON_NOTICE", &["公示中"]),
    ("LAB_DESIGNATION_STATE_WITHDRAWN", &["撤回", "已撤回"]),
    ("LAB_DESIGNATION_STATE_MERGED", &["已并入"]),
    ("LAB_EVALUATION_GRADE_EXCELLENT", &["优秀"]),
    ("LAB_EVALUATION_GRADE_GOOD", &["良好"]),
    ("LAB_EVALUATION_GRADE_QUALIFIED", &["合格"]),
    ("LAB_EVALUATION_GRADE_UNQUALIFIED", &["不合格"]),
    ("PROGRAMME_KIND_LEADING_TALENT", &["领军人才"]),
    ("PROGRAMME_KIND_AUTONOMOUS_RECOMMENDATION", &["自主荐才"]),
    ("PROGRAMME_KIND_OTHER", &["其他"]),
    ("TALENT_DESIGNATION_STATE_IN_TERM", &["在管理期", "管理期内"]),
    ("TALENT_DESIGNATION_STATE_SUSPENDED", &["暂停", "已暂停"]),
    ("TALENT_DESIGNATION_STATE_COMPLETED", &["期满", "期满合格"]),
    ("TALENT_DESIGNATION_STATE_CANCELLED", &["取消", "已取消"]),
    ("TALENT_DESIGNATION_STATE_EXITED", &["退出", "已退出"]),
    ("TALENT_DESIGNATION_STATE_DRAFT", &["草稿"]),
    ("TALENT_DESIGNATION_STATE_SUBMITTED", &["已提交"]),
    ("TALENT_DESIGNATION_STATE_RETURNED", &["退回补正"]),
    ("TALENT_DESIGNATION_STATE_REFUSED", &["不予受理"]),
    ("TALENT_DESIGNATION_STATE_IN_REVIEW", &["评审中"]),
    ("TALENT_DESIGNATION_STATE_REJECTED", &["未通过"]),
    ("TALENT_DESIGNATION_STATE_ON_NOTICE", &["公示中"]),
    ("TALENT_DESIGNATION_STATE_WITHDRAWN", &["撤回", "已撤回"]),
    ("TALENT_COMPLETION_GRADE_EXCELLENT", &["优秀"]),
    ("TALENT_COMPLETION_GRADE_QUALIFIED", &["合格"]),
    ("TALENT_COMPLETION_GRADE_UNQUALIFIED", &["不合格"]),
    ("SCHEME_SUBJECT_PERSON", &["人物", "个人"]),
    ("SCHEME_SUBJECT_PROJECT", &["项目"]),
    ("AWARD_STATE_APPROVED", &["已批准", "批准"]),
    ("AWARD_STATE_CONFERRED", &["已授奖", "授奖"]),
    ("AWARD_STATE_REVOKED", &["撤销", "已撤销"]),
    ("AWARD_STATE_DRAFT", &["草稿"]),
    ("AWARD_STATE_NOMINATED", &["已提名"]),
    ("AWARD_STATE_REFUSED", &["不予受理"]),
    ("AWARD_STATE_ACCEPTED", &["已受理"]),
    ("AWARD_STATE_IN_REVIEW", &["评审中"]),
    ("AWARD_STATE_SHORTLISTED", &["入围", "初评通过"]),
    ("AWARD_STATE_NOT_SELECTED", &["未入选"]),
    ("AWARD_STATE_WITHDRAWN", &["撤回", "已撤回"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost_reflect::{Kind, MessageDescriptor};

    use super::*;
    use crate::collection::COLLECTIONS;

    /// All enums that resources hold, however deep.
    fn enums(message: &MessageDescriptor, found: &mut BTreeMap<String, EnumDescriptor>, seen: &mut Vec<String>) {
        if seen.contains(&message.full_name().to_owned()) {
            return;
        }
        seen.push(message.full_name().to_owned());
        for field in message.fields() {
            match field.kind() {
                Kind::Enum(values) => {
                    found.insert(values.full_name().to_owned(), values);
                }
                Kind::Message(inner) => enums(&inner, found, seen),
                _ => {}
            }
        }
    }

    #[test]
    fn every_value_that_a_clerk_can_give_has_a_word_of_its_own() {
        let (mut found, mut seen) = (BTreeMap::new(), Vec::new());
        for collection in &COLLECTIONS {
            let message = collection.message().unwrap();
            for field in message.fields().filter(|f| !collection.is_output_only(f.name())) {
                match field.kind() {
                    Kind::Enum(values) => {
                        found.insert(values.full_name().to_owned(), values);
                    }
                    Kind::Message(inner) => enums(&inner, &mut found, &mut seen),
                    _ => {}
                }
            }
        }
        assert!(found.len() >= 10, "{found:?}");
        for values in found.values() {
            for value in values.values().filter(|value| value.number() != 0) {
                let said = word(value.name());
                let said = said.unwrap_or_else(|| panic!("no word for {}", value.name()));
                assert_eq!(meant(said, values), Some(value.number()), "{said}");
                let words = WORDS.iter().find(|(name, _)| *name == value.name()).unwrap().1;
                for word in words {
                    assert_eq!(meant(word, values), Some(value.number()), "{word} is of two values");
                }
            }
        }
    }
}
