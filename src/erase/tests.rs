//! Erasure with a fault at every durable step: the same call completes it.

use super::*;
use crate::dataset::Select;
use crate::dataset::tests::{Model, all, clean, made, options, put};
use crate::fsio::fault::{Mode, arm};

fn layered(dir: &Path) -> Model {
    let mut w = Writer::open(dir, options()).unwrap();
    let mut model = Model::new();
    for part in 0..3u32 {
        let rows: Vec<(u64, i64, u32)> =
            (0..20).map(|i| (u64::from(i % 4) + 1, i64::from(i + 20 * part), i)).collect();
        put(&mut w, &rows).unwrap();
        w.seal().unwrap();
        crate::dataset::tests::apply(&mut model, &rows);
    }
    w.finish().unwrap();
    model.retain(|key, _| key.entity != 2);
    model
}

fn request() -> Request {
    let select = Select { entities: Some([2].into()), ..Select::default() };
    Request { select, labels: vec!["2".into()], wait: Duration::ZERO }
}

fn go(dir: &Path) -> Result<Report> {
    erase(dir, &options(), &request(), |_| Ok(()), &|| Ok(()))
}

#[test]
fn an_erasure_that_fails_at_any_step_is_completed_by_the_next() {
    let (_t, dir) = made(3);
    layered(&dir);
    let report = go(&dir).unwrap();
    assert_eq!((report.points, report.left), (15, Vec::new()));
    for step in 1.. {
        let (_t, dir) = made(3);
        let model = layered(&dir);
        let armed = arm(&dir, step, Mode::FromThere, false);
        let failed = go(&dir);
        if !armed.fired() {
            assert!(failed.is_ok() && step > 40, "only {step} steps");
            break;
        }
        drop(armed);
        let report = go(&dir).unwrap_or_else(|e| panic!("after a fault at step {step}: {e}"));
        assert_eq!(report.left, Vec::<String>::new(), "step {step}");
        assert_eq!(all(&dir).unwrap(), model, "step {step}");
        clean(&dir);
    }
}
