//! What a configuration may put into a host name that a policy completes: a part of one label, never a dot.

use serde::Deserialize;

/// How a parameter is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// A cloud's region: words of lower-case letters, and a number (`eu-west-1`, `us-gov-east-1`).
    Region,
}

impl Word {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(self, text: &str) -> Result<(), &'static str> {
        match self {
            Self::Region => is_region(text).then_some(()).ok_or("is no region, such as us-east-1"),
        }
    }
}

fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && words.contains('-')
        && words.split('-').all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        for good in
            ["us-east-1", "eu-central-2", "us-gov-west-1", "cn-northwest-1", "us-isob-east-1", "ap-southeast-12"]
        {
            assert_eq!(Word::Region.check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "us",
            "us-east",
            "east-1",
            "us-east-",
            "us-east-100",
            "us--1",
            "-us-east-1",
            "US-east-1",
            "us-east-1.evil.example",
            "us-east-1/",
            "us-east-1@evil",
            "us_east_1",
            "us-e4st-1",
            "us-east-1\n",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-b-1",
        ] {
            assert!(Word::Region.check(bad).is_err(), "{bad}");
        }
    }
}
