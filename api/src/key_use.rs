//! When API keys were used last: noted at most once an hour each, beside the request.
//!
//! Owns the decision whether a use is worth a command at all, so that a key used a thousand times
//! a second writes once. The service principal decides the same from its stream, which is what
//! counts where several processes see one key.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use commands::{Caller, Context, organization::service_principal::RecordKeyUse};
use domain::{
    kernel::{TenantId, Timestamp},
    organization::{ApiKeyId, ServicePrincipalId, service_principal::USE_RECORDED_EVERY},
};
use eventstore::CommandKey;
use lru::LruCache;

use crate::{app::App, clock::mint, context::RequestContext};

/// The uses this process has noted, the latest of each key.
#[derive(Debug)]
pub struct KeyUses(Mutex<LruCache<ApiKeyId, Timestamp>>);

impl KeyUses {
    /// Remembers at most so many keys; one that was forgotten is noted once more.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// Whether a use is worth noting. If so, it counts as noted.
    fn is_due(&self, key: ApiKeyId, now: Timestamp) -> bool {
        let mut noted = self.lock();
        let since = |last: &Timestamp| now.signed_duration_since(*last);
        let is_due = noted.get(&key).is_none_or(|last| since(last) >= USE_RECORDED_EVERY);
        if is_due {
            noted.put(key, now);
        }
        is_due
    }

    fn forget(&self, key: ApiKeyId) {
        self.lock().pop(&key);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<ApiKeyId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a key was used, if that is worth it. The request does not wait for it.
pub(crate) fn note(
    app: &App,
    caller: &Caller,
    (service_principal_id, api_key_id): (ServicePrincipalId, ApiKeyId),
    request: &RequestContext,
    now: Timestamp,
) {
    if !app.key_uses.is_due(api_key_id, now) {
        return;
    }
    let context = Context {
        store: app.store.clone(),
        caller: caller.clone(),
        now,
        command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
        correlation_id: request.correlation_id(),
        causation_id: None,
        request: Some(request.info()),
    };
    let ip = Some(request.client().to_string());
    let case = RecordKeyUse { service_principal_id, api_key_id, ip };
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(fault) = commands::execute(&context, &case).await {
            tracing::debug!(%api_key_id, cause = %fault, "the use of a key was not noted");
            app.key_uses.forget(api_key_id);
        }
    });
}

#[cfg(test)]
mod tests {
    use domain::kernel::testing::at;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_use_speaks_for_an_hour() {
        let uses = KeyUses::new(NonZeroUsize::MIN);
        let key = |number| ApiKeyId::from_uuid(Uuid::from_u128(number));
        assert!(uses.is_due(key(1), at(0)));
        assert!(!uses.is_due(key(1), at(3_599)));
        assert!(uses.is_due(key(1), at(3_600)));
        uses.forget(key(1));
        assert!(uses.is_due(key(1), at(3_601)));
        assert!(uses.is_due(key(2), at(3_601)));
        assert!(uses.is_due(key(1), at(3_602)), "only one key is remembered");
    }
}
