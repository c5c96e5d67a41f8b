//! What Python sees: classes around what is told of elsewhere, and nothing per event.

use crate::block::{block, put};
use crate::chunk;
use crate::event::{Event, Found, Kind, Leaf, Place, TEXTS};
use crate::fetch;
use crate::reader::{self, Step};
use crate::scanner::Rules;
use crate::sent;
use crate::window::Seen;
use crate::{batch, identity, CONTRACT};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Another number for each object: nobody can choose what crowds a table.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn kind(topic: &str) -> PyResult<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.topic() == topic);
    found.ok_or_else(|| PyKeyError::new_err(topic.to_owned()))
}

fn text(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

/// What a broker sent of one partition.
#[pyclass(module = "usage_pipeline_native")]
struct Fetch(fetch::Fetch);

#[pymethods]
impl Fetch {
    /// `aborted`: (producer id, first offset) of aborted transactions, as the broker says it.
    #[new]
    fn new(
        data: PyBackedBytes,
        position: i64,
        aborted: Vec<(i64, i64)>,
        check_crcs: bool,
        committed_only: bool,
    ) -> Self {
        let octets = Arc::new(data);
        Fetch(fetch::Fetch::new(octets, position, aborted, check_crcs, committed_only))
    }

    /// The offset behind what was given out; after a ValueError, the damaged batch's.
    #[getter]
    fn next_fetch_offset(&self) -> i64 {
        self.0.next_offset()
    }

    /// The next whole batches, of so many records and bytes together, or one; None: no more.
    ///
    /// Raises ValueError where the next batch is damaged.
    fn slice(&mut self, most_records: i64, most_bytes: usize) -> PyResult<Option<Slice>> {
        match self.0.slice(most_records, most_bytes) {
            Ok(slice) => Ok(slice.map(|slice| Slice(Arc::new(slice)))),
            Err(damaged) => Err(PyValueError::new_err(damaged.to_string())),
        }
    }
}

/// Whole batches of one partition, as they came.
#[pyclass(frozen, module = "usage_pipeline_native")]
struct Slice(Arc<fetch::Slice>);

#[pymethods]
impl Slice {
    /// The position before it.
    #[getter]
    fn start(&self) -> i64 {
        self.0.start
    }

    /// The position behind it, whatever the log has there.
    #[getter]
    fn end(&self) -> i64 {
        self.0.end
    }

    /// At most so many.
    #[getter]
    fn records(&self) -> i64 {
        self.0.records()
    }

    /// Once they are unpacked, at most.
    #[getter]
    fn most_bytes(&self) -> usize {
        self.0.most_bytes()
    }

    /// As `records`: so that a list of slices counts as records do.
    fn __len__(&self) -> usize {
        self.0.records() as usize
    }
}

/// Columns and accounts of a chunk.
#[pyclass(module = "usage_pipeline_native")]
struct Chunk(chunk::Chunk);

type Totals = (u64, u64, u64, u64, u64, chunk::Bounds, chunk::Bounds, usize);

#[pymethods]
impl Chunk {
    /// `rows`: how many are expected.
    #[new]
    #[pyo3(signature = (topic, rows = 0))]
    fn new(topic: &str, rows: usize) -> PyResult<Self> {
        Ok(Chunk(chunk::Chunk::with_room(kind(topic)?, seed(), rows)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Count an event that the reference has decided about: its row, in the head's order.
    fn count(
        &mut self,
        row: &Bound<'_, PyTuple>,
        time: i64,
        arrival: i64,
        origin: i64,
    ) -> PyResult<()> {
        let columns = self.0.kind.columns();
        if row.len() != columns.len() {
            let expected = columns.len();
            let message = format!("the row: found {} values, expected {expected}.", row.len());
            return Err(PyValueError::new_err(message));
        }
        let mut texts: [String; TEXTS] = Default::default();
        let mut event = Event { time, ..Event::default() };
        let mut properties: Vec<(String, String)> = Vec::new();
        for ((_, _, place), item) in columns.iter().zip(row) {
            match *place {
                Place::Minute => {}
                Place::Text(n) => texts[n] = item.extract()?,
                Place::Byte(n) => event.bytes[n] = item.extract()?,
                Place::Int(n) => event.ints[n] = item.extract::<i64>()? as u64,
                Place::Leaves => {
                    for (path, leaf) in item.cast::<PyDict>()? {
                        properties.push((path.extract()?, leaf.extract()?));
                    }
                }
            }
        }
        for (place, text) in event.texts.iter_mut().zip(&texts) {
            *place = text.as_bytes();
        }
        let leaves = properties.iter().map(|(path, leaf)| {
            let (tag, text) = leaf.as_bytes().split_first()?;
            Some(Leaf { path: path.as_bytes(), tag: *tag, text })
        });
        let leaves: Option<Vec<_>> = leaves.collect();
        let leaves = leaves.ok_or_else(|| PyValueError::new_err("a leaf: found '', no tag."))?;
        event.leaves = 0..leaves.len();
        self.0.count(&[Found { event, arrival, origin, ..Found::default() }], &leaves);
        Ok(())
    }

    /// Count a duplicate that the reference has decided about.
    fn repeat(&mut self, tenant: &str, arrival: i64, conflict: bool) {
        self.0.repeat(tenant.as_bytes(), arrival, conflict);
    }

    /// A record came that no step has seen.
    fn arrived(&mut self, timestamp: i64, size: usize, tombstone: bool) {
        self.0.arrived(timestamp, (!tombstone).then_some(size));
    }

    /// counted, duplicate, conflicts, skipped, size_bytes, event_time, arrival, held_bytes.
    fn totals(&self) -> Totals {
        let chunk = &self.0;
        let held = chunk.maps.as_ref().map_or(0, chunk::Maps::held_bytes);
        (
            chunk.len() as u64,
            chunk.duplicate,
            chunk.conflicts,
            chunk.skipped,
            chunk.size_bytes,
            chunk.event_time,
            chunk.arrival,
            held,
        )
    }

    /// By (arrival minute, tenant, type, outcome, reason): all but the rejected ones.
    fn outcomes<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (found, name) = (PyDict::new(py), self.0.kind.name());
        for one in self.0.outcomes() {
            let of_type = if one.outcome == "skipped" { "" } else { name };
            let key = (one.minute, text(one.tenant), of_type, one.outcome, one.reason);
            found.set_item(key, one.count)?;
        }
        Ok(found)
    }

    /// By (minute, tenant): the five sums.
    fn minutes<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        for (minute, tenant, sums) in self.0.live() {
            let small = sums.map(u64::try_from); // which is ten times as fast to hand over
            let sums = if small.iter().all(Result::is_ok) {
                PyList::new(py, small.map(Result::unwrap_or_default))?
            } else {
                PyList::new(py, sums)?
            };
            found.set_item((minute, text(tenant)), sums)?;
        }
        Ok(found)
    }

    /// All rows as one block of ClickHouse's Native format, uncompressed.
    fn block<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let octets = py.detach(|| block(&[&self.0]));
        PyBytes::new(py, &octets)
    }

    /// How many rows are of minutes that begin before an instant, in epoch seconds.
    fn before(&self, seconds: f64) -> usize {
        self.0.before(seconds)
    }

    /// How many requests have parts that are greater than their whole.
    fn inconsistent(&self) -> usize {
        self.0.inconsistent()
    }

    /// A column's parts, as `pipeline.facts.columns` has them, arrays as their bytes.
    fn column<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyTuple>> {
        let column = self.0.kind.columns().get(n);
        let (_, _, place) = column.ok_or_else(|| PyKeyError::new_err(n))?;
        let mut octets = Vec::new();
        match *place {
            Place::Minute => put(&self.0.minutes, u32::to_le_bytes, &mut octets),
            Place::Byte(n) => octets.extend(&self.0.bytes[n]),
            Place::Int(n) => self.0.ints[n].put(&mut octets),
            Place::Text(n) => return texts(py, &self.0.texts[n])?.into_pyobject(py),
            Place::Leaves => {
                let Some(maps) = &self.0.maps else { return Ok(PyTuple::empty(py)) };
                let (codes, keys) = texts(py, &maps.keys)?;
                let numbers = |numbers: &[u32]| {
                    let mut octets = Vec::new();
                    put(numbers, u32::to_le_bytes, &mut octets);
                    PyBytes::new(py, &octets)
                };
                let (counts, sizes) = (numbers(&maps.counts), numbers(&maps.sizes));
                let values = PyBytes::new(py, &maps.values);
                return (codes, keys, counts, values, sizes).into_pyobject(py);
            }
        }
        (PyBytes::new(py, &octets),).into_pyobject(py)
    }

    /// Where in the log each row comes from: integers of 64 bits, little-endian.
    fn origins<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut octets = Vec::new();
        put(&self.0.origins, i64::to_le_bytes, &mut octets);
        PyBytes::new(py, &octets)
    }

    /// What it takes in memory.
    #[getter]
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

type CodesAndKeys<'py> = (Bound<'py, PyBytes>, Bound<'py, PyList>);

fn texts<'py>(py: Python<'py>, column: &chunk::Texts) -> PyResult<CodesAndKeys<'py>> {
    let mut codes = Vec::new();
    put(&column.codes, u32::to_le_bytes, &mut codes);
    let keys = PyList::new(py, column.dictionary.texts().map(text).collect::<Vec<_>>())?;
    Ok((PyBytes::new(py, &codes), keys))
}

