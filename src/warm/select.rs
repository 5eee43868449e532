//! Which rows of a file can hold an entity: from the page index alone, then from the pages.

use crate::model::EntityId;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use std::ops::Range;

/// A page of entity ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPage {
    /// Ordinal of its first row in the file.
    pub first_row: u64,
    /// Least id.
    pub min: EntityId,
    /// Largest id.
    pub max: EntityId,
}

/// The pages of column `column`, which holds entity ids, over all row groups. The error says
/// what of the index is missing or not in order.
pub fn key_pages(metadata: &ParquetMetaData, column: usize) -> Result<Vec<KeyPage>, String> {
    let mut pages: Vec<KeyPage> = Vec::new();
    let mut group_row = 0u64;
    for group in 0..metadata.num_row_groups() {
        let index = metadata.page_index_for_row_group(group);
        let Some(ColumnIndexMetaData::INT64(ids)) = index.column_index(column) else {
            return Err(format!("row group {group} has no index of entity ids"));
        };
        let offsets =
            index.offset_index(column).ok_or_else(|| format!("row group {group} has no page index"))?;
        let rows = u64::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
        for (page, location) in offsets.page_locations().iter().enumerate() {
            let first = u64::try_from(location.first_row_index).ok().filter(|f| *f < rows.max(1));
            let (Some(first), Some(min), Some(max)) =
                (first, ids.min_values().get(page), ids.max_values().get(page))
            else {
                return Err(format!("the page index of row group {group} is incomplete"));
            };
            // Ids are unsigned; Parquet keeps them in signed words.
            let this =
                KeyPage { first_row: group_row + first, min: min.cast_unsigned(), max: max.cast_unsigned() };
            let follows = pages.last().is_none_or(|p| p.first_row < this.first_row && p.max <= this.min);
            if !follows || this.min > this.max {
                return Err(format!("the pages of row group {group} are not in order"));
            }
            pages.push(this);
        }
        group_row += rows;
    }
    Ok(pages)
}

/// The rows of the pages that can hold `entity`; `rows` is the number of rows of the file.
pub fn candidates(pages: &[KeyPage], rows: u64, entity: EntityId) -> Range<u64> {
    let from = pages.partition_point(|p| p.max < entity);
    let to = pages.partition_point(|p| p.min <= entity);
    if from >= to {
        return 0..0;
    }
    pages[from].first_row..pages.get(to).map_or(rows, |p| p.first_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_all_pages_that_may_hold_an_entity_and_no_other() {
        let page = |first_row, min, max| KeyPage { first_row, min, max };
        let pages = [page(0, 1, 5), page(10, 5, 5), page(20, 5, 9), page(30, u64::MAX, u64::MAX)];
        assert_eq!(candidates(&pages, 40, 1), 0..10);
        assert_eq!(candidates(&pages, 40, 5), 0..30);
        assert_eq!(candidates(&pages, 40, 7), 20..30);
        assert_eq!(candidates(&pages, 40, 12), 0..0);
        assert_eq!(candidates(&pages, 40, u64::MAX), 30..40);
        assert_eq!(candidates(&[], 0, 1), 0..0);
    }
}
