"""Figures for print: matplotlib figures made from `view.tables`, with captions, tables and provenance."""
