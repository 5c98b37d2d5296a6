"""Chao, Tao, Yang, Li, Wen 2016: temporal alignment and perception attention (EmotiW 2015)."""
