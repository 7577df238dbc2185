"""Uploads of visit records (健保卡資料上傳): formats 1.0 and 2.0, made, read, checked and kept. Bytes in, values out."""
