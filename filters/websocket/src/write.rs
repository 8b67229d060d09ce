//! From messages to frames: one frame a message, lengths in their shortest form.

/// The key of a frame to a server; none to a client (RFC 6455 §5.3). It has to be
/// fresh and unpredictable for each frame.
pub type Mask = Option<[u8; 4]>;

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Longest payload of a control frame.
const MAX_CONTROL: usize = 125;

/// Appends a text message.
pub fn text_frame(out: &mut Vec<u8>, text: &str, mask: Mask) {
    frame(out, TEXT, text.as_bytes(), mask);
}

/// Appends a ping; what does not fit is left out.
pub fn ping_frame(out: &mut Vec<u8>, payload: &[u8], mask: Mask) {
    frame(out, PING, control(payload), mask);
}

/// Appends a pong; what does not fit is left out.
pub fn pong_frame(out: &mut Vec<u8>, payload: &[u8], mask: Mask) {
    frame(out, PONG, control(payload), mask);
}

/// Appends a close frame; what does not fit of the reason is left out.
pub fn close_frame(out: &mut Vec<u8>, code: Option<u16>, reason: &str, mask: Mask) {
    let mut payload = Vec::new();
    if let Some(code) = code {
        let most = reason.floor_char_boundary(MAX_CONTROL - 2);
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(reason.get(..most).unwrap_or_default().as_bytes());
    }
    frame(out, CLOSE, &payload, mask);
}

fn control(payload: &[u8]) -> &[u8] {
    payload.get(..MAX_CONTROL).unwrap_or(payload)
}

fn frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: Mask) {
    out.reserve(payload.len() + 14);
    out.push(FINAL | opcode);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(masked | short),
        (_, Ok(medium)) => {
            out.push(masked | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    match mask {
        None => out.extend_from_slice(payload),
        Some(mask) => {
            out.extend_from_slice(&mask);
            let key = mask.iter().cycle();
            out.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key));
        }
    }
}
