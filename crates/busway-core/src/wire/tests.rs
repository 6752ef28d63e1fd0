mod parsing;
mod writing;
