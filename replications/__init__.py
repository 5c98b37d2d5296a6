"""Five papers, one self-contained subpackage each."""