/// The reader of one partition.
#[pyclass(module = "usage_pipeline_native")]
struct Reader(reader::Reader);

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (
        topic, *, too_early_ms, too_late_ms, max_record_bytes, max_depth, max_batch_elements,
        task_rule_set, duplicate_window
    ))]
    #[allow(clippy::too_many_arguments)] // they are named, all of them
    fn new(
        topic: &str,
        too_early_ms: i64,
        too_late_ms: i64,
        max_record_bytes: usize,
        max_depth: u32,
        max_batch_elements: usize,
        task_rule_set: u8,
        duplicate_window: u64,
    ) -> PyResult<Self> {
        let rules = Rules {
            too_early_ms,
            too_late_ms,
            max_record_bytes,
            max_depth,
            max_batch_elements,
            task_rule_set,
        };
        Ok(Reader(reader::Reader::new(kind(topic)?, rules, duplicate_window, seed())))
    }

    /// Read a slice next, from the offset `start` to before `end`.
    fn begin(&mut self, slice: &Slice, start: i64, end: i64) {
        self.0.begin(slice.0.clone(), start, end);
    }

    /// Go on: None at the end; a record that the reference must decide (offset, timestamp, headers,
    /// value); or the bytes of a batch that cannot be read with certainty, of which nothing was.
    ///
    /// Without a chunk, ids are remembered and nothing is counted.
    #[pyo3(signature = (chunk))]
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        mut chunk: Option<PyRefMut<'py, Chunk>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let into = chunk.as_mut().map(|chunk| &mut chunk.0);
        let reader = &mut self.0;
        Ok(match py.detach(|| reader.step(into)) {
            Step::Done => None,
            Step::Unreadable(octets) => Some(PyBytes::new(py, &octets).into_any()),
            Step::Odd(odd) => {
                let octets = |octets: Vec<u8>| PyBytes::new(py, &octets);
                let headers = odd.headers.into_iter();
                let headers: Vec<_> =
                    headers.map(|(name, value)| (octets(name), value.map(octets))).collect();
                let value = octets(odd.value);
                let record = (odd.offset, odd.timestamp, headers, value).into_pyobject(py)?;
                Some(record.into_any())
            }
        })
    }

    /// What a valid event is: 0 new, 1 a duplicate, 2 one of another content; then it is known.
    fn seen(&mut self, tenant: &str, source: &str, id: &str, content: u32, offset: i64) -> u8 {
        match self.0.seen([tenant, source, id], content, offset) {
            Seen::New => 0,
            Seen::Repeat => 1,
            Seen::Conflict => 2,
        }
    }

    /// Read another log next, whose offset 0 stands where `end` would of the one till now.
    fn continue_after(&mut self, end: i64) {
        self.0.continue_after(end);
    }

    /// The records that were read, and those of them that the reference had to decide.
    #[getter]
    fn read(&self) -> (u64, u64) {
        self.0.read()
    }

    /// What the window takes in memory.
    #[getter]
    fn window_bytes(&self) -> usize {
        self.0.window().map_or(0, crate::window::Window::size_bytes)
    }

    /// How many ids are remembered, roughly.
    #[getter]
    fn window_ids(&self) -> usize {
        self.0.window().map_or(0, crate::window::Window::ids)
    }
}

