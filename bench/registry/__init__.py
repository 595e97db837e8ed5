"""What is declared: `bench.yaml`, datasets and their windows, entries (installed ones too), the files of a new one.

Read and checked without importing model code or anything heavy.
"""
