"""The report of a study: words, charts and the page, in Chinese and in English; data in, text out."""
