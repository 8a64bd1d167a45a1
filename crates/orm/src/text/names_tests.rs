//! How often a name is found as people write it: pairs of a name in the register and a query.

use super::{Query, tokens, whole_name};

/// A name, and queries that should find it.
const FOUND: &str = "
Xiaoming Shili: Xiao-Ming Shili; Xiao Ming Shili; shili xiaoming; Shili, Xiaoming; X. Shili; XM Shili; Shili XM; Shili X M; SHILI Xiao-ming
Xiao-Ming Shili: xiaomingshili; Xiaoming Shili; xiaoming shili; Xiao Ming Shili; Shili Xiao Ming; X.-M. Shili; Shili XM; xiao ming; shili
Xiao Ming Shili: Xiaoming Shili; Xiao-Ming Shili; X. M. Shili; Shili X; shili xiaoming
Jean-Pierre Muster: jeanpierremuster; jeanpierre muster; Jean Pierre Muster; Jean-Pierre Muster; J.-P. Muster; Muster JP; Muster, J. P.; muster jean
Jean Pierre Muster: Jean-Pierre Muster; jeanpierre muster; J. P. Muster; J Muster
Jeanpierre Muster: Jean-Pierre Muster; Jeanpierre Muster; J. Muster; Muster, J.
Wilhelm Conrad Möhler: Möhler, W. C.; Moehler; Mohler; W. C. Möhler; Moehler, W. C.; Moehler W; wilhelm moehler; Möhler WC; MÖHLER
Wilhelm Conrad Moehler: Möhler, W. C.; Möhler; Moehler; W. Möhler; W. C. Moehler
Käthe Groß: Kaethe Gross; Kathe Gross; K. Groß; Gross, K.; Käthe Gross; kaethe
Søren Åsberg: Soeren Aasberg; Soren Asberg; S. Åsberg; Åsberg, S.; Søren
Jürgen Übel: Juergen Uebel; Jurgen Ubel; J. Übel; Uebel, J.
Chen Ning Shi: C. N. Shi; Chenning Shi; Chen-Ning Shi; Shi CN; Shi, Chen Ning; Shi Chen-Ning; C N Shi
张晓明: X. Zhang; X. M. Zhang; Zhang XM; Xiaoming Zhang; Xiao-Ming Zhang; Xiao Ming Zhang; Zhang, Xiaoming; 張曉明; 张晓明教授; 张晓明（教授）; 张晓明 教授; 张晓明（示例大学）; 张晓明院士; 张晓明先生; zhangxiaoming; zxm; 晓明; Zhang Xiaoming; Dr. Zhang Xiaoming; Prof. Xiaoming Zhang; zhang xiao ming
張東海: 张东海; 張東海; zhangdonghai; D. H. Zhang; Zhang DH; 张东海研究员; 东海; 東海
杨振宁静: Yang Z. N. J.; 楊振寧靜; Yang, Zhenningjing; Z. Yang
吕绿: 呂綠; lvlv; Lü Lü; L. Lu; 吕绿（博士）
龙云: 龍雲; Long Yun; Y. Long; Long, Y.; 龙云老师
欧阳示: 歐陽示; ouyangshi; 欧阳示（教授）; ouyang
内田户: 內田戶; 内田戶; 内田
张三（教授）: 张三; 张三教授; zhangsan; 張三
王五院士: 王五; 王五院士; wangwu
阿卜杜拉·示例: 阿卜杜拉示例; 阿卜杜拉・示例; 阿卜杜拉•示例; 阿卜杜拉 示例
⻢示礼: 马示礼; 馬示禮; mashili; msl; S. L. Ma
Xi'an Shili University: Xian Shili University; Xi’an Shili; Shili University; Univ. Shili; xi an shili; Shili Univ
University of Shili and Technology: Univ. of Shili and Technology; Univ of Shili & Tech.; University of Shili & Technology; shili tech
示例海洋大学: 示例海洋大学物理学院; 示例海洋大學; 示例海洋大学，青岛266100; 示例海洋大学化学系
中国科学院示例研究所: 中科院示例所; 中科院示例研究所; 中国科学院示例研究所; 中國科學院示例研究所
Shili University: School of Physics, Shili University, Qingdao 266100; Shili University, Qingdao; Dept. of Chemistry, Shili University; Shili Univ.
青岛示例研究院: ⻘岛示例研究院; 青島示例研究院; 青岛示例研究院有限部; qdslyjy
";

/// A name, and queries that must not find it.
const NOT_FOUND: &str = "
Xiaoming Shili: Y. Shili; Xiaoning Shili; X. Shuli; Shili YM; Dr. Shuli
Xiao-Ming Shili: xiaohongshili; Xiaohong Shili; A. Shili; Shili XMN
Jean-Pierre Muster: Jean-Paul Muster; P. Q. Muster; jeanpaul; K. Muster
Wilhelm Conrad Möhler: Muhler; Mühler; A. Möhler; W. D. Möhler; Maehler
张晓明: Y. Zhang; 张晓红; 李晓明; Zhang YM; 张晓明明; 章晓明; Li XM; X. N. Zhang; 张小明
張東海: 张西海; 李东海; X. Zhang; 章东海
龙云: 龙运; 尤云; 龙云龙; A. Long
示例海洋大学: 示例海事大学; 示范海洋大学; 示例海洋学院
中国科学院示例研究所: 中科院示范所; 中国工程院示例研究所
Shili University: Shuli University; Shili College; School of Physics, Shuli University, Qingdao
Käthe Groß: Kuthe Gross; A. Groß; Grass
欧阳示: 欧示阳; 司马示
";

/// Whether the register would find a name: its tokens meet the terms and the recheck lets it through, for the query or what else it may mean.
fn finds(name: &str, query: &str) -> bool {
    let held = tokens([name]);
    let held = held.sorted();
    let meets = |text: &str| {
        Query::parse(text).is_some_and(|query| {
            query.terms().iter().all(|term| {
                held.contains(&term.text.as_str())
                    || term.or.iter().any(|or| held.contains(&or.as_str()))
                    || (term.prefix && held.iter().any(|token| token.starts_with(&term.text)))
            }) && query.accepts([name])
        })
    };
    meets(query) || Query::others(query).iter().any(|other| meets(other))
}

fn pairs(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = table.lines().filter_map(|line| line.split_once(": "));
    lines.flat_map(|(name, queries)| queries.split("; ").map(move |query| (name, query.trim())))
}

#[test]
fn names_are_found_as_people_write_them_and_others_are_not() {
    let missed: Vec<_> = pairs(FOUND).filter(|(name, query)| !finds(name, query)).collect();
    let wrong: Vec<_> = pairs(NOT_FOUND).filter(|(name, query)| finds(name, query)).collect();
    let said = format!(
        "{} of {} found, {} of {} wrongly",
        pairs(FOUND).count() - missed.len(),
        pairs(FOUND).count(),
        wrong.len(),
        pairs(NOT_FOUND).count()
    );
    assert_eq!(
        said, "167 of 167 found, 0 of 48 wrongly",
        "missed {missed:#?}, wrong {wrong:#?}"
    );
}

#[test]
fn a_name_in_characters_takes_few_tokens_more_than_its_own() {
    let more = |name: &str| super::written::other_words(name).len();
    assert!(more("张晓明") <= 4, "{}", more("张晓明"));
    assert_eq!(more("海洋天然产物药物全国重点实验室"), 0);
    assert_ne!(whole_name("张晓明"), whole_name("张晓红"));
}