/// Whether some batch is of format 0 or 1.
#[pyfunction]
fn has_old_format(data: &[u8]) -> bool {
    batch::has_old_format(data)
}

/// A slice of records that were not fetched: (offset, timestamp, headers, value) each.
#[pyfunction]
fn pack(py: Python<'_>, records: Vec<batch::Record>) -> PyResult<Slice> {
    let message = "the records: found offsets too far from each other for one batch.";
    let octets = py.detach(|| batch::pack(&records));
    let octets = octets.ok_or_else(|| PyValueError::new_err(message))?;
    let start = records.first().map_or(0, |record| record.0);
    Ok(Slice(Arc::new(fetch::Slice::of_batch(Arc::new(octets), start))))
}

type Sent<'py> = (Vec<(&'static str, &'static str)>, usize, Bound<'py, PyBytes>);

/// Chunks of one topic as one block, as it is sent: (name and type of each column, rows, body).
#[pyfunction(name = "sent")]
fn sent_of<'py>(py: Python<'py>, chunks: Vec<PyRef<'py, Chunk>>) -> Sent<'py> {
    let own: Vec<&chunk::Chunk> = chunks.iter().map(|chunk| &chunk.0).collect();
    let sent::Sent { columns, rows, body } = py.detach(|| sent::sent(&own));
    (columns, rows, PyBytes::new(py, &body))
}

/// The hash of an event's names.
#[pyfunction(name = "identity")]
fn identity_of(tenant: &str, source: &str, id: &str) -> u64 {
    let (tenant, source) = (identity::name(tenant.as_bytes()), identity::name(source.as_bytes()));
    identity::identity(tenant, source, id.as_bytes())
}

/// The hash of data's bytes.
#[pyfunction]
fn content(data: &[u8]) -> u32 {
    crc32fast::hash(data)
}

/// The compiled reader of Usage Pipeline.
#[pymodule]
fn usage_pipeline_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CONTRACT", CONTRACT)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("TOPICS", PyTuple::new(module.py(), Kind::ALL.map(Kind::topic))?)?;
    module.add_class::<Fetch>()?;
    module.add_class::<Slice>()?;
    module.add_class::<Chunk>()?;
    module.add_class::<Reader>()?;
    module.add_function(wrap_pyfunction!(has_old_format, module)?)?;
    module.add_function(wrap_pyfunction!(pack, module)?)?;
    module.add_function(wrap_pyfunction!(sent_of, module)?)?;
    module.add_function(wrap_pyfunction!(identity_of, module)?)?;
    module.add_function(wrap_pyfunction!(content, module)?)?;
    Ok(())
}
