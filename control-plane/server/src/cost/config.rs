//! `[cost]` of the control plane's configuration.

use serde::Deserialize;

/// What is kept and taken of costs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CostConfig {
    /// Days that counts and usage are kept. Reports reach no further back.
    pub keep_days: u32,
    /// Whether spans are taken, over OTLP.
    pub spans: bool,
    /// Account of the rows that are exported (`BillingAccountId` of FOCUS).
    pub account: String,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            keep_days: 400,
            spans: false,
            account: "ig-guard".to_owned(),
        }
    }
}

/// Longest name of an account.
const MAX_ACCOUNT_CHARS: usize = 200;

impl CostConfig {
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1..=3660).contains(&self.keep_days) {
            problems.push("cost.keep-days: must be 1 to 3660".to_owned());
        }
        let is_short = self.account.chars().count() <= MAX_ACCOUNT_CHARS;
        if self.account.is_empty() || !is_short || self.account.chars().any(char::is_control) {
            problems.push(format!(
                "cost.account: must be a name of up to {MAX_ACCOUNT_CHARS} characters"
            ));
        }
        problems
    }
}
