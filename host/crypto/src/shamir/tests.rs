//! Tests of splitting and combining.

use super::*;
use crate::Keyring;
use cofferdam_model::Timestamp;

#[test]
fn any_threshold_of_the_shares_will_do() -> Result<()> {
    for shares in 2..=7u8 {
        for threshold in 2..=shares {
            let key = Key::random();
            let all = split(&key, shares, threshold)?;
            assert_eq!(all.len(), usize::from(shares));
            // Every subset, as the bits of a number.
            for subset in 0u32..1 << shares {
                let some: Vec<_> =
                    all.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, s)| s.clone()).collect();
                match combine(&some, threshold) {
                    Ok(found) => assert_eq!(found, key, "{threshold} of {shares}, subset {subset:b}"),
                    Err(_) => assert!(some.len() < usize::from(threshold), "{threshold} of {shares}, {subset:b}"),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_largest_split_works_in_any_order() -> Result<()> {
    let key = Key::random();
    let mut all = split(&key, 255, 255)?;
    all.reverse();
    assert_eq!(combine(&all, 255)?, key);
    Ok(())
}

#[test]
fn one_share_is_the_key() -> Result<()> {
    let key = Key::random();
    let all = split(&key, 1, 1)?;
    assert_eq!(all[0].as_slice(), key.expose());
    assert_eq!(combine(&all, 1)?, key);
    assert!(combine(&[all[0].clone(), all[0].clone()], 1).is_err());
    Ok(())
}

#[test]
fn impossible_splits_are_refused() {
    for (shares, threshold) in [(0, 0), (0, 1), (1, 0), (1, 2), (3, 4), (2, 1), (255, 1)] {
        assert!(matches!(check(shares, threshold), Err(CryptoError::Shares(_))), "{threshold} of {shares}");
    }
}

#[test]
fn malformed_and_repeated_shares_are_refused() -> Result<()> {
    let all = split(&Key::random(), 3, 2)?;
    assert!(combine(&[all[0].clone(), all[0].clone()], 2).is_err());
    assert!(combine(&all[..1], 2).is_err());
    let short = Zeroizing::new(all[1][..32].to_vec());
    assert!(combine(&[all[0].clone(), short], 2).is_err());
    let mut zero = all[1].clone();
    zero[0] = 0;
    assert!(combine(&[all[0].clone(), zero], 2).is_err());
    Ok(())
}

#[test]
fn a_wrong_share_is_found_out_by_the_keyring() -> Result<()> {
    let root = Key::random();
    let blob = Keyring::new(Timestamp(0)).wrap(&root)?;
    let mut all = split(&root, 5, 3)?;
    assert!(Keyring::unwrap(&combine(&all[..3], 3)?, &blob).is_ok());
    all[1][5] ^= 1;
    assert_eq!(Keyring::unwrap(&combine(&all[..3], 3)?, &blob).err(), Some(CryptoError::Unauthentic));
    let other = split(&Key::random(), 5, 3)?;
    let mixed = [all[0].clone(), all[2].clone(), other[3].clone()];
    assert_eq!(Keyring::unwrap(&combine(&mixed, 3)?, &blob).err(), Some(CryptoError::Unauthentic));
    Ok(())
}

#[test]
fn shares_are_read_in_both_forms() -> Result<()> {
    for _ in 0..64 {
        for share in split(&Key::random(), 2, 2)?.iter().chain(&split(&Key::random(), 1, 1)?) {
            assert_eq!(&parse_share(&to_hex(share))?, share);
            assert_eq!(&parse_share(&to_hex(share).to_uppercase())?, share);
            assert_eq!(&parse_share(&to_base64(share))?, share);
        }
    }
    Ok(())
}

#[test]
fn hex_that_is_no_share_is_read_as_base64() -> Result<()> {
    // 44 characters that are hex as well as base64: 22 bytes the one way, 33 the other.
    let text = "abcd".repeat(11);
    assert_eq!(parse_share(&text)?.len(), 33);
    for bad in ["", "  ", "not base64!", "YQ==", "abcd", &"00".repeat(34), &"00".repeat(31)] {
        assert!(parse_share(bad).is_err(), "{bad}");
    }
    Ok(())
}
