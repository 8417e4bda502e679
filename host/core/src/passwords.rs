//! Password policies at rest.

use cofferdam_acl::PasswordPolicy;
use cofferdam_model::{Error, Result, SecretText};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Op};

use crate::spaces;

/// The store of password policies.
#[derive(Clone)]
pub(crate) struct Passwords {
    storage: Storage,
}

impl Passwords {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    pub(crate) async fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(entry) = self.storage.entry(spaces::PASSWORDS, name).await? else { return Ok(None) };
        String::from_utf8(entry.value)
            .map(Some)
            .map_err(|_| Error::internal(format!("password policy {name}: its text does not read")))
    }

    pub(crate) async fn put(&self, name: &str, text: &str) -> Result<()> {
        let text = cofferdam_acl::document::decode(text);
        let policy =
            PasswordPolicy::parse(&text).map_err(|e| Error::invalid(format!("invalid password policy: {e}")))?;
        policy.generate().map_err(|e| Error::invalid(format!("unable to generate a password from it: {e}")))?;
        let (space, key) = (spaces::PASSWORDS.to_owned(), name.to_owned());
        let op = Op::PutEntry { space, key, value: text.into_owned().into_bytes() };
        self.storage.apply(Batch { checks: Vec::new(), ops: vec![op] }).await.map(|_| ())
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let op = Op::DeleteEntry { space: spaces::PASSWORDS.to_owned(), key: name.to_owned() };
        self.storage.apply(Batch { checks: Vec::new(), ops: vec![op] }).await.map(|_| ())
    }

    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        self.storage.names(spaces::PASSWORDS, "", None, 10_000).await
    }

    /// A password by the named policy, or by the default one.
    pub(crate) async fn generate(&self, name: Option<&str>) -> Result<SecretText, String> {
        let policy = match name {
            None | Some("") => PasswordPolicy::default(),
            Some(name) => {
                let text = self.text(name).await.map_err(|e| e.messages.join("; "))?;
                let text = text.ok_or_else(|| format!("password policy {name:?} does not exist"))?;
                PasswordPolicy::parse(&text).map_err(|e| e.to_string())?
            }
        };
        policy.generate().map_err(|e| e.to_string())
    }
}
