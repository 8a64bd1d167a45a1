//! The language in which the command line says what is wrong with rows.

use std::env;
use std::error::Error;

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Chinese, with the English words behind
    Zh,
    /// English
    #[default]
    En,
}

impl Lang {
    /// The one that was asked for, else that of the system (`LC_ALL`, `LC_MESSAGES`, `LANG`).
    #[expect(clippy::disallowed_methods, reason = "the language of whoever asks stands there")]
    pub fn of(asked: Option<Lang>) -> Lang {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let system = || set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
        asked.unwrap_or_else(|| Lang::of_locale(&system().unwrap_or_default()))
    }

    fn of_locale(locale: &str) -> Lang {
        if locale.to_ascii_lowercase().starts_with("zh") {
            Lang::Zh
        } else {
            Lang::En
        }
    }

    /// An error with all its causes, in one line.
    pub fn told(self, error: &anyhow::Error) -> String {
        let cause = |cause: &(dyn Error + 'static)| match (self, cause.downcast_ref::<mingce_mapping::Error>()) {
            (Lang::Zh, Some(error)) => error.chinese(),
            _ => cause.to_string(),
        };
        let causes: Vec<String> = error.chain().map(cause).collect();
        causes.join(self.choose("：", ": "))
    }

    /// The one of two texts that is in this language.
    pub fn choose<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_system_gets_chinese_and_others_english() {
        for (locale, expected) in [
            ("zh_CN.UTF-8", Lang::Zh),
            ("zh-Hans", Lang::Zh),
            ("C.UTF-8", Lang::En),
            ("en_GB.UTF-8", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::of_locale(locale), expected, "{locale}");
        }
        assert_eq!(Lang::of(Some(Lang::Zh)), Lang::Zh);
    }
}
