//! Denial of service with bytes that no client would send, on the real binary: its memory does not grow, and a good
//! caller is served meanwhile.

mod file_descriptor_limit;
mod frame_floods;
mod half_open_calls;
mod http2;
mod memory_monitor;
mod small_frames;
mod unread_answers;
