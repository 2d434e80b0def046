"""OCR: reads words and boxes from a page image, one file per engine.

Start with `engine.py`; `reading_order.py` orders the words, `word_filter.py` drops everything that is not a word.
"""
