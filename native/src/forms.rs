//! The form of a record by its headers: as `pipeline/facts/exact/forms.py` tells it.

use crate::batch::Frame;

const STRUCTURED: &[u8] = b"application/cloudevents+json";
const BATCH: &[u8] = b"application/cloudevents-batch+json";

/// What headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Structured,
    Batch,
    /// An object is an event, an array is a batch.
    Nothing,
    /// It is not read here.
    Other,
}

/// Tells forms; the last headers are remembered, for they are nearly always the next ones, too.
pub struct Forms {
    headers: Vec<u8>,
    count: i64,
    said: Said,
}

impl Default for Forms {
    fn default() -> Self {
        Forms { headers: Vec::new(), count: 0, said: Said::Nothing }
    }
}

impl Forms {
    /// Whether a record is a batch; None if it is of a form that is not read here.
    #[inline(always)]
    pub fn is_batch(&mut self, octets: &[u8], frame: &Frame, value: &[u8]) -> Option<bool> {
        let headers = &octets[frame.headers.clone()];
        if frame.header_count != self.count || headers != self.headers {
            self.said = said(octets, frame);
            self.headers = headers.to_vec();
            self.count = frame.header_count;
        }
        match self.said {
            Said::Structured => Some(false),
            Said::Batch => Some(true),
            Said::Other => None,
            Said::Nothing => {
                let is_white = |octet: &&u8| matches!(octet, b' ' | b'\t' | b'\n' | b'\r');
                match value.iter().find(|octet| !is_white(octet))? {
                    b'{' => Some(false),
                    b'[' => Some(true),
                    _ => None,
                }
            }
        }
    }
}

#[cold]
fn said(octets: &[u8], frame: &Frame) -> Said {
    let Some(headers) = frame.headers(octets) else { return Said::Other };
    // A null header is as if it were not there; of repeated ones the last holds.
    let mut media_type = &b""[..];
    let mut is_binary = false;
    for (name, value) in headers {
        let Some(value) = value else { continue };
        match &octets[name] {
            b"content-type" => media_type = &octets[value],
            b"ce_specversion" => is_binary = true,
            _ => {}
        }
    }
    if !media_type.iter().all(|octet| (b' '..=b'~').contains(octet)) {
        return Said::Other; // there is white space beyond ASCII's
    }
    let end = media_type.iter().position(|octet| *octet == b';').unwrap_or(media_type.len());
    let media_type = media_type[..end].trim_ascii().to_ascii_lowercase();
    match &media_type[..] {
        STRUCTURED => Said::Structured,
        BATCH => Said::Batch,
        _ if is_binary => Said::Other,
        _ => Said::Nothing,
    }
}
