//! RTP and RTCP (RFC 3550, 3551, 4733): packets, sequence numbers, order, figures.

pub mod burst;
pub mod drift;
pub mod dtmf;
pub mod mos;
pub mod order;
pub mod packet;
pub mod playout;
pub mod report;
pub mod srtp;
pub mod stats;
pub mod xr;
