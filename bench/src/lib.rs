//! A load client that counts every failure.
