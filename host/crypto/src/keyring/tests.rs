//! Tests of the keyring.

use super::*;

const NOW: Timestamp = Timestamp(1_000);

#[test]
fn opens_what_it_sealed_for_the_same_place_only() -> Result<()> {
    let ring = Keyring::new(NOW);
    let place = aad("entries", "mount", "a/b");
    let sealed = ring.seal(&place, b"secret")?;
    assert_eq!(&*ring.open(&place, &sealed)?, b"secret");
    assert_ne!(sealed, ring.seal(&place, b"secret")?, "a nonce is never used twice");
    for other in [aad("leases", "mount", "a/b"), aad("entries", "other", "a/b"), aad("entries", "mount", "a/c")] {
        assert_eq!(ring.open(&other, &sealed), Err(CryptoError::Unauthentic));
    }
    Ok(())
}

#[test]
fn every_changed_bit_is_noticed() -> Result<()> {
    let ring = Keyring::new(NOW);
    let sealed = ring.seal(b"place", b"secret")?;
    for i in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[i / 8] ^= 1 << (i % 8);
        assert!(ring.open(b"place", &changed).is_err(), "bit {i}");
    }
    for len in 0..sealed.len() {
        assert!(ring.open(b"place", &sealed[..len]).is_err(), "{len} bytes");
    }
    Ok(())
}

#[test]
fn rotation_keeps_old_terms_and_derived_keys() -> Result<()> {
    let first = Keyring::new(NOW);
    let old = first.seal(b"", b"old")?;
    let second = first.rotated(Timestamp(2_000));
    let new = second.seal(b"", b"new")?;
    assert_eq!((term_of(&old)?, term_of(&new)?), (1, 2));
    assert_eq!(&*second.open(b"", &old)?, b"old");
    assert_eq!(&*second.open(b"", &new)?, b"new");
    assert_eq!(first.open(b"", &new), Err(CryptoError::UnknownTerm(2)));
    assert_eq!(first.derive("tokens"), second.derive("tokens"));
    assert_ne!(first.derive("tokens"), Keyring::new(NOW).derive("tokens"));
    assert_eq!(second.info(), TermInfo { term: 2, install_time: Timestamp(2_000), encryptions: 1 });
    Ok(())
}

#[test]
fn wraps_and_unwraps_with_its_count() -> Result<()> {
    let root = Key::random();
    let ring = Keyring::new(NOW).rotated(Timestamp(2_000)).rotated(Timestamp(3_000));
    let sealed = ring.seal(b"x", b"text")?;
    let blob = ring.wrap(&root)?;
    let again = Keyring::unwrap(&root, &blob)?;
    assert_eq!(again.info(), ring.info());
    assert_eq!(&*again.open(b"x", &sealed)?, b"text");
    assert_eq!(again.derive("p"), ring.derive("p"));
    assert_eq!(Keyring::unwrap(&Key::random(), &blob).err(), Some(CryptoError::Unauthentic));
    assert_eq!(Keyring::unwrap(&root, &blob[..blob.len() - 1]).err(), Some(CryptoError::Unauthentic));
    assert_eq!(Keyring::unwrap(&root, &[]).err(), Some(CryptoError::Format));
    Ok(())
}

#[test]
fn a_used_up_key_refuses() -> Result<()> {
    let ring = Keyring::new(NOW);
    ring.set_base(HARD_LIMIT - 1);
    let last = ring.seal(b"", b"")?;
    assert_eq!(ring.seal(b"", b""), Err(CryptoError::Exhausted));
    ring.set_base(3);
    assert!(ring.encryptions() > HARD_LIMIT, "a count is never lowered");
    assert!(ring.open(b"", &last).is_ok());
    assert!(ring.rotated(NOW).seal(b"", b"").is_ok());
    Ok(())
}

#[test]
fn associated_data_is_unambiguous() {
    assert_ne!(aad("a", "bc", "d"), aad("ab", "c", "d"));
    assert_ne!(aad("a", "", "b"), aad("", "a", "b"));
    assert_ne!(aad_of(&[b"a", b"b"]), aad_of(&[b"a", b"b", b""]));
    assert_eq!(aad("t", "o", "k"), aad_of(&[b"t", b"o", b"k"]));
}

#[test]
fn says_nothing_of_its_keys() {
    assert_eq!(format!("{:?}", Keyring::new(NOW)), "Keyring(term 1)");
}
