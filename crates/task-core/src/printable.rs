/// A text from elsewhere as it may be logged: control characters, which could forge lines or move a terminal's cursor,
/// are escaped, and nothing else is.
///
/// ```
/// assert_eq!(task_core::printable("it's\u{1b}[2J\n"), r"it's\u{1b}[2J\n");
/// ```
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown
}
