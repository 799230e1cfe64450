"""Customers with orders and nights over them, as the tests of segmentation have them."""

from tests.segmentation.conftest import night, ordered

__all__ = ["night", "ordered"]
