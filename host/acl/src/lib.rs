//! Access rules: policies in HCL or JSON, and what they allow. Pure functions.

pub mod hcl;
