//! What people are shown to type runs as it is printed, under the name `vault`.
//!
//! Two things differ from print: the keys are those of a user that the cloud knows, and `config/root` names the cloud's
//! endpoint, as `$CLOUD`.

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use harness::{Cli, Moto};
use serde_json::{Value, json};

use crate::common::{AwsMount, server};

/// A person at a shell, with keys of a cloud's user.
struct Person {
    cli: Cli,
    moto: &'static Moto,
    /// The administrator whose keys they are.
    administrator: &'static str,
    keys: Value,
    /// The mount that pages name.
    mount: AwsMount,
    /// One person at a time: all pages name the same mount.
    _turn: MutexGuard<'static, ()>,
}

impl Person {
    fn new(administrator: &'static str) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (moto, api) = (Moto::shared(), server().api());
        moto.ask("iam", "create_user", json!({ "UserName": administrator })).unwrap();
        let made = moto.ask("iam", "create_access_key", json!({ "UserName": administrator })).unwrap();
        let (cli, mount) = (Cli::of(server()), AwsMount { api, path: "aws".to_owned() });
        Self { cli, moto, administrator, keys: made["AccessKey"].clone(), mount, _turn: turn }
    }

    fn users(&self) -> Vec<(String, String)> {
        self.mount.users(self.moto)
    }

    /// Runs a script as bash does, and answers what it printed.
    #[track_caller]
    fn types(&self, script: &str) -> String {
        let said = self.run(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(said.status.success(), "{script}\n{}{}", text(&said.stdout), text(&said.stderr));
        text(&said.stdout)
    }

    fn run(&self, script: &str) -> Output {
        let key = |name: &str| self.keys[name].as_str().expect("a key").to_owned();
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .env_clear()
            .env("HOME", self.cli.home())
            .env("PATH", format!("{}:/usr/bin:/bin", self.cli.home().display()))
            .env("VAULT_ADDR", server().url())
            .env("VAULT_TOKEN", server().root())
            .env("CLOUD", self.moto.url())
            .env("ACCESS_KEY", key("AccessKeyId"))
            .env("SECRET_KEY", key("SecretAccessKey"))
            .current_dir(self.cli.home())
            .output()
            .expect("bash runs")
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Whatever became of it: the next one finds nothing.
        let _ = self.mount.api.try_send("DELETE", "sys/mounts/aws", None);
    }
}

/// A value in a printed table.
#[track_caller]
fn value<'a>(table: &'a str, key: &str) -> &'a str {
    let line = table.lines().find_map(|line| line.strip_prefix(key).filter(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {key} in\n{table}")).trim()
}

#[test]
fn the_first_page_of_a_tour_runs() {
    let person = Person::new("tourist");
    let said = person.types("vault secrets enable -path=aws aws");
    assert_eq!(said.trim(), "Success! Enabled the aws secrets engine at: aws/");
    let said = person.types(
        r#"vault write aws/config/root \
    access_key=$ACCESS_KEY \
    secret_key=$SECRET_KEY \
    region=us-east-1 iam_endpoint=$CLOUD sts_endpoint=$CLOUD"#,
    );
    assert_eq!(said.trim(), "Success! Data written to: aws/config/root");
    let said = person.types(
        r#"vault write aws/roles/my-role \
        credential_type=iam_user \
        policy_document=-<<EOF
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Stmt1426528957000",
      "Effect": "Allow",
      "Action": [
        "ec2:*"
      ],
      "Resource": [
        "*"
      ]
    }
  ]
}
EOF"#,
    );
    assert_eq!(said.trim(), "Success! Data written to: aws/roles/my-role");
    let table = person.types("vault read aws/creds/my-role");
    let lease = value(&table, "lease_id");
    assert!(lease.starts_with("aws/creds/my-role/"), "{table}");
    assert_eq!((value(&table, "lease_duration"), value(&table, "lease_renewable")), ("768h", "true"));
    assert_eq!(value(&table, "security_token"), "<nil>");
    let keys = json!({
        "aws_access_key_id": value(&table, "access_key"), "aws_secret_access_key": value(&table, "secret_key"),
    });
    let who = person.moto.ask_as("sts", "get_caller_identity", json!({}), keys).unwrap();
    assert!(who["Arn"].as_str().unwrap().contains(":user/vault-"), "{who}");
    assert_eq!(person.users().len(), 1);
    person.types(&format!("vault lease renew {lease}"));
    let said = person.types(&format!("vault lease revoke {lease}"));
    assert_eq!(said.trim(), "All revocation operations queued successfully!");
    harness::wait_until("the user to go", || person.users().is_empty().then_some(()));
}

#[test]
fn the_help_of_every_path_is_there() {
    let person = Person::new("reader-of-help");
    person.types("vault secrets enable aws");
    let help = person.types("vault path-help aws");
    for path in ["config/root", "config/rotate-root", "config/lease", "roles", "creds", "sts"] {
        assert!(help.contains(path), "{path} is not in\n{help}");
    }
    let help = person.types("vault path-help aws/config/root");
    assert!(help.contains("access_key") && help.contains("secret_key"), "{help}");
    person.types("vault path-help aws/roles/my-role && vault path-help aws/creds/my-role");
}

