//! Password policies: how long, of which characters, and how many of each.

use cofferdam_model::SecretText;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::document::decode;
use crate::hcl::{self, HclError};

const LENGTHS: std::ops::RangeInclusive<usize> = 4..=100;
/// More characters than any alphabet of passwords has.
const MAX_ALPHABET: usize = 4096;
/// With a chance of one in a thousand, all of these attempts fail once in 10^21.
const ATTEMPTS: usize = 50_000;

/// At least so many of these characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Sorted.
    charset: Vec<char>,
    min_chars: usize,
}

/// A policy. [`PasswordPolicy::default`] is used where none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    length: usize,
    /// Those that ask for a character at least.
    rules: Vec<Rule>,
    /// All characters of all rules, sorted, each once.
    alphabet: Vec<char>,
}

/// Why no password came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The rules hold for so few texts of the alphabet that none was found.
    #[error("no password that meets all rules was found in {ATTEMPTS} attempts: relax the policy")]
    Improbable,
    /// The operating system gave no random bytes.
    #[error("the operating system's random generator failed")]
    Random,
}

impl Default for PasswordPolicy {
    /// 20 letters, digits and dashes, at least one each of a small letter, a capital, a digit and a dash.
    fn default() -> Self {
        let rule = |charset: std::ops::RangeInclusive<char>| Rule { charset: charset.collect(), min_chars: 1 };
        Self::new(20, vec![rule('a'..='z'), rule('A'..='Z'), rule('0'..='9'), rule('-'..='-')])
    }
}

impl PasswordPolicy {
    fn new(length: usize, mut rules: Vec<Rule>) -> Self {
        let alphabet = sorted(rules.iter().flat_map(|rule| rule.charset.iter().copied()));
        rules.retain(|rule| rule.min_chars > 0);
        Self { length, rules, alphabet }
    }

    /// Reads `length = 20` and rules of the form `rule "charset" { charset = "…" min-chars = 1 }`, in HCL or JSON,
    /// possibly in base64.
    ///
    /// # Errors
    /// The first thing that is wrong with it, for the client. Whether passwords can be found at all shows
    /// [`PasswordPolicy::generate`].
    pub fn parse(text: &str) -> Result<Self, HclError> {
        let body = hcl::parse(&decode(text))?;
        body.known(&["length", "rule"])?;
        let item = body.item("length")?.ok_or_else(|| HclError::new(1, "length is required"))?;
        let length = usize::try_from(item.integer()?)
            .ok()
            .filter(|length| LENGTHS.contains(length))
            .ok_or_else(|| item.error(format!("must be between {} and {}", LENGTHS.start(), LENGTHS.end())))?;
        let rules = body.labelled("rule")?.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let policy = Self::new(length, rules);
        let needed: usize = policy.rules.iter().fold(0, |sum, rule| sum.saturating_add(rule.min_chars));
        if policy.alphabet.is_empty() {
            return Err(HclError::new(1, "at least one rule with a charset is required"));
        }
        if policy.alphabet.len() > MAX_ALPHABET {
            return Err(HclError::new(1, format!("more than {MAX_ALPHABET} different characters")));
        }
        if needed > length {
            return Err(item.error(format!("is {length}, but the rules ask for at least {needed} characters")));
        }
        Ok(policy)
    }

    /// A password: every text that meets the rules is equally likely.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn generate(&self) -> Result<SecretText, PasswordError> {
        let mut source = Draws::new(self.alphabet.len());
        // Reused for all attempts, so that no failed one is left behind in memory.
        let mut chars = zeroize::Zeroizing::new(vec!['\0'; self.length]);
        for _ in 0..ATTEMPTS {
            for place in chars.iter_mut() {
                *place = self.alphabet[source.next()?];
            }
            if self.admits(&chars) {
                let mut text = String::with_capacity(self.length * 4);
                text.extend(chars.iter());
                return Ok(SecretText::new(text));
            }
        }
        Err(PasswordError::Improbable)
    }

    fn admits(&self, chars: &[char]) -> bool {
        // Looks at no more characters than each rule needs: the rules are many at worst, and so are the attempts.
        self.rules.iter().all(|rule| {
            let meets = chars.iter().filter(|c| rule.charset.binary_search(c).is_ok());
            meets.take(rule.min_chars).count() == rule.min_chars
        })
    }
}

fn rule(block: &hcl::Block<'_>) -> Result<Rule, HclError> {
    if block.label != "charset" {
        return Err(HclError::new(block.line, format!("unknown rule {:?}: only \"charset\" is known", block.label)));
    }
    block.body.known(&["charset", "min-chars"])?;
    let missing = || HclError::new(block.line, "a charset rule needs a charset");
    let item = block.body.item("charset")?.ok_or_else(missing)?;
    let charset = sorted(item.text()?.chars());
    if charset.is_empty() {
        return Err(missing());
    }
    if charset.iter().any(|c| c.is_control()) {
        return Err(item.error("holds a character that cannot be printed"));
    }
    let min_chars = match block.body.item("min-chars")? {
        Some(item) => usize::try_from(item.integer()?).map_err(|_| item.error("must not be negative"))?,
        None => 0,
    };
    Ok(Rule { charset, min_chars })
}

