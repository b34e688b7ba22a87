//! The autoencoder: its file, its buffers on a device, the recorded forward, backward and update, the training
//! loop, and what a trained network is used for.

pub mod apply;
pub mod checkpoint;
mod course;
pub mod feed;
pub mod history;
pub(crate) mod keeper;
pub mod known;
pub mod model;
pub(crate) mod needs;
pub mod network;
mod optimizer;
pub(crate) mod ranked;
pub mod scaling;
pub mod settings;
pub mod tensors;
pub mod train;
