//! Tables as Parquet files in memory, made to be there soon: a store that merges them later packs them harder.

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

/// One file with the rows of all `batches`, which have the same columns; `rows_a_group` rows a row group.
pub fn file(batches: &[&RecordBatch], rows_a_group: usize) -> Result<Vec<u8>, ParquetError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let options = ArrowWriterOptions::new().with_properties(properties(rows_a_group)).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), first.schema(), options)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

fn properties(rows_a_group: usize) -> WriterProperties {
    let positions = ColumnPath::new(["packetPos", "list", "item"].map(String::from).to_vec());
    let mut made = WriterProperties::builder()
        .set_max_row_group_size(rows_a_group.max(1))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_column_encoding(positions.clone(), Encoding::DELTA_BINARY_PACKED);
    // Looking for what is there twice is in vain in these.
    for distinct in [positions, "document".into(), "id".into()] {
        made = made.set_column_dictionary_enabled(distinct, false);
    }
    made.build()
}

/// What DuckDB calls a column of this type.
pub fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt64 => "UBIGINT".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::FixedSizeBinary(_) => "BLOB".into(),
        DataType::List(item) => format!("{}[]", type_name(item.data_type())),
        _ => "VARCHAR".into(),
    }
}
