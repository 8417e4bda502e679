//! The SCRAM-SHA-256 verifier of a password: with it, the server never sees the password itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// As PostgreSQL's own `scram_iterations`.
const ITERATIONS: u32 = 4096;

/// Makes the text that PostgreSQL stores.
///
/// # Errors
/// `InvalidLength` never happens: HMAC takes keys of any length.
pub(crate) fn verifier(password: &str, salt: &[u8; 16]) -> Result<String, hmac::digest::InvalidLength> {
    // A password that cannot be prepared is taken as it is, by the server too.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let salted = salted_password(prepared.as_bytes(), salt)?;
    let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"])?);
    let server_key = hmac(&salted, &[b"Server Key"])?;
    Ok(format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    ))
}

/// RFC 5802's `Hi`: PBKDF2 with one block. The key is prepared once for all rounds.
fn salted_password(password: &[u8], salt: &[u8]) -> Result<[u8; 32], hmac::digest::InvalidLength> {
    let keyed = Hmac::<Sha256>::new_from_slice(password)?;
    let mut last = finish(keyed.clone(), &[salt, &1_u32.to_be_bytes()]);
    let mut salted = last;
    for _ in 1..ITERATIONS {
        last = finish(keyed.clone(), &[&last]);
        salted.iter_mut().zip(last).for_each(|(byte, other)| *byte ^= other);
    }
    Ok(salted)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32], hmac::digest::InvalidLength> {
    Ok(finish(Hmac::new_from_slice(key)?, parts))
}

fn finish(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3: its client proof follows from the stored key.
    #[test]
    fn agrees_with_the_standard() {
        let salt: [u8; 16] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let text = verifier("pencil", &salt).unwrap();
        let (head, keys) = text.rsplit_once('$').unwrap();
        assert_eq!(head, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        let stored_key = STANDARD.decode(keys.split_once(':').unwrap().0).unwrap();

        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac(&stored_key, &[message.as_bytes()]).unwrap();
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(byte, other)| byte ^ other).collect();
        assert_eq!(Sha256::digest(client_key).to_vec(), stored_key);
    }
}
