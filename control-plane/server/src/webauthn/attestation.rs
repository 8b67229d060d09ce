//! Which passkeys a tenant takes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webauthn_rs::prelude::{
    AttestationCaList, AttestationCaListBuilder, AttestationMetadata, AttestedPasskey, Credential,
    Passkey, Uuid,
};

use super::Refusal;

/// Which passkeys a tenant takes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "policy", deny_unknown_fields)]
pub(crate) enum Attestation {
    /// Any, also those that are copied to all devices of a person.
    #[default]
    Any,
    /// Those that say that they stay on their device.
    DeviceBound,
    /// Those whose makers vouch for them. Only these give proofs of the strength
    /// `phrh`.
    Attested {
        /// Authorities of makers.
        authorities: Vec<Authority>,
    },
}

/// An authority that vouches for models.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Authority {
    /// Its certificate, in PEM.
    certificate: String,
    /// AAGUIDs of the models that are taken.
    #[schema(value_type = Vec<String>)]
    models: Vec<Uuid>,
}

impl Attestation {
    /// Whether the tenant would take a passkey as it is now: it may have been added
    /// under another policy. `true` for one whose maker vouches for it.
    ///
    /// # Errors
    /// Why it would not.
    pub(super) fn check(&self, passkey: &Passkey) -> Result<bool, Refusal> {
        let credential = Credential::from(passkey.clone());
        match self {
            Self::Any => Ok(false),
            Self::DeviceBound if credential.backup_eligible => Err(Refusal::NotDeviceBound),
            Self::DeviceBound => Ok(false),
            Self::Attested { .. } => {
                let authorities = self.authorities().ok().flatten();
                let authorities = authorities.ok_or(Refusal::Attestation)?;
                let model = match credential.attestation.metadata {
                    AttestationMetadata::Packed { aaguid }
                    | AttestationMetadata::Tpm { aaguid, .. } => aaguid,
                    _ => return Err(Refusal::Attestation),
                };
                // This looks at certificates only, the models are ours to compare.
                let passkey = AttestedPasskey::from(credential);
                let authority = passkey.verify_attestation(&authorities);
                match authority.is_ok_and(|one| one.aaguids().contains_key(&model)) {
                    true => Ok(true),
                    false => Err(Refusal::Attestation),
                }
            }
        }
    }

    /// The authorities; `None` where nobody has to vouch.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn authorities(&self) -> Result<Option<AttestationCaList>, String> {
        let Self::Attested { authorities } = self else {
            return Ok(None);
        };
        let mut list = AttestationCaListBuilder::new();
        for Authority {
            certificate,
            models,
        } in authorities
        {
            for model in models {
                list.insert_device_pem(
                    certificate.as_bytes(),
                    *model,
                    model.to_string(),
                    Default::default(),
                )
                .map_err(|error| format!("attestation: {error:?}"))?;
            }
        }
        let list = list.build();
        match list.is_empty() {
            true => Err("attestation: there is no authority with a model".to_owned()),
            false => Ok(Some(list)),
        }
    }
}
