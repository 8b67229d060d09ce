//! Why a proof does not count, in words of our own: the library's are for
//! developers, and some of them quote what was sent.

use webauthn_rs::prelude::WebauthnError;

/// Why a proof does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// There is no such ceremony of the caller: it was used, or never begun.
    Ceremony,
    CeremonyExpired,
    Challenge,
    Origin,
    RelyingParty,
    NotPresent,
    NotVerified,
    CrossOrigin,
    /// A registration where an authentication was begun, or the other way round.
    Type,
    /// Its counter went back: there may be a copy of it.
    Counter,
    /// Another answer of the same passkey was faster than this one.
    Overtaken,
    /// Its counter has gone back before.
    Suspect,
    UnknownPasskey,
    /// It is the caller's already.
    Known,
    /// It says that it is another user's.
    UserHandle,
    Signature,
    Backup,
    Attestation,
    NotDeviceBound,
    Malformed,
}

impl Refusal {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Ceremony => "ceremony",
            Self::CeremonyExpired => "ceremony-expired",
            Self::Challenge => "challenge",
            Self::Origin => "origin",
            Self::RelyingParty => "relying-party",
            Self::NotPresent => "user-presence",
            Self::NotVerified => "user-verification",
            Self::CrossOrigin => "cross-origin",
            Self::Type => "type",
            Self::Counter => "counter",
            Self::Overtaken => "overtaken",
            Self::Suspect => "suspect",
            Self::UnknownPasskey => "passkey",
            Self::Known => "known",
            Self::UserHandle => "user-handle",
            Self::Signature => "signature",
            Self::Backup => "backup",
            Self::Attestation => "attestation",
            Self::NotDeviceBound => "device-bound",
            Self::Malformed => "malformed",
        }
    }

    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::Ceremony => "this ceremony was ended, or is not yours; begin again",
            Self::CeremonyExpired => "this took too long; begin again",
            Self::Challenge => "the answer is to another challenge; begin again",
            Self::Origin => "the answer was given at another site",
            Self::RelyingParty => "the answer is for another site",
            Self::NotPresent => "the authenticator did not ask for a touch",
            Self::NotVerified => {
                "the authenticator did not verify who you are; use one with a PIN or biometrics"
            }
            Self::CrossOrigin => "the answer was given inside of another site",
            Self::Type => "the answer is of another kind than what was asked",
            Self::Counter => {
                "this passkey was used elsewhere since: there may be a copy of it, so it counts no more"
            }
            Self::Overtaken => "this passkey was used meanwhile; begin again",
            Self::Suspect => {
                "there may be a copy of this passkey; use another one, or let an admin remove it"
            }
            Self::UnknownPasskey => "this passkey is none of yours",
            Self::Known => "this passkey is yours already; use another authenticator",
            Self::UserHandle => "the authenticator says that this passkey is another user's",
            Self::Signature => "the signature is not the passkey's",
            Self::Backup => {
                "what the passkey says of copies is not what it said before, or contradicts itself"
            }
            Self::Attestation => "the tenant takes attested authenticators of certain makes only",
            Self::NotDeviceBound => {
                "the tenant takes passkeys only that stay on their device; use a security key"
            }
            Self::Malformed => "the answer cannot be read",
        }
    }
}

impl From<WebauthnError> for Refusal {
    fn from(error: WebauthnError) -> Self {
        use WebauthnError as E;
        match error {
            E::InvalidClientDataType => Self::Type,
            E::MismatchedChallenge | E::ChallengeNotFound => Self::Challenge,
            E::InvalidRPOrigin => Self::Origin,
            E::InvalidRPIDHash => Self::RelyingParty,
            E::UserNotPresent => Self::NotPresent,
            E::UserNotVerified => Self::NotVerified,
            E::CredentialCrossOrigin => Self::CrossOrigin,
            E::CredentialPossibleCompromise => Self::Counter,
            E::CredentialNotFound
            | E::CredentialExcludedFromRequest
            | E::CredentialRetrievalError => Self::UnknownPasskey,
            E::AuthenticationFailure | E::SignatureInvalid => Self::Signature,
            // The second is also of those that were copied, and say that they cannot be.
            E::CredentialBackupEligibilityInconsistent | E::CredentialMayNotBeHardwareBound => {
                Self::Backup
            }
            E::AttestationNotSupported
            | E::AttestationTrustFailure
            | E::AttestationNotVerifiable
            | E::AttestationUntrustedAaguid
            | E::AttestationFormatMissingAaguid
            | E::AttestationChainNotTrusted(_)
            | E::AttestationCertificateAAGUIDMismatch
            | E::AttestationCertificateRequirementsNotMet
            | E::AttestationLeafCertMissing
            | E::AttestationStatementSigInvalid
            | E::AttestationStatementResponseMissing
            | E::AttestationStatementResponseInvalid => Self::Attestation,
            _ => Self::Malformed,
        }
    }
}
