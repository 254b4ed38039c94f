//! App specifications, and every format that they are read from.
