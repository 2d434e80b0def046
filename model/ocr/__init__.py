"""Reading words and boxes from a page image, one file an engine.

Begin with `engine.py`; `reading_order.py` orders the words, `word_filter.py` drops what is no word.
"""
