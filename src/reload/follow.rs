//! The task that keeps the rules in step with the upstream's schema, for as long as the process lives.

use std::sync::Arc;
use std::time::Duration;

use crate::reload::{Live, Refresh};

/// Between two looks at the upstream's schema. A table made in between does not exist for clients until then.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);
/// Between attempts while there are no rules yet: doubled from the first to the last.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Never ends.
pub async fn follow(live: Arc<Live>) {
    let mut retry = RETRY_MIN;
    // One line in the log when the upstream goes and one when it comes back, not one for each look.
    let mut reached = true;
    loop {
        let pause = match live.refresh_catalog().await {
            Ok(outcome) => {
                if !reached {
                    tracing::info!("upstream usable again");
                }
                reached = true;
                report(&outcome);
                REFRESH_INTERVAL
            }
            Err(error) => {
                if reached {
                    tracing::error!(%error, "upstream not usable, trying again");
                } else {
                    tracing::debug!(%error, "upstream still not usable");
                }
                reached = false;
                let pause = if live.health().is_started() { REFRESH_INTERVAL } else { retry };
                retry = (retry * 2).min(RETRY_MAX);
                pause
            }
        };
        live.refresh_homes().await;
        tokio::time::sleep(pause).await;
    }
}

/// Tells the log.
pub fn report(outcome: &Refresh) {
    match outcome {
        Refresh::Unchanged => {}
        Refresh::Swapped { version } => tracing::info!(version, "rules made for the upstream's schema as it is now"),
        Refresh::Degraded { version, misfit } => {
            tracing::error!(
                version,
                misfit = %misfit,
                "the upstream's schema changed and the policy does not fit it: what it names there is unreachable now"
            );
        }
        Refresh::Kept(error) => tracing::error!(%error, "no rules for the upstream's schema as it is now"),
    }
}
