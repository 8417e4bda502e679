//! Ends users: locked out first, then stripped, then deleted. Can be repeated from wherever it stopped.

use engine_sdk::types::Cause;

use super::keys::{deactivate_key, gone, who};
use super::user::{STAMP, find_user};
use super::{Client, Error, delete_key, keys_of};

/// What takes every right away while the user is still there.
const DENY_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
const DENY_ALL_NAME: &str = "cofferdam-revoked";

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Removed,
    Absent,
}

/// How the user that may be ended is known.
pub(crate) struct Ours<'a> {
    pub(crate) stamp: &'a str,
    /// The user's unique id, if it was seen to be made.
    pub(crate) id: Option<&'a str>,
    /// The account that it lives in, if it was seen to be made.
    pub(crate) account: Option<&'a str>,
    /// A key of the user that makes users, as it was when this one was planned.
    pub(crate) planned_with: &'a str,
    /// The same as it is now.
    pub(crate) signed_with: &'a str,
}

/// Ends a user and everything that it can do.
pub(crate) async fn end_user(client: &Client, name: &str, ours: &Ours<'_>) -> Result<Ended, Error> {
    let Some(user) = find_user(client, name).await? else {
        same_account(client, ours).await?;
        return Ok(Ended::Absent);
    };
    let stamped = user.tags().iter().any(|tag| tag.key() == STAMP && tag.value() == ours.stamp);
    if !stamped && ours.id != Some(user.user_id()) {
        return Err(Error::ours(Cause::Conflict, "GetUser", format!("the user {name:?} is not the one that was made")));
    }
    Ending { client, name, denied: None }.run().await?;
    Ok(Ended::Removed)
}

/// That there is no such user counts only in the account in which it was to be.
async fn same_account(client: &Client, ours: &Ours<'_>) -> Result<(), Error> {
    let then = match ours.account {
        Some(account) => account.to_owned(),
        None if ours.planned_with == ours.signed_with => return Ok(()),
        None => account_of_key(client, ours.planned_with).await?,
    };
    let now = who(client).await?.account;
    if now == then {
        return Ok(());
    }
    let message = format!("the user was made in the account {then}, and the configured keys are of {now}");
    Err(Error::ours(Cause::Conflict, "GetCallerIdentity", message))
}

/// STS tells the account of any key, be it deleted or not.
async fn account_of_key(client: &Client, id: &str) -> Result<String, Error> {
    let asked = client.sts(async |sts| {
        sts.get_access_key_info().access_key_id(id).send().await.map_err(Error::of("GetAccessKeyInfo"))
    });
    asked.await?.account.ok_or_else(|| Error::ours(Cause::Internal, "GetAccessKeyInfo", "no account"))
}

/// A user on its way out.
struct Ending<'a> {
    client: &'a Client,
    name: &'a str,
    /// What we were not allowed to do first. It matters only if the user cannot be deleted then.
    denied: Option<Error>,
}

