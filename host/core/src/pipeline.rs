//! One request from end to end: authenticate → route → authorize → call → answer.

use std::sync::Arc;

use cofferdam_model::{Error, ErrorKind, Operation, Request, Response, Result};
use cofferdam_tokens::Token;

use crate::core::Core;
use crate::dispatch::{self, Asked};
use crate::native;
use crate::vault::Vault;

/// Answers a request of an unsealed server.
pub(crate) async fn run(core: &Arc<Core>, vault: &Arc<Vault>, request: Request) -> Result<Response> {
    let _serving = vault.serve().await;
    if vault.is_closed() {
        // It was sealed while this request waited.
        return Err(Error::new(ErrorKind::Sealed, "Vault is sealed"));
    }
    let routed = vault.mounts.route(&request.path);
    if let Some((mount, rest)) = &routed
        && let Some(answer) = native::unauthenticated(core, vault, &request, mount, rest).await
    {
        return answer;
    }
    let token = take_use(vault, authenticate(vault, &request).await?).await?;
    let result = serve(core, vault, &request, routed, token.clone()).await;
    if token.uses_left == Some(1) {
        crate::reaper::revoke_tree(vault, token.digest.clone(), false).await?;
    }
    result
}

/// The valid token of the request.
pub(crate) async fn authenticate(vault: &Vault, request: &Request) -> Result<Arc<Token>> {
    let Some(text) = request.token.as_ref().filter(|t| !t.expose().is_empty()) else {
        return Err(Error::bad_token());
    };
    vault.tokens.lookup(text.expose()).await?.ok_or_else(Error::bad_token)
}

/// Takes a use before anything else, whether the request will be allowed or not; the last one ends the token. Answers
/// the token with the uses that it had, this one included: others may have taken theirs since it was read.
async fn take_use(vault: &Vault, token: Arc<Token>) -> Result<Arc<Token>> {
    if token.uses_left.is_none() {
        return Ok(token);
    }
    if !vault.tokens.use_one(&token.digest).await? {
        return Err(Error::bad_token());
    }
    let now = vault.tokens.find(&token.digest).await?.ok_or_else(Error::bad_token)?;
    Ok(Arc::new(Token { uses_left: now.uses_left.map(|left| left + 1), ..Token::clone(&token) }))
}

async fn serve(
    core: &Arc<Core>,
    vault: &Arc<Vault>,
    request: &Request,
    routed: Option<(Arc<crate::mounts::MountEntry>, &str)>,
    token: Arc<Token>,
) -> Result<Response> {
    let acl = vault.acls.of(&token.record.policies, &vault.policies, vault.clock.now()).await?;
    let Some((mount, rest)) = routed else {
        // Routes show themselves only to those who may use them.
        native::allow(&acl, request, false)?;
        return Err(Error::new(
            ErrorKind::UnsupportedPath,
            format!("no handler for route {:?}. route entry not found.", request.path),
        ));
    };
    if request.wrap_ttl.is_some_and(|ttl| ttl > 0) {
        native::allow(&acl, request, false)?;
        return Err(Error::invalid("response wrapping (X-Vault-Wrap-TTL) is not available on this server"));
    }
    let kind = mount.kind.clone();
    let asked = Asked { request, mount, rest, token, acl };
    let mut response = if request.operation == Operation::Help {
        native::help(vault, &asked).await?
    } else if asked.mount.is_builtin() {
        native::dispatch(core, vault, &asked).await?
    } else {
        dispatch::engine(vault, asked).await?
    };
    response.mount_type = Some(kind);
    Ok(response)
}
