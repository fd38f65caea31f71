//! Starting and stopping modules, in the order of what they need.

use std::{fmt, future::Future, pin::Pin};

use super::Registry;

/// Something a module does at its start or stop.
pub type HookFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What a module does when the process starts and stops. The parts it holds on to (tasks,
/// leases, pools) belong to the closures.
pub struct Hook {
    module: &'static str,
    start: Box<dyn Fn() -> HookFuture + Send + Sync>,
    stop: Box<dyn Fn() -> HookFuture + Send + Sync>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.module)
    }
}

impl Hook {
    /// The hooks of a module.
    pub fn new<A, B>(
        module: &'static str,
        start: impl Fn() -> A + Send + Sync + 'static,
        stop: impl Fn() -> B + Send + Sync + 'static,
    ) -> Self
    where
        A: Future<Output = Result<(), String>> + Send + 'static,
        B: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            module,
            start: Box::new(move || Box::pin(start())),
            stop: Box::new(move || Box::pin(stop())),
        }
    }
}

/// A module did not start or stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// A hook of a module that has no manifest.
    #[error("module `{0}` has hooks but no manifest")]
    Unknown(&'static str),
    /// It did not start.
    #[error("module `{module}` did not start: {why}")]
    Start {
        /// The module.
        module: &'static str,
        /// Why.
        why: String,
    },
}

/// The hooks of all modules, in order.
#[derive(Debug)]
pub struct Lifecycle {
    hooks: Vec<Hook>,
}

impl Lifecycle {
    /// Puts hooks into the order of the registry. A module may have none.
    ///
    /// # Errors
    /// [`LifecycleError::Unknown`].
    pub fn new(registry: &Registry, mut hooks: Vec<Hook>) -> Result<Self, LifecycleError> {
        let place = |name: &str| registry.in_order().iter().position(|m| m.name == name);
        if let Some(stranger) = hooks.iter().find(|hook| place(hook.module).is_none()) {
            return Err(LifecycleError::Unknown(stranger.module));
        }
        hooks.sort_by_key(|hook| place(hook.module));
        Ok(Self { hooks })
    }

    /// Starts the modules in order. If one does not start, those before it are stopped again.
    ///
    /// # Errors
    /// [`LifecycleError::Start`].
    pub async fn start(&self) -> Result<(), LifecycleError> {
        for (index, hook) in self.hooks.iter().enumerate() {
            if let Err(why) = (hook.start)().await {
                self.stop_first(index).await;
                return Err(LifecycleError::Start { module: hook.module, why });
            }
            tracing::debug!(module = hook.module, "started");
        }
        Ok(())
    }

    /// Stops the modules, the last first. One that does not stop is logged and hinders nobody.
    pub async fn stop(&self) {
        self.stop_first(self.hooks.len()).await;
    }

    async fn stop_first(&self, count: usize) {
        for hook in self.hooks.iter().take(count).rev() {
            match (hook.stop)().await {
                Ok(()) => tracing::debug!(module = hook.module, "stopped"),
                Err(why) => tracing::warn!(module = hook.module, why, "did not stop"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    type Diary = Arc<Mutex<Vec<String>>>;

    fn hook(diary: &Diary, module: &'static str, starts: bool) -> Hook {
        let note = |what: &'static str, ok: bool| {
            let diary = Arc::clone(diary);
            move || {
                diary.lock().unwrap().push(format!("{what} {module}"));
                std::future::ready(if ok { Ok(()) } else { Err("no".to_owned()) })
            }
        };
        Hook::new(module, note("start", starts), note("stop", true))
    }

    #[tokio::test]
    async fn modules_start_in_order_and_stop_the_other_way_round() {
        let diary = Diary::default();
        let registry = super::super::builtin().unwrap();
        let hooks = vec![hook(&diary, "audit", true), hook(&diary, "identity", true)];
        let lifecycle = Lifecycle::new(&registry, hooks).unwrap();
        lifecycle.start().await.unwrap();
        lifecycle.stop().await;
        let expected = ["start identity", "start audit", "stop audit", "stop identity"];
        assert_eq!(*diary.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_failed_start_takes_the_others_back() {
        let diary = Diary::default();
        let registry = super::super::builtin().unwrap();
        let hooks = vec![hook(&diary, "organization", false), hook(&diary, "identity", true)];
        let error = Lifecycle::new(&registry, hooks).unwrap().start().await.unwrap_err();
        assert_eq!(error.to_string(), "module `organization` did not start: no");
        let expected = ["start identity", "start organization", "stop identity"];
        assert_eq!(*diary.lock().unwrap(), expected);
    }

    #[test]
    fn a_stranger_is_refused() {
        let registry = super::super::builtin().unwrap();
        let stranger = hook(&Diary::default(), "garden", true);
        let refused = Lifecycle::new(&registry, vec![stranger]).unwrap_err();
        assert_eq!(refused, LifecycleError::Unknown("garden"));
    }
}
