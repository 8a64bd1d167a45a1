//! .
pub type Checked<T, U> = tonic_prost::ProstCodec<T, U>;
