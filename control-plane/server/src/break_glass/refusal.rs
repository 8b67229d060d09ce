//! Why a one-time password does not count.

/// Why a one-time password does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Nobody has declared an emergency in the tenant, or it is over.
    Off,
    /// The emergency is not for these actions.
    Scope,
    /// It is wrong, was used, or is too old; which of these is not told.
    Code,
}

impl Refusal {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Off => "break-glass-off",
            Self::Scope => "break-glass-scope",
            Self::Code => "code",
        }
    }

    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::Off => {
                "one-time passwords do not count in your tenant now; an owner may declare \
                 break-glass for a while"
            }
            Self::Scope => "break-glass was declared for other actions than these",
            Self::Code => "the code is wrong, or was used; wait for the next one",
        }
    }
}
