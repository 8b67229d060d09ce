//! The host calls the adapter uses, with every status handled.
//!
//! The SDK's own wrappers panic on statuses they do not expect and on header
//! bytes that are not UTF-8, and either would trap the VM at a client's will.
//! These read bytes, and answer `Err` for everything that is not `Ok`.

use std::ptr::null_mut;
use std::time::Duration;

/// A host call failed, with this status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostError(
    #[expect(dead_code, reason = "read by `Debug` in log lines")] pub(crate) u32,
);

/// Header maps of the ABI.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    CallResponse = 6,
}

/// Buffers of the ABI.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// Directions of a stream.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Stream {
    Request = 0,
    Response = 1,
}

/// The host gave something that is not what the ABI says.
pub(crate) const UNREADABLE: HostError = HostError(u32::MAX);

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    #[cfg(feature = "policy")]
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    #[cfg(feature = "policy")]
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

fn done(status: u32) -> Result<(), HostError> {
    if status == OK {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Takes over memory that the host allocated in this VM for an answer.
///
/// # Safety
/// `data` and `size` are what a host call with status `Ok` returned.
unsafe fn take(status: u32, data: *mut u8, size: usize) -> Result<Option<Vec<u8>>, HostError> {
    match status {
        OK if data.is_null() => Ok(None),
        // SAFETY: the host allocates through `proxy_on_memory_allocate`, which
        // the SDK implements by a `Vec<u8>` of this capacity.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        NOT_FOUND => Ok(None),
        status => Err(HostError(status)),
    }
}

/// Levels of Envoy's log.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Level {
    Info = 2,
    Error = 4,
}

/// Writes to Envoy's log.
pub(crate) fn log(level: Level, message: &str) {
    // SAFETY: pointer and length are those of a live string.
    let _ = unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Nanoseconds since the epoch.
pub(crate) fn now_nanos() -> Result<u64, HostError> {
    let mut nanoseconds = 0;
    // SAFETY: the out-pointer is valid for the call.
    done(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) })?;
    Ok(nanoseconds)
}

/// Lets the root context's `on_tick` be called every so many milliseconds.
pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    done(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Reads a whole buffer, `max` bytes at most.
pub(crate) fn buffer(kind: Buffer, max: usize) -> Result<Option<Vec<u8>>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the out-pointers are valid for the call.
    let status =
        unsafe { proxy_get_buffer_bytes(kind as u32, 0, max, &raw mut data, &raw mut size) };
    // SAFETY: as `take` asks.
    unsafe { take(status, data, size) }
}

/// Replaces a whole buffer.
pub(crate) fn set_buffer(kind: Buffer, bytes: &[u8]) -> Result<(), HostError> {
    // `max` beyond the buffer's size replaces all of it.
    const ALL: usize = u32::MAX as usize;
    // SAFETY: pointer and length are those of a live slice.
    done(unsafe { proxy_set_buffer_bytes(kind as u32, 0, ALL, bytes.as_ptr(), bytes.len()) })
}

/// All pairs of a map, in one host call and one allocation.
pub(crate) struct Pairs(Vec<u8>);

impl Pairs {
    /// Reads a map. An unavailable one is empty.
    pub(crate) fn read(map: Map) -> Result<Self, HostError> {
        let (mut data, mut size) = (null_mut(), 0);
        // SAFETY: the out-pointers are valid for the call.
        let status =
            unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
        // SAFETY: as `take` asks.
        Ok(Self(
            unsafe { take(status, data, size) }?.unwrap_or_default(),
        ))
    }

    /// The pairs; `None` if the serialisation is not what the ABI says.
    pub(crate) fn iter(&self) -> Option<Vec<(&[u8], &[u8])>> {
        pairs(&self.0)
    }
}

/// Reads the ABI's serialisation of pairs: their number, all sizes, then names
/// and values, each with a NUL behind, and nothing else.
pub(crate) fn pairs(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = bytes.split_first_chunk()?;
    let count = u32::from_le_bytes(*count) as usize;
    let (sizes, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut take = |size: &[u8; 4]| {
        let size = u32::from_le_bytes(*size) as usize;
        let (text, after) = rest.split_at_checked(size)?;
        rest = after.split_first()?.1;
        Some(text)
    };
    let (sizes, _) = sizes.as_chunks::<4>();
    let (sizes, _) = sizes.as_chunks::<2>();
    let pairs = sizes
        .iter()
        .map(|[name, value]| Some((take(name)?, take(value)?)));
    let pairs = pairs.collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(pairs)
}

/// Writes what [`pairs`] reads.
pub(crate) fn serialise<'a>(
    pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(256);
    bytes.extend(number(pairs.len()));
    for (name, value) in pairs.clone() {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

/// First value of a header. For maps an attacker does not write only.
pub(crate) fn header(map: Map, name: &str) -> Result<Option<Vec<u8>>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: pointers and lengths are those of live values.
    let status = unsafe {
        proxy_get_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            &raw mut data,
            &raw mut size,
        )
    };
    // SAFETY: as `take` asks.
    unsafe { take(status, data, size) }
}

