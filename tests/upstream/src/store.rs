//! The demo's data, in memory: two tenants in two regions.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_graphql::{ID, SimpleObject};
use sha2::{Digest as _, Sha256};

/// A tenant and where its data lives.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Tenant {
    /// Stable name.
    pub(crate) id: ID,
    /// The region that may serve the tenant.
    pub(crate) region: String,
}

#[derive(Clone, Debug)]
pub(crate) struct CaseRow {
    pub(crate) id: String,
    pub(crate) tenant: &'static str,
    pub(crate) title: &'static str,
}

/// A piece of evidence in a case.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Asset {
    /// Unique over all tenants.
    pub(crate) id: ID,
    /// The case it belongs to.
    pub(crate) case_id: ID,
    /// What it is, for example `document`.
    pub(crate) kind: String,
    /// For people to read.
    pub(crate) label: String,
    /// How long it may be kept.
    pub(crate) retention: Option<String>,
    /// The licence it came under.
    pub(crate) license_class: String,
    /// Digest of its content.
    pub(crate) sha256: String,
    #[graphql(skip)]
    pub(crate) tenant: &'static str,
}

/// What a caller gives to create an asset.
pub(crate) struct NewAsset {
    pub(crate) case_id: String,
    pub(crate) kind: String,
    pub(crate) label: String,
    pub(crate) retention: Option<String>,
}

/// All data; cases are fixed, assets grow.
pub(crate) struct Store {
    cases: Vec<CaseRow>,
    assets: Mutex<Vec<Asset>>,
}

const TENANTS: [(&str, &str); 2] = [("alpha", "eu-west-1"), ("bravo", "us-east-1")];

impl Store {
    /// The demo data: cases 1–2 and assets 1–3 of alpha, 101 on of bravo.
    pub(crate) fn demo() -> Self {
        let case = |id: &str, tenant, title| CaseRow {
            id: id.to_owned(),
            tenant,
            title,
        };
        let cases = vec![
            case("case-1", "alpha", "Harbour shipments"),
            case("case-2", "alpha", "Invoice ring"),
            case("case-101", "bravo", "Border crossings"),
        ];
        let assets = [
            (
                "asset-1",
                "case-1",
                "alpha",
                "Harbour manifest",
                "short-30d",
                "cc-by",
            ),
            (
                "asset-2",
                "case-1",
                "alpha",
                "Harbour camera still",
                "legal-hold",
                "proprietary",
            ),
            (
                "asset-3",
                "case-2",
                "alpha",
                "Invoice scan",
                "short-30d",
                "cc-by",
            ),
            (
                "asset-101",
                "case-101",
                "bravo",
                "Harbour crossing log",
                "short-30d",
                "cc-by-nc",
            ),
        ]
        .map(
            |(id, case_id, tenant, label, retention, license_class)| Asset {
                id: ID::from(id),
                case_id: ID::from(case_id),
                kind: "document".to_owned(),
                label: label.to_owned(),
                retention: Some(retention.to_owned()),
                license_class: license_class.to_owned(),
                sha256: digest(&[id, label]),
                tenant,
            },
        );
        Self {
            cases,
            assets: Mutex::new(assets.into()),
        }
    }

    pub(crate) fn tenant(id: &str) -> Option<Tenant> {
        let (id, region) = TENANTS.into_iter().find(|(known, _)| *known == id)?;
        Some(Tenant {
            id: ID::from(id),
            region: region.to_owned(),
        })
    }

    pub(crate) fn case(&self, tenant: &str, id: &str) -> Option<CaseRow> {
        self.cases
            .iter()
            .find(|case| case.tenant == tenant && case.id == id)
            .cloned()
    }

    pub(crate) fn cases(&self, tenant: &str, first: usize) -> Vec<CaseRow> {
        self.cases
            .iter()
            .filter(|case| case.tenant == tenant)
            .take(first)
            .cloned()
            .collect()
    }

    pub(crate) fn asset(&self, tenant: &str, id: &str) -> Option<Asset> {
        self.assets()
            .iter()
            .find(|asset| asset.tenant == tenant && *asset.id == *id)
            .cloned()
    }

    pub(crate) fn assets_of_case(&self, tenant: &str, case: &str, first: usize) -> Vec<Asset> {
        self.assets()
            .iter()
            .filter(|asset| asset.tenant == tenant && *asset.case_id == *case)
            .take(first)
            .cloned()
            .collect()
    }

    /// Assets of every tenant whose label contains the term.
    pub(crate) fn search(&self, term: &str, first: usize) -> Vec<Asset> {
        let term = term.to_lowercase();
        self.assets()
            .iter()
            .filter(|asset| asset.label.to_lowercase().contains(&term))
            .take(first)
            .cloned()
            .collect()
    }

    /// Adds all assets or, where one names a case the tenant does not have, none.
    pub(crate) fn create(&self, tenant: &str, new: Vec<NewAsset>) -> Result<Vec<Asset>, String> {
        let mut created = Vec::with_capacity(new.len());
        let mut assets = self.assets();
        for (offset, new) in new.into_iter().enumerate() {
            let case = self
                .case(tenant, &new.case_id)
                .ok_or_else(|| format!("no case {} in this tenant", new.case_id))?;
            // Ids of created assets start at 1000 and never meet the demo's.
            let id = format!("asset-{}", 1000 + assets.len() + offset);
            created.push(Asset {
                sha256: digest(&[&id, &new.label]),
                id: ID::from(id),
                case_id: ID::from(new.case_id),
                kind: new.kind,
                label: new.label,
                retention: new.retention,
                license_class: "proprietary".to_owned(),
                tenant: case.tenant,
            });
        }
        assets.extend(created.iter().cloned());
        Ok(created)
    }

    fn assets(&self) -> MutexGuard<'_, Vec<Asset>> {
        // A panic in another request leaves whole rows behind: go on with them.
        self.assets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lower-case hexadecimal SHA-256 of the parts, each followed by a zero byte.
fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    hex::encode(hasher.finalize())
}
