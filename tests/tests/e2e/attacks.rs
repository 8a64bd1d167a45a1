//! Attacks with bytes that no client would send, on the real binary: its memory does not grow, and a good caller is served meanwhile.

mod few_files;
mod floods;
mod half_open;
mod raw;
mod tiny_rows;
mod unread;
mod watched;