#[test]
fn a_guide_of_all_types_runs() {
    let person = Person::new("guide");
    person.types("vault secrets enable aws");
    person.types(
        r#"vault write aws/config/root \
access_key="$ACCESS_KEY" \
secret_key="$SECRET_KEY" \
region="us-east-1" \
max_retries=3 iam_endpoint=$CLOUD sts_endpoint=$CLOUD
# Rotate the root keys so the original keys are no longer valid
vault write -f aws/config/rotate-root
# Configure the default lease TTL for AWS credentials
vault write aws/config/lease \
lease="1h" \
lease_max="24h"
# Create a role that generates IAM users with an inline policy
vault write aws/roles/s3-readonly \
credential_type="iam_user" \
policy_document=-<<'POLICY'
{
"Version": "2012-10-17",
"Statement": [
{
"Effect": "Allow",
"Action": [
"s3:GetObject",
"s3:GetObjectVersion",
"s3:ListBucket",
"s3:ListBucketVersions"
],
"Resource": [
"arn:aws:s3:::my-app-bucket",
"arn:aws:s3:::my-app-bucket/*"
]
}
]
}
POLICY
# Create a role using existing AWS managed policies
vault write aws/roles/ec2-admin \
credential_type="iam_user" \
policy_arns="arn:aws:iam::aws:policy/AmazonEC2FullAccess""#,
    );
    let held = person.moto.ask("iam", "list_access_keys", json!({ "UserName": person.administrator })).unwrap();
    assert_ne!(held["AccessKeyMetadata"][0]["AccessKeyId"], person.keys["AccessKeyId"], "the first key is gone");
    for role in ["s3-readonly", "ec2-admin"] {
        let table = person.types(&format!("vault read aws/creds/{role}"));
        assert_eq!(value(&table, "lease_duration"), "1h");
        value(&table, "access_key");
    }
    assert_eq!(person.users().len(), 2);
    person.types(
        r#"vault write aws/roles/deploy-role \
credential_type="assumed_role" \
role_arns="arn:aws:iam::123456789012:role/DeployRole" \
default_sts_ttl="1h" \
max_sts_ttl="4h"
# You can also scope down permissions with a policy
vault write aws/roles/deploy-role-scoped \
credential_type="assumed_role" \
role_arns="arn:aws:iam::123456789012:role/DeployRole" \
policy_document=-<<'POLICY'
{
"Version": "2012-10-17",
"Statement": [
{
"Effect": "Allow",
"Action": ["ecs:UpdateService", "ecs:DescribeServices"],
"Resource": "arn:aws:ecs:us-east-1:123456789012:service/prod/*"
}
]
}
POLICY
vault write aws/roles/ci-deploy \
credential_type="federation_token" \
policy_document=-<<'POLICY'
{
"Version": "2012-10-17",
"Statement": [
{
"Effect": "Allow",
"Action": [
"ecs:UpdateService",
"ecr:GetAuthorizationToken"
],
"Resource": "*"
}
]
}
POLICY"#,
    );
    for role in ["deploy-role", "deploy-role-scoped", "ci-deploy"] {
        let table = person.types(&format!("vault read aws/creds/{role}"));
        assert_ne!(value(&table, "security_token"), "<nil>");
    }
    // A pipeline reads fields, and gives the lease back early.
    let said: Value = serde_json::from_str(&person.types("vault read -format=json aws/creds/ci-deploy")).unwrap();
    assert!(said["data"]["access_key"].is_string() && said["data"]["security_token"].is_string(), "{said}");
    let lease = said["lease_id"].as_str().unwrap();
    let listed = person.types("vault list -format=json sys/leases/lookup/aws/creds/ci-deploy/");
    assert!(listed.contains(lease.rsplit('/').next().unwrap()), "{listed}");
    person.types(&format!("vault lease revoke \"{lease}\""));
    person.types("vault lease revoke -prefix aws/creds");
    harness::wait_until("the users to go", || person.users().is_empty().then_some(()));
}

#[test]
fn a_short_guide_runs() {
    let person = Person::new("short-guide");
    person.types(
        r#"vault secrets enable aws
vault write aws/config/root access_key=$ACCESS_KEY secret_key=$SECRET_KEY iam_endpoint=$CLOUD sts_endpoint=$CLOUD
vault write aws/roles/s3-reader \
  credential_type=assumed_role \
  role_arns=arn:aws:iam::123:role/s3-reader"#,
    );
    let table = person.types("vault read aws/sts/s3-reader ttl=15m");
    assert_eq!(value(&table, "lease_duration"), "15m");
    value(&table, "session_token");
}

#[test]
fn roles_of_the_old_kind_are_written_from_files() {
    let person = Person::new("old-hand");
    person.types(
        r#"vault secrets enable aws
vault write aws/config/root access_key=$ACCESS_KEY secret_key=$SECRET_KEY iam_endpoint=$CLOUD sts_endpoint=$CLOUD
vault write aws/config/lease lease=1h lease_max=24h
echo '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}' > support.json
vault write aws/roles/support policy=@support.json
vault write aws/roles/admin arn=arn:aws:iam::aws:policy/AmazonEC2FullAccess
vault read aws/roles/support"#,
    );
    let table = person.types("vault read aws/creds/support");
    assert_eq!(value(&table, "lease_duration"), "1h");
    person.types("vault read aws/creds/admin");
    assert!(!person.run("vault read aws/sts/admin").status.success(), "users are at creds/ only");
    person.types("vault lease revoke -prefix aws/");
    harness::wait_until("the users to go", || person.users().is_empty().then_some(()));
}
