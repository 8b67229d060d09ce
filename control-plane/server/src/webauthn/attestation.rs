//! Which passkeys a tenant takes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use webauthn_rs::prelude::{AttestationCaList, AttestationCaListBuilder, Uuid};

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
