//! Makes users with the SDK alone, natively, as the engine makes them in its compartment: what the compartment costs is
//! measured against this. `raw URL THREADS USERS` prints the seconds that it took.

#[cfg(not(target_arch = "wasm32"))]
#[path = "../src/client/transport/native.rs"]
mod transport;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    raw::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod raw {
    use std::thread;
    use std::time::Instant;

    use aws_credential_types::Credentials;
    use aws_sdk_iam::Client;
    use aws_sdk_iam::config::{Config, Region, StalledStreamProtectionConfig};
    use aws_sdk_iam::types::Tag;

    use crate::transport;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}"#;

    pub(crate) fn main() -> Outcome {
        let [_, url, threads, users] = <[String; 4]>::try_from(std::env::args().collect::<Vec<_>>())
            .map_err(|_| "usage: raw URL THREADS USERS")?;
        let (threads, users): (usize, usize) = (threads.parse()?, users.parse()?);
        let begun = Instant::now();
        let failed = thread::scope(|scope| {
            let work = |at: usize| {
                let url = &url;
                scope.spawn(move || transport::run(make(url, at, users / threads)).is_err())
            };
            let workers: Vec<_> = (0..threads).map(work).collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).any(|failed| failed)
        });
        if failed {
            return Err("a user could not be made".into());
        }
        say(begun.elapsed().as_secs_f64());
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "what it prints is its answer")]
    fn say(seconds: f64) {
        println!("{seconds}");
    }

    async fn make(url: &str, thread: usize, users: usize) -> Outcome {
        for user in 0..users {
            // As in a compartment: a client for each credential.
            let config = Config::builder()
                .region(Region::from_static("us-east-1"))
                .endpoint_url(url)
                .credentials_provider(Credentials::new("AKIARAW", "raw", None, None, "raw"))
                .http_client(transport::http())
                // It would sleep this thread.
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .sleep_impl(transport::Sleep);
            let client = Client::from_conf(config.build());
            let name = format!("raw-{}-{thread}-{user}", std::process::id());
            let tag = Tag::builder().key("cofferdam").value("raw").build()?;
            client.create_user().user_name(&name).tags(tag).send().await?;
            client.put_user_policy().user_name(&name).policy_name("raw").policy_document(POLICY).send().await?;
            client.create_access_key().user_name(&name).send().await?;
        }
        Ok(())
    }
}
