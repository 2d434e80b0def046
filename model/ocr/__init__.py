"""OCR: reads words and boxes from a page image.

Start with `engine.py`, which chooses between `ppocr.py` (with `text_detection.py`, `line_recognition.py`,
`line_words.py`), `tesseract.py`, or both (`doubtful_lines.py`). `page_reader.py` reads pages in any position,
`reading_order.py` orders the words, `word_filter.py` drops everything that is not a word.
"""