/// Sets a header, replacing every value it has.
pub(crate) fn set_header(map: Map, name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: pointers and lengths are those of live strings.
    done(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes every value of a header.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<(), HostError> {
    // SAFETY: pointer and length are those of a live string.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Reads a property; `path` has its elements joined by NUL.
pub(crate) fn property(path: &str) -> Result<Option<Vec<u8>>, HostError> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: pointers and lengths are those of live values.
    let status =
        unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    // SAFETY: as `take` asks.
    unsafe { take(status, data, size) }
}

/// Writes filter state, which access logs read under `wasm.` and this name.
pub(crate) fn set_filter_state(name: &str, value: &str) -> Result<(), HostError> {
    // SAFETY: pointers and lengths are those of live strings.
    done(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Reads a value that the workers of this VM's id share, and its version.
#[cfg(feature = "policy")]
pub(crate) fn shared(key: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let (mut data, mut size, mut version) = (null_mut(), 0, 0);
    // SAFETY: pointers and lengths are those of live values.
    let status = unsafe {
        proxy_get_shared_data(
            key.as_ptr(),
            key.len(),
            &raw mut data,
            &raw mut size,
            &raw mut version,
        )
    };
    if status == NOT_FOUND {
        return Ok(None);
    }
    // SAFETY: as `take` asks.
    let value = unsafe { take(status, data, size) }?;
    Ok(Some((value.unwrap_or_default(), version)))
}

/// Writes a shared value if it has this version still or, without one, if there
/// is none. Answers whether it did.
#[cfg(feature = "policy")]
pub(crate) fn set_shared(key: &str, value: &[u8], version: Option<u32>) -> Result<bool, HostError> {
    // The host compares versions only with what is there, and takes zero for any;
    // it counts from one, so this is none of a value's for four billion writes.
    const NONE: u32 = u32::MAX;
    const VERSION_MISMATCH: u32 = 8;
    // SAFETY: pointers and lengths are those of live values.
    let status = unsafe {
        proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            version.unwrap_or(NONE),
        )
    };
    match status {
        VERSION_MISMATCH => Ok(false),
        status => done(status).map(|()| true),
    }
}

/// Defines a counter, or finds the one of this name.
pub(crate) fn counter(name: &str) -> Result<u32, HostError> {
    const COUNTER: u32 = 0;
    let mut metric = 0;
    // SAFETY: pointers and lengths are those of live values.
    done(unsafe { proxy_define_metric(COUNTER, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

/// Counts one.
pub(crate) fn count(metric: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    done(unsafe { proxy_increment_metric(metric, 1) })
}

/// Lets a held request go on.
pub(crate) fn resume_request() -> Result<(), HostError> {
    resume(Stream::Request)
}

/// Lets what is held of a direction go on, once this call into the VM is over.
pub(crate) fn resume(stream: Stream) -> Result<(), HostError> {
    // SAFETY: no pointers.
    done(unsafe { proxy_continue_stream(stream as u32) })
}

/// Cuts a stream, once this call into the VM is over.
pub(crate) fn close(stream: Stream) -> Result<(), HostError> {
    // SAFETY: no pointers.
    done(unsafe { proxy_close_stream(stream as u32) })
}

/// Lets what follows in this call into the VM be done in a context's stead. An
/// unknown one is an error.
pub(crate) fn act_for(context: u32) -> Result<(), HostError> {
    // SAFETY: no pointers.
    done(unsafe { proxy_set_effective_context(context) })
}

/// Answers the request.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), HostError> {
    const DETAILS: &str = "ig_guard";
    const NO_GRPC_STATUS: i32 = -1;
    let headers = serialise(
        headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    );
    // SAFETY: pointers and lengths are those of live values.
    done(unsafe {
        proxy_send_local_response(
            status.into(),
            DETAILS.as_ptr(),
            DETAILS.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Says whose call it is (W3C Trace Context). Envoy begins no span for a
/// module's call by itself.
const TRACE_PARENT: &str = "traceparent";

/// Starts a GET to a cluster and returns the call's token.
///
/// By the SDK, whose dispatcher must know the token. It answers `Err` for both
/// failures that Envoy has here: an unknown cluster, and no connection pool.
pub(crate) fn get(
    cluster: &str,
    authority: &str,
    path: &str,
    trace: Option<&str>,
    timeout: Duration,
) -> Result<u32, HostError> {
    let mut headers = vec![
        (":method", "GET"),
        (":authority", authority),
        (":path", path),
    ];
    headers.extend(trace.map(|trace| (TRACE_PARENT, trace)));
    proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout)
        .map_err(|status| HostError(status as u32))
}

/// Starts a POST of JSON to a cluster and returns the call's token, as [`get`]
/// does.
#[cfg(feature = "policy")]
pub(crate) fn post(
    cluster: &str,
    authority: &str,
    path: &str,
    json: &[u8],
    trace: Option<&str>,
    timeout: Duration,
) -> Result<u32, HostError> {
    let mut headers = vec![
        (":method", "POST"),
        (":authority", authority),
        (":path", path),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ];
    headers.extend(trace.map(|trace| (TRACE_PARENT, trace)));
    proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, Some(json), vec![], timeout)
        .map_err(|status| HostError(status as u32))
}

/// Whether a call's answer is one of 200. A reset has no `:status`; that is a
/// failure like any other.
pub(crate) fn is_call_answered() -> bool {
    let status = header(Map::CallResponse, ":status").ok().flatten();
    status.is_some_and(|status| status == b"200")
}

/// The body of a call's answer of 200, if it is not longer than `most`.
pub(crate) fn call_response(body_size: usize, most: usize) -> Option<Vec<u8>> {
    if !is_call_answered() || body_size > most {
        return None;
    }
    buffer(Buffer::CallResponseBody, body_size).ok().flatten()
}
