//! Which stored states are nearest to a prediction.

use crate::dataset::{Select, Snapshot};
use crate::error::Result;
use crate::metric::Metric;
use crate::model::TimestampUs;
use crate::output::Json;
use crate::query::{Found, Request, When, neighbours};
use crate::rows::PredictRow;
use crate::time::{TimeFormat, format_time};
use crate::watch::Watch;

/// Looks for the newest states of other entities.
pub struct Nearest<'a> {
    snapshot: &'a Snapshot,
    select: Select,
    k: usize,
    watch: &'a dyn Watch,
}

impl<'a> Nearest<'a> {
    /// Among all entities; only points of the embedding model that `select` names.
    pub fn new(snapshot: &'a Snapshot, select: &Select, k: usize, watch: &'a dyn Watch) -> Nearest<'a> {
        Nearest { snapshot, select: Select { model: select.model.clone(), ..Select::default() }, k, watch }
    }

    /// Adds the nearest states to the rows that have a vector, in one scan.
    pub fn fill(&self, rows: &mut [PredictRow]) -> Result<()> {
        let metric = self.snapshot.settings().metric;
        let mut asked = Vec::new();
        let mut requests = Vec::new();
        for row in rows {
            // A vector of length zero has no direction, so nothing is near it.
            let Some(vector) =
                row.vector.clone().filter(|v| metric != Metric::Cosine || v.iter().any(|x| *x != 0.0))
            else {
                continue;
            };
            requests.push(Request {
                vector,
                k: self.k,
                radius: None,
                when: When::AsOf(TimestampUs::MAX, None),
                exclude: Some(row.entity_id.0),
                best_per_entity: true,
                time: None,
            });
            asked.push(row);
        }
        let (answers, _) = neighbours(self.snapshot, &self.select, metric, &requests, self.watch)?;
        for (row, found) in asked.into_iter().zip(&answers) {
            let list = found.iter().map(|f| self.one(f)).collect::<Result<Vec<_>>>()?;
            row.nearest = Some(Json(serde_json::Value::from(list).to_string()));
        }
        Ok(())
    }

    fn one(&self, found: &Found<'_>) -> Result<serde_json::Value> {
        let key = found.hit.key;
        let mut out = serde_json::json!({
            "entity_id": key.entity,
            "t": format_time(key.t, TimeFormat::Rfc3339),
            "distance": found.hit.distance,
        });
        if let Some(name) = self.snapshot.entity_name(key.entity)? {
            out["entity"] = name.into();
        }
        Ok(out)
    }
}