fn sorted(chars: impl Iterator<Item = char>) -> Vec<char> {
    let mut out: Vec<char> = chars.collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// Uniform numbers below a bound, from the operating system, some hundred at a time.
struct Draws {
    bound: usize,
    /// Draws from here on are thrown away: they would make small numbers likelier.
    cut: usize,
    pool: zeroize::Zeroizing<[u8; 512]>,
    at: usize,
}

impl Draws {
    const RANGE: usize = 1 << 16;

    fn new(bound: usize) -> Self {
        let cut = Self::RANGE - Self::RANGE % bound.max(1);
        Self { bound: bound.max(1), cut, pool: zeroize::Zeroizing::new([0; 512]), at: 512 }
    }

    fn next(&mut self) -> Result<usize, PasswordError> {
        loop {
            if self.at >= self.pool.len() {
                OsRng.try_fill_bytes(&mut *self.pool).map_err(|_| PasswordError::Random)?;
                self.at = 0;
            }
            let draw = usize::from(u16::from_le_bytes([self.pool[self.at], self.pool[self.at + 1]]));
            self.at += 2;
            if draw < self.cut {
                return Ok(draw % self.bound);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"length = 12
rule "charset" { charset = "abcdef" min-chars = 1 }
rule "charset" { charset = "0123456789" min-chars = 3 }"#;

    #[test]
    fn passwords_meet_every_rule() -> Result<(), Box<dyn std::error::Error>> {
        let policy = PasswordPolicy::parse(POLICY)?;
        for _ in 0..200 {
            let password = policy.generate()?;
            let text = password.expose();
            assert_eq!(text.len(), 12);
            assert!(text.bytes().all(|b| matches!(b, b'a'..=b'f' | b'0'..=b'9')), "{text}");
            assert!(text.bytes().filter(u8::is_ascii_digit).count() >= 3, "{text}");
            assert!(text.bytes().any(|b| b.is_ascii_lowercase()), "{text}");
        }
        Ok(())
    }

    #[test]
    fn the_default_has_one_of_each() -> Result<(), PasswordError> {
        for _ in 0..200 {
            let password = PasswordPolicy::default().generate()?;
            let text = password.expose();
            assert_eq!(text.len(), 20);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
            for class in [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |b: &u8| *b == b'-'] {
                assert!(text.bytes().any(|b| class(&b)), "{text}");
            }
        }
        Ok(())
    }

    #[test]
    fn json_and_base64_say_the_same() -> Result<(), HclError> {
        use base64::Engine as _;
        let json = r#"{"length": 12, "rule": [{"charset": {"charset": "abcdef", "min-chars": 1}},
                       {"charset": {"charset": "0123456789", "min-chars": "3"}}]}"#;
        let base64 = base64::engine::general_purpose::STANDARD.encode(POLICY);
        assert_eq!(PasswordPolicy::parse(json)?, PasswordPolicy::parse(POLICY)?);
        assert_eq!(PasswordPolicy::parse(&base64)?, PasswordPolicy::parse(POLICY)?);
        Ok(())
    }

    #[test]
    fn bad_policies_are_refused() {
        for bad in [
            "",
            "length = 20",
            "length = 3\nrule \"charset\" { charset = \"abc\" }",
            "length = 101\nrule \"charset\" { charset = \"abc\" }",
            "length = 5\nrule \"charset\" { charset = \"abc\" min-chars = 6 }",
            "length = 5\nrule \"charset\" { charset = \"abc\" min-chars = 3 }\nrule \"charset\" { charset = \"d\" min-chars = 3 }",
            "length = 20\nrule \"rhyme\" { charset = \"abc\" }",
            "length = 20\nrule \"charset\" { charset = \"\" }",
            "length = 20\nrule \"charset\" { }",
            "length = 20\nrule \"charset\" { charset = \"a\\nb\" }",
            "length = 20\nrule \"charset\" { charset = \"abc\" min-chars = -1 }",
            "length = 20\nrule \"charset\" { charset = \"abc\" max-chars = 1 }",
            "length = 20\nrule { charset = \"abc\" }",
            "length = 20\ncolour = 1\nrule \"charset\" { charset = \"abc\" }",
            "rule \"charset\" { charset = \"abc\" }",
        ] {
            assert!(PasswordPolicy::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_improbable_ends() -> Result<(), HclError> {
        let letters: String = ('a'..='z').chain('A'..='Z').collect();
        let text = format!(
            "length = 40\nrule \"charset\" {{ charset = \"{letters}\" }}\nrule \"charset\" {{ charset = \"!\" min-chars = 40 }}"
        );
        assert_eq!(PasswordPolicy::parse(&text)?.generate(), Err(PasswordError::Improbable));
        Ok(())
    }

    #[test]
    fn rules_that_ask_for_nothing_cost_nothing() -> Result<(), HclError> {
        let idle = "rule \"charset\" { charset = \"abc\" }\n".repeat(10_000);
        let policy =
            PasswordPolicy::parse(&format!("length = 8\n{idle}rule \"charset\" {{ charset = \"1\" min-chars = 2 }}"))?;
        assert_eq!(policy.rules.len(), 1);
        assert_eq!(policy.alphabet, ['1', 'a', 'b', 'c']);
        Ok(())
    }

    #[test]
    fn draws_are_uniform() -> Result<(), PasswordError> {
        // A bound that does not divide the range: without the cut, and over many draws, the ends would differ.
        let mut draws = Draws::new(40_000);
        assert_eq!(draws.cut, 40_000);
        let low = (0..20_000).map(|_| draws.next()).collect::<Result<Vec<_>, _>>()?;
        let below = low.iter().filter(|n| **n < 20_000).count();
        assert!((9_000..11_000).contains(&below), "{below} of 20000");
        Ok(())
    }
}
