//! What is printed: colours, tables, progress, errors, units.

mod errors;
mod out;
mod paint;
mod progress;
mod survivors;
mod table;
mod text;
mod units;

pub use errors::print_failure;
pub use out::Out;
pub use paint::{Ink, Paint};
pub use progress::Progress;
pub use survivors::{orphans, survivors};
pub use table::{Align, Cell, Column, Table};
pub use text::{clean, cut};
pub use units::{bytes, millis, rate, since, span};
