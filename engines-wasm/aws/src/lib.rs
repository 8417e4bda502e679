//! AWS credentials on demand: the secrets engine `aws`.