impl Ending<'_> {
    async fn run(mut self) -> Result<(), Error> {
        let keys = keys_of(self.client, Some(self.name)).await;
        let keys = self.enough(keys)?.unwrap_or_default();
        self.lock_out(&keys).await?;
        self.strip().await?;
        for key in &keys {
            delete_key(self.client, Some(self.name), key).await?;
        }
        match self.delete().await {
            // Somebody gave it more than we do.
            Err(error) if error.cause == Cause::Dependent => {}
            result => return result,
        }
        self.strip_rest().await?;
        let deleted = self.delete().await;
        match (deleted, self.denied) {
            (Err(error), Some(denied)) => {
                let message = format!("{error}; not allowed: {denied}");
                Err(Error::ours(error.cause, "DeleteUser", message))
            }
            (result, _) => result,
        }
    }

    /// Goes on where AWS denies a step that may not be needed.
    fn enough<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) if error.cause == Cause::Denied => {
                self.denied.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// From here on the user can do nothing, whatever becomes of the rest.
    async fn lock_out(&mut self, keys: &[String]) -> Result<(), Error> {
        for key in keys {
            let locked = deactivate_key(self.client, Some(self.name), key).await;
            self.enough(locked)?;
        }
        let put = self.client.iam.put_user_policy().user_name(self.name).policy_name(DENY_ALL_NAME);
        let put = put.policy_document(DENY_ALL).send().await.map_err(Error::of("PutUserPolicy"));
        self.enough(put)?;
        Ok(())
    }

    /// Takes away what we give.
    async fn strip(&mut self) -> Result<(), Error> {
        let (iam, name) = (&self.client.iam, self.name);
        let attached = iam.list_attached_user_policies().user_name(name).into_paginator().items().send();
        let attached = attached.try_collect().await.map_err(Error::of("ListAttachedUserPolicies"));
        for arn in self.enough(attached)?.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn) {
            let request = iam.detach_user_policy().user_name(name).policy_arn(arn);
            gone(request.send().await.map(drop).map_err(Error::of("DetachUserPolicy")))?;
        }
        let groups = iam.list_groups_for_user().user_name(name).into_paginator().items().send();
        let groups = groups.try_collect().await.map_err(Error::of("ListGroupsForUser"));
        for group in self.enough(groups)?.unwrap_or_default() {
            let request = iam.remove_user_from_group().user_name(name).group_name(group.group_name);
            gone(request.send().await.map(drop).map_err(Error::of("RemoveUserFromGroup")))?;
        }
        Ok(())
    }

    /// Takes away what others may have added: passwords, devices, certificates, other credentials.
    async fn strip_rest(&mut self) -> Result<(), Error> {
        let (iam, name) = (&self.client.iam, self.name);
        let profile = iam.delete_login_profile().user_name(name).send().await.map_err(Error::of("DeleteLoginProfile"));
        self.enough(profile)?;
        let devices = iam.list_mfa_devices().user_name(name).into_paginator().items().send();
        let devices = devices.try_collect().await.map_err(Error::of("ListMFADevices"));
        for device in self.enough(devices)?.unwrap_or_default() {
            let serial = device.serial_number;
            let request = iam.deactivate_mfa_device().user_name(name).serial_number(&serial);
            gone(request.send().await.map(drop).map_err(Error::of("DeactivateMFADevice")))?;
            if serial.contains(":mfa/") {
                let request = iam.delete_virtual_mfa_device().serial_number(serial);
                let deleted = request.send().await.map_err(Error::of("DeleteVirtualMFADevice"));
                self.enough(deleted)?;
            }
        }
        let certificates = iam.list_signing_certificates().user_name(name).into_paginator().items().send();
        let certificates = certificates.try_collect().await.map_err(Error::of("ListSigningCertificates"));
        for certificate in self.enough(certificates)?.unwrap_or_default() {
            let request = iam.delete_signing_certificate().user_name(name).certificate_id(certificate.certificate_id);
            gone(request.send().await.map(drop).map_err(Error::of("DeleteSigningCertificate")))?;
        }
        let keys = iam.list_ssh_public_keys().user_name(name).into_paginator().items().send();
        let keys = keys.try_collect().await.map_err(Error::of("ListSSHPublicKeys"));
        for key in self.enough(keys)?.unwrap_or_default() {
            let request = iam.delete_ssh_public_key().user_name(name).ssh_public_key_id(key.ssh_public_key_id);
            gone(request.send().await.map(drop).map_err(Error::of("DeleteSSHPublicKey")))?;
        }
        let others = iam.list_service_specific_credentials().user_name(name).send().await;
        let others = self.enough(others.map_err(Error::of("ListServiceSpecificCredentials")))?;
        for other in others.and_then(|listed| listed.service_specific_credentials).unwrap_or_default() {
            let id = other.service_specific_credential_id;
            let request = iam.delete_service_specific_credential().user_name(name).service_specific_credential_id(id);
            gone(request.send().await.map(drop).map_err(Error::of("DeleteServiceSpecificCredential")))?;
        }
        Ok(())
    }

    /// Deletes the inline policies, the one that denies all last, and the user.
    async fn delete(&mut self) -> Result<(), Error> {
        let (iam, name) = (&self.client.iam, self.name);
        let policies = iam.list_user_policies().user_name(name).into_paginator().items().send();
        let policies = policies.try_collect().await.map_err(Error::of("ListUserPolicies"));
        let mut policies = self.enough(policies)?.unwrap_or_default();
        policies.sort_by_key(|policy| policy == DENY_ALL_NAME);
        for policy in policies {
            let request = iam.delete_user_policy().user_name(name).policy_name(policy);
            gone(request.send().await.map(drop).map_err(Error::of("DeleteUserPolicy")))?;
        }
        gone(iam.delete_user().user_name(name).send().await.map(drop).map_err(Error::of("DeleteUser")))
    }
}
