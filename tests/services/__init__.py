"""Tests of one service or part each, on real servers."""
